"""Parts of large objects: sent out, waited for, and joined to what one commit takes (core.parts)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core import parts as rules
from chalicelib.core.parts import Joined
from chalicelib.core.tasks import Begun, Outcome, Staged, Task, TaskState
from chalicelib.errors import TooManyBadRows
from chalicelib.flows.ports import Jobs, Metrics, Pipelines, Queue
from chalicelib.flows.read import REASONS
from chalicelib.records.quarantine import Quarantine


@dataclass(frozen=True, slots=True)
class Parts:
    """Every step may be repeated; whoever comes by takes the next one."""

    pipelines: Pipelines
    jobs: Jobs
    queue: Queue
    metrics: Metrics
    now: Callable[[], datetime]
    lease: timedelta
    stage: Callable[[Task], None]  # a task to the commit

    def see_to(self, task: Task) -> None:
        """Send the parts of a divided task that were not sent, and join them once all are read."""
        wanted = rules.parts(task, due_at=self.now() + self.lease)
        stored = {part.number: part for part in self.jobs.tasks(wanted[0].job)}
        fresh = [part for part in wanted if part.number not in stored]
        if fresh:
            self.jobs.add(fresh)
            self.queue.load(fresh)
        elif all(part.state is TaskState.READ for part in stored.values()):
            self._join(task, [stored[part.number] for part in wanted])

    def read(self, task: Task, staged: Staged, begun: Begun | None) -> None:
        """A part was read to its end: the last one wakes its parent."""
        assert task.part_of is not None, "a part knows its parent"
        done = rules.read(task, task.attempt, staged, begun)
        if done is None or not self.jobs.swap(done):
            return
        parent = self.jobs.task(*task.part_of)
        if parent is not None and parent.state is TaskState.DIVIDED:
            self.see_to(parent)

    def _join(self, task: Task, done: list[Task]) -> None:
        joined = rules.join(task, done, now=self.now())
        if joined.staged is not None:
            joined = replace(joined, staged=self._checked(task, joined.staged, joined))
        after = rules.joined(task, joined, now=self.now(), patience=self.lease)
        if after.state is TaskState.STAGED:
            self.stage(after)
        elif self.jobs.swap(after):
            self.metrics.count("PartsMisjoined", 1, pipeline=task.pipeline)
            self.queue.load([after])

    def _checked(self, task: Task, staged: Staged, joined: Joined) -> Staged:
        """The limits of bad rows are the whole object's."""
        pipeline, (outcome,) = self.pipelines.get(task.pipeline), staged.outcomes
        tally = joined.tally
        if pipeline is None or tally is None:
            return staged
        try:
            Quarantine(pipeline.source.parser, tally.rows, tally.rejects, tally.first).check_all()
        except TooManyBadRows as error:
            kind, reason = REASONS[TooManyBadRows]
            failed = Outcome(outcome.key, kind, reason=reason, error=str(error), rejects=outcome.rejects)
            return replace(staged, outcomes=(failed,), files=())
        return staged

"""What the tick does: find whatever a crash left behind, and set it going again (protocol, "What each crash leaves").

- tasks past their time: planned or loading ones are sent again, staged ones are nudged, split ones are finished;
- entries that nobody works on: pending ones, and claims whose lease is over although no task will ever end them;
  those whose rows are to leave their table, as the customer deleted the object, begin here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import tasks as rules
from chalicelib.core.ledger import Entry
from chalicelib.core.tasks import Task, TaskState
from chalicelib.flows.discover import Discover
from chalicelib.flows.ports import Jobs, Ledger, Metrics, Pipelines, Queue
from chalicelib.flows.troubles import try_all
from chalicelib.flows.withdraw import Withdraw

LIMIT = 500  # found in one tick; the rest is found by the next


@dataclass(frozen=True, slots=True)
class Recover:
    """Sets going what stands still."""

    pipelines: Pipelines
    ledger: Ledger
    jobs: Jobs
    queue: Queue
    metrics: Metrics
    now: Callable[[], datetime]
    patience: timedelta  # how long a task that was sent again is left alone
    discover: Discover
    withdraw: Withdraw
    split: Callable[[Task], None]
    confirm: Callable[[Pipeline, Sequence[Entry]], Sequence[Entry]]  # those whose rows may really go

    def tick(self) -> None:
        """A minute has passed. One task's or pipeline's trouble does not keep the rest waiting."""
        tasks = (partial(self._task, task) for task in self.jobs.due(self.now(), limit=LIMIT))
        entries = (partial(self._entries, pipeline) for pipeline in self.pipelines.all())
        try_all((*tasks, *entries), self.metrics)

    def _task(self, task: Task) -> None:
        if task.state is TaskState.SPLIT:
            self.split(task)
            return
        waiting = rules.resume(task, until=self.now() + self.patience)
        if waiting is None or not self.jobs.swap(waiting):
            return  # it moved on by itself
        if task.state is not TaskState.DIVIDED:  # it waits for its parts, and those that stand still are counted
            self.metrics.count("TasksRecovered", 1, pipeline=task.pipeline, state=task.state)
        if task.state is TaskState.STAGED:
            self.queue.commit([waiting])
        else:
            self.queue.load([waiting])

    def _in_run(self, entry: Entry) -> bool:
        """Whether a run that is not over has it: nobody else may bring what replaces the whole content."""
        job = self.jobs.job(entry.owner.job) if entry.owner is not None else None
        return job is not None and job.sweep is not None and (not job.sealed or job.unfinished > 0)

    def _entries(self, pipeline: Pipeline) -> None:
        """Start a job for what nobody works on; claiming decides, once more, whether that is so."""
        now = self.now()
        found = self.ledger.open(pipeline.name, due=now, limit=LIMIT)
        if pipeline.out.replaces:
            found = [entry for entry in found if not self._in_run(entry)]
        lost = [entry.ref for entry in found if entry.leaving is None]
        if lost:
            self.discover.resume(pipeline, now.isoformat(), lost)
        leaving = [entry for entry in found if entry.leaving is not None]
        self.withdraw.start(pipeline, now.isoformat(), self.confirm(pipeline, leaving))

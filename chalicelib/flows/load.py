"""One task to staged files, an attempt at a time; flows.attempt and flows.read do what is done to each object.

A task always ends by staging what became of each member, even if that is nothing but refusals: the commit then
marks them all in one way. Only what may pass by itself (TransientError) is tried again, a bounded number of times.
An attempt that runs out of time hands over, and the task is sent again; that is no failure, and has no limit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.core import parts
from chalicelib.core import tasks as rules
from chalicelib.core.health import Health, failed, recovered
from chalicelib.core.jobs import on_split, on_staged
from chalicelib.core.ledger import Entry, Owner, reassign
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Begun, Division, Outcome, OutcomeKind, Progress, Staged, Task, TaskState
from chalicelib.errors import (
    ConfigError,
    LeaseLost,
    TransientError,
)
from chalicelib.flows.attempt import SMALL, Attempt
from chalicelib.flows.claim import rewrite
from chalicelib.flows.parts import Parts
from chalicelib.flows.ports import (
    Ahead,
    Buckets,
    Connections,
    HealthStore,
    Jobs,
    Ledger,
    Metrics,
    Pipelines,
    Queue,
    Stage,
)
from chalicelib.flows.read import ERROR_TEXT, Reader, denied
from chalicelib.flows.settled import Settled
from chalicelib.flows.together import in_turn

Result = Staged | Progress | Division


@dataclass(frozen=True, slots=True)
class Load:
    """From a queued task to files that wait for their commit."""

    pipelines: Pipelines
    connections: Connections
    health: HealthStore
    buckets: Buckets
    ledger: Ledger
    jobs: Jobs
    queue: Queue
    stage: Stage
    secret: Callable[[str], bytes]  # by name
    metrics: Metrics
    now: Callable[[], datetime]
    lease: timedelta  # renewed while the attempt moves
    nudge_after: timedelta
    small: int = SMALL  # bytes of an object that is read in one go
    ahead: Ahead = in_turn

    def task(self, job: str, number: int, until: datetime | None = None) -> None:
        """Do one attempt of the task, unless somebody else is at it or it is past that.

        `until`: when to hand over. Raises TransientError if the attempt failed in a way that may pass; the queue
        delivers the task again.
        """
        task = self.jobs.task(job, number)
        if task is not None and task.state is TaskState.DIVIDED:
            self._parts.see_to(task)
            return
        begun = rules.begin(task, now=self.now(), lease=self.lease) if task is not None else None
        if begun is None or not self.jobs.swap(begun, on_split(begun) if begun.state is TaskState.SPLIT else None):
            return
        if begun.state is TaskState.SPLIT:
            self.split(begun)
            return
        hold = _Hold(self, begun)
        try:
            result = self._attempt(hold, until)
        except LeaseLost:
            return  # whoever has it now will stage it
        except TransientError as error:
            released = rules.release(hold.task, begun.attempt, error=str(error), now=self.now())
            if released is not None:
                self.jobs.swap(released)
            raise
        self._end(hold.task, *result)

    def split(self, task: Task) -> None:
        """Give each member of a split task a task of its own; safe to repeat."""
        now = self.now()
        children = rules.children(task, now=now + self.lease)
        self.jobs.add(children)
        parent = Owner(task.job, task.number)
        heirs = {child.members[0].key: Owner(child.job, child.number) for child in children}

        def handed(entry: Entry) -> Entry | None:
            return reassign(entry, parent, heirs[entry.key], now=now, lease=self.lease)

        rewrite(self.ledger, task.pipeline, heirs.keys(), handed)
        self.queue.load(children)
        closed = rules.close(task)
        if closed is not None:
            self.jobs.swap(closed)

    def _attempt(self, hold: "_Hold", until: datetime | None) -> tuple[Result, Begun | None]:
        """What it came to, and where it stopped."""
        task = hold.task
        if task.hopeless:
            return self._given_up(task), None
        pipeline = self.pipelines.get(task.pipeline)
        if pipeline is None:
            return self._refused(task, f"pipeline {task.pipeline} was deleted"), None
        grant = self.connections.get(pipeline.connection)
        if grant is None:
            return self._refused(task, f"connection {pipeline.connection} was deleted"), None
        health = self.health.get(pipeline.connection)
        if not health.lets(task.run):
            since = f"since {health.failing_since:%Y-%m-%d %H:%M:%S} UTC" if health.failing_since else ""
            return self._refused(task, f"connection {pipeline.connection} is failing {since}: {health.reason}"), None
        rows, rejects = (self.stage(out, task.id, task.attempt) for out in (pipeline.out, pipeline.out.rejects))
        reader = Reader(
            grant,
            pipeline,
            task.run,
            Settled(self.pipelines),
            self.buckets,
            self.secret,
            rows,
            rejects,
            hold.renew,
            self.now,
        )
        try:
            attempt = Attempt(
                task, reader, lambda: until is not None and self.now() >= until, self.now, self.small, self.ahead
            )
            result = attempt.run()
            self._diagnose(health, task, attempt.outcomes, reader)
        except BaseException:
            rows.abandon()
            rejects.abandon()
            raise
        return result, attempt.begun

    def _diagnose(self, health: Health, task: Task, outcomes: Sequence[Outcome], reader: Reader) -> None:
        """Remember whether the connection lets us in.

        A way in that was shut says no, whatever was read before; so do denials and nothing else. Anything else that
        S3 told says yes.
        """
        told = any(outcome.reason not in (Reason.DENIED, Reason.GAVE_UP) for outcome in outcomes)
        if told and not reader.shut:
            after = recovered(self.health.get(health.connection))  # another trial may have begun meanwhile
        elif reader.denials:
            after = failed(health, task.run, str((reader.shut or reader.denials)[0]), now=self.now())
        else:
            after = None
        if after is not None and self.health.swap(after) and health.failing_since is None:
            self.metrics.count("ConnectionsFailing", 1)  # without a dimension: one alarm watches them all

    def _given_up(self, task: Task) -> Staged:
        said = f"; one said: {task.error}"[:ERROR_TEXT] if task.error else ""
        error = f"{task.tries - 1} attempts ended without a word: too large for the time or the memory there is{said}"
        outcomes = (Outcome(m.key, OutcomeKind.FAILED, reason=Reason.GAVE_UP, error=error) for m in task.members)
        return Staged(tuple(outcomes), files=(), at=self.now())

    def _refused(self, task: Task, why: str) -> Staged:
        error = ConfigError(why, remedy="Make it again under the same name and replay")
        return Staged(tuple(denied(member, error) for member in task.members), files=(), at=self.now())

    def _end(self, task: Task, result: Result, begun: Begun | None) -> None:
        """Store what it came to. If a later attempt has taken over, its files are orphans that no manifest names."""
        now = self.now()
        match result:
            case Progress():
                handed = rules.hand_over(task, result, now=now, patience=self.lease)
                if handed is not None and self.jobs.swap(handed):
                    self.metrics.count("TasksHandedOver", 1, pipeline=task.pipeline)
                    self.queue.load([handed])
            case Division():
                divided = parts.divide(task, result, now=now, patience=self.lease)
                if divided is not None and self.jobs.swap(divided):
                    self._parts.see_to(divided)
            case Staged() if task.part_of is not None:
                self._parts.read(task, result, begun)
            case Staged():
                done = rules.stage(task, task.attempt, result, nudge_after=self.nudge_after)
                if done is not None:
                    self._stage(done)

    def _stage(self, done: Task) -> None:
        if self.jobs.swap(done, on_staged(done)):
            self._measure(done)
            self.queue.commit([done])

    @property
    def _parts(self) -> Parts:
        return Parts(self.pipelines, self.jobs, self.queue, self.metrics, self.now, self.lease, self._stage)

    def _measure(self, task: Task) -> None:
        assert task.staged is not None
        sizes = {member.key: member.size for member in task.members}
        for outcome in task.staged.outcomes:
            if outcome.kind is OutcomeKind.LOADED:
                self.metrics.count("ObjectsLoaded", 1, pipeline=task.pipeline)
                self.metrics.count("Rows", outcome.rows, pipeline=task.pipeline)
                self.metrics.count("Rejects", outcome.rejects, pipeline=task.pipeline)
                self.metrics.count("Bytes", sizes[outcome.key], pipeline=task.pipeline)
            else:
                reason = outcome.reason or outcome.kind
                self.metrics.count("ObjectsRefused", 1, pipeline=task.pipeline, reason=reason)


@dataclass(slots=True)
class _Hold:
    """This attempt's hold on its task, renewed while it moves."""

    load: Load
    task: Task

    def renew(self) -> None:
        """Called at every page. Raises LeaseLost if somebody else has the task now."""
        renewed = rules.renew(self.task, now=self.load.now(), lease=self.load.lease)
        if renewed is None:
            return
        if not self.load.jobs.swap(renewed):
            raise LeaseLost("a later attempt has taken over", where=f"task {self.task.id}")
        self.task = renewed

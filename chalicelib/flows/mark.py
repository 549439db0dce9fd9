"""What the ledger, the task and its job remember once a task's rows count, or never will."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType

from chalicelib.core import ledger
from chalicelib.core import tasks as rules
from chalicelib.core.jobs import JobChange, on_committed, on_void
from chalicelib.core.ledger import Entry, Owner
from chalicelib.core.objects import UNKNOWN_TIME, ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Outcome, OutcomeKind, Staged, Task
from chalicelib.errors import SchemaConflict, StagedFileMissing
from chalicelib.flows.claim import rewrite
from chalicelib.flows.formers import Claims
from chalicelib.flows.ports import Jobs, Ledger, Metrics

AT_ONCE = 1000  # members of tasks that are marked together
NO_CLAIMS: Mapping[str, Claims] = MappingProxyType({})


@dataclass(frozen=True)
class Ended:
    """A staged task that is settled."""

    task: Task
    snapshot: str | None
    error: str | None = None

    @cached_property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What became of its members, by key."""
        return {outcome.key: outcome for outcome in self.staged.outcomes}

    @cached_property
    def members(self) -> Mapping[str, ObjectRef]:
        """By key."""
        return {member.key: member for member in self.task.members}

    @property
    def staged(self) -> Staged:
        """What its attempt left."""
        assert self.task.staged is not None
        return self.task.staged


@dataclass(frozen=True, slots=True)
class Marks:
    """Ends staged tasks."""

    ledger: Ledger
    jobs: Jobs
    metrics: Metrics
    now: Callable[[], datetime]

    def void(self, task: Task) -> None:
        """Its claims were taken over: its rows must never count."""
        voided = rules.void(task, error="its claims were taken over")
        if voided is not None:
            self.jobs.swap(voided, on_void(voided, now=self.now()))

    def committed(self, task: Task, snapshot: str | None, *, error: str | None = None) -> None:
        """Members first, then the task with its job: repeating either changes nothing."""
        self.all_committed([Ended(task, snapshot, error)])

    def all_committed(self, ended: Sequence[Ended], claims: Mapping[str, Claims] = NO_CLAIMS) -> None:
        """The same for many tasks at once. `claims`: by task, what the ledger said a moment ago."""
        for some in _portions(ended):
            now = self.now()
            self._mark_members(some, claims, now)
            steps = {each.task.id: self._step(each, now) for each in some}
            lost = self.jobs.swap_all([step for step in steps.values() if step is not None])
            for each in some:
                if steps[each.task.id] is not None and each.task.id not in lost:
                    self._measure(each.task, now)

    def _step(self, ended: Ended, now: datetime) -> tuple[Task, JobChange] | None:
        done = rules.commit(ended.task, snapshot=ended.snapshot)
        return None if done is None else (done, on_committed(done, now=now, error=ended.error))

    def _mark_members(self, ended: Sequence[Ended], claims: Mapping[str, Claims], now: datetime) -> None:
        """Of tasks of one pipeline."""
        by_owner = {Owner(each.task.job, each.task.number): each for each in ended}
        known = {key: entry for each in ended for key, entry in claims.get(each.task.id, {}).items()}

        def marked(entry: Entry) -> Entry | None:
            mine = by_owner.get(entry.owner) if entry.owner is not None else None
            if mine is None or entry.key not in mine.outcomes:
                return None
            return ledger.mark(
                entry,
                Owner(mine.task.job, mine.task.number),
                mine.members[entry.key],
                mine.outcomes[entry.key],
                staged_at=mine.staged.at,
                now=now,
                snapshot=mine.snapshot,
            )

        keys = {key for each in ended for key in each.outcomes}
        rewrite(self.ledger, ended[0].task.pipeline, keys, marked, known)

    def _measure(self, task: Task, now: datetime) -> None:
        assert task.staged is not None
        loaded = {outcome.key for outcome in task.staged.outcomes if outcome.kind is OutcomeKind.LOADED}
        for member in task.members:
            if member.key in loaded and member.created_at != UNKNOWN_TIME:
                lag = (now - member.created_at).total_seconds()
                self.metrics.seconds("Lag", lag, pipeline=task.pipeline)

    def set_aside(self, task: Task, error: SchemaConflict | StagedFileMissing) -> None:
        """What it loaded cannot come into the table: it is set aside with the reason."""
        assert task.staged is not None
        reason = Reason.SCHEMA_CONFLICT if isinstance(error, SchemaConflict) else Reason.STAGED_FILE_MISSING
        outcomes = (_ended(outcome, reason, str(error)) for outcome in task.staged.outcomes)
        failed = replace(task, staged=replace(task.staged, outcomes=tuple(outcomes), files=()))
        self.committed(failed, None)


def _portions(ended: Sequence[Ended]) -> Iterator[list[Ended]]:
    """Tasks of one pipeline with not too many members together; no object is in two of them."""
    by_pipeline: dict[str, list[Ended]] = {}
    for each in ended:
        by_pipeline.setdefault(each.task.pipeline, []).append(each)
    for all_ in by_pipeline.values():
        some: list[Ended] = []
        keys: set[str] = set()
        for each in all_:
            if some and (len(keys) + len(each.outcomes) > AT_ONCE or keys & each.outcomes.keys()):
                yield some
                some, keys = [], set()
            some.append(each)
            keys |= each.outcomes.keys()
        yield some


def _ended(outcome: Outcome, reason: Reason, error: str) -> Outcome:
    """What was loaded is set aside; what was to leave stays, and says why."""
    if outcome.kind is OutcomeKind.LOADED:
        return Outcome(outcome.key, OutcomeKind.FAILED, reason=reason, error=error)
    if outcome.kind is OutcomeKind.REMOVED:
        return Outcome(outcome.key, OutcomeKind.REMOVED, reason=reason, error=error)
    return outcome

"""What the ledger, the task and its job remember once a task's rows count, or never will."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.core import ledger
from chalicelib.core import tasks as rules
from chalicelib.core.jobs import on_committed, on_void
from chalicelib.core.ledger import Entry, Owner
from chalicelib.core.objects import UNKNOWN_TIME
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Outcome, OutcomeKind, Staged, Task
from chalicelib.errors import SchemaConflict, StagedFileMissing
from chalicelib.flows.claim import rewrite
from chalicelib.flows.ports import Jobs, Ledger, Metrics


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
        assert task.staged is not None
        now = self.now()
        self._mark_members(task, task.staged, snapshot, now)
        done = rules.commit(task, snapshot=snapshot)
        if done is not None and self.jobs.swap(done, on_committed(done, now=now, error=error)):
            self._measure(task, now)

    def _mark_members(self, task: Task, staged: Staged, snapshot: str | None, now: datetime) -> None:
        owner = Owner(task.job, task.number)
        outcomes = {outcome.key: outcome for outcome in staged.outcomes}
        members = {member.key: member for member in task.members}

        def marked(entry: Entry) -> Entry | None:
            return ledger.mark(
                entry,
                owner,
                members[entry.key],
                outcomes[entry.key],
                staged_at=staged.at,
                now=now,
                snapshot=snapshot,
            )

        rewrite(self.ledger, task.pipeline, outcomes.keys(), marked)

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


def _ended(outcome: Outcome, reason: Reason, error: str) -> Outcome:
    """What was loaded is set aside; what was to leave stays, and says why."""
    if outcome.kind is OutcomeKind.LOADED:
        return Outcome(outcome.key, OutcomeKind.FAILED, reason=reason, error=error)
    if outcome.kind is OutcomeKind.REMOVED:
        return Outcome(outcome.key, OutcomeKind.REMOVED, reason=reason, error=error)
    return outcome

"""Job: one run of a pipeline, and how its tasks' ends add up."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.core.tasks import OutcomeKind, Task


class JobKind(StrEnum):
    """What woke the job."""

    ARRIVAL = "arrival"
    RECOVERY = "recovery"
    SWEEP = "sweep"
    BACKFILL = "backfill"
    REPLAY = "replay"
    REMOVAL = "removal"
    UNDO = "undo"


class JobState(StrEnum):
    """How far it is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One run. Counts grow in the transactions that move its tasks, so that a redelivery counts nothing twice."""

    id: str
    kind: JobKind
    pipeline: str
    created_at: datetime
    tasks: int  # stored
    staging: int  # of those, not yet staged
    unfinished: int  # of those, not yet committed
    counts: Mapping[str, int] = field(default_factory=dict)  # objects by outcome or reason; rows, rejects, bytes, …_out
    finished_at: datetime | None = None
    error: str | None = None
    sealed: bool = True  # no further task will come
    sweep: str | None = None  # the sweep that it belongs to

    @property
    def state(self) -> JobState:
        """Running until the last task is over."""
        if self.unfinished > 0 or not self.sealed:
            return JobState.RUNNING
        return JobState.FAILED if self.error else JobState.DONE


@dataclass(frozen=True, slots=True)
class JobChange:
    """What one task's or sweep's transition adds to its job, in the same transaction."""

    job: str
    tasks: int = 0
    staging: int = 0
    unfinished: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    finished_at: datetime | None = None
    error: str | None = None
    sealed: bool | None = None

    @property
    def is_empty(self) -> bool:
        """True if it changes nothing, which DynamoDB would refuse to write."""
        return self == JobChange(self.job)


def together(changes: Iterable[JobChange]) -> JobChange:
    """What several tasks' transitions add to the one job that is theirs."""
    first, *others = changes
    counts, sums = Counter(first.counts), first
    for each in others:
        counts.update(each.counts)
        sums = JobChange(
            first.job,
            tasks=sums.tasks + each.tasks,
            staging=sums.staging + each.staging,
            unfinished=sums.unfinished + each.unfinished,
            finished_at=each.finished_at or sums.finished_at,
            error=each.error or sums.error,
            sealed=sums.sealed if each.sealed is None else each.sealed,
        )
    return replace(sums, counts=dict(counts))


def job_id(kind: JobKind, pipeline: str, cause: str) -> str:
    """The id that follows from what woke the job: the same cause gives the same job (protocol, step 1)."""
    digest = hashlib.sha256(f"{kind}\0{pipeline}\0{cause}".encode()).hexdigest()
    return f"{kind[0]}{digest[:20]}"


def on_staged(task: Task) -> JobChange:
    """A task reached `staged`."""
    return JobChange(task.job, staging=-1)


def on_split(task: Task) -> JobChange:
    """A task gave way to one task for each of its members."""
    more = len(task.members) - 1
    return JobChange(task.job, tasks=more, staging=more, unfinished=more)


def on_void(task: Task, *, now: datetime) -> JobChange:
    """A task is over without its rows; its objects go to another job."""
    return JobChange(task.job, unfinished=-1, finished_at=now, error=task.error)


def on_committed(task: Task, *, now: datetime, error: str | None = None) -> JobChange:
    """A task is over: its objects, rows and bytes count; the job has failed with this error, or an object's."""
    assert task.staged is not None, "only staged tasks are committed"
    counts: Counter[str] = Counter()
    sizes = {member.key: member.size for member in task.members}
    for outcome in task.staged.outcomes:
        counts[outcome.kind if outcome.kind is OutcomeKind.LOADED else (outcome.reason or outcome.kind)] += 1
        out = "_out" if outcome.kind is OutcomeKind.REMOVED else ""  # those left the table
        counts[f"rows{out}"] += outcome.rows
        counts[f"rejects{out}"] += outcome.rejects
        if outcome.rescued:
            counts["rescued"] += outcome.rescued
        counts["bytes"] += sizes[outcome.key] if outcome.kind is OutcomeKind.LOADED else 0
    bad = (OutcomeKind.FAILED, OutcomeKind.REMOVED)
    errors = [outcome.error for outcome in task.staged.outcomes if outcome.kind in bad and outcome.error]
    error = error or next(iter(errors), None)
    return JobChange(task.job, unfinished=-1, counts=dict(counts), finished_at=now, error=error)

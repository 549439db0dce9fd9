"""The life of a sweep: one listing of a bucket, as long as it takes, by whoever has its turn.

    running ─begin─▶ running (a turn) ─advance─▶ … ─listed─▶ draining ─done─▶ done
       └───────────────cancel───────────────────▶ cancelled ─resume─▶ running

A sweep's place is the last key whose objects are all decided and whose task is stored: whoever takes the next turn
goes on from there. Its tasks belong to one job, which is sealed when the listing ends.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.config.pipeline import Pipeline
from chalicelib.config.source import Source
from chalicelib.core.jobs import JobKind, job_id
from chalicelib.core.objects import ObjectRef

SCHEDULED = "sweep"  # the name of a pipeline's one scheduled or manual sweep
BACKFILL = "backfill#"  # before a backfill's name


class Walk(StrEnum):
    """How a sweep goes through the bucket."""

    PATH = "path"  # from the cursor's key on
    TIME = "time"  # everything, taking what was modified since the cursor's time
    FULL = "full"  # everything, merged with the ledger
    RANGE = "range"  # a backfill's bounds, merged with the ledger


class SweepState(StrEnum):
    """How far it is."""

    RUNNING = "running"
    DRAINING = "draining"
    DONE = "done"
    CANCELLED = "cancelled"


OVER = frozenset({SweepState.DONE, SweepState.CANCELLED})


class Stored(StrEnum):
    """What a store says of a stretch that was to be stored with its task."""

    DONE = "done"
    LOST = "lost"  # somebody else has the turn
    TASK_EXISTS = "task_exists"  # its number was buried: take another


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a backfill covers."""

    prefix: str = ""
    start_after: str = ""  # exclusive
    end_at: str | None = None  # exclusive
    modified_after: datetime | None = None  # inclusive
    modified_before: datetime | None = None  # exclusive


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep. Times are UTC; keys compare as S3 lists them, by UTF-8 bytes, and so do Python's strings."""

    pipeline: str
    name: str
    job: str
    walk: Walk
    state: SweepState
    prefix: str
    started_at: datetime
    due_at: datetime  # when somebody should wonder why it is not further; while a turn is on, its lease
    position: str = ""  # the last key that is decided
    until: str | None = None  # exclusive
    modified_after: datetime | None = None  # inclusive
    modified_before: datetime | None = None  # exclusive, fixed before listing (E7)
    next_task: int = 0
    turn: int = 0
    accepted_path: str | None = None  # the last key that was wanted
    accepted_before_held: str | None = None  # the last key that was wanted before the first that was held
    held_path: str | None = None  # the first key that another job holds
    held_time: datetime | None = None  # the earliest time among those
    seen: int = 0
    accepted: int = 0  # objects that this sweep's tasks load
    accepted_bytes: int = 0
    pages: int = 0
    cut: bool = False  # a limit ended it before the listing did
    max_concurrent_tasks: int | None = None
    error: str | None = None
    revision: int = 1

    @property
    def is_over(self) -> bool:
        """True if nothing will happen to it by itself."""
        return self.state in OVER

    def accepted_below(self, bound: str) -> str | None:
        """The last key known to be wanted and below `bound`."""
        keys = (self.accepted_path, self.accepted_before_held)
        return max((key for key in keys if key is not None and key < bound), default=None)

    def room(self, source: Source) -> tuple[int | None, int | None]:
        """How many objects and bytes it may still take; None where there is no limit (F28), and for backfills."""
        if self.walk is Walk.RANGE:
            return None, None
        files = None if source.total_file_count_limit is None else source.total_file_count_limit - self.accepted
        size = None if source.total_file_size_limit is None else source.total_file_size_limit - self.accepted_bytes
        return files, size


@dataclass(frozen=True, slots=True)
class Step:
    """What one stretch of the listing came to."""

    position: str
    seen: int = 0
    pages: int = 0
    matched: tuple[str, ...] = ()  # keys that the pipeline wants and nobody else holds, in order
    taken: tuple[ObjectRef, ...] = ()  # those of them that this sweep's task loads
    held: tuple[ObjectRef, ...] = ()  # wanted too, but another job's


def scheduled(
    pipeline: Pipeline,
    session: datetime,
    *,
    full: bool,
    last_path: str | None,
    last_modified_time: datetime | None,
    now: datetime,
) -> Sweep:
    """A pipeline's sweep for one session, from its cursor on; its job follows from the session (protocol, step 1)."""
    source = pipeline.source
    walk = Walk.TIME if source.use_modified_time else Walk.PATH
    walk = Walk.FULL if full or not source.incremental or source.path is not None else walk
    return Sweep(
        pipeline=pipeline.name,
        name=SCHEDULED,
        job=job_id(JobKind.SWEEP, pipeline.name, f"{session.isoformat()} {full}"),
        walk=walk,
        state=SweepState.RUNNING,
        prefix=source.listed_prefix,
        started_at=now,
        due_at=now,
        position=(last_path or "") if walk is Walk.PATH else "",
        modified_after=last_modified_time if walk is Walk.TIME else None,
        modified_before=now.replace(microsecond=0) if walk is Walk.TIME else None,
    )


def backfill(
    pipeline: Pipeline, name: str, bounds: Bounds, *, max_concurrent_tasks: int | None, now: datetime
) -> Sweep:
    """A backfill within its bounds; its job follows from its name."""
    return Sweep(
        pipeline=pipeline.name,
        name=BACKFILL + name,
        job=job_id(JobKind.BACKFILL, pipeline.name, name),
        walk=Walk.RANGE,
        state=SweepState.RUNNING,
        prefix=max(pipeline.source.listed_prefix, bounds.prefix, key=len),
        started_at=now,
        due_at=now,
        position=bounds.start_after,
        until=bounds.end_at,
        modified_after=bounds.modified_after,
        modified_before=bounds.modified_before,
        max_concurrent_tasks=max_concurrent_tasks,
    )


def begin(sweep: Sweep, *, now: datetime, lease: timedelta) -> Sweep | None:
    """The sweep for another turn; None if it is over, or if somebody has the turn."""
    at_work = sweep.state is SweepState.RUNNING and sweep.turn > 0 and now < sweep.due_at
    if sweep.is_over or at_work:
        return None
    return _next(sweep, turn=sweep.turn + 1, due_at=now + lease)


def advance(sweep: Sweep, step: Step, *, task: bool, now: datetime, lease: timedelta) -> Sweep:
    """The sweep after a stretch of its listing; `task` if the stretch became a task."""
    taken, held = step.taken, step.held
    first_held = min((ref.key for ref in held), default=None)
    last = step.matched[-1] if step.matched else sweep.accepted_path
    before = sweep.accepted_before_held
    if sweep.held_path is None:
        below = [key for key in step.matched if first_held is None or key < first_held]
        before = below[-1] if below else before
    times = [ref.created_at for ref in held] + ([sweep.held_time] if sweep.held_time else [])
    return _next(
        sweep,
        position=step.position,
        seen=sweep.seen + step.seen,
        pages=sweep.pages + step.pages,
        accepted=sweep.accepted + len(taken),
        accepted_bytes=sweep.accepted_bytes + sum(ref.size for ref in taken),
        accepted_path=last,
        accepted_before_held=before,
        held_path=sweep.held_path or first_held,
        held_time=min(times, default=None),
        next_task=sweep.next_task + task,
        due_at=now + lease,
    )


def pause(sweep: Sweep, *, now: datetime) -> Sweep:
    """The end of a turn: whoever gets the next message may take another."""
    return _next(sweep, due_at=now)


def listed(sweep: Sweep, *, cut: bool, now: datetime) -> Sweep:
    """The listing is at its end; only tasks are left."""
    return _next(sweep, state=SweepState.DRAINING, cut=cut, due_at=now)


def wait(sweep: Sweep, *, until: datetime) -> Sweep:
    """A draining sweep, to be looked at again at `until`."""
    return _next(sweep, due_at=until)


def done(sweep: Sweep, *, error: str | None = None) -> Sweep:
    """All tasks are over and the cursor has moved; the job's error is what people who wait for it want to hear."""
    return _next(sweep, state=SweepState.DONE, error=sweep.error or error)


def cancel(sweep: Sweep, *, error: str | None = None) -> Sweep | None:
    """No further listing; tasks that are stored go on. None if it is over anyway."""
    return None if sweep.is_over else _next(sweep, state=SweepState.CANCELLED, error=error)


def resume(sweep: Sweep, *, now: datetime) -> Sweep | None:
    """A cancelled sweep, to go on where it was."""
    if sweep.state is not SweepState.CANCELLED:
        return None
    return _next(sweep, state=SweepState.RUNNING, error=None, due_at=now)


def successor(sweep: Sweep | None, fresh: Sweep) -> Sweep | None:
    """The item that replaces a finished sweep by the next; None while one runs."""
    if sweep is None:
        return fresh
    return replace(fresh, revision=sweep.revision + 1) if sweep.is_over else None


def in_window(sweep: Sweep, ref: ObjectRef, overlap: timedelta) -> bool:
    """True if the object's time lies in the sweep's window; the lower bound gives way by the overlap (F31, F38)."""
    if sweep.modified_after is not None and ref.created_at < sweep.modified_after - overlap:
        return False
    return sweep.modified_before is None or ref.created_at < sweep.modified_before


def _next(sweep: Sweep, **changes: object) -> Sweep:
    return replace(sweep, revision=sweep.revision + 1, **changes)  # type: ignore[arg-type]

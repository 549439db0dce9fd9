"""The life of a task: the part of a job that one Lambda does.

Everything that affects a task's state lives in this file. A store keeps tasks by compare-and-swap on `revision`:
it writes what these functions return, only if nobody wrote in between.

    planned ─begin─▶ loading ─stage─▶ staged ─commit─▶ committed
       ▲               │   │             └────void──▶ failed    (its claims were taken over after all)
       ├─────resume────┤   └─begin─▶ loading                    (lease over: attempt n+1)
       └───hand_over───┘   └─begin─▶ split ──close──▶ failed    (attempts used up: each object on its own)
    nothing ─bury─▶ failed                                      (never stored: its claims go to another job)

What an attempt that ran out of time hands over is its task's `progress`. Large objects that are read in several parts
at once: core.parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.objects import ObjectRef
from chalicelib.core.places import Place, Span

MAX_ATTEMPTS = 5  # of a task with companions; then its objects are tried one by one
MAX_ATTEMPTS_ALONE = 3  # of a task with one object; the last one sets the object aside


class TaskState(StrEnum):
    """Where a task stands."""

    PLANNED = "planned"
    LOADING = "loading"
    STAGED = "staged"
    COMMITTED = "committed"
    SPLIT = "split"
    FAILED = "failed"
    DIVIDED = "divided"  # its object is read in parts, each of them a task of its own (core.parts)
    READ = "read"  # such a part is done with: what it left is its parent's


OVER = frozenset({TaskState.COMMITTED, TaskState.FAILED, TaskState.READ})


class OutcomeKind(StrEnum):
    """How one object of a task ended."""

    LOADED = "loaded"
    REFUSED = "refused"  # nothing to load, for a reason that may pass (archived) or not (empty)
    FAILED = "failed"  # set aside until somebody replays it
    REMOVED = "removed"  # its rows are taken out of the table, and none come


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one member."""

    key: str
    kind: OutcomeKind
    reason: str | None = None  # a core.selection.Reason, for refused and failed
    error: str | None = None  # one line for people
    rows: int = 0  # that came, or of a removed object those that went
    rejects: int = 0
    read_at: datetime | None = None  # when its last byte was read
    rescued: int = 0  # rows of which a value went to `_rescued`


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload whose parts are there but which nobody has completed: a file that does not exist yet."""

    upload_id: str
    parts: tuple[str, ...]  # ETags in order


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A data file that no reader sees before the commit."""

    path: str  # s3://bucket/key
    size: int  # bytes
    rows: int
    columns: tuple[Column, ...]  # what the pipeline's rows look like in this file, origin columns left out
    upload: Upload | None = None  # set where the commit must complete it


@dataclass(frozen=True, slots=True)
class Former:
    """Rows that a commit takes out as others come in: those of one identity, or of all that the key ever had."""

    bucket: str
    key: str
    identity: str | None  # None: all


@dataclass(frozen=True, slots=True)
class Run:
    """A job whose rows become the whole content of its table."""

    job: str
    started_at: datetime
    skips_archived: bool = False  # its pipeline says that archived objects are left out


@dataclass(frozen=True, slots=True)
class Staged:
    """What the one attempt that counts has left for the commit."""

    outcomes: tuple[Outcome, ...]
    files: tuple[StagedFile, ...]
    at: datetime
    rejected: tuple[StagedFile, ...] = ()  # rows set aside, for the rejects table of `out`
    out: Iceberg | Parquet | None = None  # the destination the files were made for; None if there can be none
    closes: Run | None = None  # set on the last task of a run: all others are stored


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted of an object so far."""

    rows: int = 0
    rejects: int = 0
    rescued: int = 0
    first: str | None = None  # the first reject: where it is, and why


@dataclass(frozen=True, slots=True)
class Begun:
    """An object of which a part was read, or of which only a part is to be read."""

    span: Span  # what is left
    columns: tuple[Column, ...]  # with which all of it is read
    at: datetime  # when its reading began: its rows' time, whoever reads them
    tally: Tally = Tally()
    began: Place | None = None  # where the first record begins that was read
    files: tuple[StagedFile, ...] = ()
    rejected: tuple[StagedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """What attempts whose time was up have left: the next goes on from there, and nothing is read twice (P8, W7)."""

    attempt: int  # the last of them; those after it count against the limits
    basis: str  # the pipeline it was made with: after a change, it begins anew
    outcomes: tuple[Outcome, ...] = ()  # of the first members
    files: tuple[StagedFile, ...] = ()  # of those
    rejected: tuple[StagedFile, ...] = ()
    out: Iceberg | Parquet | None = None  # as in Staged
    begun: Begun | None = None  # the member after those


@dataclass(frozen=True, slots=True)
class Division:
    """How an object is read in parts: what they all share."""

    attempt: int  # that divided it
    basis: str  # as in Progress
    part_bytes: int  # of the object as it lies in S3
    columns: tuple[Column, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Task:
    """Members are fixed for ever once the task is stored."""

    job: str
    number: int
    pipeline: str
    table: str  # the destination's address; one writer commits to each
    members: tuple[ObjectRef, ...]
    state: TaskState
    due_at: datetime  # when somebody should wonder why it is not further
    attempt: int = 0
    staged: Staged | None = None
    error: str | None = None
    snapshot: str | None = None
    progress: Progress | None = None
    division: Division | None = None
    part_of: tuple[str, int] | None = None  # job and number of the task whose object it reads a part of
    revision: int = 1  # as first stored

    @property
    def id(self) -> str:
        """The name that tags a commit."""
        return f"{self.job}/{self.number}"

    @property
    def is_over(self) -> bool:
        """True if nothing will ever happen to it again, all its members being marked."""
        return self.state in OVER

    @property
    def run(self) -> str:
        """The job that people know of: a part's is its parent's."""
        return self.part_of[0] if self.part_of is not None else self.job

    @property
    def tries(self) -> int:
        """Attempts since something was handed over last."""
        return self.attempt - (self.progress.attempt if self.progress is not None else 0)

    def counts(self, attempt: int) -> bool:
        """True if this attempt is the one that is at work: what a late one has made is nobody's (P7)."""
        return self.state is TaskState.LOADING and self.attempt == attempt

    @property
    def alone(self) -> bool:
        """True if no companion would go down with its one object."""
        return len(self.members) == 1

    @property
    def last_attempt(self) -> bool:
        """True if whatever fails now is set aside instead of tried again."""
        return self.alone and self.tries >= MAX_ATTEMPTS_ALONE

    @property
    def hopeless(self) -> bool:
        """True if even the last attempt did not end: whatever it was, it killed every process that tried (W15)."""
        return self.alone and self.tries > MAX_ATTEMPTS_ALONE


def planned(pipeline: Pipeline, job: str, number: int, members: Sequence[ObjectRef], *, due_at: datetime) -> Task:
    """A new task of a pipeline, to be stored with its members and then sent."""
    table = pipeline.out.address
    return Task(job, number, pipeline.name, table, tuple(members), TaskState.PLANNED, due_at)


def closing(pipeline: Pipeline, run: Run, number: int, *, now: datetime, nudge_after: timedelta) -> Task:
    """The last task of a run that replaces its table's content: it has no members, and says that all others are there.

    So a run that found nothing has something to commit too (F82).
    """
    staged = Staged((), (), now, out=pipeline.out, closes=run)
    due_at = now + nudge_after
    return Task(run.job, number, pipeline.name, pipeline.out.address, (), TaskState.STAGED, due_at, staged=staged)


def begin(task: Task, *, now: datetime, lease: timedelta) -> Task | None:
    """The task for its next attempt, or split if it has had enough; None if there is nothing to load.

    A second delivery while the lease runs gets None: the first one is at work.
    """
    at_work = task.state is TaskState.LOADING and now < task.due_at
    if task.state not in (TaskState.PLANNED, TaskState.LOADING) or at_work:
        return None
    if task.tries >= MAX_ATTEMPTS and not task.alone:
        return advanced(task, state=TaskState.SPLIT, due_at=now)
    return advanced(task, state=TaskState.LOADING, attempt=task.attempt + 1, due_at=now + lease)


def renew(task: Task, *, now: datetime, lease: timedelta) -> Task | None:
    """The task with a new lease, once a third of the old one has passed; None while it is young enough.

    So a lease can be far shorter than the longest load, and a dead owner's task is taken over soon (W7).
    """
    if now < task.due_at - lease * 2 / 3:
        return None
    return advanced(task, due_at=now + lease)


def release(task: Task, attempt: int, *, error: str, now: datetime) -> Task | None:
    """The task given back after an attempt that may be repeated; None if the attempt no longer counts."""
    if not task.counts(attempt):
        return None
    return advanced(task, error=error, due_at=now)


def hand_over(task: Task, progress: Progress, *, now: datetime, patience: timedelta) -> Task | None:
    """The task for an attempt that goes on where this one stopped; None if the attempt no longer counts."""
    if not task.counts(progress.attempt):
        return None
    return advanced(task, state=TaskState.PLANNED, progress=progress, division=None, error=None, due_at=now + patience)


def stage(task: Task, attempt: int, staged: Staged, *, nudge_after: timedelta) -> Task | None:
    """The task with this attempt's files, or None if the attempt no longer counts (P7)."""
    if not task.counts(attempt):
        return None
    return staged_with(task, staged, nudge_after=nudge_after)


def staged_with(task: Task, staged: Staged, *, nudge_after: timedelta) -> Task:
    """The task with files that wait for their commit, whoever made them."""
    table = staged.out.address if staged.out is not None else task.table
    due_at = staged.at + nudge_after
    return advanced(
        task,
        state=TaskState.STAGED,
        table=table,
        staged=staged,
        progress=None,
        division=None,
        error=None,
        due_at=due_at,
    )


def commit(task: Task, *, snapshot: str | None) -> Task | None:
    """The task after its rows became visible and its members were marked."""
    if task.state is not TaskState.STAGED:
        return None
    return advanced(task, state=TaskState.COMMITTED, snapshot=snapshot)


def void(task: Task, *, error: str) -> Task | None:
    """A staged task whose claims were taken over after all: its rows must never count."""
    if task.state is not TaskState.STAGED:
        return None
    return advanced(task, state=TaskState.FAILED, error=error)


def children(task: Task, *, now: datetime) -> tuple[Task, ...]:
    """One task for each member of a split task, under numbers of their own."""
    return tuple(
        Task(
            job=task.job,
            number=(task.number + 1) * 1_000_000 + index,
            pipeline=task.pipeline,
            table=task.table,
            members=(member,),
            state=TaskState.PLANNED,
            due_at=now,
        )
        for index, member in enumerate(task.members)
    )


def close(task: Task) -> Task | None:
    """A split task after its children are stored."""
    return advanced(task, state=TaskState.FAILED) if task.state is TaskState.SPLIT else None


def resume(task: Task, *, until: datetime) -> Task | None:
    """A task past its time, made ready to be sent again and left alone until `until`; None if it is over.

    A loading one goes back to planned: its owner is dead, and if it is not, its attempt no longer counts.
    """
    if task.state in (TaskState.PLANNED, TaskState.LOADING):
        return advanced(task, state=TaskState.PLANNED, due_at=until)
    return advanced(task, due_at=until) if task.state in (TaskState.STAGED, TaskState.DIVIDED) else None


def tombstone(job: str, number: int, pipeline: str, *, now: datetime) -> Task:
    """What takes the place of a task that was never stored, so that a late writer of it loses."""
    return Task(job, number, pipeline, table="none", members=(), state=TaskState.FAILED, due_at=now, error="buried")


def advanced(task: Task, **changes: object) -> Task:
    """The task with these changes, as the revision after its own."""
    return replace(task, revision=task.revision + 1, **changes)  # type: ignore[arg-type]

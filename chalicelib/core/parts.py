"""Parts: a large object that is read by several tasks at once, and counts as one.

    loading ─divide─▶ divided ─join─▶ staged          (all parts are read, and fit together)
                         └────go on─▶ planned         (from where they stop fitting together, one after the other)

    of a part:  planned ─▶ loading ─▶ … ─read─▶ read

The claim stays with the divided task, and so do the commit and its tags: a part never commits anything. Parts are
stored under a job of their own that nobody else asks for.

Where a part begins is a guess, since what looks like a line end may stand inside quotes. The first part begins at the
object's start, which is none. A part that ended at a true place between records, and the next one began there, make
the next one true as well, to the last byte (W7); one that began elsewhere read something else, and is thrown away.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.places import WHOLE, Span
from chalicelib.core.tasks import (
    Begun,
    Division,
    Outcome,
    OutcomeKind,
    Progress,
    Staged,
    StagedFile,
    Tally,
    Task,
    TaskState,
    advanced,
    staged_with,
)

MAX_PARTS = 400  # of one object; those of the largest have more than was asked for
MAX_FILES = 10_000  # that one task can name in an item of 400 KB; 26 bytes each, of an upload 130 and 18 for each part

_PART = re.compile(r"(?P<job>.+)\.p(?P<number>[0-9]+)\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Joined:
    """What the parts of an object came to: something for the commit, or for an attempt that goes on."""

    staged: Staged | None = None
    progress: Progress | None = None
    tally: Tally | None = None  # of a loaded object


def parent_of(job: str) -> tuple[str, int] | None:
    """Job and number of the task whose parts this job has; None for any other job."""
    found = _PART.fullmatch(job)
    return (found["job"], int(found["number"])) if found else None


def cuts(size: int, part_bytes: int) -> tuple[Span, ...]:
    """The spans of an object, of about `part_bytes` each: all of it, and nothing twice.

    Part of a file that is hardly begun goes to the one before it.
    """
    count = max(1, min(MAX_PARTS, size // part_bytes))
    starts = [size * number // count for number in range(count)]
    return tuple(Span(start, end) for start, end in zip(starts, [*starts[1:], None], strict=True))


def divide(task: Task, division: Division, *, now: datetime, patience: timedelta) -> Task | None:
    """The task whose object is read in parts; None if the attempt no longer counts."""
    if not task.counts(division.attempt):
        return None
    return advanced(task, state=TaskState.DIVIDED, division=division, error=None, due_at=now + patience)


def parts(task: Task, *, due_at: datetime) -> tuple[Task, ...]:
    """The tasks that read the object of a divided one; always the same."""
    division, (ref,) = task.division, task.members
    assert division is not None, "only a divided task has parts"
    return tuple(
        Task(
            job=f"{task.job}.p{task.number}.{division.attempt}",
            number=number,
            pipeline=task.pipeline,
            table=task.table,
            members=(ref,),
            state=TaskState.PLANNED,
            due_at=due_at,
            progress=Progress(0, division.basis, begun=Begun(span, division.columns, division.at)),
            part_of=(task.job, task.number),
        )
        for number, span in enumerate(cuts(ref.size, division.part_bytes))
    )


def read(task: Task, attempt: int, staged: Staged, begun: Begun | None) -> Task | None:
    """A part with what became of it; None if the attempt no longer counts. `begun`: from where to where it was read."""
    if not task.counts(attempt) or task.progress is None:
        return None
    progress = Progress(attempt, task.progress.basis, begun=begun or task.progress.begun)
    return advanced(task, state=TaskState.READ, staged=staged, progress=progress, error=None)


def join(task: Task, done: Sequence[Task], *, now: datetime) -> Joined:
    """What the parts, all of them read, come to."""
    for number, part in enumerate(done):
        (outcome,) = _staged(part).outcomes
        fits = number == 0 or _fits(done[number - 1], part)
        if outcome.kind is OutcomeKind.REFUSED or (fits and outcome.kind is not OutcomeKind.LOADED):
            return Joined(_ended(done[: number + 1], outcome, now))
        if not fits:
            return Joined(progress=_on_from(task, done[:number]))
    if _are_too_many(done):
        return Joined(progress=_anew(task))
    tally = _tally(done)
    loaded = Outcome(
        task.members[0].key,
        OutcomeKind.LOADED,
        rows=tally.rows,
        rejects=tally.rejects,
        read_at=now,
        rescued=tally.rescued,
    )
    return Joined(_ended(done, loaded, now), tally=tally)


def joined(task: Task, done: Joined, *, now: datetime, patience: timedelta) -> Task:
    """A divided task after its parts were joined."""
    if done.staged is not None:
        return staged_with(task, done.staged, nudge_after=patience)
    return advanced(task, state=TaskState.PLANNED, progress=done.progress, division=None, due_at=now + patience)


def _fits(before: Task, part: Task) -> bool:
    """True if a part began where the one before it ended."""
    ended, began = _begun(before).span.after, _begun(part).began
    if ended is None or began is None or ended.is_counted:  # what is counted from the start says nothing of where
        return False
    return ended.spot == began.spot


def _ended(done: Sequence[Task], outcome: Outcome, now: datetime) -> Staged:
    """What counts of these parts; only rows of a loaded object do, and the bad ones of one that has too many."""
    loaded = outcome.kind is OutcomeKind.LOADED
    rejects = outcome.rejects and sum(_begun(part).tally.rejects for part in done)
    files = tuple(file for part in done for file in _staged(part).files) if loaded else ()
    rejected = tuple(file for part in done for file in _staged(part).rejected) if rejects else ()
    return Staged((replace(outcome, rejects=rejects),), files, now, rejected, _out(done))


def _out(done: Sequence[Task]) -> Iceberg | Parquet | None:
    return next((_staged(part).out for part in done if _staged(part).files), _staged(done[0]).out)


def are_too_many(files: Iterable[StagedFile]) -> bool:
    """True if one task cannot name all these files."""
    return sum(1 if file.upload is None else 4 + len(file.upload.parts) for file in files) > MAX_FILES


def _are_too_many(done: Sequence[Task]) -> bool:
    """True of the files of these parts: each has one of every partition, which those who read in a row share."""
    return are_too_many(file for part in done for file in (*_staged(part).files, *_staged(part).rejected))


def _on_from(task: Task, done: Sequence[Task]) -> Progress:
    """The way on from where these parts end, as if one attempt after the other had read them."""
    division, last = task.division, _begun(done[-1])
    assert division is not None
    if last.span.after is None or _are_too_many(done):
        return _anew(task)
    records = sum(begun.span.after.record for begun in map(_begun, done) if begun.span.after is not None)
    begun = Begun(
        Span(after=replace(last.span.after, record=records)),
        division.columns,
        division.at,
        _tally(done),
        _begun(done[0]).began,
        tuple(file for part in done for file in _staged(part).files),
        tuple(file for part in done for file in _staged(part).rejected),
    )
    return Progress(task.attempt, division.basis, out=_out(done), begun=begun)


def _anew(task: Task) -> Progress:
    """All of it, in one piece."""
    assert task.division is not None
    return Progress(task.attempt, task.division.basis, begun=Begun(WHOLE, task.division.columns, task.division.at))


def _tally(done: Sequence[Task]) -> Tally:
    tallies = [_begun(part).tally for part in done]
    return Tally(
        sum(tally.rows for tally in tallies),
        sum(tally.rejects for tally in tallies),
        sum(tally.rescued for tally in tallies),
        next((tally.first for tally in tallies if tally.first), None),
    )


def _staged(part: Task) -> Staged:
    assert part.staged is not None, "a part that was read has an outcome"
    return part.staged


def _begun(part: Task) -> Begun:
    assert part.progress is not None, "parts are born begun"
    assert part.progress.begun is not None
    return part.progress.begun

"""Cursor: where the next listing may start. It makes listings shorter and decides nothing: the ledger does."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.config.source import Source
from chalicelib.core.sweeps import Sweep, Walk


@dataclass(frozen=True, slots=True)
class Cursor:
    """A pipeline's place in its bucket, by key and by time; each kind keeps its own."""

    pipeline: str
    last_path: str | None = None  # exclusive, in UTF-8 byte order (F30, E1)
    last_modified_time: datetime | None = None  # inclusive, UTC (F31)
    moved_at: datetime | None = None
    job: str | None = None  # that moved it
    revision: int = 0  # 0: not stored yet


def start(source: Source, cursor: Cursor) -> Cursor:
    """The cursor to go by: what was stored, else the positions that the pipeline declares (F37)."""
    return replace(
        cursor,
        last_path=cursor.last_path if cursor.last_path is not None else source.last_path,
        last_modified_time=cursor.last_modified_time or source.last_modified_time,
    )


def after(cursor: Cursor, sweep: Sweep, undecided: Iterable[tuple[str, datetime]], *, now: datetime) -> Cursor | None:
    """The cursor after a sweep whose tasks are all over, or None if it stays.

    `undecided` are key and time of the objects that still wait: held by another job, denied, overwritten. The cursor
    never passes one (P3). By key it moves to the last accepted key below them all, and stays if none was accepted; by
    time to the sweep's upper bound, or to the earliest of them, and stays if a limit cut the sweep short (E3).
    """
    if cursor.moved_at is not None and cursor.job is None and cursor.moved_at > sweep.started_at:
        return None  # somebody moved it by hand while the sweep ran, and means it
    waiting = [*undecided, *([(sweep.held_path, sweep.held_time)] if sweep.held_path and sweep.held_time else [])]
    moved = cursor
    if sweep.walk is Walk.TIME and not sweep.cut and sweep.modified_before is not None:
        moved = replace(moved, last_modified_time=min([sweep.modified_before, *(time for _, time in waiting)]))
    if sweep.walk in (Walk.PATH, Walk.FULL):
        bound = min((key for key, _ in waiting), default=None)
        accepted = sweep.accepted_path if bound is None else sweep.accepted_below(bound)
        if accepted is not None and (cursor.last_path is None or cursor.last_path < accepted):
            moved = replace(moved, last_path=accepted)
    if (moved.last_path, moved.last_modified_time) == (cursor.last_path, cursor.last_modified_time):
        return None
    if cursor.last_modified_time and moved.last_modified_time and moved.last_modified_time < cursor.last_modified_time:
        return None
    return replace(moved, moved_at=now, job=sweep.job, revision=cursor.revision + 1)


def reset(cursor: Cursor, *, last_path: str | None, last_modified_time: datetime | None, now: datetime) -> Cursor:
    """The cursor moved by hand; rewinding doubles nothing, since the ledger knows what is loaded."""
    return replace(
        cursor,
        last_path=last_path,
        last_modified_time=last_modified_time,
        moved_at=now,
        job=None,
        revision=cursor.revision + 1,
    )

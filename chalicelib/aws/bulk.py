"""What makes a task's item large, kept as compressed JSON: 500 members and their outcomes fit 400 KB with ease.

Files of one table have the same columns as a rule, and a wide table's take 40 KB: each list of columns is kept once.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import TypeAdapter

from chalicelib.config.columns import Column
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Begun, Division, Progress, Staged, StagedFile, Task

Change = Callable[[StagedFile], StagedFile]
Files = TypeVar("Files", Staged, Progress, Begun)


@dataclass(frozen=True, slots=True)
class _Bulk:
    """The fields of a task that are not attributes of its item."""

    members: tuple[ObjectRef, ...]
    staged: Staged | None = None
    progress: Progress | None = None
    division: Division | None = None
    columns: tuple[tuple[Column, ...], ...] = ()  # of files
    which: tuple[int, ...] = ()  # of those each file has, in the order of `_changed`


_bulk = TypeAdapter(_Bulk)


def without_bulk(task: Task) -> Task:
    """What the item has in attributes of their own."""
    return replace(task, members=(), staged=None, progress=None, division=None)


def packed(task: Task) -> bytes:
    """The rest of it."""
    known: dict[tuple[Column, ...], int] = {}
    seen: dict[int, int] = {}  # the same by identity: a wide table's columns take milliseconds to compare
    which: list[int] = []

    def bare(file: StagedFile) -> StagedFile:
        if id(file.columns) not in seen:
            seen[id(file.columns)] = known.setdefault(file.columns, len(known))
        which.append(seen[id(file.columns)])
        return replace(file, columns=())

    staged, progress = _changed(task.staged, task.progress, bare)
    bulk = _Bulk(task.members, staged, progress, task.division, tuple(known), tuple(which))
    return zlib.compress(_bulk.dump_json(bulk, by_alias=True, exclude_none=True))


def unpacked(task: Task, data: bytes) -> Task:
    """The whole task."""
    bulk = _bulk.validate_json(zlib.decompress(data))
    which = iter(bulk.which)

    def whole(file: StagedFile) -> StagedFile:
        return replace(file, columns=bulk.columns[next(which)])

    staged, progress = _changed(bulk.staged, bulk.progress, whole)
    return replace(task, members=bulk.members, staged=staged, progress=progress, division=bulk.division)


def _changed(staged: Staged | None, progress: Progress | None, change: Change) -> tuple[Staged | None, Progress | None]:
    """Every file changed, always in the same order."""
    staged = _with_files(staged, change) if staged is not None else None
    if progress is not None:
        progress = _with_files(progress, change)
        begun = _with_files(progress.begun, change) if progress.begun is not None else None
        progress = replace(progress, begun=begun)
    return staged, progress


def _with_files(value: Files, change: Change) -> Files:
    files = tuple(map(change, value.files))
    return replace(value, files=files, rejected=tuple(map(change, value.rejected)))

"""Compaction: many small data files become few, and no row changes.

It runs beside the table's committer and beside other engines. What they take out of a file that is being read must
not come back, so the change counts only for groups whose files are all still there, without delete files that speak
of them, at the very moment of the commit: the catalogue refuses it if anybody committed after we looked. Then we look
again. Groups that have changed are given up; their new files are orphans, and the next run tries once more.
"""

import math
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from pyiceberg.manifest import DataFile, FileFormat
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata

from chalicelib.config.maintenance import Maintenance
from chalicelib.core.compaction import Group, LiveFile, bounded, is_small, plan
from chalicelib.core.maintenance import Compacted
from chalicelib.destinations.iceberg.contents import Live, live
from chalicelib.destinations.iceberg.once import Once
from chalicelib.destinations.iceberg.packing import pack
from chalicelib.destinations.iceberg.reading import Reader
from chalicelib.destinations.iceberg.substitution import Substitution
from chalicelib.destinations.iceberg.troubles import given_up
from chalicelib.errors import ConfigError

PROPERTY = "tidegate.maintenance"  # says `compact` on our snapshots
TOKEN = "tidegate.rewrite"  # noqa: S105 — by which we know our own change after a lost answer
TRIES = 10  # of one change: each lost to somebody who was quicker
COMMIT_BYTES = 512 * 1024 * 1024  # read before what was written is committed: what a crash costs at most
FORMAT = 2  # the newest format whose files may be rewritten without giving rows new identities

Calls = Callable[[str], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Compaction:
    """Compacts one table. `load` gives it as it is now; `in_time` says whether another group may be begun."""

    load: Callable[[], Table]
    calls: Calls
    where: str
    rules: Maintenance
    in_time: Callable[[], bool]

    def run(self, *, dry_run: bool = False) -> Compacted:
        """Put small files together, as far as time allows."""
        table = self.load()
        if table.current_snapshot() is None:
            return Compacted()
        stock = _stock(table, self.rules)
        groups = plan(stock.small, self.rules)
        chosen = bounded(groups)
        if dry_run:
            return replace(_estimated(stock.found, chosen, self.rules), more=len(chosen) < len(groups))
        done = self._exchanged(table, stock, chosen)
        return replace(done, more=done.more or len(chosen) < len(groups))

    def _exchanged(self, table: Table, stock: "_Stock", groups: Sequence[Group]) -> Compacted:
        done, waiting = stock.found, list[_Packed]()
        for number, group in enumerate(groups):
            if not self.in_time():
                done = replace(done, more=True)
                break
            old = [stock.files[file.path] for file in group.files]
            waiting.append(_Packed(old, pack(Reader(table.io, table.metadata), old, self.rules.target_file_size)))
            last = number == len(groups) - 1
            if last or sum(packed.size for packed in waiting) >= COMMIT_BYTES:
                done, waiting = self._counted(done, waiting), []
        return self._counted(done, waiting)

    def _counted(self, done: Compacted, waiting: Sequence["_Packed"]) -> Compacted:
        committed = self._commit(waiting) if waiting else []
        lost = sum(len(packed.old) for packed in waiting) - sum(len(packed.old) for packed in committed)
        left = Counter(done.left) + Counter({"changed meanwhile": lost})
        return replace(
            done,
            read=done.read + sum(len(packed.old) for packed in committed),
            read_bytes=done.read_bytes + sum(packed.size for packed in committed),
            written=done.written + sum(len(packed.new) for packed in committed),
            written_bytes=done.written_bytes + sum(f.file_size_in_bytes for packed in committed for f in packed.new),
            left=dict(left),
        )

    def _commit(self, waiting: Sequence["_Packed"]) -> Sequence["_Packed"]:
        """Those of the groups that are exchanged now, in one change."""
        tried: dict[str, list[_Packed]] = {}
        failure: Exception | None = None
        for _ in range(TRIES):
            table = self.load()
            done = _done(table.metadata, tried)
            if done is not None:
                return done
            seen = _seen(table, waiting)
            if seen is None:
                return []
            gone, still = seen
            token = secrets.token_hex(8)
            tried[token] = still
            try:
                with self.calls(self.where):
                    _exchange(table, gone, still, {PROPERTY: "compact", TOKEN: token}).commit_transaction()
            except ConfigError:
                raise
            except Exception as error:  # whatever it was, it may have happened after the change: look again
                failure = error
            else:
                return still
        done = _done(self.load().metadata, tried)
        if done is None and failure is not None:
            raise given_up(self.where, failure) from failure
        return done or []


@dataclass(frozen=True, slots=True)
class _Packed:
    """A group's old files, and the new ones that wait to take their place."""

    old: Sequence[DataFile]
    new: Sequence[DataFile]

    @property
    def size(self) -> int:
        return sum(file.file_size_in_bytes for file in self.old)


@dataclass(slots=True)
class _Stock:
    """What the table has: the small files that may be put together, and what is known of all."""

    small: list[LiveFile] = field(default_factory=list)
    files: dict[str, DataFile] = field(default_factory=dict)  # the small ones
    found: Compacted = field(default_factory=Compacted)


def _stock(table: Table, rules: Maintenance) -> _Stock:
    metadata, stock, left = table.metadata, _Stock(), Counter[str]()
    key = next((column.field_id for column in metadata.schema().fields if column.name == "_key"), None)
    sizes: list[int] = []

    def small(file: DataFile) -> bool:
        sizes.append(file.file_size_in_bytes)
        return is_small(_live_file(file, key), rules)

    for each in live(table.io, metadata, small):
        why = _left_alone(each, metadata)
        if why is not None:
            left[why] += 1
            continue
        stock.small.append(_live_file(each.file, key))
        stock.files[each.file.file_path] = each.file
    stock.found = Compacted(files=len(sizes), size=sum(sizes), left=dict(left))
    return stock


def _live_file(file: DataFile, key: int | None) -> LiveFile:
    first = (file.lower_bounds or {}).get(key, b"") if key is not None else b""
    place = f"{file.spec_id}:{file.partition!r}"
    return LiveFile(file.file_path, file.file_size_in_bytes, place, first.decode(errors="replace"))


def _left_alone(each: Live, metadata: TableMetadata) -> str | None:
    """Why a small file is not ours to rewrite."""
    if metadata.format_version > FORMAT:
        return f"format version {metadata.format_version}: rows have identities"
    if each.file.file_format is not FileFormat.PARQUET or each.file.key_metadata:
        return "not plain Parquet"
    return "has deletes of another engine" if _is_struck(each) else None


def _is_struck(each: Live) -> bool:
    """Whether another engine took rows out of the file without writing it again."""
    return bool(each.deletes) or each.by_value


def _seen(table: Table, waiting: Sequence[_Packed]) -> tuple[list[Live], list[_Packed]] | None:
    """Of the table as it is now: the files that go, and the groups that are still as they were read; or None."""
    paths = frozenset(file.file_path for packed in waiting for file in packed.old)
    found = {each.file.file_path: each for each in live(table.io, table.metadata, lambda file: file.file_path in paths)}
    sound = frozenset(path for path, each in found.items() if not _is_struck(each))
    still = [packed for packed in waiting if all(file.file_path in sound for file in packed.old)]
    gone = [found[file.file_path] for packed in still for file in packed.old]
    return (gone, still) if still else None


def _exchange(table: Table, gone: Sequence[Live], still: Sequence[_Packed], properties: Mapping[str, str]) -> Once:
    change = Once(table)
    new = [file for packed in still for file in packed.new]
    Substitution(change, table.io, new, properties).without(gone).commit()
    return change


def _done(metadata: TableMetadata, tried: Mapping[str, list[_Packed]]) -> list[_Packed] | None:
    """What an earlier try exchanged although its answer was lost."""
    for snapshot in metadata.snapshots if tried else ():
        token = snapshot.summary.additional_properties.get(TOKEN, "") if snapshot.summary is not None else ""
        if token in tried:
            return tried[token]
    return None


def _estimated(found: Compacted, groups: Sequence[Group], rules: Maintenance) -> Compacted:
    size = sum(group.size for group in groups)
    return replace(
        found,
        read=sum(len(group.files) for group in groups),
        read_bytes=size,
        written=sum(max(1, math.ceil(group.size / rules.target_file_size)) for group in groups),
        written_bytes=size,
    )

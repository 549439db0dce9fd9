"""Mode merge: a row takes the place of the one with the same keys.

Which of several rows with the same keys stays:
- the greatest in `merge_order`, where NULL and NaN are less than anything; of equal ones, and without it, the last:
- among rows of one commit: by the time their object was written, then by the time their task was staged, then by the
  task's name, then by their place in its files. (Rows of one object that lie in several partitions have no order
  among each other: that takes a `merge_order`.)
- between a row of the table and a new one: the new one.

NULL in a key equals NULL: of all rows without a key one stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Task
from chalicelib.destinations.iceberg.contents import live
from chalicelib.destinations.iceberg.distinct import flat
from chalicelib.destinations.iceberg.gone import Gone
from chalicelib.destinations.iceberg.keys import Keys
from chalicelib.destinations.iceberg.rewriting import Cut, Rewriting
from chalicelib.destinations.origins import NEEDED
from chalicelib.errors import SchemaConflict
from chalicelib.records.origin import ORIGIN_COLUMNS

Staged = tuple[Task, DataFile]


def check_keys(out: Iceberg | Parquet, tasks: Sequence[Task]) -> None:
    """Raises SchemaConflict if rows lack a column that merging needs."""
    needed = {*out.merge_keys, *_order(out)}
    origin = {each.name for each in ORIGIN_COLUMNS} if out.origin_columns else set()
    for file in (file for task in tasks if task.staged for file in task.staged.files):
        missing = sorted(needed - origin - {column.name for column in file.columns})
        if missing:
            raise SchemaConflict(
                f"the rows cannot be merged: they have no column {', '.join(map(repr, missing))}",
                where=out.address,
                remedy="Mend merge_keys and merge_order, or the parser's columns",
            )


def merge(
    rewriting: Rewriting, out: Iceberg | Parquet, staged: Sequence[Staged], formers: Gone | None
) -> tuple[Cut, list[DataFile]]:
    """What goes of the table's files, and the files that come: without the rows that lose.

    Memory is that of the keys of all staged rows.
    """
    reader = rewriting.reader
    staged = sorted(staged, key=lambda each: (each[0].staged.at if each[0].staged else 0, each[0].id))
    names = [*out.merge_keys, *_order(out)]
    tables = [_keyed(rewriting, out, task, file) for task, file in staged]
    rows = pa.concat_tables(tables)
    contest = _Contest(Keys(rows, out.merge_keys), rows, next(iter(_order(out)), None), formers)

    def concerned(file: DataFile) -> bool:
        return contest.keys.may_be_in(file, reader.schema) or (
            formers is not None and formers.may_be_in(file, reader.schema)
        )

    found = live(reader.io, reader.metadata, concerned)
    cut = rewriting.cut(found, [*names, *NEEDED] if formers is not None else names, contest.goes)
    return cut, list(_staying(rewriting, staged, contest.stay()))


@dataclass(slots=True)
class _Contest:
    """Which rows stay, of the new ones and of the table's."""

    keys: Keys
    rows: pa.Table  # the new ones: keys, order, and when their object was written
    order: str | None
    formers: Gone | None
    winners: pa.Array = field(init=False)  # position of the new row that stays, by number of the key
    best: pa.Array = field(init=False)  # what decides of those rows
    beaten: list[pa.Array] = field(init=False, default_factory=list)  # numbers whose row in the table stays

    def __post_init__(self) -> None:
        ranks = {
            "number": self.keys.numbers,
            "order": self._ranks(self.rows),
            "written": self.rows.column(_WRITTEN),
            "position": pa.arange(0, self.rows.num_rows),
        }
        at = pc.sort_indices(pa.table(ranks), sort_keys=[(name, "ascending", "at_start") for name in ranks])
        numbers = self.keys.numbers.take(at).combine_chunks()
        last = pc.not_equal(numbers[:-1], numbers[1:])
        self.winners = at.filter(pa.concat_arrays([last, pa.array([True])]))
        self.best = flat(ranks["order"]).take(self.winners)

    def goes(self, batch: pa.RecordBatch, alive: pa.Array | None) -> pa.Array:
        """Which rows of the table go: those with a new row's keys, unless they are greater, and those of formers."""
        numbers = self.keys.among(batch)
        former = self.formers.among(batch) if self.formers else pa.repeat(False, len(batch))
        same = pc.is_valid(numbers)
        if self.order is None:
            return pc.or_(same, former)
        greater = pc.and_not(pc.and_(same, self._greater(batch, numbers)), former)
        if alive is not None:
            greater = pc.and_(greater, alive)
        self.beaten.append(numbers.filter(greater))
        return pc.or_(pc.and_not(same, greater), former)

    def stay(self) -> pa.Array:
        """For each new row whether it stays."""
        beaten = pa.chunked_array(self.beaten, pa.int64())
        kept = pc.invert(pc.is_in(pa.arange(0, self.keys.count), value_set=beaten.combine_chunks()))
        return pc.is_in(pa.arange(0, self.rows.num_rows), value_set=self.winners.cast(pa.int64()).filter(kept))

    def _greater(self, batch: pa.RecordBatch, numbers: pa.Array) -> pa.Array:
        theirs = self._ranks(batch)
        ours = self.best.take(numbers)
        more = pc.greater(theirs, ours).fill_null(False)
        return pc.or_(more, pc.and_(pc.is_valid(theirs), pc.is_null(ours)))

    def _ranks(self, rows: Any) -> Any:
        """The column that decides, as one that can be sorted."""
        if self.order is None:
            return pa.nulls(rows.num_rows, pa.int8())
        column = rows.column(self.order)
        if pa.types.is_boolean(column.type):
            return column.cast(pa.int8())
        if pa.types.is_floating(column.type):
            return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        return column


_WRITTEN = "written at, by Tidegate's own count"  # a name that no column has


def _order(out: Iceberg | Parquet) -> tuple[str, ...]:
    return (out.merge_order,) if out.merge_order is not None else ()


def _keyed(rewriting: Rewriting, out: Iceberg | Parquet, task: Task, file: DataFile) -> pa.Table:
    """Keys and order of a staged file's rows, and when their objects were written, in microseconds."""
    names = list(dict.fromkeys([*out.merge_keys, *_order(out)]))
    origin = ["_key"] if out.origin_columns else []
    batches = rewriting.reader.batches(file, [*names, *origin])
    pieces = [_keyed_batch(batch, names, task) for batch in batches]
    return pa.Table.from_batches(pieces)


def _keyed_batch(batch: pa.RecordBatch, names: Sequence[str], task: Task) -> pa.RecordBatch:
    written = pa.array([int(each.created_at.timestamp() * 1_000_000) for each in task.members], pa.int64())
    known = pa.array([each.key for each in task.members], pa.string())
    if "_key" in batch.schema.names:
        at = written.take(pc.index_in(batch.column("_key").cast(pa.string()), value_set=known)).fill_null(0)
    else:
        at = pa.repeat(pa.scalar(0, pa.int64()), len(batch))
    return batch.select(list(names)).append_column(_WRITTEN, at)


def _staying(rewriting: Rewriting, staged: Sequence[Staged], stays: pa.Array) -> Iterator[DataFile]:
    start = 0
    for _, file in staged:
        mask = stays.slice(start, file.record_count)
        start += file.record_count
        if pc.all(mask).as_py():
            yield file
        elif pc.any(mask).as_py():
            yield rewriting.copy(file, pa.chunked_array([mask]))

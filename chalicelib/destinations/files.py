"""Parquet files on their way to Tidegate's bucket: one file a partition, in bounded memory.

Rows wait until there are enough for a row group. If they are of several partitions, they are sorted then: what is
worth a row group goes to its partition's file, the rest to the temporary disk, from which each partition is written
in one go at the end. So a year of hours in one object is 8,760 files, and not as many again each time memory is full.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from chalicelib.config.columns import Column
from chalicelib.core.tasks import StagedFile
from chalicelib.destinations.behind import Behind
from chalicelib.destinations.encoding import WRITER
from chalicelib.destinations.partitions import Placed
from chalicelib.destinations.ports import Sink
from chalicelib.destinations.spills import Spill
from chalicelib.destinations.waiting import Runs, Waiting

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds memory, disk and the size of files; bytes are of Arrow memory where nothing else is said."""

    object_bytes: int = 32 * MIB  # an object beyond this gets files of its own
    row_group_rows: int = 100_000
    row_group_bytes: int = 32 * MIB
    waiting_bytes: int = 32 * MIB  # rows of several partitions that wait; sorting them takes as much again
    run_bytes: int = 4 * MIB  # of one partition among others: worth a row group; less goes to the disk
    spill_bytes: int = 160 * MIB  # on the disk, compressed; a Lambda has 512 MiB unless it is given more
    open_files: int = 16  # each holds up to one 8 MiB part
    array_bytes: int = 800  # of each array, beside its values: two thirds of a batch of 40 rows and 5,000 columns
    chunks: int = 40_000  # columns times row groups that are kept in mind for footers: about 1.5 KB each
    file_bytes: int = 256 * MIB  # compressed; a file beyond this is closed and the next one begun
    partitions: int = 10_000  # of an object: a task names all its files in 400 KB
    uploads: int = 2000  # the same where each file is an upload, whose id takes 130 bytes


@dataclass(frozen=True, slots=True)
class Loose:
    """Rows of one schema that are in no file yet."""

    columns: tuple[Column, ...]
    schema: pa.Schema
    spills: list[Spill]
    runs: Runs


class Files:
    """Files that are kept or aborted together. `create` gives path and sink for a new file of a partition."""

    def __init__(self, create: Callable[[int], tuple[str, Sink]], limits: Limits) -> None:
        self._create = create
        self._limits = limits
        self._behind = Behind()  # nobody else's: who aborts these files must not swallow what went wrong with others
        self._columns: tuple[Column, ...] = ()
        self._schema: pa.Schema | None = None
        self._waiting = Waiting(limits.array_bytes)
        self._spills: list[Spill] = []
        self._open: dict[int, _ParquetFile] = {}
        self._closed: list[tuple[StagedFile, Sink]] = []

    def add(self, placed: Placed) -> None:
        """More rows. Other columns than before begin new files: one file, one schema."""
        self._begin(placed.columns, placed.batch.schema)
        self._waiting.add(placed)
        if self._are_enough(self._waiting):
            self._flush()

    def let_go(self) -> Loose | None:
        """End the files; what none of them has begun to hold is handed out, for other files."""
        runs = self._waiting.take()
        for number in list(self._open):
            self._write(number, runs.pop(number))
            self._close(number)
        self._behind.end()
        spills, self._spills = self._spills, []
        return Loose(self._columns, self._schema, spills, runs) if self._schema is not None else None

    def take_in(self, loose: Loose) -> None:
        """Rows that other files have let go."""
        self._begin(loose.columns, loose.schema)
        if loose.spills:
            self._flush()  # what came earlier stays before
            self._spills += loose.spills
        for placed in loose.runs.placed(loose.columns):
            self.add(placed)

    def finish(self) -> tuple[StagedFile, ...]:
        """All files, complete."""
        self._close_all(self._waiting.take())
        self._behind.end()
        return tuple(file for file, _ in self._closed)

    def abort(self) -> None:
        """Forget all files; safe to call twice."""
        self._waiting = Waiting(self._limits.array_bytes)
        self._forget_spills()
        self._behind.end()
        for file in self._open.values():
            file.abort()
        self._open.clear()
        for _, sink in self._closed:
            sink.abort()
        self._closed.clear()

    def _begin(self, columns: tuple[Column, ...], schema: pa.Schema) -> None:
        if columns != self._columns or schema != self._schema:
            self._close_all(self._waiting.take())
            self._columns, self._schema = columns, schema

    def _are_enough(self, waiting: Waiting) -> bool:
        """True if they fill a row group, or memory if they are of several partitions."""
        if waiting.only is None:
            return waiting.bytes >= self._limits.waiting_bytes
        return waiting.rows >= self._limits.row_group_rows or waiting.bytes >= self._limits.row_group_bytes

    def _flush(self) -> None:
        """Rows that wait go to files that are open or may be opened, or to the disk."""
        runs = self._waiting.take()
        least = self._limits.run_bytes if len(runs.places) > 1 else 0
        for number in [number for number, size in runs.sizes().items() if size >= least]:
            if self._may_grow(number):
                self._write(number, runs.pop(number))
        if runs.places and not self._spill(runs):
            self._close_all(runs)

    def _may_grow(self, number: int) -> bool:
        """Whether the partition's file may be opened, or have another row group."""
        there = number in self._open or len(self._open) < self._limits.open_files
        footers = sum(file.chunks for file in self._open.values()) + len(self._schema or ())
        return there and (footers <= self._limits.chunks or not self._open)

    def _spill(self, runs: Runs) -> bool:
        """Put the rows on the disk; False if there is no room for them."""
        if sum(spill.bytes for spill in self._spills) >= self._limits.spill_bytes:
            return False
        try:
            self._spills.append(Spill(runs))
        except OSError:
            return False
        return True

    def _write(self, number: int, batches: Iterable[pa.RecordBatch]) -> None:
        """The partition's rows, those on the disk first, in row groups."""
        spilled = (spill.take(number) for spill in self._spills)
        for rows in _row_groups(chain(*spilled, batches), self._limits):
            file = self._opened(number)
            file.add(rows, self._limits.row_group_rows)
            self._behind.do(partial(file.write, rows, self._limits.row_group_rows))
            if file.chunks >= self._limits.chunks:
                self._close(number)

    def _opened(self, number: int) -> "_ParquetFile":
        self._behind.settle()
        if number in self._open and self._open[number].size >= self._limits.file_bytes:
            self._close(number)
        if number not in self._open:
            path, sink = self._create(number)
            self._open[number] = _ParquetFile(path, sink, self._schema)
        return self._open[number]

    def _close(self, number: int) -> None:
        file = self._open.get(number)  # stays ours to abort until it is closed
        if file is not None:
            self._behind.settle()
            staged = file.close(self._columns)
            self._closed.append((staged, file.sink))
            del self._open[number]

    def _close_all(self, runs: Runs) -> None:
        """End all files, with these rows and those on the disk; one partition after the other."""
        for number in sorted({*runs.places, *self._open, *chain(*(spill.numbers for spill in self._spills))}):
            self._write(number, runs.pop(number))
            self._close(number)
        self._forget_spills()

    def _forget_spills(self) -> None:
        for spill in self._spills:
            spill.close()
        self._spills = []


def _row_groups(batches: Iterable[pa.RecordBatch], limits: Limits) -> Iterator[list[pa.RecordBatch]]:
    rows: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        rows.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes + limits.array_bytes * batch.num_columns
        if count >= limits.row_group_rows or size >= limits.row_group_bytes:
            yield rows
            rows, count, size = [], 0, 0
    if rows:
        yield rows


class _ParquetFile:
    """One file; each write is one or more row groups."""

    def __init__(self, path: str, sink: Sink, schema: pa.Schema) -> None:
        self.path = path
        self.sink = sink
        self._rows = self._groups = 0
        self._columns = len(schema)
        self._stream = _Stream(sink)
        self._writer = pq.ParquetWriter(self._stream, schema, **WRITER)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._stream.size

    @property
    def chunks(self) -> int:
        """Of columns, which the footer will name."""
        return self._groups * self._columns

    def add(self, batches: Sequence[pa.RecordBatch], row_group_rows: int) -> None:
        """Count rows that are to be written."""
        rows = sum(batch.num_rows for batch in batches)
        self._rows += rows
        self._groups += -(-rows // row_group_rows)

    def write(self, batches: Sequence[pa.RecordBatch], row_group_rows: int) -> None:
        rows = pa.Table.from_batches(batches).unify_dictionaries()
        self._writer.write_table(rows, row_group_size=row_group_rows)

    def close(self, columns: tuple[Column, ...]) -> StagedFile:
        self._writer.close()
        upload = self.sink.finish()
        return StagedFile(self.path, self.size, self._rows, columns, upload)

    def abort(self) -> None:
        self._stream.deaf = True  # Arrow writes a footer when it closes, which nobody needs any more
        self._writer.close()
        self.sink.abort()


class _Stream(io.RawIOBase):
    """A sink as Arrow likes its files."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.size = 0
        self.deaf = False

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        chunk = bytes(data)
        self.size += len(chunk)
        return len(chunk) if self.deaf else self._sink.write(chunk)

"""Parquet files on their way to Tidegate's bucket: one open file a partition, in bounded memory."""

import io
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from chalicelib.config.columns import Column
from chalicelib.core.tasks import StagedFile
from chalicelib.destinations.ports import Sink

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds memory and the size of files; bytes are of Arrow memory where nothing else is said."""

    object_bytes: int = 32 * MIB  # an object beyond this gets files of its own
    row_group_rows: int = 100_000
    row_group_bytes: int = 32 * MIB
    waiting_bytes: int = 64 * MIB  # rows of all partitions that wait for their row group to fill
    open_files: int = 16  # each holds up to one 8 MiB part
    file_bytes: int = 256 * MIB  # compressed; a file beyond this is closed and the next one begun


@dataclass(slots=True)
class _Waiting:
    batches: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0


class Files:
    """Files that are kept or aborted together. `create` gives path and sink for a new file in a partition's folder."""

    def __init__(self, create: Callable[[str], tuple[str, Sink]], limits: Limits) -> None:
        self._create = create
        self._limits = limits
        self._columns: tuple[Column, ...] = ()
        self._schema: pa.Schema | None = None
        self._waiting: dict[str, _Waiting] = {}
        self._waiting_bytes = 0
        self._open: OrderedDict[str, _ParquetFile] = OrderedDict()  # least recently used first
        self._closed: list[tuple[StagedFile, Sink]] = []

    def add(self, folder: str, batch: pa.RecordBatch, columns: tuple[Column, ...]) -> None:
        """Rows for one partition. Other columns than before begin new files: one file, one schema."""
        if columns != self._columns or batch.schema != self._schema:
            self._close_all()
            self._columns, self._schema = columns, batch.schema
        waiting = self._waiting.setdefault(folder, _Waiting())
        waiting.batches.append(batch)
        waiting.rows += batch.num_rows
        waiting.bytes += batch.nbytes
        self._waiting_bytes += batch.nbytes
        if waiting.rows >= self._limits.row_group_rows or waiting.bytes >= self._limits.row_group_bytes:
            self._flush(folder)
        while self._waiting_bytes > self._limits.waiting_bytes:
            self._flush(max(self._waiting, key=lambda name: self._waiting[name].bytes))

    def finish(self) -> tuple[StagedFile, ...]:
        """All files, complete."""
        self._close_all()
        return tuple(file for file, _ in self._closed)

    def abort(self) -> None:
        """Forget all files; safe to call twice."""
        self._waiting.clear()
        self._waiting_bytes = 0
        for file in self._open.values():
            file.abort()
        self._open.clear()
        for _, sink in self._closed:
            sink.abort()
        self._closed.clear()

    def _flush(self, folder: str) -> None:
        waiting = self._waiting.pop(folder)
        self._waiting_bytes -= waiting.bytes
        file = self._opened(folder)
        file.write(pa.Table.from_batches(waiting.batches), self._limits.row_group_rows)
        if file.size >= self._limits.file_bytes:
            self._close(folder)

    def _opened(self, folder: str) -> "_ParquetFile":
        if folder not in self._open:
            if len(self._open) >= self._limits.open_files:
                self._close(next(iter(self._open)))
            path, sink = self._create(folder)
            self._open[folder] = _ParquetFile(path, sink, self._schema)
        self._open.move_to_end(folder)
        return self._open[folder]

    def _close(self, folder: str) -> None:
        file = self._open[folder]  # stays ours to abort until it is closed
        staged = file.close(self._columns)
        self._closed.append((staged, file.sink))
        del self._open[folder]

    def _close_all(self) -> None:
        for folder in sorted(self._waiting):
            self._flush(folder)
        for folder in list(self._open):
            self._close(folder)


class _ParquetFile:
    """One file; each write is one or more row groups."""

    def __init__(self, path: str, sink: Sink, schema: pa.Schema) -> None:
        self.path = path
        self.sink = sink
        self._rows = 0
        self._stream = _Stream(sink)
        self._writer = pq.ParquetWriter(  # decimals as bytes: as integers, fewer digits than the table has are refused
            self._stream, schema, compression="zstd", compression_level=1, use_dictionary=True, store_schema=False
        )

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._stream.size

    def write(self, rows: pa.Table, row_group_rows: int) -> None:
        self._writer.write_table(rows, row_group_size=row_group_rows)
        self._rows += rows.num_rows

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

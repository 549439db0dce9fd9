"""Files written again without some of their rows: copy on write, in bounded memory.

A file is first read only as far as it takes to tell which rows go. If none does it stays as it is, if all do nothing
is written, else the rows that stay are copied in their order, into a new file of the same partition.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.manifest import DataFile

from chalicelib.destinations.encoding import WRITER
from chalicelib.destinations.iceberg.contents import Live
from chalicelib.destinations.iceberg.describing import Describing
from chalicelib.destinations.iceberg.reading import Reader
from chalicelib.errors import SchemaConflict

_FILES = 4  # looked at, or copied, at once
_ROW_GROUP = 100_000  # rows

Judge = Callable[[pa.RecordBatch, pa.Array | None], pa.Array]
"""Which rows go: of a batch, and of those of its rows that are alive; None if all are."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What became of files from which rows had to go."""

    gone: tuple[Live, ...] = ()
    come: tuple[DataFile, ...] = ()  # the copies of some of those


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Copies of one table's files."""

    reader: Reader
    location: str  # the table's, without a trailing slash
    name: Callable[[], str]  # a file name that was never given before

    def cut(self, files: Sequence[Live], names: Sequence[str], goes: Judge) -> Cut:
        """Take out the rows that go, by these columns.

        Raises SchemaConflict where another engine took rows out by their values: what it meant to stay cannot be told.
        """
        with ThreadPoolExecutor(_FILES) as pool:
            masks = pool.map(lambda each: self._staying(each, names, goes), files)
            touched = [(each, mask) for each, mask in zip(files, masks, strict=True) if mask is not None]
            parts = [(each.file, mask) for each, mask in touched if pc.any(mask).as_py()]
            come = pool.map(lambda part: self.copy(*part), parts)
            return Cut(tuple(each for each, _ in touched), tuple(come))

    def copy(self, file: DataFile, stays: pa.ChunkedArray) -> DataFile:
        """A new file with those of the file's rows that stay, which are some."""
        path = f"{self._folder(file)}/{self.name()}"
        batches = self._kept(file, stays)
        first = next(batches)
        with self.reader.io.new_output(path).create(overwrite=True) as sink:
            with pq.ParquetWriter(sink, first.schema, **WRITER) as writer:
                writer.write_batch(first, _ROW_GROUP)
                for batch in batches:
                    writer.write_batch(batch, _ROW_GROUP)
            size = sink.tell()
        return Describing(self.reader.metadata).copied(file, path, size, writer.writer.metadata)

    def _staying(self, live: Live, names: Sequence[str], goes: Judge) -> pa.ChunkedArray | None:
        """Which rows of the file stay; None if it is not concerned at all."""
        dead = self.reader.dead(live)
        stays, concerned, start = [], False, 0
        for batch in self.reader.batches(live.file, names):
            positions = pa.arange(start, start + len(batch)) if dead is not None else None
            alive = pc.invert(pc.is_in(positions, value_set=dead)) if positions is not None else None
            going = goes(batch, alive)
            concerned |= bool(pc.any(going if alive is None else pc.and_(going, alive)).as_py())
            staying = pc.invert(going)
            stays.append(staying if alive is None else pc.and_(staying, alive))
            start += len(batch)
        if concerned and live.by_value:
            raise SchemaConflict(
                "another engine took rows out of a file by their values (equality deletes), and more have to go",
                where=live.file.file_path,
                remedy="Compact the table with that engine, then replay the objects",
            )
        return pa.chunked_array(stays, pa.bool_()) if concerned else None

    def _kept(self, file: DataFile, stays: pa.ChunkedArray) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in self.reader.batches(file):
            some = batch.filter(stays.slice(start, len(batch)).combine_chunks())
            start += len(batch)
            if len(some):
                yield some

    def _folder(self, file: DataFile) -> str:
        folder = file.file_path.rpartition("/")[0]
        return folder if folder.startswith(f"{self.location}/") else f"{self.location}/data"

"""Many data files of one partition written as few, in bounded memory."""

import io
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO, InputFile, OutputFile
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table.metadata import TableMetadata

from chalicelib.destinations.encoding import WRITER
from chalicelib.destinations.iceberg.reading import Reader

MIB = 1024 * 1024
AHEAD = 16  # small files that are fetched at once
WHOLE = 4 * MIB  # bytes; a file below this is fetched with one request
ROW_GROUP_ROWS = 100_000  # the same as of files that loaders write
ROW_GROUP_BYTES = 32 * MIB  # of Arrow memory


def pack(reader: Reader, files: Sequence[DataFile], target: int) -> list[DataFile]:
    """The rows of these files, all of one partition and spec, in new files of `target` bytes; their order stays.

    Columns are the table's own as the reader sees them: those that an old file lacks are NULL. Nobody knows of the
    new files until they are committed.
    """
    written: list[DataFile] = []
    packed: _Packed | None = None
    try:
        for rows in _row_groups(_batches(reader, files), min(ROW_GROUP_BYTES, target)):
            packed = packed or _Packed(reader, files[0], rows.schema)
            packed.write(rows)
            if packed.size >= target:
                written.append(packed.close())
                packed = None
        if packed is not None:
            written.append(packed.close())
            packed = None
    finally:
        if packed is not None:
            packed.abandon()
    return written


def _row_groups(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= ROW_GROUP_ROWS or size >= most:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _batches(reader: Reader, files: Sequence[DataFile]) -> Iterator[pa.RecordBatch]:
    schema: pa.Schema | None = None
    with ThreadPoolExecutor(AHEAD) as pool:
        for file, fetched in _ahead(pool, reader.io, files):
            one = reader if fetched is None else replace(reader, io=_Fetched(reader.io, fetched.result()))
            for batch in one.batches(file):
                schema = schema or batch.schema
                if batch.num_rows:
                    yield batch.cast(schema)  # files differ in the width of their offsets


def _ahead(
    pool: ThreadPoolExecutor, table_io: FileIO, files: Sequence[DataFile]
) -> Iterator[tuple[DataFile, "Future[bytes] | None"]]:
    """The files in order; small ones are fetched whole and ahead, since asking for them takes longer than reading."""
    waiting: deque[tuple[DataFile, Future[bytes] | None]] = deque()
    for file in files:
        small = file.file_size_in_bytes < WHOLE
        waiting.append((file, pool.submit(_fetch, table_io, file) if small else None))
        if len(waiting) > AHEAD:
            yield waiting.popleft()
    yield from waiting


def _fetch(table_io: FileIO, file: DataFile) -> bytes:
    with table_io.new_input(file.file_path).open() as source:
        return source.read()


class _Fetched(FileIO):
    """Files, one of which is in memory already: the next that is asked for."""

    def __init__(self, table_io: FileIO, data: bytes) -> None:
        super().__init__(table_io.properties)
        self._data = data

    def new_input(self, location: str) -> InputFile:
        """The file in memory."""
        return _InMemory(location, self._data)

    def new_output(self, location: str) -> OutputFile:
        """Nothing is written here."""
        raise NotImplementedError

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Nothing is deleted here."""
        raise NotImplementedError


class _InMemory(InputFile):
    def __init__(self, location: str, data: bytes) -> None:
        super().__init__(location)
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def exists(self) -> bool:
        return True

    def open(self, seekable: bool = True) -> Any:
        return io.BytesIO(self._data)


class _Packed:
    """One new file beside an old one, of the same partition."""

    def __init__(self, reader: Reader, like: DataFile, schema: pa.Schema) -> None:
        self._metadata = reader.metadata
        self._like = like
        self._path = f"{_folder(reader.metadata, like)}/{secrets.token_hex(8)}-compacted.parquet"
        self._stream = reader.io.new_output(self._path).create(overwrite=True)
        self._footers: list[pq.FileMetaData] = []
        self._writer = pq.ParquetWriter(self._stream, schema, metadata_collector=self._footers, **WRITER)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        written: int = self._stream.tell()
        return written

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)

    def close(self) -> DataFile:
        self._writer.close()
        size = self.size
        self._stream.close()
        metadata, (footer,) = self._metadata, self._footers
        schema = metadata.schema()
        statistics = data_file_statistics_from_parquet_metadata(
            footer, compute_statistics_plan(schema, metadata.properties), parquet_path_to_id_mapping(schema)
        )
        file = DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=self._path,
            file_format=FileFormat.PARQUET,
            partition=self._like.partition,
            file_size_in_bytes=size,
            sort_order_id=None,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )
        file.spec_id = self._like.spec_id
        return file

    def abandon(self) -> None:
        """What is there of the file stays as an orphan."""
        self._writer.close()
        self._stream.close()


def _folder(metadata: TableMetadata, like: DataFile) -> str:
    """Where the old file lies, if that is the table's own folder."""
    location = metadata.location.rstrip("/")
    return like.file_path.rpartition("/")[0] if like.file_path.startswith(f"{location}/") else f"{location}/data"

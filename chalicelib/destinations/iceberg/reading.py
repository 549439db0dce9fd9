"""Data files as the table's current schema sees them, a few megabytes at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.io.fileformat import FileFormatFactory
from pyiceberg.io.pyarrow import (
    _get_column_projection_values,
    _read_deletes,
    _to_requested_schema,
    pyarrow_to_schema,
)
from pyiceberg.manifest import DataFile, FileFormat
from pyiceberg.schema import Schema, prune_columns
from pyiceberg.table.metadata import TableMetadata

from chalicelib.destinations.iceberg.contents import Live
from chalicelib.errors import SchemaConflict

_MIB = 1024 * 1024
_BATCH_BYTES = 8 * _MIB  # of encoded rows; as Arrow arrays they may be several times that
_BATCH_ROWS = 65_536  # at most, however small they are
_BUFFERS = 32 * _MIB  # for all columns of a file together: column chunks are read as they are decoded


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads data files of one table: by field ids, or by the name mapping where they have none."""

    io: FileIO
    metadata: TableMetadata  # after the change's new columns

    @property
    def schema(self) -> Schema:
        """The columns that all batches of whole rows have."""
        return self.metadata.schema()

    def batches(self, file: DataFile, names: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """All rows in their order, with these columns, or all; columns that the file lacks are NULL.

        Rows that deletes of other engines take out are among them: see `dead`.
        Raises SchemaConflict if it is no Parquet file.
        """
        if file.file_format != FileFormat.PARQUET:
            raise SchemaConflict(
                f"rows have to be taken out of a file that is {file.file_format}, not Parquet",
                where=file.file_path,
                remedy="Let the engine that wrote it write the table again as Parquet",
            )
        wanted = self.schema.select(*names) if names else self.schema
        with self.io.new_input(file.file_path).open() as source:
            parquet = pq.ParquetFile(source, buffer_size=_buffer(len(wanted.fields)), pre_buffer=False)
            stored = self._stored(parquet.schema_arrow)
            present = prune_columns(stored, wanted.field_ids, select_full_types=True)
            for batch in parquet.iter_batches(_rows(parquet.metadata), columns=[each.name for each in present.fields]):
                yield self._projected(file, batch, wanted, present)

    def dead(self, live: Live) -> pa.Array | None:
        """Positions of the rows that other engines have taken out; None if there are none."""
        found = [_read_deletes(self.io, each).get(live.file.file_path) for each in live.deletes]
        chunks = list(chain.from_iterable(each.chunks for each in found if each is not None))
        return pc.unique(pa.chunked_array(chunks, pa.int64())) if chunks else None

    def _stored(self, schema: pa.Schema) -> Schema:
        version = self.metadata.format_version
        mapping = self.metadata.name_mapping()
        return pyarrow_to_schema(schema, mapping, downcast_ns_timestamp_to_us=version <= 2, format_version=version)

    def _projected(self, file: DataFile, batch: pa.RecordBatch, wanted: Schema, present: Schema) -> pa.RecordBatch:
        spec = self.metadata.specs().get(file.spec_id)
        return _to_requested_schema(
            wanted,
            present,
            batch,
            downcast_ns_timestamp_to_us=self.metadata.format_version <= 2,
            include_field_ids=True,
            projected_missing_fields=_get_column_projection_values(file, wanted, self.schema, spec, present.field_ids),
            allow_timestamp_tz_mismatch=True,
            format_model=FileFormatFactory.get(FileFormat.PARQUET),
        )


def _rows(footer: pq.FileMetaData) -> int:
    """How many rows a batch has, so that it is neither too large nor too small."""
    size: int = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    rows: int = footer.num_rows
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES * rows // max(size, 1)))


def _buffer(columns: int) -> int:
    return max(64 * 1024, min(4 * _MIB, _BUFFERS // max(columns, 1)))

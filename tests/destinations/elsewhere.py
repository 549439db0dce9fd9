"""What other engines leave in a table: rows taken out by position or by value, merge on read."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
)
from pyiceberg.table import Table
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record

POSITIONS = pa.schema(
    [
        pa.field("file_path", pa.string(), nullable=False, metadata={"PARQUET:field_id": "2147483546"}),
        pa.field("pos", pa.int64(), nullable=False, metadata={"PARQUET:field_id": "2147483545"}),
    ]
)


class _DeleteManifest(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _RowDelta(_FastAppendFiles):
    """A snapshot with delete files, as Spark makes it in mode merge-on-read."""

    deletes: tuple[DataFile, ...] = ()

    def _manifests(self) -> list[ManifestFile]:
        metadata = self._transaction.table_metadata
        with _DeleteManifest(
            metadata.spec(), metadata.schema(), self.new_manifest_output(), self._snapshot_id, self._compression
        ) as writer:
            for file in self.deletes:
                writer.add_entry(
                    ManifestEntry.from_args(
                        status=ManifestEntryStatus.ADDED,
                        snapshot_id=self._snapshot_id,
                        sequence_number=None,
                        file_sequence_number=None,
                        data_file=file,
                    )
                )
        return [writer.to_manifest_file(), *self._existing_manifests()]


def delete_positions(table: Table, path: str, *positions: int) -> None:
    """Another engine takes out the rows at these positions of a file."""
    rows = pa.table({"file_path": [path] * len(positions), "pos": list(positions)}, schema=POSITIONS)
    of = {2147483546: path.encode()}  # the file, as Spark tells it
    _delete(
        table, f"{path}-positions.parquet", rows, DataFileContent.POSITION_DELETES, lower_bounds=of, upper_bounds=of
    )


def delete_values(table: Table, near: str, field_id: int, rows: pa.Table) -> None:
    """Another engine takes out all rows that were there with these values of a column."""
    _delete(table, f"{near}-values.parquet", rows, DataFileContent.EQUALITY_DELETES, equality_ids=[field_id])


def _delete(table: Table, path: str, rows: pa.Table, content: DataFileContent, **told: Any) -> None:
    local = Path(path.removeprefix("file://"))
    pq.write_table(rows, local)
    file = DataFile.from_args(
        content=content,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=rows.num_rows,
        file_size_in_bytes=local.stat().st_size,
        **told,
    )
    file.spec_id = table.metadata.default_spec_id
    change = table.transaction()
    delta = _RowDelta(change.update_snapshot().fast_append()._operation, change, table.io)
    delta.deletes = (file,)
    delta.commit()
    change.commit_transaction()

"""What a manifest says of a data file, from the file's footer."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    StatisticsCollector,
    _check_pyarrow_schema_compatible,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata


@dataclass(frozen=True, slots=True)
class Describing:
    """Describes files with the columns that one table has now.

    What does not differ from file to file is found once: it was more than half of the work.
    """

    metadata: TableMetadata
    schema: Schema = field(init=False)
    spec: PartitionSpec = field(init=False)
    _plan: dict[int, StatisticsCollector] = field(init=False)
    _ids: dict[str, int] = field(init=False)
    _fitting: set[pa.Schema] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        schema = self.metadata.schema()
        object.__setattr__(self, "schema", schema)
        object.__setattr__(self, "spec", self.metadata.spec())
        object.__setattr__(self, "_plan", compute_statistics_plan(schema, self.metadata.properties))
        object.__setattr__(self, "_ids", parquet_path_to_id_mapping(schema))

    def fresh(self, path: str, size: int, footer: pq.FileMetaData) -> DataFile:
        """A file of the table's current partitions, told by its bounds.

        Raises ValueError if its columns do not fit the table's.
        """
        arrow = footer.schema.to_arrow_schema()
        if arrow not in self._fitting:
            _check_pyarrow_schema_compatible(self.schema, arrow, format_version=self.metadata.format_version)
            self._fitting.add(arrow)
        return self._described(path, size, footer, None)

    def copied(self, original: DataFile, path: str, size: int, footer: pq.FileMetaData) -> DataFile:
        """A file with some of another's rows: of the same partition and order."""
        return self._described(path, size, footer, original)

    def _described(self, path: str, size: int, footer: pq.FileMetaData, original: DataFile | None) -> DataFile:
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=footer, stats_columns=self._plan, parquet_column_mapping=self._ids
        )
        file = DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=path,
            file_format=FileFormat.PARQUET,
            partition=original.partition if original else statistics.partition(self.spec, self.schema),
            file_size_in_bytes=size,
            sort_order_id=original.sort_order_id if original else None,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )
        file.spec_id = original.spec_id if original else self.spec.spec_id
        return file

"""How an Iceberg table is partitioned."""

from collections.abc import Mapping

from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, HourTransform, MonthTransform, TimeTransform

from chalicelib.config.destination import Iceberg, Parquet, Transform
from chalicelib.destinations.paths import partition_field

_TRANSFORMS: Mapping[Transform, TimeTransform[int]] = {
    Transform.HOUR: HourTransform(),
    Transform.DAY: DayTransform(),
    Transform.MONTH: MonthTransform(),
}


def check_partition(file: DataFile, spec: PartitionSpec) -> None:
    """pyiceberg takes a column without statistics for one of NULLs, and readers would then skip its rows."""
    for position, field in enumerate(spec.fields):
        if file.partition[position] is None and file.null_value_counts.get(field.source_id) != file.record_count:
            raise ValueError(f"{file.file_path} has no statistics to tell its partition {field.name}")


def spec(out: Iceberg | Parquet, schema: Schema) -> PartitionSpec:
    """The partitions of a new table."""
    name = partition_field(out)
    if name is None or out.time_column is None:
        return UNPARTITIONED_PARTITION_SPEC
    source = schema.find_field(out.time_column).field_id
    return PartitionSpec(PartitionField(source, PARTITION_FIELD_ID_START, _TRANSFORMS[out.transform], name))

"""How an Iceberg table is partitioned, and whether a staged file is of one of its partitions.

A table's partitions are decided when it is made, by the destination of the first rows, or by whoever made it. Later
files need not be made for the same partitions, but each must lie within one: a document that asks for days feeds a
table by months, and one without partitions. One that asks for months cannot feed a table by days, unless a file has
rows of one day only.
"""

from collections.abc import Iterable, Mapping

from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.transforms import (
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    TimeTransform,
    VoidTransform,
)
from pyiceberg.types import DateType, DoubleType, FloatType, TimestamptzType

from chalicelib.config.destination import Iceberg, Parquet, Transform
from chalicelib.destinations.moments import is_utc
from chalicelib.destinations.paths import partition_field
from chalicelib.errors import SchemaConflict

_TRANSFORMS: Mapping[Transform, TimeTransform[int]] = {
    Transform.HOUR: HourTransform(),
    Transform.DAY: DayTransform(),
    Transform.MONTH: MonthTransform(),
}


def check_partition(file: DataFile, spec: PartitionSpec, schema: Schema) -> None:
    """Raises ValueError where readers would look for the file's rows in vain.

    pyiceberg tells a file's partition from bounds: it takes a column without statistics for one of NULLs, and passes
    over NULLs beside values, and over NaN, which has no place among bounds.
    """
    for position, field in enumerate(spec.fields):
        if isinstance(field.transform, VoidTransform):
            continue
        why = _unfit(file, field, schema, has_value=file.partition[position] is not None)
        if why is not None:
            raise ValueError(f"the table is partitioned by {_said(field, schema)}, and {file.file_path} {why}")


def _unfit(file: DataFile, field: PartitionField, schema: Schema, *, has_value: bool) -> str | None:
    nulls = file.null_value_counts.get(field.source_id)
    if isinstance(schema.find_type(field.source_id), FloatType | DoubleType):
        return "may have NaN there"
    if not has_value and nulls != file.record_count:
        column = schema.find_column_name(field.source_id)
        return f"has no column {column}, or no statistics of it" if nulls is None else f"has no bounds of {column}"
    return "has rows with and without a value there" if has_value and nulls != 0 else None


def check_columns(out: Iceberg | Parquet, metadata: TableMetadata, names: Iterable[str]) -> None:
    """Raises SchemaConflict where a column would have the name of a partition of another column.

    pyiceberg adds it, and then Spark and Trino refuse to open the table.
    """
    schema = metadata.schema()
    partitions = {
        field.name.lower(): schema.find_column_name(field.source_id)
        for spec in metadata.partition_specs
        for field in spec.fields
    }
    for name in names:
        source = partitions.get(name.lower(), name)
        if source != name:
            raise SchemaConflict(
                f"the new rows have a column {name.lower()!r}, which is the name of the table's partition by {source}",
                where=out.address,
                remedy="Rename that column, or set time_column, transform and storage_timezone as the table was made",
            )


def spec(out: Iceberg | Parquet, schema: Schema) -> PartitionSpec:
    """The partitions of a new table. Raises ValueError where a column is missing."""
    timed = _timed(out, schema)
    fields = [*([timed] if timed is not None else []), *(_identity(schema, name) for name in out.partition_by)]
    if not fields:
        return UNPARTITIONED_PARTITION_SPEC
    numbered = (
        PartitionField(field.source_id, PARTITION_FIELD_ID_START + place, field.transform, field.name)
        for place, field in enumerate(fields)
    )
    return PartitionSpec(*numbered)


def _timed(out: Iceberg | Parquet, schema: Schema) -> PartitionField | None:
    name = partition_field(out)
    if name is None or out.time_column is None:
        return None
    source = schema.find_field(out.time_column)
    utc = is_utc(out.storage_timezone)
    if isinstance(source.field_type, DateType) or (isinstance(source.field_type, TimestamptzType) and utc):
        return PartitionField(source.field_id, 0, _TRANSFORMS[out.transform], name)
    return _identity(schema, name)


def _identity(schema: Schema, name: str) -> PartitionField:
    return PartitionField(schema.find_field(name).field_id, 0, IdentityTransform(), name)


def _said(field: PartitionField, schema: Schema) -> str:
    name = schema.find_column_name(field.source_id)
    return str(name) if isinstance(field.transform, IdentityTransform) else f"{field.transform} of {name}"

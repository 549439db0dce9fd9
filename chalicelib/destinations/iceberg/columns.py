"""The columns of an Iceberg table: our types as Iceberg has them, and what they may become."""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from pyiceberg.table import Transaction
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
    TimestamptzType,
    TimeType,
)

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Task
from chalicelib.destinations.iceberg.partitions import check_columns
from chalicelib.errors import SchemaConflict
from chalicelib.records.origin import ORIGIN_COLUMNS
from chalicelib.records.types.schema import arrow_schema

_TYPES: Mapping[pa.DataType, IcebergType] = {
    pa.bool_(): BooleanType(),
    pa.int64(): LongType(),
    pa.float64(): DoubleType(),
    pa.string(): StringType(),
    pa.timestamp("us", tz="UTC"): TimestamptzType(),
    pa.date32(): DateType(),
    pa.time64("us"): TimeType(),
    pa.binary(): BinaryType(),
}
_WIDENINGS = {(IntegerType(), LongType()), (FloatType(), DoubleType())}  # Iceberg's own, for tables that others made
_DECLARED: Mapping[IcebergType, str] = {
    TimestamptzType(): "timestamp",
    IntegerType(): "long",
    FloatType(): "double",
}


def evolve(change: Transaction, out: Iceberg | Parquet, fields: Mapping[str, IcebergType]) -> None:
    """Let the table have these columns too; raises SchemaConflict where one of another type cannot hold them.

    One that differs only in case from a column that is there is not made either.
    """
    schema = change.table_metadata.schema()
    names = [field.name for field in schema.fields]
    _differ(out, names, [name for name in fields if name not in names])
    check_columns(out, change.table_metadata, fields)
    with change.update_schema() as update:
        for name, kind in fields.items():
            current = next((field.field_type for field in schema.fields if field.name == name), None)
            if current is None:
                update.add_column((name,), kind)
                continue
            both = _wider(current, kind)
            if both is None:
                raise _conflict(out, name, current, kind, "the table has")
            if both != current:
                update.update_column((name,), both)


def renew(change: Transaction, out: Iceberg | Parquet, fields: Mapping[str, IcebergType]) -> None:
    """Let the table have these columns and no others (F81): what it has under another type gets a new field id.

    Columns of earlier partitions, of a sort order and of an identifier stay, as NULL: the table's history needs them.
    Raises SchemaConflict where the partitions of today would lose their column, or such a column its type.
    """
    metadata = change.table_metadata
    schema = metadata.schema()
    partitioned = {field.source_id for field in metadata.spec().fields}
    sorted_by = {field.source_id for order in metadata.sort_orders for field in order.fields}
    earlier = {field.source_id for each in metadata.partition_specs for field in each.fields}
    bound = partitioned | earlier | sorted_by | set(schema.identifier_field_ids)
    with change.update_schema(allow_incompatible_changes=True) as update:
        for field in schema.fields:
            kind = fields.get(field.name)
            if kind is not None and _wider(field.field_type, kind) is not None:
                continue
            if field.field_id not in bound:
                update.delete_column((field.name,))
                if kind is not None:
                    update.add_column((field.name,), kind)
            elif kind is not None:
                raise _conflict(out, field.name, field.field_type, kind, "the table is partitioned or sorted by")
            elif field.field_id in partitioned:
                raise SchemaConflict(
                    f"the new rows have no column {field.name!r}, and the table is partitioned by it",
                    where=out.address,
                    remedy="Keep the schema, or choose another table",
                )
    evolve(change, out, fields)


def fields_of(out: Iceberg | Parquet, tasks: Sequence[Task]) -> dict[str, IcebergType]:
    """Names and types of all columns in the tasks' files; the origin columns come after the first file's."""
    fields: dict[str, IcebergType] = {}
    origin = ORIGIN_COLUMNS if out.origin_columns else ()
    for columns in dict.fromkeys(file.columns for task in tasks if task.staged for file in task.staged.files):
        for field in (*arrow_schema(columns), *origin):
            kind = _iceberg_type(field.type)
            other = fields.get(field.name, kind)
            both = _wider(other, kind)
            if both is None:
                raise _conflict(out, field.name, other, kind, "other staged rows have")
            fields[field.name] = both
    _differ(out, (), fields)
    return fields


def _differ(out: Iceberg | Parquet, names: Iterable[str], new: Iterable[str]) -> None:
    """Raise SchemaConflict if a new column differs only in case from another one: most engines see one column."""
    known = {name.lower(): name for name in names}
    for name in new:
        other = known.setdefault(name.lower(), name)
        if other != name:
            raise SchemaConflict(
                f"column {name!r} differs only in case from {other!r}",
                where=out.address,
                remedy=f"Call it {other!r}, or something else, by a filter or in the parser's columns",
            )


def _conflict(out: Iceberg | Parquet, name: str, current: IcebergType, kind: IcebergType, who: str) -> SchemaConflict:
    return SchemaConflict(
        f"column {name!r} is {kind} in the new rows, but {who} {current}",
        where=out.address,
        remedy=f"Declare {name!r} as {_declared(current)} in the parser's columns, rename it, or choose another table",
    )


def _iceberg_type(kind: pa.DataType) -> IcebergType:
    """The type of a table's column for arrays of this type."""
    return DecimalType(kind.precision, kind.scale) if pa.types.is_decimal128(kind) else _TYPES[kind]


def _wider(current: IcebergType, kind: IcebergType) -> IcebergType | None:
    """The type of a column that has one and gets the other, as far as Iceberg promotes types.

    Decimals of one scale meet in the greater precision; a date never becomes a timestamp.
    """
    if current == kind or (current, kind) in _WIDENINGS:
        return kind
    if isinstance(current, DecimalType) and isinstance(kind, DecimalType) and current.scale == kind.scale:
        return max(current, kind, key=lambda each: each.precision)
    return None


def _declared(kind: IcebergType) -> str:
    """What a parser's column would be declared as to fit."""
    return _DECLARED.get(kind, str(kind))

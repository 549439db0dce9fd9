"""Columns as Arrow sees them."""

from collections.abc import Iterable

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType

MOMENT = pa.timestamp("us", tz="UTC")
NAIVE = pa.timestamp("us")  # a moment whose zone is known by other means

_ARROW: dict[ColumnType, pa.DataType] = {
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.LONG: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.STRING: pa.string(),
    ColumnType.TIMESTAMP: MOMENT,
    ColumnType.JSON: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIME: pa.time64("us"),
    ColumnType.BINARY: pa.binary(),
}


def arrow_type(column: Column) -> pa.DataType:
    """The type of this column's arrays."""
    if column.type is ColumnType.DECIMAL:
        return pa.decimal128(column.precision, column.scale or 0)
    return _ARROW[column.type]


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The schema of batches with these columns; every field may be NULL."""
    return pa.schema([(column.name, arrow_type(column)) for column in columns])

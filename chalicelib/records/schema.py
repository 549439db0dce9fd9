"""Columns as Arrow sees them."""

from collections.abc import Iterable

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType

ARROW: dict[ColumnType, pa.DataType] = {
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.LONG: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.STRING: pa.string(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    ColumnType.JSON: pa.string(),
}


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The schema of batches with these columns; every field may be NULL."""
    return pa.schema([(column.name, ARROW[column.type]) for column in columns])

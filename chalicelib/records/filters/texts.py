"""Values as text: what a digest is made of, and what a value becomes in a column of strings."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.types.schema import arrow_type
from chalicelib.records.types.values import Typed, typed


def texts(array: pa.Array, column: Column) -> pa.StringArray:
    """The values as text; NULL stays NULL (E44).

    Strings and JSON as they stand, 12, 1.5, 1.0, 1e+16, true, `2026-01-02 03:04:05 UTC` with 3 or 6 digits of the
    second where it has any, 2026-01-02, 03:04:05, decimals with all digits of their scale, bytes in hexadecimal.
    """
    match column.type:
        case ColumnType.STRING | ColumnType.JSON:
            return array
        case ColumnType.TIMESTAMP:
            return pc.binary_join_element_wise(_cut(pc.strftime(array, "%Y-%m-%d %H:%M:%S")), " UTC", "")
        case ColumnType.TIME:
            return _cut(pc.cast(array, pa.string()))
        case ColumnType.DOUBLE | ColumnType.DECIMAL | ColumnType.BINARY:
            return _by_value(array, column.type)
    return pc.cast(array, pa.string())


def converted(array: pa.Array, column: Column, target: Column) -> Typed:
    """The values of one column as another's type: through their text, except where a number or time is at hand."""
    match column.type, target.type:
        case (a, b) if a is b and arrow_type(column) == arrow_type(target):
            return Typed(array, {})
        case ColumnType.LONG, ColumnType.DOUBLE:
            return Typed(pc.cast(array, pa.float64(), safe=False), {})
        case (ColumnType.TIMESTAMP, ColumnType.DATE) | (ColumnType.DATE, ColumnType.TIMESTAMP):
            return Typed(pc.cast(array, arrow_type(target)), {})
    return typed(texts(array, column), target)


def _cut(clocks: pa.StringArray) -> pa.StringArray:
    """Clocks without the digits of the second that are zero, three by three."""
    whole = pc.replace_substring_regex(clocks, r"\.000000$", "")
    return pc.replace_substring_regex(whole, r"(\.[0-9]{3})000$", r"\1")


def _by_value(array: pa.Array, kind: ColumnType) -> pa.StringArray:
    distinct = array.dictionary_encode()
    said = [None if value is None else _said(value, kind) for value in distinct.dictionary.to_pylist()]
    return pa.array(said, pa.string()).take(distinct.indices)


def _said(value: Any, kind: ColumnType) -> str:
    if kind is ColumnType.DOUBLE:
        return json.dumps(value)
    return format(value, "f") if kind is ColumnType.DECIMAL else bytes(value).hex()

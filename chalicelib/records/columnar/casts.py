"""Typed values as the values of a declared column: exactly, or not at all.

| from                | into                                                                                     |
|---------------------|------------------------------------------------------------------------------------------|
| boolean             | boolean, string, json                                                                    |
| whole number        | long, double, decimal, string, json; boolean if 0 or 1; a time if `format` is an epoch   |
| double, decimal     | double; long if whole; decimal if no digit is lost; string, json                         |
| string              | any type, read as text is (records.types.values)                                               |
| binary              | binary; string if UTF-8; json as base64                                                  |
| date                | date, timestamp (midnight in UTC), string, json                                          |
| timestamp           | timestamp; date if midnight in UTC; string, json                                         |
| time                | time, string, json                                                                       |
| list, struct, map   | json, string                                                                             |
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import TEMPORAL, Column, ColumnType
from chalicelib.records.columnar.plain import plain
from chalicelib.records.columnar.texts import json_texts, texts
from chalicelib.records.columnar.times import dates, moments, times
from chalicelib.records.types.schema import arrow_type
from chalicelib.records.types.values import typed

Cast = Callable[[pa.Array, Column], pa.Array | None]


def cast(array: pa.Array, column: Column) -> pa.Array:
    """The values as the column has them; NULL also where one does not fit."""
    array = plain(array)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), arrow_type(column))
    if pa.types.is_string(array.type) and column.type is not ColumnType.STRING:
        return typed(texts(array), column).array
    result = _CASTS[column.type](array, column)
    return result if result is not None else pa.nulls(len(array), arrow_type(column))


def _boolean(array: pa.Array, column: Column) -> pa.Array | None:
    if pa.types.is_boolean(array.type):
        return array
    if pa.types.is_integer(array.type):
        known = pc.is_in(array, pc.cast(pa.array([0, 1]), array.type))
        return pc.cast(pc.if_else(known, array, pa.scalar(None, array.type)), pa.bool_())
    return None


def _long(array: pa.Array, column: Column) -> pa.Array | None:
    if _is_number(array.type):
        return _bisected(array, lambda piece: pc.cast(piece, pa.int64()))
    return None


def _double(array: pa.Array, column: Column) -> pa.Array | None:
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return pc.cast(array, pa.float64(), safe=False)  # to the nearest
    if pa.types.is_decimal(array.type):  # Arrow's own cast is off by a digit at times
        return pa.array([None if value is None else float(value) for value in array.to_pylist()], pa.float64())
    return None


def _decimal(array: pa.Array, column: Column) -> pa.Array | None:
    target = arrow_type(column)
    if pa.types.is_integer(array.type):
        wide = pc.cast(array, pa.decimal256(20 + target.scale, target.scale))
        return _bisected(wide, lambda piece: pc.cast(piece, target))
    if pa.types.is_decimal(array.type):
        return _bisected(_with_room(array), lambda piece: pc.cast(piece, target))
    if pa.types.is_floating(array.type):
        return pa.array([_exactly(text, target) for text in texts(array).to_pylist()], target)
    return None


def _with_room(array: pa.Array) -> pa.Array:
    """The same decimals; of a type that has room for them all, if a file holds more digits than it declares."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return pc.cast(array, pa.decimal256(76, array.type.scale))
    return array


def _exactly(text: str | None, target: pa.DataType) -> Decimal | None:
    """The decimal with these digits if none is lost."""
    if text is None or text.endswith(("nan", "inf")):
        return None
    value = Decimal(text)
    try:
        with localcontext() as context:
            context.prec = target.precision
            scaled = value.quantize(Decimal(1).scaleb(-target.scale))
    except InvalidOperation:
        return None
    return scaled if scaled == value else None


def _string(array: pa.Array, column: Column) -> pa.Array:
    return texts(array)


def _timestamp(array: pa.Array, column: Column) -> pa.Array | None:
    if pa.types.is_timestamp(array.type):
        if array.type.tz is None and column.timezone not in (None, "UTC"):
            return typed(pc.utf8_rtrim(texts(array), "Z"), column.model_copy(update={"format": None})).array
        return moments(array)
    if pa.types.is_date(array.type):
        return moments(array)
    return _epoch(array, column)


def _date(array: pa.Array, column: Column) -> pa.Array | None:
    if pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
        return dates(array)
    return _epoch(array, column)


def _time(array: pa.Array, column: Column) -> pa.Array | None:
    return times(array) if pa.types.is_time(array.type) else _epoch(array, column)


def _epoch(array: pa.Array, column: Column) -> pa.Array | None:
    if column.type in TEMPORAL and pa.types.is_integer(array.type) and (column.format or "").startswith("epoch_"):
        return typed(texts(array), column).array
    return None


def _json(array: pa.Array, column: Column) -> pa.Array:
    return json_texts(array)


def _binary(array: pa.Array, column: Column) -> pa.Array | None:
    return array if pa.types.is_binary(array.type) else None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _bisected(array: pa.Array, exact: Callable[[pa.Array], Any]) -> pa.Array:
    """A cast that refuses all where one does not fit, over ever smaller pieces; NULL is what is refused alone."""
    try:
        return exact(array)
    except pa.ArrowInvalid:
        if len(array) == 1:
            return pa.nulls(1, exact(array.slice(0, 0)).type)
    middle = len(array) // 2
    return pa.concat_arrays([_bisected(array.slice(0, middle), exact), _bisected(array.slice(middle), exact)])


_CASTS: dict[ColumnType, Cast] = {
    ColumnType.BOOLEAN: _boolean,
    ColumnType.LONG: _long,
    ColumnType.DOUBLE: _double,
    ColumnType.STRING: _string,
    ColumnType.TIMESTAMP: _timestamp,
    ColumnType.JSON: _json,
    ColumnType.DATE: _date,
    ColumnType.TIME: _time,
    ColumnType.DECIMAL: _decimal,
    ColumnType.BINARY: _binary,
}

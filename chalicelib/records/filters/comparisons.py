"""Comparisons of a column with a value or another column: exact, and refused where types differ."""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.filters.predicate import Literal
from chalicelib.records.filters.setting import Given
from chalicelib.records.types.schema import MOMENT, arrow_type
from chalicelib.records.types.values import typed

Test = Callable[[pa.RecordBatch], pa.BooleanArray]

_KERNELS = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_TEXT = (ColumnType.STRING, ColumnType.JSON)
_EXACT = (ColumnType.LONG, ColumnType.DECIMAL)
_FITTING = {
    ColumnType.LONG: ("number",),
    ColumnType.DOUBLE: ("number",),
    ColumnType.DECIMAL: ("number",),
    ColumnType.STRING: ("text",),
    ColumnType.JSON: ("text",),
    ColumnType.BOOLEAN: ("boolean",),
    ColumnType.TIMESTAMP: ("timestamp", "date", "text"),
    ColumnType.DATE: ("date", "text"),
    ColumnType.TIME: ("time", "text"),
    ColumnType.BINARY: (),
}
_MANY_DIGITS = Context(prec=1000, traps=[])  # 1e9999999 is more than any


def comparable(column: Column, value: Literal, given: Given) -> None:
    """Raises ConfigError unless the column may be compared with the value."""
    if value.kind in _FITTING[column.type]:
        return
    if value.kind == "number" and column.type in _TEXT:
        remedy = f"Write '{value.text}', or give the column another type before"
    elif value.kind == "text" and column.type in (ColumnType.LONG, ColumnType.DOUBLE, ColumnType.DECIMAL):
        remedy = "Write the number without quotes"
    else:
        remedy = "Give the column another type before, or compare it with a value of its own"
    raise given.error(
        f"{column.name} is a {column.type} and cannot be compared with the {value.kind} {value.text}", remedy
    )


def compared(operator: str, index: int, column: Column, value: Literal, given: Given) -> Test:
    """A column and a value."""
    comparable(column, value, given)
    if column.type is ColumnType.BOOLEAN and operator not in ("=", "!="):
        raise given.error(f"{column.name} is a boolean; {operator} is not for booleans")
    if column.type in _EXACT:
        return _against_number(operator, index, column, _MANY_DIGITS.create_decimal(value.text))
    scalar = literal_of(column, value, given)
    kernel = _KERNELS[operator]
    return lambda batch: kernel(batch.column(index), scalar)


def literal_of(column: Column, value: Literal, given: Given) -> pa.Scalar:
    """The value as one of the column's type; of text, an ISO-8601 time. Raises ConfigError if it is none."""
    if column.type in _TEXT:
        return pa.scalar(value.text, pa.string())
    plain = Column(name=column.name, type=column.type)
    made = typed(pa.array([value.text], pa.string()), plain)
    if made.bad:
        raise given.error(made.bad[0], "Write it as in ISO-8601: 2026-01-02, 2026-01-02T03:04:05Z, 03:04:05")
    return made.array[0]


def between_columns(operator: str, left: int, right: int, given: Given) -> Test:
    """Two columns of one type, two that are numbers, or a date and a timestamp."""
    columns = given.columns[left], given.columns[right]
    shared = _shared(*columns)
    if shared is None or (pa.types.is_boolean(shared) and operator not in ("=", "!=")):
        a, b = columns
        raise given.error(f"{a.name} is a {a.type} and {b.name} a {b.type}: {operator} cannot compare them")
    kernel = _KERNELS[operator]

    def test(batch: pa.RecordBatch) -> pa.Array:
        return kernel(*(pc.cast(batch.column(index), shared, safe=False) for index in (left, right)))

    return test


def _shared(left: Column, right: Column) -> pa.DataType | None:
    kinds = {left.type, right.type}
    if kinds <= set(_TEXT):
        return pa.string()
    if kinds == {ColumnType.DATE, ColumnType.TIMESTAMP}:
        return MOMENT
    if len(kinds) == 1 and left.type not in (ColumnType.DECIMAL, ColumnType.BINARY):
        return arrow_type(left)
    if kinds <= {*_EXACT, ColumnType.DOUBLE}:
        return _number(left, right)
    return None


def _number(left: Column, right: Column) -> pa.DataType:
    """Decimal as long as 38 digits hold both; a double beyond."""
    if ColumnType.DOUBLE in (left.type, right.type):
        return pa.float64()
    wholes = [(c.precision or 19) - (c.scale or 0) for c in (left, right)]
    scale = max(left.scale or 0, right.scale or 0)
    return pa.decimal128(max(wholes) + scale, scale) if max(wholes) + scale <= 38 else pa.float64()


def _against_number(operator: str, index: int, column: Column, value: Decimal) -> Test:
    """Exact whatever is written: 1.5 is no long, and 1e30 is more than any."""
    scale = column.scale or 0
    most = _MANY_DIGITS.scaleb(Decimal(10 ** (column.precision or 0) - 1), -scale)
    low, high = (-most, most) if column.type is ColumnType.DECIMAL else (Decimal(-(1 << 63)), Decimal((1 << 63) - 1))
    if not low <= value <= high:
        return _always(index, operator in (("<", "<=", "!=") if value > high else (">", ">=", "!=")))
    below = value.quantize(Decimal(1).scaleb(-scale), ROUND_FLOOR, _MANY_DIGITS)
    if below != value:
        if operator in ("=", "!="):
            return _always(index, operator == "!=")
        operator = "<=" if operator.startswith("<") else ">"
    scalar = pa.scalar(int(below) if column.type is ColumnType.LONG else below, arrow_type(column))
    kernel = _KERNELS[operator]
    return lambda batch: kernel(batch.column(index), scalar)


def _always(index: int, truth: bool) -> Test:
    """The same for every value; NULL for NULL."""
    return lambda batch: pc.if_else(batch.column(index).is_null(), pa.scalar(None, pa.bool_()), pa.scalar(truth))

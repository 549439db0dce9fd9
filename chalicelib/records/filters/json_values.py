"""JSON texts as values, ways into them, and columns made of what is found there."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.types.schema import arrow_type
from chalicelib.records.types.values import Typed, misfit, reader, typed

_LONGS = range(-(1 << 63), 1 << 63)
_FLAWED = r"[0-9]{20}"  # orjson makes floats of integers beyond 64 bits
_FLAWED_TEXT = re.compile(_FLAWED)
_PLAIN: dict[ColumnType, set[type]] = {
    ColumnType.BOOLEAN: {bool, type(None)},
    ColumnType.LONG: {int, type(None)},
    ColumnType.DOUBLE: {float, int, type(None)},
    ColumnType.STRING: {str, type(None)},
}


def parsed(texts: pa.StringArray, *, decimals: bool = False) -> tuple[list[Any], dict[int, str]]:
    """The values, None where there is NULL, null, an empty text or no JSON; and why, by row, if it is no JSON.

    With `decimals`, numbers with a point are exact.
    """
    values, bad = [], {}
    load: Callable[[str], Any] = orjson.loads
    if decimals:
        load = exact
    elif pc.any(pc.match_substring_regex(texts, _FLAWED)).as_py():
        load = document
    for row, text in enumerate(texts.to_pylist()):
        value = None
        if text:
            try:
                value = load(text)
            except (ValueError, RecursionError):
                bad[row] = f"{shown(text)} is not JSON"
        values.append(value)
    return values, bad


def document(text: str) -> Any:
    """The JSON value, with integers of any size. Raises ValueError or RecursionError."""
    value = orjson.loads(text)  # has the stricter grammar
    return json.loads(text) if _FLAWED_TEXT.search(text) else value


def exact(text: str) -> Any:
    """The JSON value, with a Decimal for each number that has a point. Raises ValueError or RecursionError."""
    orjson.loads(text)
    return json.loads(text, parse_float=Decimal)


def dumped(value: Any) -> str:
    """Compact JSON text. Raises ValueError for what is nested too deeply to be written."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits, a Decimal, or more than 254 levels
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def shown(value: object) -> str:
    """A value for a message, cut."""
    value = value[:200] if isinstance(value, str) else value
    try:
        text = repr(value)
    except RecursionError:
        return "what is nested too deeply"
    return text if len(text) <= 100 else text[:100] + "…"


def reached(values: list[Any], steps: Iterable[str | int]) -> list[Any]:
    """What lies at the end of the way in each value; None where it leads nowhere."""
    for step in steps:
        if isinstance(step, str):
            values = [value.get(step) if type(value) is dict else None for value in values]
        else:
            values = [
                value[step] if type(value) is list and -len(value) <= step < len(value) else None for value in values
            ]
    return values


def column_of(values: Sequence[Any], column: Column) -> Typed:
    """JSON values as a column of this type.

    A string takes everything, as JSON text what is no string; a json column is JSON text. A long takes 12, "12", 1e3
    and "1e3" but no 1.5; a double also texts; a boolean also the words and numbers that stand for one in a text;
    times are texts, or numbers where the format is epoch_s or the like. No other type takes a list or an object.
    """
    kind = column.type
    if kind is ColumnType.JSON:
        try:
            return Typed(pa.array([None if value is None else dumped(value) for value in values], pa.string()), {})
        except ValueError:
            return _one_by_one(values, column)
    if kind in _PLAIN:
        if set(map(type, values)) <= _PLAIN[kind]:
            try:
                return Typed(pa.array(values, arrow_type(column)), {})
            except (pa.ArrowInvalid, OverflowError):
                pass  # an integer beyond 64 bits
        return _one_by_one(values, column)
    return _through_text(values, column)


def unfit(column: Column, value: Any) -> str:
    """Why a JSON value costs its row."""
    try:
        return misfit(column, value)
    except RecursionError:
        return f"{column.name}: nested too deeply"


def _one_by_one(values: Sequence[Any], column: Column) -> Typed:
    read = reader(column)
    taken, bad = [], {}
    for row, value in enumerate(values):
        found = None
        if value is not None:
            try:
                found = _taken(value, column.type, read)
            except (ValueError, OverflowError):
                bad[row] = unfit(column, value)
        taken.append(found)
    return Typed(pa.array(taken, arrow_type(column)), bad)


def _taken(value: Any, kind: ColumnType, read: Any) -> Any:
    match kind, value:
        case ColumnType.JSON, _:
            return dumped(value)
        case ColumnType.STRING, _:
            return value if isinstance(value, str) else dumped(value)
        case ColumnType.BOOLEAN, bool():
            return value
        case ColumnType.BOOLEAN, int() | str():
            return read(str(value))
        case (_, bool()) | (_, list() | dict()):
            raise ValueError(value)
        case ColumnType.LONG, _:
            return _long(value, read)
        case ColumnType.DOUBLE, int() | float():
            return float(value)
    return read(value)


def _long(value: int | float | str, read: Any) -> int:
    if isinstance(value, str):
        try:
            return int(read(value))
        except ValueError:
            value = float(value) if "_" not in value else float("nan")
    if value != value or value in (float("inf"), float("-inf")) or int(value) != value or int(value) not in _LONGS:
        raise ValueError(value)
    return int(value)


def _through_text(values: Sequence[Any], column: Column) -> Typed:
    numbers = column.type is ColumnType.DECIMAL or (column.format or "").startswith("epoch_")
    texts: list[str | None] = []
    bad: dict[int, str] = {}
    for row, value in enumerate(values):
        text = None
        if isinstance(value, str):
            text = value
        elif isinstance(value, int | float | Decimal) and not isinstance(value, bool) and numbers:
            text = str(value)
        elif value is not None:
            bad[row] = unfit(column, value)
        texts.append(text)
    result = typed(pa.array(texts, pa.string()), column)
    return Typed(result.array, bad | result.bad)

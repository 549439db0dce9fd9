"""Text to typed values, a whole column at a time.

The `_…` functions that take one text are the definition of each type. Arrow's kernels, which are a hundred times
as fast, only ever stand in for them where both agree (tests/records/test_values.py holds them together).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.errors import ConfigError
from chalicelib.records.schema import ARROW

TRUE = ("true", "yes", "t", "y", "on", "1")
FALSE = ("false", "no", "f", "n", "off", "0")
NAIVE = pa.timestamp("us")

_WORDS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
_BLANK = " \t"  # what Arrow's CSV reader takes off numbers
_LONG = re.compile(r"[+-]?[0-9]+|0[xX][0-9a-fA-F]{1,16}")
_HEX = r"^[ \t]*0[xX]"  # Arrow reads 0xFFFFFFFFFFFFFFFF as -1, which is none of our longs
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?", re.IGNORECASE)
_NAN = re.compile(r"[+-]?nan(?:\([0-9a-z_]*\))?", re.IGNORECASE)
_SURE = {
    ColumnType.BOOLEAN: r"(?i)^(?:true|false|[01])$",
    ColumnType.LONG: r"^-?[0-9]{1,18}$",
    ColumnType.DOUBLE: r"^-?[0-9]+(?:\.[0-9]*)?$",
}
_ZONE = re.compile(r" ?(?:UTC|GMT|Z)$| (?=[+-][0-9:]+$)")
_CALENDAR = range(-62_135_596_800_000_000, 253_402_300_800_000_000)  # years 1 to 9999 in microseconds since 1970


@dataclass(frozen=True, slots=True)
class Typed:
    """A column, NULL at the indices in `bad`, with why."""

    array: pa.Array
    bad: dict[int, str]


def typed(texts: pa.StringArray, column: Column) -> Typed:
    """The texts as this column's type; NULL stays NULL."""
    if column.type is ColumnType.STRING:
        return Typed(texts, {})
    array = _by_kernel(texts, column)
    if array is not None:
        return Typed(array, {})
    if column.type in _SURE:
        return _mostly_by_kernel(texts, column)
    if column.format is not None:
        distinct = texts.dictionary_encode()  # strptime is slow and timestamps repeat
        return _taken(_one_by_one(distinct.dictionary, column), distinct.indices)
    return _one_by_one(texts, column)


def reader(column: Column) -> Callable[[str], Any]:
    """The function from one text to a value of this column; it raises ValueError for any other text.

    Raises ConfigError for a format that strptime does not know.
    """
    if column.type is ColumnType.TIMESTAMP and column.format is not None:
        return partial(_formatted, layout=_strptime_layout(column))
    return _READERS[column.type]


def misfit(column: Column, value: object) -> str:
    """Why a value costs its row."""
    shown = repr(value)
    shown = shown if len(shown) <= 100 else shown[:100] + "…"
    article = "JSON" if column.type is ColumnType.JSON else f"a {column.type.value}"
    return f"{column.name}: {shown} is not {article}" + (f" like {column.format}" if column.format else "")


def in_calendar(arrays: Iterable[pa.Array]) -> bool:
    """False if a timestamp lies outside the years 1 to 9999, which Arrow can hold but hardly anybody can read."""
    moments = [array.view(pa.int64()) for array in arrays if pa.types.is_timestamp(array.type)]
    edges = pc.min_max(pa.chunked_array(moments, pa.int64())).as_py()
    return all(edge is None or edge in _CALENDAR for edge in edges.values())


def _mostly_by_kernel(texts: pa.StringArray, column: Column) -> Typed:
    """Arrow for the texts that it surely reads, one by one for the few others."""
    sure = pc.match_substring_regex(texts, _SURE[column.type])
    array = _by_kernel(pc.if_else(sure, texts, pa.scalar(None, pa.string())), column)
    assert array is not None
    rows = pc.indices_nonzero(pc.invert(sure)).to_pylist()
    others = _one_by_one(texts.take(pa.array(rows, pa.int64())), column)
    mask = pc.fill_null(pc.invert(sure), fill_value=False)
    bad = {rows[index]: why for index, why in others.bad.items()}
    return Typed(pc.replace_with_mask(array, mask, others.array), bad)


def _by_kernel(texts: pa.StringArray, column: Column) -> pa.Array | None:
    try:
        match column.type:
            case ColumnType.BOOLEAN:
                return _booleans(pc.utf8_lower(texts))
            case ColumnType.LONG if not pc.any(pc.match_substring_regex(texts, _HEX)).as_py():
                return pc.cast(pc.utf8_trim(texts, _BLANK), pa.int64())
            case ColumnType.DOUBLE:
                return pc.cast(pc.utf8_trim(texts, _BLANK), pa.float64())
            case ColumnType.TIMESTAMP if column.format is None:
                return _moments(texts)
    except pa.ArrowInvalid:
        pass
    return None


def _booleans(words: pa.StringArray) -> pa.Array | None:
    true, false = (pc.is_in(words, pa.array(known, pa.string())) for known in (TRUE, FALSE))
    if not pc.all(pc.or_(pc.or_(true, false), words.is_null()), min_count=0).as_py():
        return None
    return pc.if_else(words.is_null(), pa.scalar(None, pa.bool_()), true)


def _moments(texts: pa.StringArray) -> pa.Array | None:
    """All with a zone, or all without; raises ArrowInvalid otherwise."""
    zoned = ARROW[ColumnType.TIMESTAMP]
    first = next((text for text in texts if text.is_valid), None)
    has_zone = first is not None and looks_zoned(first.as_py())
    array = pc.cast(texts, zoned) if has_zone else pc.cast(texts, NAIVE).cast(zoned)
    return array if in_calendar([array]) else None


def looks_zoned(text: str) -> bool:
    """True if an ISO-8601 text ends in a zone."""
    return re.search(r"[0-9](?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$", text[10:]) is not None


def _one_by_one(texts: pa.StringArray, column: Column) -> Typed:
    read, values, bad = reader(column), [], {}
    for index, text in enumerate(texts.to_pylist()):
        value = None
        if text is not None:
            try:
                value = read(text)
            except (ValueError, OverflowError):
                bad[index] = misfit(column, text)
        values.append(value)
    return Typed(pa.array(values, ARROW[column.type]), bad)


def _taken(distinct: Typed, indices: pa.Array) -> Typed:
    bad = {}
    if distinct.bad:
        bad = {row: distinct.bad[index] for row, index in enumerate(indices.to_pylist()) if index in distinct.bad}
    return Typed(distinct.array.take(indices), bad)


def _boolean(text: str) -> bool:
    value = _WORDS.get(text.lower())
    if value is None:
        raise ValueError(text)
    return value


def _long(text: str) -> int:
    text = text.strip(_BLANK)
    if not _LONG.fullmatch(text):
        raise ValueError(text)
    value = int(text, 16) if text[1:2] in ("x", "X") else int(text)
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError(text)
    return value


def _double(text: str) -> float:
    text = text.strip(_BLANK)
    if _NAN.fullmatch(text):
        return float("nan")
    if not _DOUBLE.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _timestamp(text: str) -> datetime:
    """ISO-8601, cut at microseconds; no zone is UTC; `UTC`, `GMT`, or a space before the zone is fine too."""
    moment = datetime.fromisoformat(_ZONE.sub(lambda zone: "Z" if zone[0].strip() else "", text.strip()))
    return _utc(moment)


def _formatted(text: str, layout: str) -> datetime:
    return _utc(datetime.strptime(text, layout))  # noqa: DTZ007  (a layout without zone means UTC)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _strptime_layout(column: Column) -> str:
    """The column's format for strptime; Embulk's %N and %L, fractions of a second, are its %f."""
    layout = (column.format or "").replace("%N", "%f").replace("%L", "%f")
    try:
        datetime.strptime("", layout)  # noqa: DTZ007
    except ValueError as error:
        if "directive" in str(error) or "stray" in str(error):
            raise ConfigError(
                f"{column.format!r} is no strptime format ({error})",
                where=f"parser.columns.{column.name}.format",
                remedy="See https://docs.python.org/3/library/datetime.html#format-codes",
            ) from None
    return layout


def _json(text: str) -> str:
    orjson.loads(text)
    return text


_READERS: dict[ColumnType, Callable[[str], Any]] = {
    ColumnType.BOOLEAN: _boolean,
    ColumnType.LONG: _long,
    ColumnType.DOUBLE: _double,
    ColumnType.STRING: str,
    ColumnType.TIMESTAMP: _timestamp,
    ColumnType.JSON: _json,
}

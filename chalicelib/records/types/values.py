"""Text to typed values, a whole column at a time.

The `_…` functions that take one text are the definition of each type. Arrow's kernels, which are a hundred times
as fast, only ever stand in for them where both agree (tests/records/test_values.py holds them together).
"""

import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import TEMPORAL, Column, ColumnType
from chalicelib.config.timeformat import ISO
from chalicelib.config.zones import ABBREVIATION, city, clock
from chalicelib.records.types import timestamps
from chalicelib.records.types.schema import MOMENT, NAIVE, arrow_type
from chalicelib.records.types.timestamps import CALENDAR
from chalicelib.records.types.zones import in_utc, offset_of

TRUE = ("true", "yes", "t", "y", "on", "1")
FALSE = ("false", "no", "f", "n", "off", "0")

_WORDS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
_BLANK = " \t"  # what Arrow's CSV reader takes off numbers
_LONG = re.compile(r"[+-]?[0-9]+|0[xX][0-9a-fA-F]{1,16}")
_HEX = r"^[ \t]*0[xX]"  # Arrow reads 0xFFFFFFFFFFFFFFFF as -1, which is none of our longs
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?", re.IGNORECASE)
_NAN = re.compile(r"[+-]?nan(?:\([0-9a-z_]*\))?", re.IGNORECASE)
_SURE = {
    ColumnType.BOOLEAN: r"(?i)^(?:true|false|[01])$",
    ColumnType.LONG: r"^-?[0-9]{1,18}$",
    ColumnType.DOUBLE: r"^-?[0-9]+(?:\.[0-9]*)?$",
}
_ZONE = re.compile(r" ?(?:UTC|GMT|Z)$| (?=[+-][0-9:]+$)")
_BY_ARROW = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9:]{2,8}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")
_DAYS = range(-719_162, 2_932_897)  # the same years in days
_PREFIX = re.compile(r"[\\0]x")  # of binary in hexadecimal digits, as PostgreSQL or C write it


@dataclass(frozen=True, slots=True)
class Typed:
    """A column, NULL at the indices in `bad`, with why."""

    array: pa.Array
    bad: dict[int, str]


def typed(texts: pa.StringArray, column: Column) -> Typed:
    """The texts as this column's type; NULL stays NULL.

    Blanks around a value mean nothing, except in booleans, strings and binary text.
    """
    if column.type is ColumnType.STRING:
        return Typed(texts, {})
    array = _by_kernel(texts, column)
    if array is not None:
        return _completed(array, texts, column)
    sure = _sure(column)
    if sure is not None:
        likely = pc.match_substring_regex(texts, sure)
        array = _by_kernel(pc.if_else(likely, texts, pa.scalar(None, pa.string())), column)
        assert array is not None
        return _completed(array, texts, column)
    if column.type in TEMPORAL:
        return _completed(timestamps.by_kernel(texts, column), texts, column)
    return _one_by_one(texts, column)


def fits(texts: pa.StringArray, column: Column) -> bool:
    """True if every text is a value of this column; NULL always is."""
    return not typed(texts, column).bad


def reader(column: Column) -> Callable[[str], Any]:
    """The function from one text to a value of this column.

    It raises ValueError or OverflowError for any other text.
    """
    match column.type:
        case ColumnType.TIMESTAMP if _is_iso(column):
            return partial(_timestamp, zone=column.timezone or "UTC")
        case ColumnType.DATE if _is_iso(column):
            return _date
        case ColumnType.TIMESTAMP | ColumnType.DATE | ColumnType.TIME:
            return timestamps.reader(column)
        case ColumnType.DECIMAL:
            return partial(_decimal, places=column.scale or 0, context=_exactly(column.precision or 0))
        case ColumnType.BINARY:
            return _BINARY[column.encoding or "text"]
        case _:
            return _READERS[column.type]


def arrow_reads(column: Column) -> bool:
    """True if Arrow's own readers of CSV and JSON may make this column's values: they mean what we mean.

    Timestamps without a zone are UTC to Arrow. All other columns are read as strings, and go through `typed`.
    """
    if column.type is ColumnType.TIMESTAMP:
        return _is_iso(column) and offset_of(column.timezone or "UTC") == 0
    return column.type in {ColumnType.BOOLEAN, ColumnType.LONG, ColumnType.DOUBLE, ColumnType.STRING}


def misfit(column: Column, value: object) -> str:
    """Why a value costs its row."""
    shown = repr(value)
    shown = shown if len(shown) <= 100 else shown[:100] + "…"
    reason = f"{column.name}: {shown} is not {_kind(column)}"
    zone = ABBREVIATION.search(value) if column.type is ColumnType.TIMESTAMP and isinstance(value, str) else None
    if zone is None:
        return reason
    return (
        f"{reason}; {zone[0]} can mean several offsets: write one like -08:00 in the data, or {zone[0]} itself in the "
        f"format instead of %Z, with a timezone like {city(zone[0])}"
    )


def in_calendar(arrays: Iterable[pa.Array]) -> bool:
    """False if a timestamp or date lies outside the years 1 to 9999, which Arrow can hold but hardly anybody reads."""
    for array in arrays:
        if pa.types.is_timestamp(array.type) and not _within(array.view(pa.int64()), CALENDAR):
            return False
        if pa.types.is_date32(array.type) and not _within(array.view(pa.int32()), _DAYS):
            return False
    return True


def _within(array: pa.Array, limits: range) -> bool:
    return all(edge is None or edge in limits for edge in pc.min_max(array).as_py().values())


def _kind(column: Column) -> str:
    match column.type:
        case ColumnType.JSON:
            return "JSON"
        case ColumnType.DECIMAL:
            return f"a decimal({column.precision},{column.scale or 0})"
        case ColumnType.BINARY:
            return f"binary in {column.encoding or 'text'}"
        case _:
            return f"a {column.type.value}" + (f" like {column.format}" if column.format else "")


def _is_iso(column: Column) -> bool:
    return column.format is None or column.format == ISO


def _sure(column: Column) -> str | None:
    """A pattern of texts that Arrow reads for certain."""
    if column.type is not ColumnType.DECIMAL:
        return _SURE.get(column.type)
    scale = column.scale or 0
    whole = (column.precision or 0) - scale
    return rf"^[+-]?{f'[0-9]{{1,{whole}}}' if whole else '0'}(?:\.[0-9]{{0,{scale}}})?$"


def _completed(array: pa.Array, texts: pa.StringArray, column: Column) -> Typed:
    """What a kernel read, and one by one the texts that it did not."""
    if array.null_count == texts.null_count:
        return Typed(array, {})
    missing = pc.and_(array.is_null(), texts.is_valid())
    rows = pc.indices_nonzero(missing).to_pylist()
    others = _one_by_one(texts.filter(missing), column)
    bad = {rows[index]: why for index, why in others.bad.items()}
    return Typed(pc.replace_with_mask(array, missing, others.array), bad)


def _by_kernel(texts: pa.StringArray, column: Column) -> pa.Array | None:
    """All of the texts at once, NULL for those to be read one by one; None if Arrow cannot, or not as we mean it."""
    try:
        match column.type:
            case ColumnType.BOOLEAN:
                return _booleans(pc.utf8_lower(texts))
            case ColumnType.LONG if not pc.any(pc.match_substring_regex(texts, _HEX)).as_py():
                return pc.cast(pc.utf8_trim(texts, _BLANK), pa.int64())
            case ColumnType.DOUBLE:
                return pc.cast(pc.utf8_trim(texts, _BLANK), pa.float64())
            case ColumnType.DECIMAL:
                return pc.cast(pc.utf8_trim(texts, _BLANK), arrow_type(column))
            case ColumnType.TIMESTAMP if _is_iso(column):
                return _moments(texts, column.timezone or "UTC")
            case ColumnType.DATE if _is_iso(column):
                array = pc.cast(pc.utf8_trim(texts, _BLANK), pa.date32())
                return array if in_calendar([array]) else None
            case ColumnType.BINARY if column.encoding in (None, "text"):
                return texts.cast(pa.binary())
    except pa.ArrowInvalid:
        pass
    return None


def _booleans(words: pa.StringArray) -> pa.Array | None:
    true, false = (pc.is_in(words, pa.array(known, pa.string())) for known in (TRUE, FALSE))
    if not pc.all(pc.or_(pc.or_(true, false), words.is_null()), min_count=0).as_py():
        return None
    return pc.if_else(words.is_null(), pa.scalar(None, pa.bool_()), true)


def _moments(texts: pa.StringArray, zone: str) -> pa.Array | None:
    """All with a zone, or all without, NULL for days on which it changes; raises ArrowInvalid otherwise."""
    first = next((text.as_py() for text in texts if text.is_valid), "")
    if first and not _BY_ARROW.fullmatch(first):
        return None  # it would fail, and a cast that fails is slow
    array = pc.cast(texts, MOMENT) if looks_zoned(first) else in_utc(pc.cast(texts, NAIVE), zone).cast(MOMENT)
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
    return Typed(pa.array(values, arrow_type(column)), bad)


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


def _timestamp(text: str, zone: str) -> datetime:
    """ISO-8601, cut at microseconds; `UTC`, `GMT`, or a space before the zone is fine too; without one it is `zone`."""
    moment = datetime.fromisoformat(_ZONE.sub(lambda found: "Z" if found[0].strip() else "", text.strip()))
    return (moment.replace(tzinfo=clock(zone)) if moment.tzinfo is None else moment).astimezone(UTC)


def _date(text: str) -> date:
    return date.fromisoformat(text.strip(_BLANK))


def _exactly(precision: int) -> Context:
    """Arithmetic with so many digits, in which nothing is rounded."""
    return Context(prec=precision, traps=[InvalidOperation, Inexact])


def _decimal(text: str, places: int, context: Context) -> Decimal:
    text = text.strip(_BLANK)
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    try:
        return Decimal(text).quantize(Decimal((0, (1,), -places)), context=context)
    except DecimalException:
        raise ValueError(text) from None


def _base64(text: str) -> bytes:
    return binascii.a2b_base64(text.strip(_BLANK), strict_mode=True)


def _hex(text: str) -> bytes:
    text = text.strip(_BLANK)
    return binascii.unhexlify(text[2:] if _PREFIX.match(text) else text)


def _json(text: str) -> str:
    orjson.loads(text)
    return text


_READERS: dict[ColumnType, Callable[[str], Any]] = {
    ColumnType.BOOLEAN: _boolean,
    ColumnType.LONG: _long,
    ColumnType.DOUBLE: _double,
    ColumnType.STRING: str,
    ColumnType.JSON: _json,
}
_BINARY: dict[str, Callable[[str], bytes]] = {"text": str.encode, "base64": _base64, "hex": _hex}

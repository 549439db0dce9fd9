"""Types of columns, from the texts that the load's own reader finds in them."""

import re

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.proposals.moments import fits, moments
from chalicelib.records.proposals.proposal import Evidence, Sure
from chalicelib.records.types.guess import guess

_POLES = ({"yes", "no"}, {"y", "n"}, {"t", "f"}, {"on", "off"}, {"true", "false"})
_DATED = re.compile(r"(?i)(?:^|.*[_ -])(?:date|day|dt|ymd|yyyymmdd|on)(?:$|[_ -].*)|.*(?:Date|Day|日)")
_TIMED = re.compile(r"(?i)(?:^|.*[_ -])(?:time|date|datetime|timestamp|ts|dt|at)(?:$|[_ -].*)|.*(?:Time|Date|At)")
_CODED = re.compile(
    r"(?i)(?:^|.*[_ -])(?:zip|zipcode|zip_?code|postal|postcode|postal_?code|phone|tel|telephone|mobile|fax|ssn|isbn|"
    r"ean|upc|imei|iban|fips|sku|vat|pin)(?:$|[_ -](?:code|no|number|num))|.*(?:ZipCode|Phone|PostalCode|PhoneNumber)"
)
_LONGEST = 200  # characters of a name that are looked at: those patterns are no more than quadratic
_EPOCHS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
_SINCE, _UNTIL = 946_684_800, 4_102_444_800  # seconds: 2000 to 2100
_COMMA = r"^-?[0-9]{1,3}(?:[. ]?[0-9]{3})*,[0-9]+$"
_THOUSANDS = r"^-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$"


def column_of(name: str, texts: pa.StringArray) -> tuple[Column, tuple[Evidence, ...]]:
    """The column that all these texts fit, NULL and empty ones aside, and what had to be decided for it."""
    present = texts.filter(pc.not_equal(texts, "")).drop_null()
    if not len(present):
        return _string(name), (Evidence(name, "string", "there is no value to tell it by", Sure.LOW),)
    column = guess(name, present)
    if column.type is ColumnType.LONG:
        return _whole_numbers(name, present, column)
    if column.type in (ColumnType.DOUBLE, ColumnType.BOOLEAN):
        return column, ()
    found = moments(name, present)
    if found is not None and (found.column.type is ColumnType.DATE or column.type is not ColumnType.TIMESTAMP):
        return found.column, _order_said(name, found.column, found.other)
    if column.type is ColumnType.TIMESTAMP:
        return column, ()
    return _words(name, present)


def demoted(column: Column, why: str) -> tuple[Column, Evidence]:
    """The column as a string, and that it is one because a value did not fit."""
    return _string(column.name), Evidence(column.name, "string", why, Sure.HIGH)


def _string(name: str) -> Column:
    return Column(name=name, type=ColumnType.STRING)


def _whole_numbers(name: str, present: pa.StringArray, column: Column) -> tuple[Column, tuple[Evidence, ...]]:
    """Long, unless the name and all values say that it is a date, or the name that nobody calculates with it."""
    word = name[:_LONGEST]  # a table without a header may have a megabyte for a name
    if _CODED.fullmatch(word):
        return _string(name), (Evidence(name, "string", "its name says that the digits are a code", Sure.MEDIUM),)
    stamp, day = _TIMED.fullmatch(word), _DATED.fullmatch(word)
    if stamp or day:
        found = moments(name, present)
        if found is not None and found.column.format in ("%Y%m%d", "%Y%m%d%H%M%S"):
            why = "all its numbers are days of the calendar, and its name says so"
            return found.column, (Evidence(name, f"{found.column.type} {found.column.format}", why, Sure.MEDIUM),)
        return column, _epoch_hint(name, present)
    return column, ()


def _epoch_hint(name: str, present: pa.StringArray) -> tuple[Evidence, ...]:
    edges = pc.min_max(pc.cast(present, pa.int64())).as_py()
    for layout, unit in _EPOCHS.items():
        if _SINCE * unit <= edges["min"] and edges["max"] < _UNTIL * unit:
            why = f"its numbers could be {layout}: if so, make it type: timestamp, format: {layout}"
            return (Evidence(name, "long", why, Sure.LOW),)
    return ()


def _order_said(name: str, column: Column, other: str | None) -> tuple[Evidence, ...]:
    value = f"{column.type} {column.format}"
    if other is not None:
        why = f"its values allow {other} as well: the first is assumed"
        return (Evidence(name, value, why, Sure.LOW),)
    if column.format is None:
        return ()
    first = re.match(r"%[dm](?=[-/.]%[dm])", column.format)
    if first:
        order = "day" if first[0] == "%d" else "month"
        return (Evidence(name, value, f"{order}-first: some values allow no other order", Sure.HIGH),)
    return (Evidence(name, value, "all its values fit", Sure.HIGH),)


def _words(name: str, present: pa.StringArray) -> tuple[Column, tuple[Evidence, ...]]:
    boolean = Column(name=name, type=ColumnType.BOOLEAN)
    seen = {text.lower() for text in pc.unique(present[:1000]).to_pylist()}
    if seen in _POLES and fits(present, boolean):
        return boolean, (Evidence(name, "boolean", f"it holds {' and '.join(sorted(seen))} only", Sure.MEDIUM),)
    if _is_json(present):
        return Column(name=name, type=ColumnType.JSON), ()
    return _string(name), _text_hint(name, present)


def _is_json(present: pa.StringArray) -> bool:
    if not pc.all(pc.match_substring_regex(present, r"^\s*[\[{]")).as_py():
        return False
    try:
        return all(isinstance(orjson.loads(text), dict | list) for text in pc.unique(present).to_pylist())
    except orjson.JSONDecodeError:
        return False


def _text_hint(name: str, present: pa.StringArray) -> tuple[Evidence, ...]:
    """What a user may want to know of a column that could nearly have been more than text."""
    for pattern, what in ((_COMMA, "numbers with a decimal comma"), (_THOUSANDS, "numbers with commas in them")):
        if pc.all(pc.match_substring_regex(present, pattern)).as_py():
            return (Evidence(name, "string", f"its values are {what}, which no number type reads", Sure.HIGH),)
    kinds = {(found.column.type, found.column.format) for text in _some(present) if (found := moments(name, text))}
    if len(kinds) > 1 and all(moments(name, text) for text in _some(present)):
        shown = ", ".join(sorted(str(layout or kind) for kind, layout in kinds))
        return (Evidence(name, "string", f"its values have several formats: {shown}", Sure.HIGH),)
    return ()


def _some(present: pa.StringArray) -> list[pa.StringArray]:
    return [present[index : index + 1] for index in range(min(len(present), 50))]

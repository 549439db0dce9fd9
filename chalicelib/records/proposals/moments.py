"""Formats of dates and times, told from the values of one column.

A format is proposed only if every value fits it, as the load itself reads values. Of day-first and month-first only
the values decide; where they allow both, month-first is assumed, day-first between dots, and said to be a guess (E34).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.errors import TidegateError
from chalicelib.records.types.values import typed

_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_LONG_MONTHS = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_DAYS = r"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAYS = r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_DATE = (  # what it looks like, and the formats it may have, the likelier first; # stands for the sign between parts
    (r"\d{4}(?P<sep>[-/.])\d{1,2}(?P=sep)\d{1,2}", ("%Y#%m#%d",)),
    (r"\d{1,2}(?P<sep>[-/.])\d{1,2}(?P=sep)\d{4}", ("%m#%d#%Y", "%d#%m#%Y")),
    (r"\d{1,2}(?P<sep>[-/.])\d{1,2}(?P=sep)\d{2}", ("%m#%d#%y", "%d#%m#%y", "%y#%m#%d")),
    (rf"\d{{1,2}}(?P<sep>[-/. ]){_MONTHS}(?P=sep)\d{{4}}", ("%d#%b#%Y",)),
    (rf"\d{{1,2}}(?P<sep>[-/. ]){_MONTHS}(?P=sep)\d{{2}}", ("%d#%b#%y",)),
    (rf"\d{{1,2}}(?P<sep>[-/. ]){_LONG_MONTHS}(?P=sep)\d{{4}}", ("%d#%B#%Y",)),
    (rf"{_MONTHS} \d{{1,2}}, ?\d{{4}}", ("%b %d, %Y",)),
    (rf"{_LONG_MONTHS} \d{{1,2}}, ?\d{{4}}", ("%B %d, %Y",)),
    (rf"{_MONTHS} \d{{1,2}} \d{{4}}", ("%b %d %Y",)),
    (r"\d{4}年\d{1,2}月\d{1,2}日", ("%Y年%m月%d日",)),
    (r"(?:19|20)\d{6}", ("%Y%m%d",)),
)
_WEEKDAY = ((rf"{_LONG_DAYS},? ", "%A"), (rf"{_DAYS},? ", "%a"))
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?P<minute>:\d\d)(?P<second>:\d\d)?(?P<fraction>[.,]\d{1,9})?(?P<half> ?[ap]m)?"
    r"(?P<zone> ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?",
    re.IGNORECASE,
)
_DATES = tuple((re.compile(look, re.IGNORECASE), formats) for look, formats in _DATE)
_WEEKDAYS = tuple((re.compile(look, re.IGNORECASE), sign) for look, sign in _WEEKDAY)
_ASCTIME = re.compile(rf"{_DAYS} {_MONTHS} [ \d]\d \d\d:\d\d:\d\d \d{{4}}", re.IGNORECASE)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Moments:
    """The column that all values fit, and, if they fit another format as well, that one."""

    column: Column
    other: str | None = None


def moments(name: str, texts: pa.StringArray) -> Moments | None:
    """A date, time or timestamp column that all these texts fit, at least one of them being there."""
    distinct = pc.unique(texts.drop_null())
    if not len(distinct) or len(distinct[0].as_py()) > 60:
        return None
    fitting = [column for column in _columns(name, distinct[0].as_py()) if fits(distinct, column)]
    if not fitting:
        return None
    other = next((c.format for c in fitting[1:] if _mirrored(fitting[0].format, c.format)), None)
    return Moments(fitting[0], other)


def fits(texts: pa.StringArray, column: Column) -> bool:
    """True if the load would read all these texts as this column's type; many are looked at only if the first fit."""
    try:
        return not typed(texts[:5], column).bad and not typed(texts, column).bad
    except (TidegateError, ValueError, KeyError, pa.ArrowException):  # a format or a type that is not to be had
        return False


def _mirrored(one: str | None, other: str | None) -> bool:
    """True if the two differ in the order of day and month only."""
    swapped = (one or "").translate(str.maketrans("dm", "md"))
    return one is not None and other == swapped


def _columns(name: str, text: str) -> Iterator[Column]:
    """The columns that this one text could belong to."""
    if _ISO_DATE.fullmatch(text):
        yield Column(name=name, type=ColumnType.DATE)
    if text[:1].isdigit() and (":" in text[:3]):
        yield Column(name=name, type=ColumnType.TIME)
    for layout, has_clock in formats(text):
        yield Column(name=name, type=ColumnType.TIMESTAMP if has_clock else ColumnType.DATE, format=layout)


def formats(text: str) -> Iterator[tuple[str, bool]]:
    """The strptime formats this text may have, the likelier first, and whether they have a time of day."""
    if _ASCTIME.fullmatch(text):
        yield "%a %b %e %H:%M:%S %Y" if text[8] == " " else "%a %b %d %H:%M:%S %Y", True
    prefix = ""
    for look, sign in _WEEKDAYS:
        if match := look.match(text):
            prefix, text = sign + match[0].lstrip("adefhimnorstuwyADEFHIMNORSTUWY"), text[match.end() :]
            break
    for look, layouts in _DATES:
        match = look.match(text)
        clock = _clock(text[match.end() :]) if match else None
        if match and clock is not None:
            sep = match["sep"] if "sep" in match.groupdict() else ""
            ranked = sorted(layouts, key=lambda layout: sep == "." and layout.startswith("%m"))
            yield from (
                (prefix + _spaced(layout, match[0]).replace("#", sep) + clock, clock != "") for layout in ranked
            )


def _spaced(layout: str, date: str) -> str:
    return layout.replace(", %Y", ",%Y") if "," in date and ", " not in date else layout


def _clock(rest: str) -> str | None:
    """The format of what follows a date; None if it is no time of day."""
    if not rest:
        return ""
    between = re.match(r"T|, | +|:|-", rest)
    match = _CLOCK.fullmatch(rest, between.end()) if between else None
    if match is None or between is None:
        compact = re.fullmatch(r"[T ]?([01]\d|2[0-3])[0-5]\d[0-5]\d", rest)
        return rest[: len(rest) - 6] + "%H%M%S" if compact else None
    layout = between[0] + ("%I" if match["half"] else "%H") + ":%M" + (":%S" if match["second"] else "")
    if match["fraction"]:
        layout += match["fraction"][0] + "%f"
    if match["half"]:
        layout += " %p" if match["half"].startswith(" ") else "%p"
    if match["zone"]:
        layout += " %z" if match["zone"].startswith(" ") else "%z"
    return layout

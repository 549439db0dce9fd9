"""Texts to moments, dates and times of day, by a format.

`reader` is the definition, one text at a time. `by_kernel` does a whole column with Arrow: the format's pattern cuts
out the parts, and what is left for Python is done once for each date or zone that occurs. Where it gives NULL for a
text, the definition has to be asked. tests/records/test_timestamps.py holds the two together.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import re2

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.timeformat import (
    DATE,
    ISO,
    ISO_DATE,
    ISO_END,
    ISO_MOMENT,
    ISO_SECONDS,
    ISO_TIME,
    MONTHS,
    Part,
    TimeFormat,
    time_format,
)
from chalicelib.config.zones import clock, offset
from chalicelib.records.types.schema import NAIVE, arrow_type
from chalicelib.records.types.zones import in_utc

CALENDAR = range(-62_135_596_800_000_000, 253_402_300_800_000_000)  # years 1 to 9999 in microseconds since 1970

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = date(1970, 1, 1)
_SECOND, _MINUTE, _HOUR, _DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
_NANOS = 1_000_000_000
_ISO_FORMS = {ColumnType.TIMESTAMP: ISO_MOMENT, ColumnType.DATE: ISO_DATE, ColumnType.TIME: ISO_TIME}
_Fields = Mapping[str, str | None]


def format_of(column: Column) -> TimeFormat:
    """How the column's texts are written; for timestamps and dates in ISO-8601 only its most common forms."""
    if column.format is not None and column.format != ISO:
        return time_format(column.format)
    return _ISO_FORMS[column.type]


def reader(column: Column) -> Callable[[str], Any]:
    """The function from one text to the moment (in UTC), date or time of day that the column's format makes of it.

    It raises ValueError or OverflowError for any other text.
    """
    form = format_of(column)
    match = re2.compile(form.pattern).fullmatch

    def read(text: str) -> Any:
        found = match(text)
        if found is None:
            raise ValueError(text)
        return value(found.groupdict())

    value = partial(_value, column=column, form=form)
    return read


def by_kernel(texts: pa.StringArray, column: Column) -> pa.Array:
    """The column's values; NULL too for texts that only `reader` can tell."""
    form = format_of(column)
    try:
        if form is ISO_MOMENT:
            return _iso(texts, column)
    except pa.ArrowInvalid:  # one is the 30th of February, perhaps
        pass
    groups = pc.extract_regex(texts, form.pattern)
    try:
        return _Kernel(groups, column, form).values()
    except pa.ArrowInvalid:  # a count of so many digits that 64 bits do not hold it
        return pa.nulls(len(texts), arrow_type(column))


def _iso(texts: pa.StringArray, column: Column) -> pa.Array:
    """Moments with seconds: many groups are slow to cut out, so Arrow reads all but the fraction and the zone."""
    likely = pc.match_substring_regex(texts, ISO_SECONDS)
    texts = pc.if_else(likely, texts, pa.scalar(None, pa.string()))
    seconds = pc.utf8_slice_codeunits(texts, 0, 19).cast(NAIVE)
    groups = pc.extract_regex(pc.utf8_slice_codeunits(texts, 19), ISO_END.pattern)
    return _Kernel(groups, column, ISO_END).after(seconds)


def _value(fields: _Fields, column: Column, form: TimeFormat) -> Any:
    if form.numeric:
        return _EPOCH + timedelta(microseconds=_since_1970(fields, form.ticks))
    if column.type is ColumnType.TIME:
        return _time(fields)
    day = _date(fields, column.date or _FIRST)
    if column.type is ColumnType.DATE:
        return day
    here = fields.get(Part.ZONE)
    place = clock(column.timezone or "UTC")
    if not here:
        return datetime.combine(day, _time(fields), place).astimezone(UTC)
    return datetime.combine(day, _time(fields), UTC) - (offset(here) or timedelta(0))


def _since_1970(fields: _Fields, ticks: int) -> int:
    """Microseconds, rounded down as all fractions of a second are."""
    text = fields[Part.EPOCH] or ""
    nanos = abs(int(text)) * (_NANOS // ticks) + int((fields.get(Part.FRACTION) or "").ljust(9, "0"))
    return (-nanos if text.startswith("-") else nanos) // 1000


def _date(fields: _Fields, default: date) -> date:
    """What lacks before the first part that there is comes from `default`; what lacks after it is 1."""
    year = _year(fields)
    month = _month(fields)
    days = fields.get(Part.DAY)
    if fields.get(Part.YEAR_DAY):
        first = date(year or default.year, 1, 1)
        day = first + timedelta(days=int(fields[Part.YEAR_DAY] or 0) - 1)
        if day.year != first.year:
            raise ValueError(fields[Part.YEAR_DAY])
        return day
    if days is None and year is None and month is None:
        return default
    month_or_less = month or (default.month if year is None else 1)
    return date(year or default.year, month_or_less, int(days) if days else 1)


def _year(fields: _Fields) -> int | None:
    if fields.get(Part.SHORT_YEAR):
        short = int(fields[Part.SHORT_YEAR] or 0)
        return short + (1900 if short > 68 else 2000)
    if fields.get(Part.YEAR) == "0000":
        raise ValueError("there is no year 0")
    return int(fields[Part.YEAR] or 0) if fields.get(Part.YEAR) else None


def _month(fields: _Fields) -> int | None:
    if fields.get(Part.MONTH_NAME):
        return MONTHS.index((fields[Part.MONTH_NAME] or "")[:3].lower()) + 1
    return int(fields[Part.MONTH] or 0) if fields.get(Part.MONTH) else None


def _time(fields: _Fields) -> time:
    hour, minute, second = (int(fields.get(part) or 0) for part in (Part.HOUR, Part.MINUTE, Part.SECOND))
    if fields.get(Part.HALF):
        hour = int(fields[Part.HOUR_12] or 0) % 12 + (12 if (fields[Part.HALF] or "")[0] in "pP" else 0)
    return time(hour, minute, second, int((fields.get(Part.FRACTION) or "").ljust(6, "0")[:6]))


class _Kernel:
    """The same for a column of groups, whose texts are NULL where the pattern does not match."""

    def __init__(self, groups: pa.StructArray, column: Column, form: TimeFormat) -> None:
        self._groups = groups
        self._column = column
        self._form = form

    def values(self) -> pa.Array:
        if self._form.numeric:
            return self._moments(self._since_1970())
        if self._column.type is ColumnType.TIME:
            return self._time().view(pa.time64("us"))
        if self._column.type is ColumnType.DATE:
            return self._days().view(pa.date32())
        return self.after(pc.multiply(self._days().cast(pa.int64()), _DAY).view(NAIVE))

    def after(self, start: pa.Array) -> pa.Array:
        """Moments that lie the groups' time after others, all by the clock of the groups' zone."""
        local = pc.add(start.view(pa.int64()), self._time()).view(NAIVE)
        if Part.ZONE not in self._form.parts:
            return self._moments(self._here(local).view(pa.int64()))
        told = pc.subtract(local.view(pa.int64()), self._zones())
        if not self._form.optional:
            return self._moments(told)
        naive = pc.equal(self._texts(Part.ZONE), "")
        return self._moments(pc.if_else(naive, self._here(local).view(pa.int64()), told))

    def _here(self, local: pa.Array) -> pa.Array:
        return in_utc(local, self._column.timezone or "UTC")

    def _moments(self, micros: pa.Array) -> pa.Array:
        inside = pc.and_(pc.greater_equal(micros, CALENDAR.start), pc.less(micros, CALENDAR.stop))
        return pc.if_else(inside, micros, pa.scalar(None, pa.int64())).view(arrow_type(self._column))

    def _since_1970(self) -> pa.Array:
        counted = self._texts(Part.EPOCH)
        count, ticks = counted.cast(pa.int64()), self._form.ticks
        if ticks == _NANOS:
            rounding = pc.if_else(pc.less(count, 0), 999, 0)
            return pc.divide(pc.subtract_checked(count, rounding), 1000)
        whole = pc.multiply_checked(count, _SECOND // ticks)
        if Part.FRACTION not in self._form.parts:
            return whole
        nanos = pc.utf8_rpad(self._texts(Part.FRACTION), 9, "0").cast(pa.int64())
        more, less = pc.divide(nanos, 1000), pc.divide(pc.add(nanos, 999), -1000)
        return pc.add_checked(whole, pc.if_else(pc.starts_with(counted, "-"), less, more))

    def _days(self) -> pa.Array:
        """Days since 1970: Python's word for each date that occurs."""
        dates = [part for part in Part if part in DATE & self._form.parts]
        if not dates:
            days = (self._column.date or _FIRST).toordinal() - _FIRST.toordinal()
            return self._constant(days, pa.int32())
        key = self._number(dates[0]).cast(pa.int64())
        for part in dates[1:]:
            key = pc.add(pc.multiply(key, 512), self._number(part))
        found = key.dictionary_encode()
        known = [self._day(number, dates) for number in found.dictionary.to_pylist()]
        return pa.array(known, pa.int32()).take(found.indices)

    def _day(self, key: int, dates: list[Part]) -> int | None:
        fields: dict[str, str | None] = {}
        for part in reversed(dates[1:]):
            key, number = divmod(key, 512)
            fields[part] = MONTHS[number - 1] if part is Part.MONTH_NAME else str(number)
        fields[dates[0]] = MONTHS[key - 1] if dates[0] is Part.MONTH_NAME else str(key)
        if fields.get(Part.YEAR):
            fields[Part.YEAR] = (fields[Part.YEAR] or "").rjust(4, "0")
        try:
            return _date(fields, self._column.date or _FIRST).toordinal() - _FIRST.toordinal()
        except (ValueError, OverflowError):
            return None

    def _time(self) -> pa.Array:
        """Microseconds since midnight."""
        total = self._constant(0, pa.int64())
        for part, unit in ((Part.HOUR, _HOUR), (Part.MINUTE, _MINUTE), (Part.SECOND, _SECOND)):
            if part in self._form.parts:
                total = pc.add(total, pc.multiply(self._number(part).cast(pa.int64()), unit))
        if Part.HALF in self._form.parts:
            hour = self._number(Part.HOUR_12).cast(pa.int64())
            hour = pc.if_else(pc.equal(hour, 12), 0, hour)
            afternoon = pc.starts_with(self._texts(Part.HALF), "p", ignore_case=True)
            total = pc.add(total, pc.multiply(pc.add(hour, pc.if_else(afternoon, 12, 0)), _HOUR))
        if Part.FRACTION in self._form.parts:
            digits = pc.utf8_slice_codeunits(self._texts(Part.FRACTION), 0, 6)
            total = pc.add(total, pc.utf8_rpad(digits, 6, "0").cast(pa.int64()))
        return total

    def _zones(self) -> pa.Array:
        """The microseconds by which the zones in the texts are ahead of UTC."""
        found = self._texts(Part.ZONE).dictionary_encode()
        ahead = [(offset(text) or timedelta(0)) // timedelta(microseconds=1) for text in found.dictionary.to_pylist()]
        return pa.array(ahead, pa.int64()).take(found.indices)

    def _number(self, part: Part) -> pa.Array:
        texts = self._texts(part)
        if part is Part.MONTH_NAME:
            short = pc.utf8_lower(pc.utf8_slice_codeunits(texts, 0, 3))
            return pc.add(pc.index_in(short, pa.array(MONTHS)), 1)
        if self._form.optional:
            texts = pc.if_else(pc.equal(texts, ""), "0", texts)
        return texts.cast(pa.int32())

    def _texts(self, part: Part) -> pa.StringArray:
        return pc.struct_field(self._groups, part.value)

    def _constant(self, value: int, kind: pa.DataType) -> pa.Array:
        """The value for every text that the pattern matches."""
        matched = self._groups.is_valid()
        return pc.if_else(matched, pa.scalar(value, kind), pa.scalar(None, kind))

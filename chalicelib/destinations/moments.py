"""Instants as hours, days and months on a place's clock, a whole column at a time.

Only Python's time zone database is asked, never Arrow's, which a Lambda runtime may lack.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.destination import TimeUnit
from chalicelib.config.zones import clock, offset

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400  # seconds
_SECOND = 1_000_000  # microseconds
_NAIVE = pa.timestamp("us")
_FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
_LAST = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
_PER_SECOND = {TimeUnit.SEC: 1, TimeUnit.MILLI: 10**3, TimeUnit.MICRO: 10**6, TimeUnit.NANO: 10**9}
_ARROW = {TimeUnit.SEC: "s", TimeUnit.MILLI: "ms", TimeUnit.MICRO: "us", TimeUnit.NANO: "ns"}


def is_utc(zone: str) -> bool:
    """True if the zone's clocks always show UTC, as far as its name tells."""
    return zone == "UTC" or offset(zone) == timedelta()


def instants(numbers: pa.Array, unit: TimeUnit) -> pa.Array:
    """Numbers that count time since 1970 as UTC, to the second; NULL outside of the years 1 to 9999 (F83)."""
    scale = _PER_SECOND[unit]
    first, last = (max(_FIRST * scale, -(2**63) + scale), min(_LAST * scale, 2**63 - 1))
    known = pc.and_(pc.greater_equal(numbers, first), pc.less_equal(numbers, last))
    within = pc.if_else(known, numbers, pa.scalar(None, pa.int64()))
    return pc.floor_temporal(within.view(pa.timestamp(_ARROW[unit])), unit="second").cast(_NAIVE)


def ahead(times: pa.Array, zone: str) -> pa.Array:
    """How many microseconds the zone's clocks are ahead of UTC at each instant.

    NULL where the instant is, and on the calendar's first and last days, where the clock's date may be none.
    """
    days = pc.floor_temporal(times, unit="day").cast(pa.date32()).view(pa.int32()).dictionary_encode()
    changes = [_change(day, zone) for day in days.dictionary.to_pylist()]
    before, at, after = (
        pa.array([change[part] for change in changes], pa.int64()).take(days.indices) for part in range(3)
    )
    return pc.if_else(pc.less(times.view(pa.int64()), at), before, after)


def later(times: pa.Array, microseconds: pa.Array) -> pa.Array:
    """Times moved by as many microseconds."""
    return pc.add(times.view(pa.int64()), microseconds).view(_NAIVE)


def written(microseconds: int) -> str:
    """An offset from UTC in letters: `+0200`; with seconds where a clock of former centuries has some."""
    sign = "-" if microseconds < 0 else "+"
    minutes, seconds = divmod(abs(microseconds) // _SECOND, 60)
    return f"{sign}{minutes // 60:02}{minutes % 60:02}" + (f"{seconds:02}" if seconds else "")


@lru_cache(maxsize=10_000)
def _change(day: int, zone: str) -> tuple[int | None, int, int | None]:
    """The zone's offset at the beginning of a UTC day, when it changes, and to what; no day has two changes."""
    first, last = day * _DAY, day * _DAY + _DAY - 1
    before, after = _offset(first, zone), _offset(last, zone)
    if before is None or after is None:
        return None, 0, None
    while before != after and last - first > 1:
        middle = (first + last) // 2
        first, last = (middle, last) if _offset(middle, zone) == before else (first, middle)
    return before, last * _SECOND, after


def _offset(seconds: int, zone: str) -> int | None:
    try:
        ahead = (_EPOCH + timedelta(seconds=seconds)).astimezone(clock(zone)).utcoffset()
    except OverflowError:
        return None
    return None if ahead is None else ahead // timedelta(microseconds=1)

"""From the clock of a place to UTC, a whole column at a time.

Only Python's time zone database is asked, never Arrow's, which a Lambda runtime may lack. Where a clock shows a time
twice, when summer time ends, the first is meant; a time that it leaves out, when summer time begins, is read with
the offset before, so it comes out an hour later on the new clock. Python's zoneinfo does the same.
"""

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.zones import clock

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  what a clock shows, wherever it hangs
_MICROSECOND = timedelta(microseconds=1)


def offset_of(zone: str) -> int | None:
    """How many microseconds the zone is ahead of UTC, if that never changes."""
    place = clock(zone)
    ahead = place.utcoffset(None)
    return None if ahead is None else ahead // _MICROSECOND


def in_utc(local: pa.Array, zone: str) -> pa.Array:
    """Clock times as UTC, both as timestamps without a zone; NULL on the few days that have two offsets."""
    ahead = offset_of(zone)
    if ahead is not None:
        return _earlier(local, pa.scalar(ahead, pa.int64())) if ahead else local
    days = pc.floor_temporal(local, unit="day").cast(pa.date32()).view(pa.int32()).dictionary_encode()
    place = clock(zone)
    known = pa.array([_offset_on(day, place) for day in days.dictionary.to_pylist()], pa.int64())
    return _earlier(local, known.take(days.indices))


def _earlier(local: pa.Array, ahead: pa.Array | pa.Scalar) -> pa.Array:
    return pc.subtract(local.view(pa.int64()), ahead).view(local.type)


@lru_cache(maxsize=10_000)
def _offset_on(day: int, place: tzinfo) -> int | None:
    """The microseconds by which a place's clock is ahead of UTC on a day since 1970, if it is one number all day."""
    try:
        hours = [_EPOCH + timedelta(days=day, hours=hour) for hour in range(25)]
    except OverflowError:
        return None
    first, *others = (place.utcoffset(hour) for hour in hours)
    return None if first is None or set(others) != {first} else first // _MICROSECOND

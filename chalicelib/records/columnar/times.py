"""Dates, times of day and moments of any unit as tables have them, by whole-number arithmetic alone.

What is finer than a microsecond is cut off towards the past. What lies outside of the years 1 to 9999, which
hardly anybody can read, becomes NULL.
"""

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.records.columnar.plain import CALENDAR, DAY, PER_SECOND
from chalicelib.records.types.schema import MOMENT


def moments(array: pa.Array) -> pa.Array:
    """Timestamps and dates as timestamps in UTC; those without a zone are in UTC."""
    if pa.types.is_date(array.type):
        return _units(pc.cast(dates(array), pa.int32()).cast(pa.int64()), DAY * PER_SECOND["us"], 1).view(MOMENT)
    per_second = PER_SECOND[array.type.unit]
    low, high = (edge * per_second for edge in CALENDAR)
    number = _between(array.view(pa.int64()), low, high)
    return _units(number, PER_SECOND["us"], per_second).view(MOMENT)


def dates(array: pa.Array) -> pa.Array:
    """Dates of either width; those of timestamps that are a whole day, NULL for the others."""
    if pa.types.is_timestamp(array.type):
        number = moments(array).view(pa.int64())
        days = _units(number, 1, DAY * PER_SECOND["us"])
        whole = pc.equal(pc.multiply(days, DAY * PER_SECOND["us"]), number)
        number = pc.if_else(whole, days, pa.scalar(None, pa.int64()))
    elif pa.types.is_date64(array.type):
        number = _units(array.view(pa.int64()), 1, DAY * 1_000)
    else:
        number = array.view(pa.int32()).cast(pa.int64())
    return _between(number, CALENDAR[0] // DAY, CALENDAR[1] // DAY).cast(pa.int32()).view(pa.date32())


def times(array: pa.Array) -> pa.Array:
    """Times of day; NULL for one that is none."""
    per_second = PER_SECOND[array.type.unit]
    number = array.view(pa.int64() if array.type.bit_width == 64 else pa.int32()).cast(pa.int64())
    number = _between(number, 0, DAY * per_second)
    return _units(number, PER_SECOND["us"], per_second).view(pa.time64("us"))


def _between(number: pa.Array, low: int, high: int) -> pa.Array:
    """The numbers from `low` until `high`, the others NULL; edges beyond 64 bits mean none."""
    limit = 1 << 63
    edges = pc.min_max(number)
    if edges["min"].as_py() is None or (edges["min"].as_py() >= low and edges["max"].as_py() < high):
        return number
    inside = pc.and_(
        pc.greater_equal(number, pa.scalar(max(low, -limit), pa.int64())),
        pc.less_equal(number, pa.scalar(min(high, limit) - 1, pa.int64())),
    )
    return pc.if_else(inside, number, pa.scalar(None, pa.int64()))


def _units(number: pa.Array, times: int, by: int) -> pa.Array:
    """`number * times / by`, rounded down."""
    if times % by == 0:
        return number if times == by else pc.multiply(number, times // by)
    by //= times
    quotient = pc.divide(number, by)  # rounds towards zero
    too_large = pc.less(number, pc.multiply(quotient, by))
    return pc.if_else(too_large, pc.subtract(quotient, 1), quotient)

"""Moments: numbers since 1970 as times, and times as numbers."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column
from chalicelib.config.filters.add_time import Unit
from chalicelib.records.filters.json_values import unfit
from chalicelib.records.types.schema import MOMENT
from chalicelib.records.types.values import Typed, typed

SECOND = 1_000_000  # microseconds
_FIRST, _END = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND  # years 1 to 9999
_PER_UNIT = {"sec": SECOND, "milli": 1000, "micro": 1}
_NANO = 1000  # of a microsecond
_LONGS = 1 << 63


def since_1970(numbers: pa.Array, unit: Unit) -> Typed:
    """Longs or doubles as times, cut at microseconds; NULL and a reason where a time is outside the years 1 to 9999."""
    low, high = (edge * _NANO if unit == "nano" else edge // _PER_UNIT[unit] for edge in (_FIRST, _END))
    if pa.types.is_floating(numbers.type):
        inside = pc.and_(pc.greater_equal(numbers, float(low)), pc.less(numbers, float(high)))
        sane = pc.if_else(inside, numbers, pa.scalar(None, pa.float64()))
        scaled = pc.divide(sane, float(_NANO)) if unit == "nano" else pc.multiply(sane, float(_PER_UNIT[unit]))
        micros = pc.cast(pc.floor(scaled), pa.int64())
    elif unit == "nano":
        inside, micros = pc.is_valid(numbers), floor_divided(numbers, _NANO)
    else:
        inside = pc.and_(pc.greater_equal(numbers, low), pc.less(numbers, high))
        micros = pc.multiply(pc.if_else(inside, numbers, pa.scalar(None, pa.int64())), _PER_UNIT[unit])
    outside = pc.indices_nonzero(pc.invert(inside)).to_pylist()
    bad = {row: f"{numbers[row].as_py()} {unit} since 1970 is outside the years 1 to 9999" for row in outside}
    return Typed(micros.cast(MOMENT), bad)


def number_of(times: pa.Array, unit: Unit) -> Typed:
    """Times as longs since 1970, cut."""
    micros = times.cast(pa.int64())
    if unit != "nano":
        return Typed(floor_divided(micros, _PER_UNIT[unit]), {})
    most = _LONGS // _NANO - 1
    inside = pc.and_(pc.greater_equal(micros, -most), pc.less_equal(micros, most))
    outside = pc.indices_nonzero(pc.invert(inside)).to_pylist()
    bad = {row: f"{times[row].as_py()} has no nanoseconds within 64 bits" for row in outside}
    return Typed(pc.multiply(pc.if_else(inside, micros, pa.scalar(None, pa.int64())), _NANO), bad)


def floor_divided(numbers: pa.Array, by: int) -> pa.Array:
    """Rounded down, also below zero."""
    cut = pc.divide(numbers, by)
    return pc.subtract(cut, pc.cast(pc.greater(pc.multiply(cut, by), numbers), pa.int64()))


def moments(values: Sequence[Any], column: Column, unit: Unit) -> Typed:
    """JSON values as times: numbers by their unit, texts as the column has them."""
    texts = typed(pa.array([value if isinstance(value, str) else None for value in values], pa.string()), column)
    kinds = [type(value) for value in values]
    longs = _numbers(values, kinds, int, pa.int64(), unit)
    doubles = _numbers(values, kinds, float, pa.float64(), unit)
    bad = {
        row: unfit(column, value)
        for row, value in enumerate(values)
        if value is not None and (isinstance(value, bool | dict | list) or _huge(value))
    }
    for made in (longs, doubles):
        bad |= {row: f"{column.name}: {why}" for row, why in made.bad.items()}
    return Typed(pc.coalesce(texts.array, longs.array, doubles.array), bad | texts.bad)


def _huge(value: Any) -> bool:
    return isinstance(value, int) and not -_LONGS <= value < _LONGS


def _numbers(values: Sequence[Any], kinds: list[type], kind: type, stored: pa.DataType, unit: Unit) -> Typed:
    taken = [value if found is kind and not _huge(value) else None for value, found in zip(values, kinds, strict=True)]
    return since_1970(pa.array(taken, stored), unit)

"""The distinct values of one column, and the files that can have one of them."""

import struct
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.types import NestedField, PrimitiveType, StringType

_LISTED = 10_000  # values that are kept as Python's too: looking them up for each file is ten times as fast


class Distinct:
    """The different values of a column; NULL may be one."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        values = flat(pc.unique(comparable(column)))
        self.values = values.take(pc.sort_indices(values))
        """In their order: NaN after all others, and NULL last."""
        self._null = self.values.null_count > 0
        known = self.values.slice(0, len(self.values) - self.values.null_count)
        last = known[-1].as_py() if len(known) else None
        self._nan = last != last  # which is what tells NaN
        self._known: Sequence[Any] = [_plain(each) for each in known] if len(known) <= _LISTED else known

    def codes(self, column: Any) -> Any:
        """The place of each row's value among these; NULL where it is none of them."""
        return pc.index_in(comparable(column).cast(self.values.type), value_set=self.values).cast(pa.int64())

    def may_be_in(self, file: DataFile, field: NestedField) -> bool:
        """Whether the file's rows can have one of the values, as far as its bounds tell."""
        nulls = (file.null_value_counts or {}).get(field.field_id)
        if self._nan or (self._null and nulls != 0):  # NaN is in no bounds
            return True
        lower, upper = bounds(file, field)
        if lower is None or upper is None:
            return len(self._known) > 0 and nulls != file.record_count
        try:
            return self._any_between(_value(field, lower), _value(field, upper))
        except (ValueError, TypeError, struct.error):  # of a type that became another
            return True

    def only_in(self, file: DataFile, field: NestedField) -> Any:
        """The one value that all rows of the file have, as an array of one; None if its bounds do not tell."""
        lower, upper = bounds(file, field)
        nulls = (file.null_value_counts or {}).get(field.field_id)
        if lower is None or lower != upper or nulls != 0 or pa.types.is_floating(self.values.type):
            return None
        return pa.array([_value(field, lower)], self.values.type)

    def _any_between(self, lower: Any, upper: Any) -> bool:
        listed = isinstance(self._known, list)
        at = bisect_left(self._known, lower, key=None if listed else _plain)
        return at < len(self._known) and (self._known[at] if listed else _plain(self._known[at])) <= upper


def bounds(file: DataFile, field: NestedField) -> tuple[bytes | None, bytes | None]:
    """The least and greatest value of a column, or what they begin with."""
    return (file.lower_bounds or {}).get(field.field_id), (file.upper_bounds or {}).get(field.field_id)


def comparable(column: Any) -> Any:
    """Of one type for equal values: no 0.0 beside -0.0, no dictionaries."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type):
        return column.cast(pa.large_string())
    return pc.add(column, pa.scalar(0.0, column.type)) if pa.types.is_floating(column.type) else column


def flat(values: Any) -> pa.Array:
    """One array."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _plain(value: pa.Scalar) -> Any:
    """As Iceberg's bounds have it: times as numbers, text as bytes, whose order is the same."""
    kind = value.type
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_date(kind):
        return value.value
    known = value.as_py()
    return known.encode() if isinstance(known, str) else known


def _value(field: NestedField, bound: bytes) -> Any:
    assert isinstance(field.field_type, PrimitiveType)
    return bytes(bound) if isinstance(field.field_type, StringType) else from_bytes(field.field_type, bound)

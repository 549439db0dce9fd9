"""Arrow's many types as few: what encodes the same values differently comes to one form."""

from itertools import accumulate
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType

CALENDAR = (-62_135_596_800, 253_402_300_800)  # seconds from 1970 to the years 1 and 10000
DAY = 86_400  # seconds
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_NESTED = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
    pa.types.is_struct,
    pa.types.is_map,
    pa.types.is_union,
)

_KINDS = (
    (pa.types.is_boolean, ColumnType.BOOLEAN),
    (pa.types.is_integer, ColumnType.LONG),
    (pa.types.is_duration, ColumnType.LONG),
    (pa.types.is_floating, ColumnType.DOUBLE),
    (pa.types.is_string, ColumnType.STRING),
    (pa.types.is_binary, ColumnType.BINARY),
    (pa.types.is_date, ColumnType.DATE),
    (pa.types.is_time, ColumnType.TIME),
    (pa.types.is_timestamp, ColumnType.TIMESTAMP),
)


def is_nested(kind: pa.DataType) -> bool:
    """True for lists, structs, maps and unions."""
    return any(known(kind) for known in _NESTED)


def column_of(name: str, kind: pa.DataType) -> Column | None:
    """The column that takes every value of this Arrow type; None for one that says nothing, as Arrow's null does."""
    if not name or pa.types.is_null(kind):
        return None
    if isinstance(kind, pa.JsonType):
        return Column(name=name, type=ColumnType.JSON)
    kind = _plain_type(kind)
    if pa.types.is_decimal(kind):
        return _decimal_column(name, kind)
    found = next((ours for is_it, ours in _KINDS if is_it(kind)), ColumnType.JSON)
    return Column(name=name, type=found)


def plain(array: pa.Array) -> pa.Array:
    """The same values without dictionaries, views, extensions, and large or fixed forms of types.

    Durations are their number of units. A UUID is its usual text.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if isinstance(kind, pa.UuidType):
        return pa.array([None if value is None else str(_uuid(value)) for value in array.to_pylist()], pa.string())
    if isinstance(kind, pa.BaseExtensionType):
        return plain(array.storage)
    if pa.types.is_dictionary(kind):
        return plain(array.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(array))
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return _list(array)
    wanted = _plain_type(kind)
    return array if wanted == kind else pc.cast(array, wanted)


def _uuid(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(bytes=value)  # type: ignore[arg-type]


def _list(views: pa.Array) -> pa.Array:
    """Arrow's own cast of list views loses their place."""
    lengths = [0 if length is None else length for length in pc.list_value_length(views).to_pylist()]
    absent = [*views.is_null().to_pylist(), False]
    offsets = [None if gone else end for end, gone in zip(accumulate(lengths, initial=0), absent, strict=True)]
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), views.flatten())


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_duration(kind):
        return pa.int64()
    return kind


def _decimal_column(name: str, kind: pa.DataType) -> Column:
    scale = max(kind.scale, 0)
    precision = kind.precision + scale - kind.scale
    if precision > 38:
        return Column(name=name, type=ColumnType.STRING)  # its digits matter more than its arithmetic
    return Column(name=name, type=ColumnType.DECIMAL, precision=precision, scale=scale)

"""Arrow arrays as texts: ISO-8601 for times, digits for numbers, JSON for what is nested."""

import base64
from collections.abc import Iterator

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.records.columnar.plain import is_nested, plain
from chalicelib.records.columnar.times import dates, moments, times

NO_JSON = "\0"  # begins a token that JSON has no text for; JSON itself never holds it


def texts(array: pa.Array) -> pa.StringArray:
    """A text for each value; NULL also for what has none, such as bytes that are not UTF-8 or the year 10000."""
    array = plain(array)
    kind = array.type
    if is_nested(kind):
        return json_texts(array)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return utf8(array)
    if pa.types.is_floating(kind):
        return _with_point(pc.cast(array, pa.string()))
    if pa.types.is_decimal(kind):
        return _plain_digits(array)
    if pa.types.is_timestamp(kind):
        return pc.replace_substring(pc.cast(moments(array), pa.string()), " ", "T", max_replacements=1)
    if pa.types.is_date(kind):
        return pc.cast(dates(array), pa.string())
    if pa.types.is_time(kind):
        return pc.cast(times(array), pa.string())
    return pc.cast(array, pa.string())


def json_texts(array: pa.Array) -> pa.StringArray:
    """Compact JSON for each value; NULL also for what JSON cannot say: NaN, Infinity, or anything without a text."""
    valid = array.is_valid().to_pylist()
    return pa.array(
        [token if known and NO_JSON not in token else None for token, known in zip(tokens(array), valid, strict=True)],
        pa.string(),
    )


def tokens(array: pa.Array) -> list[str]:
    """The JSON of each value, `null` for NULL; what JSON cannot say begins with NO_JSON.

    Numbers keep all their digits. Maps and structs are objects, bytes are base64, times ISO-8601.
    """
    if isinstance(array.type, pa.JsonType):
        return [_checked(token) for token in texts(array).to_pylist()]
    array = plain(array)
    kind = array.type
    if pa.types.is_struct(kind):
        return _structs(array)
    if pa.types.is_map(kind):
        return _maps(array)
    if pa.types.is_fixed_size_list(kind):
        return _lists(array.cast(pa.list_(kind.value_field)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(array)
    return _leaves(array)


def _checked(text: str | None) -> str:
    try:
        orjson.loads(text or "null")
    except ValueError:
        return f"{NO_JSON}{text}"
    return text or "null"


def utf8(array: pa.Array) -> pa.StringArray:
    """Bytes as text; NULL for those that are not UTF-8, which Arrow does not see by itself."""
    raw = pc.cast(array, pa.binary())
    try:
        return pc.cast(raw, pa.string())
    except pa.ArrowInvalid:
        return pa.array([_decoded(value) for value in raw.to_pylist()], pa.string())


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _with_point(numbers: pa.StringArray) -> pa.StringArray:
    """Arrow writes 1 for 1.0, which would read as a long."""
    bare = pc.match_substring_regex(numbers, "^-?[0-9]+$")
    return pc.if_else(bare, pc.binary_join_element_wise(numbers, ".0", ""), numbers)


def _plain_digits(array: pa.Array) -> pa.StringArray:
    digits = pc.cast(array, pa.string())
    if not pc.any(pc.match_substring(digits, "E")).as_py():
        return digits
    return pa.array([None if value is None else format(value, "f") for value in array.to_pylist()], pa.string())


def _leaves(array: pa.Array) -> list[str]:
    kind = array.type
    valid = array.is_valid().to_pylist()
    if pa.types.is_null(kind):
        return ["null"] * len(array)
    if pa.types.is_union(kind):
        return [orjson.dumps(value, default=str).decode() for value in array.to_pylist()]
    if pa.types.is_binary(kind):
        written = ["" if value is None else base64.b64encode(value).decode() for value in array.to_pylist()]
    else:
        written = texts(array).to_pylist()
    if pa.types.is_floating(kind):
        written = [NO_JSON + value if value in ("nan", "inf", "-inf") else value for value in written]
    elif not (pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind)):
        written = [None if value is None else orjson.dumps(value).decode() for value in written]
    return [
        "null" if not known else token if token is not None else f'{NO_JSON}"?"'
        for token, known in zip(written, valid, strict=True)
    ]


def _structs(array: pa.StructArray) -> list[str]:
    names = [orjson.dumps(field.name).decode() + ":" for field in array.type]
    members = [[name + token for token in tokens(child)] for name, child in zip(names, array.flatten(), strict=True)]
    rows = [",".join(row) for row in zip(*members, strict=True)] if members else [""] * len(array)
    return [f"{{{row}}}" if known else "null" for row, known in zip(rows, array.is_valid().to_pylist(), strict=True)]


def _lists(array: pa.Array) -> list[str]:
    items = tokens(_within(array, array.values))
    return [f"[{','.join(items[span])}]" if span else "null" for span in _spans(array)]


def _maps(array: pa.MapArray) -> list[str]:
    keys = [key if key.startswith('"') else f'"{key}"' for key in tokens(_within(array, array.keys))]
    entries = [f"{key}:{item}" for key, item in zip(keys, tokens(_within(array, array.items)), strict=True)]
    return [f"{{{','.join(entries[span])}}}" if span else "null" for span in _spans(array)]


def _within(array: pa.Array, values: pa.Array) -> pa.Array:
    """Those of the values that the array, which may be a slice, reaches."""
    start = array.offsets[0].as_py()
    return values.slice(start, array.offsets[-1].as_py() - start)


def _spans(array: pa.Array) -> Iterator[slice | None]:
    offsets = array.offsets.to_pylist()
    for known, begin, end in zip(array.is_valid().to_pylist(), offsets[:-1], offsets[1:], strict=True):
        yield slice(begin - offsets[0], end - offsets[0]) if known else None

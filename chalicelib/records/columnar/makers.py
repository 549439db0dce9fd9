"""Values as Avro's types give them, made Arrow arrays; `makers` says how for each field of a schema."""

import base64
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from itertools import accumulate
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.records.columnar.texts import NO_JSON

Make = Callable[[list[Any]], pa.Array]

_SIMPLE: dict[str, pa.DataType] = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
_LOGICAL: dict[tuple[str, str], pa.DataType] = {
    ("int", "date"): pa.date32(),
    ("int", "time-millis"): pa.time32("ms"),
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-millis"): pa.timestamp("ms", "UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
    ("long", "timestamp-nanos"): pa.timestamp("ns", "UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("long", "local-timestamp-nanos"): pa.timestamp("ns"),
}
_JSON = pa.json_(pa.string())
_LIMIT = 20_000  # types within types; a small schema can name types that double at each level


def makers(schema: dict[str, Any]) -> dict[str, Make]:
    """How the column of each field of a record is made. Raises KeyError or TypeError for what is no schema."""
    return dict(_Names({}, frozenset(), [_LIMIT]).fields(schema))


def bare(schema: Any) -> Any:
    """The schema without logical types."""
    if isinstance(schema, list):
        return [bare(each) for each in schema]
    if isinstance(schema, dict):
        inner = {key: bare(value) for key, value in schema.items() if key in ("type", "items", "values")}
        if "fields" in schema:
            inner["fields"] = [{**each, "type": bare(each["type"])} for each in schema["fields"]]
        return {key: value for key, value in schema.items() if key != "logicalType"} | inner
    return schema


class _Names:
    """Types by their full names, those that were met so far, and those that are being made."""

    def __init__(self, known: dict[str, Any], within: frozenset[str], left: list[int], space: str = "") -> None:
        self.known, self.within, self.left, self.space = known, within, left, space

    def fields(self, schema: dict[str, Any]) -> Iterator[tuple[str, Make]]:
        """The fields of a record, each with how its values are made."""
        names = self._declared(schema)
        for field in schema["fields"]:
            yield field["name"], names.make(field["type"])

    def make(self, schema: Any) -> Make:
        """Raises KeyError or TypeError for what is no schema, ValueError for one that is too large."""
        self.left[0] -= 1
        if self.left[0] < 0:
            raise ValueError(f"more than {_LIMIT} types within types")
        if isinstance(schema, list):
            return self._union(schema)
        if isinstance(schema, str):
            return partial(_simple, kind=_SIMPLE[schema]) if schema in _SIMPLE else self._named(schema)
        kind = schema["type"]
        if isinstance(kind, list | dict):
            return self.make(kind)
        if kind in ("record", "error"):
            return self._record(schema)
        if kind == "array":
            return partial(_list, item=self.make(schema["items"]))
        if kind == "map":
            return partial(_map, item=self.make(schema["values"]))
        if kind in ("enum", "fixed"):
            self._declared(schema)
        return self._leaf(schema, kind)

    def _leaf(self, schema: dict[str, Any], kind: str) -> Make:
        logical = str(schema.get("logicalType", ""))
        if (kind, logical) in _LOGICAL:
            return partial(_number, kind=_LOGICAL[kind, logical])
        if kind in ("bytes", "fixed") and logical == "decimal":
            precision, scale = int(schema["precision"]), int(schema.get("scale", 0))
            if 0 <= scale <= precision <= 76 and precision > 0:
                return partial(_decimal, precision=precision, scale=scale)
        if kind == "fixed" and logical == "uuid" and schema["size"] == 16:
            return _uuid
        if kind in _SIMPLE or kind in ("enum", "fixed"):
            return partial(_simple, kind=_SIMPLE[{"enum": "string", "fixed": "bytes"}.get(kind, kind)])
        return self._named(kind)

    def _record(self, schema: dict[str, Any]) -> Make:
        names = self._declared(schema)
        return partial(_struct, members={each["name"]: names.make(each["type"]) for each in schema["fields"]})

    def _union(self, branches: list[Any]) -> Make:
        others = [branch for branch in branches if self._kind(branch) != "null"]
        if len(others) == 1:
            return self.make(others[0])
        made = [self.make(branch) for branch in others]
        types = [make([]).type for make in made]
        if not types:
            return partial(_simple, kind=pa.null())
        if all(pa.types.is_string(each) for each in types):
            return partial(_simple, kind=pa.string())
        if all(pa.types.is_integer(each) for each in types):
            return partial(_simple, kind=pa.int64())
        if all(pa.types.is_integer(each) or pa.types.is_floating(each) for each in types):
            return partial(_simple, kind=pa.float64())
        return _any

    def _kind(self, schema: Any) -> Any:
        return schema.get("type") if isinstance(schema, dict) else schema

    def _named(self, name: str) -> Make:
        full = name if "." in name or not self.space else f"{self.space}.{name}"
        full = full if full in self.known else name
        if full in self.within:
            return _any  # a record within itself: no Arrow type is as deep as that
        schema = self.known[full]
        return self.make(schema)

    def _declared(self, schema: dict[str, Any]) -> "_Names":
        name = str(schema["name"])
        space = name.rpartition(".")[0] or str(schema.get("namespace") or self.space)
        full = name if "." in name or not space else f"{space}.{name}"
        self.known[full] = schema | {"name": full}
        return _Names(self.known, self.within | {full}, self.left, space)


def _simple(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:  # bytes that were no UTF-8, as fastavro was told to show them
        raw = [None if value is None else value.encode("utf-8", "surrogateescape") for value in values]
        return pc.cast(pa.array(raw, pa.binary()), options=pc.CastOptions(pa.string(), allow_invalid_utf8=True))


def _number(values: list[Any], kind: pa.DataType) -> pa.Array:
    whole = pa.int32() if kind.bit_width == 32 else pa.int64()
    return pa.array(values, whole).view(kind)


def _decimal(values: list[Any], precision: int, scale: int) -> pa.Array:
    numbers = [
        None if value is None else Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale) for value in values
    ]
    kind = pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    try:
        return pa.array(numbers, kind)
    except pa.ArrowInvalid:  # more digits than were declared: its row shows them
        return pa.array([None if value is None else format(value, "f") for value in numbers], pa.string())


def _uuid(values: list[Any]) -> pa.Array:
    return pa.array([None if value is None else str(UUID(bytes=value)) for value in values], pa.string())


def _struct(values: list[Any], members: dict[str, Make]) -> pa.Array:
    arrays = [make([None if value is None else value[name] for value in values]) for name, make in members.items()]
    absent = pa.array([value is None for value in values], pa.bool_())
    fields = [pa.field(name, array.type) for name, array in zip(members, arrays, strict=True)]
    if not fields:
        return pa.array(values, pa.struct([]))
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=absent)


def _list(values: list[Any], item: Make) -> pa.Array:
    return pa.ListArray.from_arrays(_offsets(values), item([each for value in values for each in value or ()]))


def _map(values: list[Any], item: Make) -> pa.Array:
    keys = pa.array([key for value in values for key in value or ()], pa.string())
    return pa.MapArray.from_arrays(
        _offsets(values), keys, item([each for value in values for each in (value or {}).values()])
    )


def _offsets(values: list[Any]) -> pa.Array:
    ends = [0, *accumulate(len(value or ()) for value in values)]
    absent = [*(value is None for value in values), False]
    return pa.array([None if gone else end for end, gone in zip(ends, absent, strict=True)], pa.int32())


def _any(values: list[Any]) -> pa.Array:
    return pa.ExtensionArray.from_storage(_JSON, pa.array([_written(value) for value in values], pa.string()))


def _written(value: Any) -> str | None:
    if value is None:
        return None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_other)
        text.encode()
    except (ValueError, RecursionError):
        return f"{NO_JSON}{value!a}"
    return text


def _other(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} in a union")

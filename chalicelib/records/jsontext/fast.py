"""A whole batch at once by Arrow's JSON reader, with the types already set.

It takes objects wherever they stand: on lines, several on one, over many. What it refuses, and what it would read
otherwise than records.jsontext.convert does, is left to that.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json
import re2

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.jsontext.convert import TEXTUAL, is_epoch
from chalicelib.records.jsontext.nested import Cut, Cutter, NotPlain, at_keys, outermost
from chalicelib.records.jsontext.pointer import Path
from chalicelib.records.jsontext.shapes import Shapes
from chalicelib.records.types.schema import arrow_schema, arrow_type
from chalicelib.records.types.values import arrow_reads, in_calendar, typed

_LARGE = 1 << 17  # bytes for which only one way is tried: around a bad record they are read in pieces
_DEEP = 1024  # levels that orjson follows; Arrow follows any number
_FIRST = 1 << 16  # bytes that are looked at to see which line ends there are
_SHORT = 2 * _DEEP  # bytes: no shorter text has so many levels
_NULL_FIRST = re.compile(rb"[ \t\r\n]*+null")  # instead of an object: Arrow makes a row of it, or crashes
_NULL_LATER = re2.compile(rb"\}[ \t\r\n]*null")  # a pattern of its own, so that RE2 leaps from } to }

Tree = dict[str, Any]  # of what lies at a key: a type, or a tree


class Fast:
    """Reads text that consists of objects into these columns, each of which lies at its path."""

    def __init__(self, columns: tuple[Column, ...], paths: Sequence[Path], root: Path, *, strict: bool) -> None:
        self._columns = columns
        self._paths = [root + path for path in paths]
        self._root = root
        self._unexpected = "error" if strict else "ignore"
        self._shapes = Shapes()
        self._usable = bool(columns) and all(paths) and not (strict and root)

    def __call__(self, data: bytes) -> pa.RecordBatch | None:
        """The batch; None if there is anything that Arrow cannot read, or not as we mean it."""
        if self._schema is None or _has_bare_null(data):
            return None
        try:
            data.decode()  # Arrow does not look whether strings are UTF-8
        except UnicodeDecodeError:
            return None
        for cut in self._cuts if len(data) <= _LARGE else self._cuts[:1]:
            try:
                rows = self._rows(cut(data))
            except (pa.ArrowInvalid, NotPlain):
                continue
            self._cuts = sorted(
                self._cuts, key=lambda other: other is not cut
            )  # what was good for these is for those that follow
            return rows if rows is not None and not _is_deep(data) else None
        return None

    def _rows(self, text: Cut) -> pa.RecordBatch | None:
        table = self._table(text.data)
        if self._root and self._leaf(table, self._root).null_count:
            return None
        arrays = []
        for column, path in zip(self._columns, self._paths, strict=True):
            array = self._settled(self._leaf(table, path), column, text)
            if array is None:
                return None
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(self._columns))

    @cached_property
    def _schema(self) -> pa.Schema | None:
        """What Arrow is to read; None if it cannot be told so."""
        if not self._usable:
            return None
        tree: Tree = {}
        for column, path in zip(self._columns, self._paths, strict=True):
            kind = _read_as(column)
            if kind is None or not _grow(tree, path, kind):
                return None
        others = [step for path in self._paths for step in path[:-1]]
        others += [
            path[-1] for path, c in zip(self._paths, self._columns, strict=True) if c.type is not ColumnType.JSON
        ]
        if not self._json_keys.isdisjoint(others):
            return None
        return pa.schema(_fields(tree))

    @cached_property
    def _json_keys(self) -> set[str]:
        pairs = zip(self._columns, self._paths, strict=True)
        return {path[-1] for column, path in pairs if column.type is ColumnType.JSON}

    @cached_property
    def _cuts(self) -> list[Cutter]:
        """How values are cut out for json columns, the fastest way first."""
        if not self._json_keys:
            return [Cut]
        by_key = at_keys(self._json_keys)
        return [by_key] if any(len(path) > 1 for path in self._paths) else [outermost, by_key]

    def _table(self, data: bytes) -> pa.Table:
        return arrow_json.read_json(
            pa.py_buffer(data),
            arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            arrow_json.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior=self._unexpected),
        )

    @staticmethod
    def _leaf(table: pa.Table, path: Path) -> pa.Array:
        array = table[path[0]].combine_chunks()
        return pc.struct_field(array, list(path[1:])) if len(path) > 1 else array

    def _settled(self, array: pa.Array, column: Column, text: Cut) -> pa.Array | None:
        if column.type is ColumnType.JSON:
            return text.put_back(array, self._shapes)
        if column.type is ColumnType.DOUBLE and pc.any(pc.is_inf(array)).as_py():
            return None  # an integer of 400 digits, perhaps
        if pa.types.is_timestamp(array.type):
            return array if in_calendar([array]) else None
        if pa.types.is_string(array.type):
            text.look(array)
        if column.type not in TEXTUAL:
            return array
        result = typed(array.cast(pa.string()), column)
        return None if result.bad else result.array


def _read_as(column: Column) -> pa.DataType | None:
    """The type that Arrow's reader is told; None if it reads that type otherwise than we do."""
    match column.type:
        case ColumnType.DECIMAL:
            return None
        case ColumnType.TIMESTAMP if arrow_reads(column):
            return arrow_type(column)
        case _ if is_epoch(column):
            return pa.int64()
        case kind if kind in TEXTUAL:
            return pa.string()
    return arrow_type(column)


def _grow(tree: Tree, path: Path, kind: pa.DataType) -> bool:
    """Put a type into the tree; False if something else lies there."""
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            return False
    return bool(tree.setdefault(path[-1], kind) == kind)


def _fields(tree: Tree) -> list[pa.Field]:
    return [
        pa.field(name, pa.struct(_fields(inner)) if isinstance(inner, dict) else inner) for name, inner in tree.items()
    ]


def _has_bare_null(data: bytes) -> bool:
    return b"null" in data and (_NULL_FIRST.match(data) is not None or _NULL_LATER.search(data) is not None)


def _is_deep(data: bytes) -> bool:
    """True if something in this sound text may be nested more deeply than records.jsontext.convert reads."""
    between = b"}\r\n{" if b"}\r\n{" in data[:_FIRST] else b"}\n{"  # nowhere but between two records
    at = 0
    while len(data) - at > _SHORT:
        end = data.rfind(b"\n", at, at + _SHORT) + 2 - len(between)  # most often it is one, and soon found
        if data[end : end + len(between)] != between:
            end = data.rfind(between, at, at + _SHORT)
        if end < at:
            end = data.find(between, at)
            end = end if end >= 0 else len(data)
            if data.count(b"{", at, end) + data.count(b"[", at, end) >= _DEEP and _grows(data[at:end]):
                return True
        at = end + 1
    return False


def _grows(data: bytes) -> bool:
    """True if somewhere as many brackets as matter may be open at once."""
    parts = (data[start : start + _DEEP] for start in range(0, len(data), _DEEP))
    growth = (part.count(b"{") + part.count(b"[") - part.count(b"}") - part.count(b"]") for part in parts)
    return max(accumulate(growth)) >= _DEEP // 2

"""A whole batch at once by Arrow's JSON reader, with the types already set.

It takes objects wherever they stand: on lines, several on one, over many. What it refuses, and what it would read
otherwise than records.jsontext.convert does, is left to that.
"""

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
from chalicelib.records.jsontext.nested import AsText, NotPlain, unmarked
from chalicelib.records.jsontext.pointer import Path
from chalicelib.records.types.schema import arrow_schema, arrow_type
from chalicelib.records.types.values import arrow_reads, in_calendar, typed

_DEEP = 1024  # levels that orjson follows; Arrow follows any number
_BARE_NULL = re2.compile(rb"(?:\A|\})[ \t\r\n]*null")  # instead of an object: Arrow makes a row of it, or crashes

Tree = dict[str, Any]  # of what lies at a key: a type, or a tree


class Fast:
    """Reads text that consists of objects into these columns, each of which lies at its path."""

    def __init__(self, columns: tuple[Column, ...], paths: Sequence[Path], root: Path, *, strict: bool) -> None:
        self._columns = columns
        self._paths = [root + path for path in paths]
        self._root = root
        self._unexpected = "error" if strict else "ignore"
        self._usable = bool(columns) and all(paths) and not (strict and root)

    def __call__(self, data: bytes) -> pa.RecordBatch | None:
        """The batch; None if there is anything that Arrow cannot read, or not as we mean it."""
        if self._schema is None or (b"null" in data and _BARE_NULL.search(data)):
            return None
        try:
            data.decode()  # Arrow does not look whether strings are UTF-8
            table = self._table(self._as_text(data) if self._as_text else data)
            if self._root and self._leaf(table, self._root).null_count:
                return None
            arrays = [self._settled(table, *pair) for pair in zip(self._columns, self._paths, strict=True)]
        except (UnicodeDecodeError, pa.ArrowInvalid, NotPlain):
            return None
        if any(array is None for array in arrays) or _is_deep(data, table.num_rows):
            return None
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
    def _as_text(self) -> AsText | None:
        return AsText(self._json_keys) if self._json_keys else None

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

    def _settled(self, table: pa.Table, column: Column, path: Path) -> pa.Array | None:
        array = self._leaf(table, path)
        if column.type is ColumnType.JSON:
            return unmarked(array)
        if column.type is ColumnType.DOUBLE and pc.any(pc.is_inf(array)).as_py():
            return None  # an integer of 400 digits, perhaps
        if pa.types.is_timestamp(array.type):
            return array if in_calendar([array]) else None
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


def _is_deep(data: bytes, rows: int) -> bool:
    """True if something may be nested more deeply than records.jsontext.convert reads."""
    if data.count(b"{") + data.count(b"[") - rows < _DEEP:
        return False
    parts = (data[start : start + _DEEP] for start in range(0, len(data), _DEEP))
    growth = (part.count(b"{") + part.count(b"[") - part.count(b"}") - part.count(b"]") for part in parts)
    return max(accumulate(growth)) >= _DEEP // 2

"""Values that no column takes: kept beside their row, as one JSON text in the column `_rescued` (F85).

A format that is asked for RESCUED as its last column sets no row aside for a value. What does not fit its column is
NULL there, and stands in `_rescued` under the name that the object has for it, next to what no column was asked
for. Nothing is said of what is NULL; a row of which all was taken has NULL. What is broken before it is a value, such
as a line with too few fields or bytes that are no text, costs its row as it does elsewhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType

NAME = "_rescued"
RESCUED = Column(name=NAME, type=ColumnType.JSON, src="\0")  # not what an object's own column of this name would be
FIELD = pa.field(NAME, pa.string())

Path = tuple[str, ...]


class Rescued:
    """What no column takes of some rows: the row's number, the path in its record, and the value."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, Any]] = defaultdict(dict)

    def put(self, row: int, path: Path, value: Any) -> None:
        """Keep a value: a text, or anything else as an orjson.Fragment. What holds it stands there already: no more."""
        place = self._rows[row]
        for step in path[:-1]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                return
        place[path[-1]] = value

    def put_json(self, name: str, texts: pa.StringArray) -> None:
        """Keep these JSON texts, one for each row that has any."""
        for row, text in enumerate(texts.to_pylist()):
            if text is not None:
                self.put(row, (name,), orjson.Fragment(text))

    def column(self, rows: int) -> pa.StringArray:
        """The texts of so many rows, NULL where nothing was kept."""
        if not self._rows:
            return pa.nulls(rows, pa.string())
        kept = {row: orjson.dumps(tree).decode() for row, tree in self._rows.items()}
        return pa.array([kept.get(row) for row in range(rows)], pa.string())


def asked(columns: tuple[Column, ...]) -> tuple[tuple[Column, ...], bool]:
    """The columns without RESCUED, and whether it was among them."""
    others = tuple(column for column in columns if column != RESCUED)
    return others, len(others) < len(columns)


def beside(batch: pa.RecordBatch, texts: pa.StringArray | None) -> pa.RecordBatch:
    """The batch with these texts, or NULL, as its last column."""
    texts = pa.nulls(batch.num_rows, pa.string()) if texts is None else texts
    return pa.RecordBatch.from_arrays([*batch.columns, texts], schema=pa.schema([*batch.schema, FIELD]))


def apart(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.StringArray]:
    """The batch without its last column, and that."""
    last = batch.num_columns - 1
    return batch.select(range(last)), batch.column(last)


def count_of(batch: pa.RecordBatch) -> int:
    """How many rows have something in the last column."""
    return int(batch.num_rows - batch.column(batch.num_columns - 1).null_count)


def text_fields(arrays: Iterable[tuple[str, pa.StringArray]]) -> Iterator[tuple[int, Path, str]]:
    """What `put` takes of whole fields of texts, each under its name."""
    for name, array in arrays:
        if array.null_count < len(array):
            yield from ((row, (name,), text) for row, text in enumerate(array.to_pylist()) if text is not None)


class Taken:
    """The paths of a record that columns take."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._tree: dict[str, Any] = {}
        for path in sorted(paths, key=len):
            place = self._tree
            for step in path[:-1]:
                place = place.setdefault(step, {})
                if place is _ALL:
                    break
            else:
                place[path[-1]] = _ALL

    def left(self, record: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
        """The path of each value of the record that no column takes, and the value; null is none."""
        for key in [key for key in record if key not in self._whole]:
            yield from _left(record[key], self._tree.get(key, _NONE), (key,))

    def at_top(self, record: dict[str, Any]) -> bool:
        """True if a look at the keys shows that nothing is left."""
        return self._whole.issuperset(record)

    @cached_property
    def _whole(self) -> set[str]:
        return {key for key, inner in self._tree.items() if inner is _ALL}


_ALL: dict[str, Any] = {}  # marks a place that is taken with all that lies below it
_NONE: dict[str, Any] = {}  # of which nothing is


def _left(value: Any, tree: dict[str, Any], here: Path) -> Iterator[tuple[Path, Any]]:
    if tree is _ALL or value is None:
        return
    inner = value.items() if isinstance(value, dict) else _elements(value, tree)
    if tree is _NONE or inner is None:
        yield here, value
        return
    for step, each in inner:
        yield from _left(each, tree.get(step, _NONE), (*here, step))


def _elements(value: Any, tree: dict[str, Any]) -> Iterable[tuple[str, Any]] | None:
    """The elements of a list that columns reach into, each under its index."""
    if not isinstance(value, list) or not any(step.isdigit() for step in tree):
        return None
    return ((str(index), each) for index, each in enumerate(value))

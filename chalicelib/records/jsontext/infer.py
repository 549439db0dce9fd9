"""Columns from records: the keys in the order of their first appearance, and what their values are."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.jsontext.pointer import Path, pointer
from chalicelib.records.types.guess import guess


def columns_of(records: Iterable[dict[str, Any]], *, levels: int, whole: bool) -> tuple[Column, ...]:
    """The columns that these records fit; `levels` of objects within them become columns of their own, named `a.b`.

    An object is flattened if its key has nothing but objects and null everywhere. If these are the records of the
    `whole` object, a key without any value says nothing of its type, and is left to an object that does.
    """
    return tuple(_columns(records, (), levels, whole=whole))


def _columns(records: Iterable[dict[str, Any]], above: Path, levels: int, *, whole: bool) -> list[Column]:
    values: dict[str, list[Any]] = defaultdict(list)
    for record in records:
        for key, value in record.items():
            values[key].append(value)
    found: list[Column] = []
    for key, seen in values.items():
        present = [value for value in seen if value is not None]
        if not key or (whole and not present):
            continue
        steps = (*above, key)
        inner: list[Column] = []
        clear = "." not in key and not any(other.startswith(key + ".") for other in values)
        if levels and present and clear and all(isinstance(value, dict) for value in present):
            inner = _columns(present, steps, levels - 1, whole=whole)
        found += inner or [_named(_guess(".".join(steps), present), steps)]
    return found


def _named(column: Column, steps: Path) -> Column:
    return column if len(steps) == 1 else column.model_copy(update={"element_at": pointer(steps)})


def _guess(name: str, present: list[Any]) -> Column:
    """The column that these values fit; text that is ISO-8601 throughout is a timestamp."""
    kinds = {_kind(value) for value in present}
    if kinds == {ColumnType.STRING}:
        column = guess(name, pa.array([value for value in present if isinstance(value, str)], pa.string()))
        return column if column.type is ColumnType.TIMESTAMP else Column(name=name, type=ColumnType.STRING)
    if ColumnType.JSON in kinds:
        return Column(name=name, type=ColumnType.JSON)
    if kinds == {ColumnType.LONG, ColumnType.DOUBLE}:
        return Column(name=name, type=ColumnType.DOUBLE)
    return Column(name=name, type=kinds.pop() if len(kinds) == 1 else ColumnType.STRING)


def _kind(value: Any) -> ColumnType:
    match value:
        case bool():
            return ColumnType.BOOLEAN
        case int() if -(1 << 63) <= value < 1 << 63:
            return ColumnType.LONG
        case float():
            return ColumnType.DOUBLE
        case dict() | list():
            return ColumnType.JSON
    return ColumnType.STRING  # an integer beyond 64 bits too: its digits matter more than its arithmetic

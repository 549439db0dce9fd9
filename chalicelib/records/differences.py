"""Differences: what an object has otherwise than its pipeline's columns, for people to read (F85).

    + discount double        no column takes it
    - name string            the object does not have it
    ~ price: long → string   it has values that do not fit

A column that was renamed is one that is missing and one that is added; nobody guesses that they are the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.errors import SchemaConflict
from chalicelib.records.jsontext.infer import columns_of
from chalicelib.records.jsontext.reading import path_of
from chalicelib.records.rescue import Path
from chalicelib.records.types.guess import guess

MOST = 20  # lines of a difference
_SAMPLE = 1000  # values that show a type
_SHOWN = 60  # characters of an example
_REMEDY = (
    "Mend the object, or declare what it has in parser.columns (a renamed column with its new name as `src`), or take "
    "schema_change evolve or rescue; then replay it"
)


def check(rescued: pa.StringArray, columns: tuple[Column, ...], missing: Iterable[Column], *, texts: bool) -> None:
    """Raise SchemaConflict if anything was rescued, or is missing.

    `columns` are those that the rows were read with. `texts`: values are texts, whatever they mean.
    """
    lines = [f"- {column.name} {type_of(column)}" for column in missing]
    lines = [*_lines(rescued.drop_null().to_pylist(), columns, texts=texts), *lines]
    if lines:
        raise conflict(lines)


def conflict(lines: list[str]) -> SchemaConflict:
    """The error for an object that has other columns."""
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return SchemaConflict(
        f"it has other columns than its pipeline: {'; '.join([*lines[:MOST], *more])}", remedy=_REMEDY
    )


def type_of(column: Column) -> str:
    """The type in one word."""
    digits = f"({column.precision},{column.scale or 0})" if column.type is ColumnType.DECIMAL else ""
    return column.type.value + digits


def _lines(rescued: list[str], columns: tuple[Column, ...], *, texts: bool) -> Iterator[str]:
    by_path: dict[Path, Column] = {(column.name,): column for column in columns if texts}  # there may be no header
    by_path |= {path_of(column): column for column in columns}
    above = {path[:end] for path in by_path for end in range(1, len(path))}
    seen: dict[Path, list[Any]] = defaultdict(list)
    for text in rescued:
        for path, value in _leaves(orjson.loads(text), (), above):
            if len(seen[path]) < _SAMPLE:
                seen[path].append(value)
    for path, values in sorted(seen.items(), key=lambda item: item[0] in by_path):
        found = _kind(values, texts=texts)
        if path not in by_path:
            yield f"+ {'.'.join(path)} {found}"
            continue
        example = orjson.dumps(values[0]).decode()
        example = example if len(example) <= _SHOWN else example[:_SHOWN] + "…"
        column = by_path[path]
        yield f"~ {column.name}: {type_of(column)} → {found}, such as {example}"


def _leaves(value: dict[str, Any], here: Path, above: set[Path]) -> Iterator[tuple[Path, Any]]:
    for step, inner in value.items():
        path = (*here, step)
        if path in above and isinstance(inner, dict):
            yield from _leaves(inner, path, above)
        else:
            yield path, inner


def _kind(values: list[Any], *, texts: bool) -> str:
    if texts:
        return guess("value", pa.array(list(islice(map(str, values), _SAMPLE)), pa.string())).type.value
    (column,) = columns_of([{"value": value} for value in values], levels=0, whole=False)
    return column.type.value

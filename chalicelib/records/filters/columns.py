"""Retain, add and drop columns (F73): whole columns move, and no value is looked at unless its type changes."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import re2

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.filters.columns import AddColumns, DropColumns, RetainColumns, Taken
from chalicelib.config.filters.path import steps
from chalicelib.config.patterns import compiled
from chalicelib.records.filters.json_values import column_of, parsed, reached
from chalicelib.records.filters.rows import changed, refused
from chalicelib.records.filters.setting import Given, Step
from chalicelib.records.filters.texts import converted
from chalicelib.records.pages import Page
from chalicelib.records.types.schema import arrow_type
from chalicelib.records.types.values import Typed, typed

JSON_TYPES = (ColumnType.JSON, ColumnType.STRING)


@dataclass(slots=True)
class _Source:
    """A batch, whose JSON columns are parsed once however many values are taken from them."""

    batch: pa.RecordBatch
    documents: dict[tuple[int, bool], tuple[list[Any], dict[int, str]]] = field(default_factory=dict)

    def parsed(self, index: int, *, decimals: bool) -> tuple[list[Any], dict[int, str]]:
        """See json_values.parsed."""
        if (index, decimals) not in self.documents:
            self.documents[index, decimals] = parsed(self.batch.column(index), decimals=decimals)
        return self.documents[index, decimals]


@dataclass(frozen=True, slots=True)
class _Part:
    """One column that comes out, and how it is made."""

    column: Column
    make: Callable[[_Source], Typed]
    rejects: bool = False  # it may meet a value that does not fit


def retain(declared: RetainColumns, given: Given) -> Step:
    """Only these columns, in this order; a glob gives those that are not listed otherwise."""
    parts: list[_Part] = []
    listed = {taken.name for taken in declared.columns}
    names = [column.name for column in given.columns]
    for taken in declared.columns:
        if taken.src is None and taken.name not in names and is_glob(taken.name):
            found = [name for name in _matching(taken.name, given) if name not in listed]
            listed.update(found)
            parts += [_part(taken.model_copy(update={"name": name}), declared, given) for name in found]
        else:
            parts.append(_part(taken, declared, given))
    return _made(parts, given)


def add(declared: AddColumns, given: Given) -> Step:
    """All columns, and these after them."""
    kept = [_Part(column, partial(_as_it_is, index=index)) for index, column in enumerate(given.columns)]
    return _made([*kept, *(_part(taken, declared, given) for taken in declared.columns)], given)


def drop(declared: DropColumns, given: Given) -> Step:
    """All columns but these; a name that is not there is an error unless `ignore_missing` (E45)."""
    dropped: set[str] = set()
    names = {column.name for column in given.columns}
    for each in declared.columns:
        if each.name not in names and is_glob(each.name):
            dropped.update(_matching(each.name, given, needed=not declared.ignore_missing))
        elif each.name in names or not declared.ignore_missing:
            dropped.add(given.column(each.name).name)
    indices = [index for index, column in enumerate(given.columns) if column.name not in dropped]
    columns = given.distinct(tuple(given.columns[index] for index in indices))
    return Step.of(columns, lambda page: Page(page.batch.select(indices), page.rejects, page.records))


def is_glob(name: str) -> bool:
    """True if it may stand for several columns."""
    return "*" in name or "?" in name


def matching(glob: str, names: Iterable[str]) -> list[str]:
    """Those of the names that a glob stands for."""
    pattern = "".join({"*": ".*", "?": "."}.get(sign) or re2.escape(sign) for sign in glob)
    return [name for name in names if compiled(f"(?s){pattern}").fullmatch(name)]


def _matching(glob: str, given: Given, *, needed: bool = True) -> list[str]:
    found = matching(glob, (column.name for column in given.columns))
    if needed and not found:
        given.index(glob)  # raises
    return found


def _made(parts: Iterable[_Part], given: Given) -> Step:
    parts = tuple(parts)
    columns = given.distinct(tuple(part.column for part in parts))

    def change(page: Page) -> Page:
        source = _Source(page.batch)
        bad: dict[int, list[str]] = defaultdict(list)
        arrays = []
        for part in parts:
            made = part.make(source)
            arrays.append(made.array)
            for row, why in made.bad.items():
                bad[row].append(why)
        return refused(page.batch, changed(page, columns, arrays), bad, given.place)

    return Step.of(columns, change, counts=any(part.rejects for part in parts))


def _part(taken: Taken, declared: RetainColumns | AddColumns, given: Given) -> _Part:
    names = [column.name for column in given.columns]
    wanted = None
    if taken.type is not None:
        wanted = taken.column(taken.name, timezone=declared.default_timezone, layout=declared.default_timestamp_format)
    source = taken.src or taken.name
    if source in names:
        part = _copied(given.column(source), names.index(source), wanted, taken.name)
    elif source.startswith(("$.", "$[")):
        part = _pointed(source, wanted or Column(name=taken.name, type=ColumnType.JSON), given)
    elif wanted is not None and "default" in taken.model_fields_set:
        value = _constant(taken, wanted, given)
        return _Part(wanted.bare, lambda source: Typed(pa.repeat(value, source.batch.num_rows), {}))
    else:
        given.index(source)  # raises
        raise AssertionError
    if taken.default is None:
        return part
    return _Part(part.column, partial(_filled, part.make, _constant(taken, wanted or part.column, given)), part.rejects)


def _copied(column: Column, index: int, wanted: Column | None, name: str) -> _Part:
    target = wanted or column.model_copy(update={"name": name})
    if arrow_type(target) == arrow_type(column) and (target.type is column.type or target.type is ColumnType.STRING):
        return _Part(target.bare, partial(_as_it_is, index=index))
    return _Part(target.bare, lambda source: converted(source.batch.column(index), column, target), rejects=True)


def _pointed(path: str, target: Column, given: Given) -> _Part:
    name, *way = steps(path) or ("",)
    index = given.index(str(name))
    if given.columns[index].type not in JSON_TYPES:
        raise given.error(f"{path}: {name} is a {given.columns[index].type}, and only json and string hold JSON")

    def make(source: _Source) -> Typed:
        values, bad = source.parsed(index, decimals=target.type is ColumnType.DECIMAL)
        found = column_of(reached(values, way), target)
        return Typed(found.array, {row: f"{name}: {why}" for row, why in bad.items()} | found.bad)

    return _Part(target.bare, make, rejects=True)


def _constant(taken: Taken, target: Column, given: Given) -> pa.Scalar:
    value = taken.default
    text = None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    made = typed(pa.array([text], pa.string()), target)
    if made.bad:
        raise given.error(f"default of {made.bad[0]}")
    return made.array[0]


def _as_it_is(source: _Source, index: int) -> Typed:
    return Typed(source.batch.column(index), {})


def _filled(make: Callable[[_Source], Typed], value: pa.Scalar, source: _Source) -> Typed:
    made = make(source)
    return Typed(pc.fill_null(made.array, value), made.bad)

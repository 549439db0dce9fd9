"""ExpandJson: values within JSON become columns (F74)."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.filters.expand_json import Expanded, ExpandJson
from chalicelib.config.filters.path import found_by, steps
from chalicelib.errors import TooManyBadRows
from chalicelib.records.filters.json_at_once import AtOnce
from chalicelib.records.filters.json_keys import Keys, Strict
from chalicelib.records.filters.json_values import column_of, parsed, reached
from chalicelib.records.filters.rows import changed, refused
from chalicelib.records.filters.setting import Given, Step
from chalicelib.records.pages import Page
from chalicelib.records.types.schema import arrow_type

_PIECE = 1000  # values that are held as Python's at the same time: a third of the CPU of a whole page
MAX_FOUND = 1000  # columns: what has more keys is a map, not a record

_Way = Callable[[list[Any]], tuple[list[Any], dict[int, str]]]  # what is found, and why, by row, nothing could be


def finds(declared: ExpandJson) -> bool:
    """True if the columns are those that the rows show."""
    return declared.expanded_columns is None


def found(declared: ExpandJson, given: Given, page: Page) -> tuple[Column, ...]:
    """The columns for the keys in these rows; `src` is the JSON column, `element_at` the way to the value."""
    index = _index(declared, given)
    root = _root(declared)
    values, _ = parsed(page.batch.column(index))
    prefix = f"{declared.json_column_name}." if declared.prefix is None else declared.prefix
    keys = Keys.of(reached(values, root), declared.max_depth)
    if len(keys.types) > MAX_FOUND:
        raise given.error(
            f"{declared.json_column_name} has more than {MAX_FOUND} keys", "Say which are columns in expanded_columns"
        )
    return tuple(
        Column(name=prefix + ".".join(way), type=kind, src=declared.json_column_name, element_at=_pointer(root, way))
        for way, kind in keys.types.items()
    )


def expand_json(declared: ExpandJson, given: Given, columns: Iterable[Column]) -> Step:
    """The columns after the others; `columns` are those that were found, where none are declared."""
    index = _index(declared, given)
    wanted = _declared(declared) if not finds(declared) else _found(declared, columns)
    kept = [i for i in range(len(given.columns)) if declared.keep_expanding_json_column or i != index]
    out = given.distinct((*(given.columns[i] for i in kept), *(column.bare for column, _ in wanted)))
    strict = None
    if finds(declared) and not declared.keep_expanding_json_column and declared.on_invalid == "reject":
        strict = Keys.known(_keys(declared, column) for column, _ in wanted)
    reading = _Reading(declared, wanted, strict, _at_once(declared, wanted, strict=strict is not None))

    def change(page: Page) -> Page:
        made, bad = reading.of(page.batch.column(index))
        if bad and declared.stop_on_invalid_record:
            raise _stopped(bad, given)
        bad = bad if declared.on_invalid == "reject" else {}
        arrays = [*(page.batch.column(i) for i in kept), *made]
        return refused(page.batch, changed(page, out, arrays), bad, given.place)

    return Step.of(out, change, counts=declared.on_invalid == "reject")


@dataclass(frozen=True, slots=True)
class _Reading:
    """What every column of JSON texts is read with."""

    declared: ExpandJson
    wanted: list[tuple[Column, _Way]]
    strict: Strict | None
    at_once: AtOnce | None

    @property
    def has_decimals(self) -> bool:
        return any(column.type is ColumnType.DECIMAL for column, _ in self.wanted)

    def of(self, texts: pa.StringArray) -> tuple[list[pa.Array], dict[int, list[str]]]:
        """The columns, and why rows are bad."""
        bad: dict[int, list[str]] = defaultdict(list)
        parts: list[list[pa.Array]] = [[pa.array([], arrow_type(column))] for column, _ in self.wanted]
        for start in range(0, len(texts), _PIECE):
            piece = texts[start : start + _PIECE]
            made = self.at_once(piece) if self.at_once is not None else None
            if made is None:
                self._one_by_one(piece, start, parts, bad)
                continue
            for arrays, array in zip(parts, made, strict=True):
                arrays.append(array)
        return [pa.concat_arrays(arrays) for arrays in parts], bad

    def _one_by_one(
        self, texts: pa.StringArray, start: int, parts: list[list[pa.Array]], bad: dict[int, list[str]]
    ) -> None:
        name = self.declared.json_column_name
        values, why = parsed(texts)
        _note(bad, {row: f"{name}: {text}" for row, text in why.items()}, start)
        if self.strict is not None:
            _note(bad, self.strict.strangers(reached(values, _root(self.declared)), name), start)
        exact = parsed(texts, decimals=True)[0] if self.has_decimals else values
        for (column, way), arrays in zip(self.wanted, parts, strict=True):
            reached_values, lost = way(exact if column.type is ColumnType.DECIMAL else values)
            made = column_of(reached_values, column)
            arrays.append(made.array)
            _note(bad, made.bad | {row: f"{column.name}: {text}" for row, text in lost.items()}, start)


def _at_once(declared: ExpandJson, wanted: list[tuple[Column, _Way]], *, strict: bool) -> AtOnce | None:
    """Arrow's way, if all columns are values at keys, and nothing outside of them matters."""
    if strict and _root(declared):
        return None
    if finds(declared):
        ways = [(*_root(declared), *_keys(declared, column)) for column, _ in wanted]
    else:
        ways = [declared.paths(column)[0] or () for column in declared.expanded_columns or ()]
    keys = [tuple(step for step in way if isinstance(step, str)) for way in ways]
    return AtOnce.of([column for column, _ in wanted], keys, strict=strict) if keys == ways else None


def _note(bad: dict[int, list[str]], more: dict[int, str], start: int) -> None:
    for row, why in more.items():
        bad[start + row].append(why)


def _stopped(bad: dict[int, list[str]], given: Given) -> TooManyBadRows:
    why = bad[min(bad)][0]
    return TooManyBadRows(
        f"a row is bad, and stop_on_invalid_record of {given.place} is set: {why}",
        remedy="None of the object's rows were loaded; mend the filter or the object and replay it",
    )


def _index(declared: ExpandJson, given: Given) -> int:
    index = given.index(declared.json_column_name)
    kind = given.columns[index].type
    if kind not in (ColumnType.JSON, ColumnType.STRING):
        raise given.error(f"{declared.json_column_name} is a {kind}, and only json and string hold JSON")
    return index


def _root(declared: ExpandJson) -> tuple[str | int, ...]:
    return steps(declared.root.removesuffix(".")) or ()


def _declared(declared: ExpandJson) -> list[tuple[Column, _Way]]:
    assert declared.expanded_columns is not None
    return [(_told(column, declared), _way(declared, column)) for column in declared.expanded_columns]


def _told(column: Column, declared: ExpandJson) -> Column:
    if column.type is ColumnType.TIMESTAMP and column.timezone is None:
        return column.model_copy(update={"timezone": declared.default_timezone})
    return column


def _way(declared: ExpandJson, column: Expanded) -> _Way:
    simple, path = declared.paths(column)
    if simple is not None:
        return lambda values: (reached(values, simple), {})
    return partial(_sought, path, path.singular_query())


def _sought(path: Any, single: bool, values: list[Any]) -> tuple[list[Any], dict[int, str]]:
    """What the JSONPath finds in each: one value, or a list of several; None if nothing."""
    made, bad = [], {}
    for row, value in enumerate(values):
        found: list[Any] = []
        if isinstance(value, dict | list):
            try:
                found = found_by(path, value)
            except ValueError as error:
                bad[row] = str(error)
        made.append((found[0] if single else found) if found else None)
    return made, bad


def _found(declared: ExpandJson, columns: Iterable[Column]) -> list[tuple[Column, _Way]]:
    root = _root(declared)

    def way(column: Column) -> _Way:
        path = (*root, *_keys(declared, column))
        return lambda values: (reached(values, path), {})

    return [(column, way(column)) for column in columns]


def _keys(declared: ExpandJson, column: Column) -> tuple[str, ...]:
    """The keys after the root."""
    tokens = (column.element_at or "").split("/")[1:]
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens[len(_root(declared)) :])


def _pointer(root: tuple[str | int, ...], way: tuple[str, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in (*root, *way))

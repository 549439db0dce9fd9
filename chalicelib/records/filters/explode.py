"""Explode: a row for each element of an array, in pages of bounded size."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.filters.explode import Explode
from chalicelib.records.filters.json_elements import elements
from chalicelib.records.filters.json_values import column_of, dumped, shown
from chalicelib.records.filters.rows import batch_of, refused
from chalicelib.records.filters.setting import Given, Step
from chalicelib.records.pages import Page

MAX_ROWS = 50_000  # of a page that comes out
MAX_BYTES = 16 << 20  # of the texts that repeat in it


@dataclass(slots=True)
class _Piece:
    """Elements that become one page."""

    rows: list[int] = field(default_factory=list)  # of the page that came in
    elements: list[Any] = field(default_factory=list)
    positions: list[int | None] = field(default_factory=list)
    size: int = 0

    def add(self, row: int, element: Any, position: int | None, size: int) -> bool:
        """True if the piece is full now."""
        self.rows.append(row)
        self.elements.append(element)
        self.positions.append(position)
        self.size += size
        return len(self.rows) >= MAX_ROWS or self.size >= MAX_BYTES


@dataclass(frozen=True, slots=True)
class _Exploding:
    declared: Explode
    given: Given
    index: int
    element: Column
    columns: tuple[Column, ...]

    def pages(self, page: Page) -> Iterator[Page]:
        """At least one page, so that rejects of the filters before are not lost."""
        bad: dict[int, list[str]] = defaultdict(list)
        sizes = self._sizes(page.batch)
        piece = _Piece()
        for row, text in enumerate(page.batch.column(self.index).to_pylist()):
            for position, element in self._elements(text, row, bad):
                if piece.add(row, element, position, sizes[row]):
                    yield self._page(page, piece, ())
                    piece = _Piece()
        last = self._page(page, piece, page.rejects)
        if bad:
            nothing = Page(page.batch, (), page.records)
            rejects = refused(page.batch, nothing, bad, self.given.place).rejects
            last = Page(last.batch, (*last.rejects, *rejects), last.records)
        yield last

    def _elements(self, text: str | None, row: int, bad: dict[int, list[str]]) -> Iterator[tuple[int | None, Any]]:
        try:
            found = elements(text, decimals=self.element.type is ColumnType.DECIMAL) if text else None
        except TypeError:
            bad[row].append(f"{self.declared.column}: {shown(text)} is not a JSON array")
            return
        except (ValueError, RecursionError):
            bad[row].append(f"{self.declared.column}: {shown(text)} is not JSON")
            return
        if found is not None:
            yield from enumerate(found, 1)
        elif self.declared.keep_empty:
            yield None, None

    def _sizes(self, batch: pa.RecordBatch) -> list[int]:
        """Bytes of each row that repeat with every element."""
        total = pa.repeat(pa.scalar(8 * batch.num_columns, pa.int64()), batch.num_rows)
        for index, array in enumerate(batch.columns):
            if index != self.index and (pa.types.is_string(array.type) or pa.types.is_binary(array.type)):
                total = pc.add(total, pc.fill_null(pc.binary_length(array).cast(pa.int64()), 0))
        return list(total.to_pylist())

    def _page(self, page: Page, piece: _Piece, rejects: tuple[Any, ...]) -> Page:
        rows = pa.array(piece.rows, pa.int64())
        made = column_of(piece.elements, self.element)
        records = page.records.take(rows) if page.records is not None else None
        after = Page(self._batch(page, rows, made.array, piece), rejects, records)
        if not made.bad:
            return after
        texts = pa.array([None if value is None else _shown(value) for value in piece.elements], pa.string())
        columns = list(self.columns)
        columns[self.index] = Column(name=self.element.name, type=ColumnType.JSON)
        before = self._batch(page, rows, texts, piece, columns)
        return refused(before, after, {row: [why] for row, why in made.bad.items()}, self.given.place)

    def _batch(
        self, page: Page, rows: pa.Array, elements: pa.Array, piece: _Piece, columns: list[Column] | None = None
    ) -> pa.RecordBatch:
        arrays = [
            elements if index == self.index else array.take(rows) for index, array in enumerate(page.batch.columns)
        ]
        if self.declared.position_column is not None:
            arrays.append(pa.array(piece.positions, pa.int64()))
        return batch_of(columns or self.columns, arrays)


def _shown(element: Any) -> str:
    try:
        return dumped(element)
    except ValueError:
        return shown(element)


def explode(declared: Explode, given: Given) -> Step:
    """The element takes the array's place."""
    index = given.index(declared.column)
    kind = given.columns[index].type
    if kind not in (ColumnType.JSON, ColumnType.STRING):
        raise given.error(f"{declared.column} is a {kind}, and only json and string hold JSON arrays")
    element = declared.element.column(declared.as_ or declared.column)
    columns = list(given.columns)
    columns[index] = element.bare
    if declared.position_column is not None:
        columns.append(Column(name=declared.position_column, type=ColumnType.LONG))
    out = given.distinct(tuple(columns))
    return Step(out, _Exploding(declared, given, index, element, out).pages, counts=True)

"""Delimited text: its header and its types. The rows themselves are read in records.delimited.reading."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.parsers.csv import REST, Csv
from chalicelib.core.places import WHOLE, Place, Span
from chalicelib.errors import ParseError
from chalicelib.records.ahead import in_order
from chalicelib.records.delimited.by_arrow import decoded
from chalicelib.records.delimited.dialect import Dialect
from chalicelib.records.delimited.header import by_name, distinct
from chalicelib.records.delimited.reading import Reading
from chalicelib.records.merging import started
from chalicelib.records.pages import Page, Readable
from chalicelib.records.rescue import asked
from chalicelib.records.text.blocks import BLOCK, Block, Stop, blocks
from chalicelib.records.text.charset import mark_of
from chalicelib.records.text.passage import Passage
from chalicelib.records.types.guess import guess

_WINDOW = 1 << 16  # bytes in which a header is first looked for
WIDEST = 4  # times a usual block: of 5,000 columns they are read in half the time, in the same memory
_REMEDY = "Check charset and skip_header_lines, or declare columns"


class _Start(NamedTuple):
    """The object's fields, and where its rows begin."""

    names: tuple[str, ...]
    shown: tuple[str, ...]  # the same as the object itself has them
    line: int
    offset: int


class CsvRows:
    """The rows of one delimited object (records.pages.Rows).

    Without declared columns, names come from the header (see records.delimited.header); `skip_header_lines: 0` names
    all of them c0, c1, …
    """

    def __init__(self, body: Readable, parser: Csv, *, block: int = BLOCK, span: Span = WHOLE) -> None:
        self._parser = parser
        self._dialect = Dialect.of(parser)
        self._passage = Passage(body, parser.charset, replace=parser.charset_errors == "replace", span=span)
        self._block = block
        self._window = min(block, _WINDOW)

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or the header's names with the types that the first block's values fit.

        A column without any value in the whole object says nothing of its type, and is left to an object that does.
        """
        if self._parser.columns is not None:
            return self._parser.columns
        if self._first is None:
            return ()
        first = self._first[0]
        reading = self._reading(())
        texts = reading.texts(first).columns
        values, broken = {}, set()
        for name, raw in texts.items():
            values[name], bad = decoded(raw, name)
            broken |= {name} if bad else set()  # what is no text is a value all the same
        if first.last:
            present = {name: reading.without_nulls(column, ColumnType.STRING) for name, column in values.items()}
            values = {n: values[n] for n, column in present.items() if n in broken or column.null_count < len(column)}
        found = tuple(guess(name, reading.without_nulls(column, ColumnType.JSON)) for name, column in values.items())
        captures = self._parser.allow_extra_columns == "capture" and found
        return (*found, Column(name=REST, type=ColumnType.JSON)) if captures else found

    def fields(self) -> tuple[str, ...] | None:
        """See records.pages.Rows."""
        parser = self._parser
        checked = parser.columns is not None or parser.allow_optional_columns or not parser.header_lines
        return None if checked else self._start.shown

    def head(self, columns: tuple[Column, ...]) -> Page:
        """See records.pages.Rows."""
        reading = self._reading(columns)
        return next(reading.pages(self._first[0]) if self._first else iter(()), reading.empty)

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        yield from self._passage.pages(self._made(columns), self._reading(columns).empty)

    def _made(self, columns: tuple[Column, ...]) -> Iterator[tuple[Place, Iterator[Page]]]:
        if self._first is None:
            return iter(())
        reading = self._reading(columns).with_zones(self._first[0])

        def made(located: tuple[Block, Place]) -> tuple[Place, Iterator[Page]]:
            block, place = located
            return place, started(reading.pages(block))

        blocks = chain([self._first], self._blocks)
        return map(made, blocks) if self._first[0].last else in_order(made, blocks)

    @property
    def start(self) -> _Start:
        """Where its rows begin, and what its fields are called. Raises ParseError as `infer` does."""
        return self._start

    def pages_of(self, blocks: Sequence[Block], columns: tuple[Column, ...]) -> Iterator[Page]:
        """Pages of these blocks, which are of other objects that begin as this one does (records.bundle)."""
        if blocks:
            reading = self._reading(columns).with_zones(blocks[0])
            for pages in in_order(lambda block: started(reading.pages(block)), blocks):
                yield from pages

    def _reading(self, columns: tuple[Column, ...]) -> Reading:
        parser = self._parser
        columns, rescues = asked(columns)
        return Reading(
            self._dialect,
            None if parser.null_string is None else parser.null_strings,
            self._names if parser.columns is not None else _as_named(self._names, columns),
            tuple(parser.told(column) for column in columns),
            shown=self._start.shown if rescues else None,
            optional=parser.allow_optional_columns,
            extra=parser.allow_extra_columns,
            quoted_limit=parser.max_quoted_size_limit,
            replaces=parser.charset_errors == "replace",
            transcoded=self._passage.transcoded,
            piece=max(1, self._size // 16),
        )

    @cached_property
    def _start(self) -> _Start:
        """Reads up to the rows."""
        text = self._passage.text
        offset = text.skip_bom()
        parser = self._parser
        has_header = parser.header_lines > 0 and (parser.columns is None or parser.columns_by == "name")
        line = 1
        for _ in range(parser.header_lines - has_header):
            skipped = text.up_to(self._dialect.first_line, self._window)
            text.drop(len(skipped))
            line, offset = line + bool(skipped), offset + len(skipped)
        if parser.columns is not None and not has_header:
            names = tuple(column.name for column in parser.fields)
            return _Start(names, names, line, offset)
        record = text.up_to(self._dialect.first, self._window)
        header = self._header(record)
        if has_header:
            text.drop(len(record))
            line, offset = line + self._dialect.line_ends(record), offset + len(record)
        return _Start(*self._named(header if has_header else [""] * len(header)), line, offset)

    def _named(self, header: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the fields: those of the columns, and those that the object has for them."""
        parser = self._parser
        if parser.columns is None or not header:
            names = distinct(header, taken={REST} if parser.allow_extra_columns == "capture" else ())
            return names, names
        shown = distinct(header)
        return by_name(shown, parser.fields, optional=parser.allow_optional_columns), shown

    @property
    def _names(self) -> tuple[str, ...]:
        return self._start.names

    @property
    def _size(self) -> int:
        """Bytes of a block: of many columns they take more, since each array of a block costs time and 800 bytes."""
        return self._block * min(WIDEST, 1 + len(self._names) // 1000)

    @cached_property
    def _blocks(self) -> Iterator[tuple[Block, Place]]:
        """The blocks, and where each ends."""
        dialect, start, passage = self._dialect, self._start, self._passage
        passage.begin(start.offset, start.line, dialect.next_line, behind=len(dialect.terminator))
        found = blocks(
            passage.text,
            dialect.boundary,
            line=passage.line,
            offset=passage.offset,
            size=self._size,
            ends=dialect.line_ends,
            terminator=dialect.terminator,
            stop=Stop(passage.limit, dialect.first_row),
        )
        return passage.located(found)

    @cached_property
    def _first(self) -> tuple[Block, Place] | None:
        blocks = self._blocks
        return next(blocks, None) if self._names else None

    def _header(self, lines: bytes) -> list[str]:
        """The fields of the first record in these lines; none if there is none."""
        try:
            if self._parser.charset_errors == "replace":
                lines = lines.decode(errors="replace").encode()
            whole = lines + self._dialect.terminator
            record = next(self._dialect.records(whole, 1), None)
            rest = whole[self._dialect.boundary(whole) :].strip(b"\r\n")
            if rest:
                raise ValueError("a quote is never closed")  # noqa: TRY301
            return [field.text.decode() for field in self._dialect.fields(record.raw)] if record else []
        except ValueError as error:
            mark = mark_of(lines)
            remedy = f"It begins with the byte order mark of {mark}: set charset: {mark}" if mark else _REMEDY
            raise ParseError(f"the header cannot be read: {error}", remedy=remedy) from None


def _as_named(fields: tuple[str, ...], columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The fields under the names of the columns that are read from them (`src`)."""
    ours = {column.src: column.name for column in columns if column.src is not None and column.element_at is None}
    return tuple(ours.get(name, name) for name in fields) if ours else fields

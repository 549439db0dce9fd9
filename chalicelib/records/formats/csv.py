"""Delimited text: its header and its types. The rows themselves are read in records.delimited."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.formats import Csv
from chalicelib.errors import ParseError
from chalicelib.records.ahead import in_order
from chalicelib.records.blocks import BLOCK, Block, blocks, line_ends
from chalicelib.records.charset import utf8
from chalicelib.records.delimited import Reading, decoded_texts
from chalicelib.records.dialect import Dialect
from chalicelib.records.guess import guess
from chalicelib.records.lookahead import MAX_RECORD, Lookahead, too_long
from chalicelib.records.pages import Page, Readable
from chalicelib.records.values import looks_zoned

_SAMPLE = 1 << 16  # bytes of the first block that show whether timestamps carry a zone
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r(?!\Z)|\n)")


class CsvRows:
    """The rows of one delimited object (records.pages.Rows).

    Without declared columns, names come from the header: spaces around a name are removed, an empty name becomes
    c0, c1, … by its position, and a name that stood there before gets _2, _3, …; `skip_header_lines: 0` names all
    of them c0, c1, …
    """

    def __init__(self, body: Readable, parser: Csv, *, block: int = BLOCK) -> None:
        self._parser = parser
        self._dialect = Dialect.of(parser)
        self._body = Lookahead(utf8(body, parser.charset))
        self._block = block

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or the header's names with the types that the first block's values fit.

        A column without any value in the whole object says nothing of its type, and is left to an object that does.
        """
        if self._parser.columns is not None:
            return self._parser.columns
        if self._first is None:
            return ()
        reading = self._reading(())
        table = reading.texts(self._first.data)
        columns = {name: decoded_texts(table[name].combine_chunks(), name)[0] for name in self._names}
        if self._first.last:
            present = {name: reading.without_nulls(texts, ColumnType.STRING) for name, texts in columns.items()}
            columns = {name: columns[name] for name, texts in present.items() if texts.null_count < len(texts)}
        return tuple(guess(name, reading.without_nulls(texts, ColumnType.JSON)) for name, texts in columns.items())

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        if self._first is None:
            return
        reading = self._reading(columns)
        if self._first.last:
            pages = iter([reading.page(self._first)])
        else:
            pages = in_order(reading.page, chain([self._first], self._blocks))
        yield from (page for page in pages if page.batch.num_rows or page.rejects)

    def _reading(self, columns: tuple[Column, ...]) -> Reading:
        nulls = None if self._parser.null_string is None else self._parser.null_strings
        reading = Reading(self._dialect, nulls, self._names, columns, frozenset())
        moments = [c for c in columns if c.type is ColumnType.TIMESTAMP and c.format is None and c.name in self._names]
        return replace(reading, zoned=self._zoned(reading, moments)) if moments else reading

    def _zoned(self, reading: Reading, moments: Sequence[Column]) -> frozenset[str]:
        """Those of the timestamp columns whose first value has a zone."""
        data = self._first.data if self._first else b""
        table = reading.texts(data[: self._dialect.boundary(data[:_SAMPLE]) or len(data)])
        firsts = {column.name: table[column.name].combine_chunks().drop_null()[:1].to_pylist() for column in moments}
        return frozenset(name for name, first in firsts.items() if first and looks_zoned(first[0].decode("latin-1")))

    @cached_property
    def _start(self) -> tuple[tuple[str, ...], int]:
        """The names of this object's fields, and the line on which its rows begin. Reads up to there."""
        self._body.skip_bom()
        declared, header_lines = self._parser.columns, self._parser.header_lines
        has_header = declared is None and header_lines > 0
        line = 1 + sum(self._skip_line() for _ in range(header_lines - has_header))
        if declared is not None:
            return tuple(column.name for column in declared), line
        record = self._up_to(self._dialect.first)
        fields = self._fields(record)
        if not has_header:
            return _names([""] * len(fields)), line
        self._body.drop(len(record))
        return _names(fields), line + line_ends(record)

    @property
    def _names(self) -> tuple[str, ...]:
        return self._start[0]

    @cached_property
    def _blocks(self) -> Iterator[Block]:
        return blocks(self._body, self._dialect.boundary, line=self._start[1], size=self._block)

    @cached_property
    def _first(self) -> Block | None:
        return next(self._blocks, None) if self._names else None

    def _skip_line(self) -> int:
        """Drop one physical line, whatever is on it; 1 if there was one."""
        line = self._up_to(_first_line)
        self._body.drop(len(line))
        return 1 if line else 0

    def _up_to(self, find: Callable[[bytes], bytes | None]) -> bytes:
        """What `find` finds at the start of the stream; all of the stream if it finds nothing."""
        size = min(self._block, _SAMPLE)
        while size <= MAX_RECORD:
            head = self._body.peek(size)
            found = find(head)
            if found is not None:
                return found
            if len(head) < size:
                return head
            size = len(head) * 2
        raise too_long(MAX_RECORD)

    def _fields(self, record: bytes) -> list[str]:
        """The header's fields; none if there is no header."""
        try:
            text = self._dialect.without_escapes(record).decode().strip("\r\n")
            delimiter, quote = self._parser.delimiter, self._parser.quote
            if quote is None:
                return text.split(delimiter) if text else []
            return next(
                csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True), []
            )
        except (UnicodeDecodeError, csv.Error) as error:
            raise ParseError(
                f"the header cannot be read: {error}", remedy="Check charset and skip_header_lines, or declare columns"
            ) from None


def _first_line(head: bytes) -> bytes | None:
    """The first physical line with its end; a CR at the very end may be half of a CRLF."""
    match = _LINE.match(head)
    return match[0] if match else None


def _names(fields: Sequence[str]) -> tuple[str, ...]:
    """One name a field, all different; see CsvRows."""
    names: list[str] = []
    taken = {field.strip() for field in fields}
    for position, field in enumerate(fields):
        name = wanted = field.strip() or f"c{position}"
        number = 1
        while name in names or (number > 1 and name in taken):
            number += 1
            name = f"{wanted}_{number}"
        names.append(name)
    return tuple(names)

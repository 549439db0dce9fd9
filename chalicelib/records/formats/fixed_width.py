"""Text whose columns lie at fixed places of each line."""

import io
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.parsers.fixed_width import FixedWidth
from chalicelib.core.places import WHOLE, Place, Span
from chalicelib.records.ahead import in_order
from chalicelib.records.delimited.by_arrow import decoded
from chalicelib.records.delimited.dialect import Dialect
from chalicelib.records.merging import merged, started
from chalicelib.records.pages import Page, Readable, Reject
from chalicelib.records.rescue import Rescued, asked, beside
from chalicelib.records.text.blocks import BLOCK, Block, Stop, blocks
from chalicelib.records.text.lookahead import Lookahead
from chalicelib.records.text.passage import Passage
from chalicelib.records.types.schema import arrow_schema, arrow_type
from chalicelib.records.types.values import typed

_WINDOW = 1 << 16  # bytes in which the end of a header line is first looked for
_BLANKS = " \t"


class FixedWidthRows:
    """The rows of one object of fixed-width lines (records.pages.Rows)."""

    def __init__(self, body: Readable, parser: FixedWidth, *, block: int = BLOCK, span: Span = WHOLE) -> None:
        self._parser = parser
        self._passage = Passage(body, parser.charset, replace=parser.charset_errors == "replace", span=span)
        self._block = block
        marker = parser.comment_line_marker
        self._lines = Dialect(b"", None, None, comment=marker.encode() if marker else None)

    def infer(self) -> tuple[Column, ...]:
        """The declared columns."""
        return self._parser.columns

    def fields(self) -> tuple[str, ...] | None:
        """See records.pages.Rows."""
        return None

    def head(self, columns: tuple[Column, ...]) -> Page:
        """See records.pages.Rows."""
        wanted = self._told(columns)
        empty = Block(b"", 1)
        return next(self._block_pages(self._first[0] if self._first else empty, wanted), self._page(empty, wanted))

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        wanted = self._told(columns)
        yield from self._passage.pages(self._made(wanted), self._page(Block(b"", 1), wanted))

    def _made(self, columns: tuple[Column, ...]) -> Iterator[tuple[Place, Iterator[Page]]]:
        if self._first is None:
            return iter(())

        def made(located: tuple[Block, Place]) -> tuple[Place, Iterator[Page]]:
            block, place = located
            return place, started(self._block_pages(block, columns))

        blocks = chain([self._first], self._blocks)
        return map(made, blocks) if self._first[0].last else in_order(made, blocks)

    def _told(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        return tuple(self._parser.told(column) for column in columns)

    @cached_property
    def _blocks(self) -> Iterator[tuple[Block, Place]]:
        """The blocks, and where each ends."""
        passage, lines = self._passage, self._lines
        text = passage.text
        line, offset = 1, text.skip_bom()
        for _ in range(self._parser.skip_header_lines):
            skipped = text.up_to(lines.first_line, min(self._block, _WINDOW))
            text.drop(len(skipped))
            line, offset = line + bool(skipped), offset + len(skipped)
        passage.begin(offset, line, lines.next_line, behind=1)
        found = blocks(
            passage.text,
            lines.boundary,
            line=passage.line,
            offset=passage.offset,
            size=self._block,
            stop=Stop(passage.limit, lines.first_row),
        )
        return passage.located(found)

    @cached_property
    def _first(self) -> tuple[Block, Place] | None:
        return next(self._blocks, None)

    def _block_pages(self, block: Block, columns: tuple[Column, ...]) -> Iterator[Page]:
        body = Lookahead(io.BytesIO(block.data))
        size = max(1, self._block // 8)  # small pieces bound the rejects that live at the same time
        pieces = blocks(body, self._lines.boundary, line=block.line, offset=block.offset, size=size)
        return merged(self._page(piece, columns) for piece in pieces)

    def _page(self, block: Block, columns: tuple[Column, ...]) -> Page:
        columns, rescues = asked(columns)
        texts, broken = self._texts(block.data)
        misfits: dict[int, list[str]] = defaultdict(list)
        self._measure(texts, misfits)
        rescued = Rescued() if rescues else None
        arrays = [self._column(texts, column, misfits, rescued) for column in columns]
        for row, why in broken.items():
            misfits[row] = [why]
        batch = pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(columns))
        if rescued is not None:
            batch = beside(batch, rescued.column(len(texts)))
        if misfits:
            batch = batch.filter(pa.array([row not in misfits for row in range(len(texts))]))
        return Page(batch, self._rejects(block, misfits))

    def _texts(self, data: bytes) -> tuple[pa.StringArray, dict[int, str]]:
        """The lines that are records; where one is no text, NULL and why."""
        if self._parser.charset_errors == "replace":
            data = data.decode(errors="replace").encode()
        lines = [line for line in data.splitlines() if line]
        if self._lines.comment is not None and self._lines.comment in data:
            lines = [line for line in lines if not line.startswith(self._lines.comment)]
        return decoded(pa.array(lines, pa.binary()), "the line")

    def _measure(self, texts: pa.StringArray, misfits: dict[int, list[str]]) -> None:
        """Note the lines that are too short, or too long by more than blanks."""
        starts, stops = zip(*self._parser.places.values(), strict=True)
        lengths = pc.utf8_length(texts)
        if not self._parser.allow_optional_columns:
            for row in _where(pc.less_equal(lengths, max(starts))):
                misfits[row].append(f"{_characters(lengths[row].as_py())}, at least {max(starts) + 1} expected")
        rest = pc.utf8_rtrim(pc.utf8_slice_codeunits(texts, max(stops)), _BLANKS)
        for row in _where(pc.greater(pc.utf8_length(rest), 0)):
            misfits[row].append(f"{_characters(pc.utf8_length(rest[row]).as_py())} beyond the last column")

    def _column(
        self, texts: pa.StringArray, column: Column, misfits: dict[int, list[str]], rescued: Rescued | None
    ) -> pa.Array:
        place = self._parser.places.get(column.name)
        if place is None:
            return pa.nulls(len(texts), arrow_type(column))
        values = pc.utf8_slice_codeunits(texts, *place)
        if self._parser.trim:
            values = pc.utf8_trim(values, _BLANKS)
        nulls = self._parser.null_strings
        if column.type is not ColumnType.STRING:
            nulls = (*nulls, "")
        absent = pc.less_equal(pc.utf8_length(texts), place[0])
        absent = pc.or_kleene(absent, pc.is_in(values, pa.array(nulls, pa.string())))
        result = typed(pc.if_else(absent, pa.scalar(None, pa.string()), values), column)
        for row, why in result.bad.items():
            if rescued is None:
                misfits[row].append(why)
            else:
                rescued.put(row, (column.name,), values[row].as_py())
        return result.array

    def _rejects(self, block: Block, misfits: dict[int, list[str]]) -> tuple[Reject, ...]:
        if not misfits:
            return ()
        return tuple(
            Reject.of(
                number,
                "; ".join(misfits[number]),
                record.raw,
                line=record.line,
                offset=None if self._passage.transcoded else record.offset,
            )
            for number, record in enumerate(self._lines.records(block.data, block.line, block.offset))
            if number in misfits
        )


def _characters(count: int) -> str:
    return f"{count} character{'' if count == 1 else 's'}"


def _where(mask: pa.BooleanArray) -> list[int]:
    return list(pc.indices_nonzero(mask).to_pylist())

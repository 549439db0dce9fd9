"""JSON: values one after the other, or the elements of arrays; each record an object (F69, F70).

How text becomes records, and what a broken value costs, is said in records.jsontext.split. A batch is first given
to Arrow with the types already set; one that Arrow refuses is read record by record. Both give the same rows.

A string column takes every value: what is no string stands there as its JSON text. A json column holds compact
JSON text. A decimal takes numbers and texts in their own digits; a timestamp takes numbers if its format is an epoch.
In the other columns a value of another type rejects its row: a long takes no 1.0 and nothing beyond 64 bits, a
boolean no text. Of keys that occur twice in one object the last wins. NaN and Infinity are doubles. Half a surrogate
pair, a control character in a string, a number beyond a double and more than 1024 levels (somewhat fewer where the
value becomes text) reject their row.
A key with null is the same as no key, and as a path that leads nowhere.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Any

from chalicelib.config.columns import Column
from chalicelib.config.parsers.json import Json
from chalicelib.core.places import COUNTED, WHOLE, Place, Span
from chalicelib.records.ahead import in_order
from chalicelib.records.jsontext.batches import BEHIND, Batch, Stop, batches, value_after
from chalicelib.records.jsontext.escapes import Mended
from chalicelib.records.jsontext.infer import columns_of
from chalicelib.records.jsontext.reading import Reading, is_inexact
from chalicelib.records.pages import Page, Readable
from chalicelib.records.rescue import asked
from chalicelib.records.text.blocks import BLOCK
from chalicelib.records.text.lookahead import Lookahead
from chalicelib.records.text.passage import Passage


class JsonRows:
    """The rows of one JSON object (records.pages.Rows).

    Without declared columns, a key that shows up only after the inferred start of the object rejects its row: losing
    the row where people see it is better than losing the value where nobody does.
    """

    def __init__(self, body: Readable, parser: Json, *, block: int = BLOCK, span: Span = WHOLE) -> None:
        self._parser = parser
        self._body = body
        self._block = block
        self._span = span

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or the keys of the first batch's records."""
        if self._parser.columns is not None:
            return self._parser.columns
        if self._first is None:
            return ()
        first = self._first[0]
        return columns_of(self._sample(first), levels=self._parser.flatten, whole=first.last)

    def fields(self) -> tuple[str, ...] | None:
        """See records.pages.Rows."""
        return None

    def head(self, columns: tuple[Column, ...]) -> Page:
        """See records.pages.Rows."""
        return self._reading(columns, strict=False).page(self._first[0] if self._first else Batch(b"", 1, 0))

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        yield from self._passage.pages(self._made(columns), self._reading(columns, strict=False).page(Batch(b"", 1, 0)))

    def _made(self, columns: tuple[Column, ...]) -> Iterator[tuple[Place, Iterator[Page]]]:
        if self._first is None:
            return iter(())
        small = self._first[0].last and self._is_from_start  # infer has seen all of it
        reading = self._reading(columns, strict=self._parser.columns is None and not small)

        def made(located: tuple[Batch, Place]) -> tuple[Place, Iterator[Page]]:
            batch, place = located
            page = reading.page(batch)
            return place, iter((page,) if page.batch.num_rows or page.rejects else ())

        batches = chain([self._first], self._batches)
        return map(made, batches) if self._first[0].last else in_order(made, batches)

    @property
    def _is_from_start(self) -> bool:
        after = self._span.after
        return not self._span.start and (after is None or after.is_counted)

    def _reading(self, columns: tuple[Column, ...], *, strict: bool) -> Reading:
        rewritten = self._passage.transcoded or self._mends
        columns, rescues = asked(columns)
        return Reading(self._parser, columns, strict=strict, rescues=rescues, rewritten=rewritten)

    def _sample(self, batch: Batch) -> list[dict[str, Any]]:
        reading = self._reading((), strict=False)
        raws = [batch.data[piece.start : piece.end] for piece in batch.pieces(self._parser) if piece.why is None]
        parsed = (reading.parsed(raw, exact=is_inexact(raw))[0] for raw in raws)
        return [record for record in parsed if record is not None]

    @cached_property
    def _passage(self) -> Passage:
        return Passage(self._body, self._parser.charset, marked=True, span=self._span)

    @cached_property
    def _batches(self) -> Iterator[tuple[Batch, Place]]:
        """The batches, and where each ends."""
        passage, mode = self._passage, self._parser.invalid_string_escapes
        if mode != "PASSTHROUGH":
            mended = Lookahead(Mended(passage.text, mode))
            found = batches(mended, self._parser, offset=mended.skip_bom(), size=self._block)
            return ((batch, COUNTED) for batch in found)
        passage.begin(passage.text.skip_bom(), 1, value_after, behind=BEHIND)
        stop = Stop(passage.limit, 0 if passage.is_packed else BEHIND)
        found = batches(
            passage.text, self._parser, offset=passage.offset, line=passage.line, size=self._block, stop=stop
        )
        return ((batch, place if batch.between else COUNTED) for batch, place in passage.located(found))

    @property
    def _mends(self) -> bool:
        return self._parser.invalid_string_escapes != "PASSTHROUGH"

    @cached_property
    def _first(self) -> tuple[Batch, Place] | None:
        return next(self._batches, None)

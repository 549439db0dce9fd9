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
from chalicelib.records.ahead import in_order
from chalicelib.records.jsontext.batches import Batch, batches
from chalicelib.records.jsontext.escapes import Mended
from chalicelib.records.jsontext.infer import columns_of
from chalicelib.records.jsontext.reading import Reading, is_inexact
from chalicelib.records.pages import Page, Readable
from chalicelib.records.rescue import asked
from chalicelib.records.text.blocks import BLOCK
from chalicelib.records.text.charset import mark_of, utf8
from chalicelib.records.text.lookahead import Lookahead

_MARK = 4  # bytes of the longest byte order mark


class JsonRows:
    """The rows of one JSON object (records.pages.Rows).

    Without declared columns, a key that shows up only after the inferred start of the object rejects its row: losing
    the row where people see it is better than losing the value where nobody does.
    """

    def __init__(self, body: Readable, parser: Json, *, block: int = BLOCK) -> None:
        self._parser = parser
        self._raw = Lookahead(body)
        self._block = block

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or the keys of the first batch's records."""
        if self._parser.columns is not None:
            return self._parser.columns
        if self._first is None:
            return ()
        return columns_of(self._sample(self._first), levels=self._parser.flatten, whole=self._first.last)

    def fields(self) -> tuple[str, ...] | None:
        """See records.pages.Rows."""
        return None

    def head(self, columns: tuple[Column, ...]) -> Page:
        """See records.pages.Rows."""
        return self._reading(columns, strict=False).page(self._first or Batch(b"", 1, 0))

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        if self._first is None:
            return
        strict = self._parser.columns is None and not self._first.last  # infer has seen all of a small object
        reading = self._reading(columns, strict=strict)
        if self._first.last:
            pages = iter([reading.page(self._first)])
        else:
            pages = in_order(reading.page, chain([self._first], self._batches))
        yield from (page for page in pages if page.batch.num_rows or page.rejects)

    def _reading(self, columns: tuple[Column, ...], *, strict: bool) -> Reading:
        rewritten = self._utf8 is not self._raw or self._mends
        columns, rescues = asked(columns)
        return Reading(self._parser, columns, strict=strict, rescues=rescues, rewritten=rewritten)

    def _sample(self, batch: Batch) -> list[dict[str, Any]]:
        reading = self._reading((), strict=False)
        raws = [batch.data[piece.start : piece.end] for piece in batch.pieces(self._parser) if piece.why is None]
        parsed = (reading.parsed(raw, exact=is_inexact(raw))[0] for raw in raws)
        return [record for record in parsed if record is not None]

    @cached_property
    def _utf8(self) -> Readable:
        """The text; the mark of UTF-16 or UTF-32 at its start, which no UTF-8 has, outweighs the parser's charset."""
        return utf8(self._raw, mark_of(self._raw.peek(_MARK)) or self._parser.charset)

    @cached_property
    def _batches(self) -> Iterator[Batch]:
        mode = self._parser.invalid_string_escapes
        text = self._utf8 if mode == "PASSTHROUGH" else Mended(self._utf8, mode)
        body = text if isinstance(text, Lookahead) else Lookahead(text)
        return batches(body, self._parser, offset=body.skip_bom(), size=self._block)

    @property
    def _mends(self) -> bool:
        return self._parser.invalid_string_escapes != "PASSTHROUGH"

    @cached_property
    def _first(self) -> Batch | None:
        return next(self._batches, None)

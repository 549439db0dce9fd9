"""Passage: the part of an object's text that a span means, and the places in it (P8, W7)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol, TypeVar

from chalicelib.core.places import COUNTED, WHOLE, Place, Span
from chalicelib.records.decoders.packed import MOST, seekable
from chalicelib.records.decoders.units import Units, jumping
from chalicelib.records.merging import without
from chalicelib.records.pages import Page, Readable, Reject
from chalicelib.records.text.charset import Transcoded, is_single_byte, mark_of, utf8
from chalicelib.records.text.lookahead import MAX_RECORD, Lookahead, too_long

_MARK = 4  # bytes of the longest byte order mark
_WINDOW = 1 << 16  # bytes in which the end of a line is first looked for


class Piece(Protocol):
    """A block or a batch: some of the text, which ends before this offset and line."""

    @property
    def end(self) -> int: ...  # noqa: D102
    @property
    def end_line(self) -> int: ...  # noqa: D102
    @property
    def rest(self) -> int: ...  # noqa: D102


P = TypeVar("P", bound=Piece)
Find = Callable[[bytes, int], int]
"""Where in a buffer the first record begins behind the byte at this index; -1: nowhere."""


class Passage:
    """The text of an object in UTF-8: first from its start, where a header may be, then, once begun, the span's.

    Offsets are those of the text that is read, and count from where a decoder began. Nothing is read before it is
    asked for.
    """

    def __init__(
        self, body: Readable, charset: str, *, replace: bool = False, marked: bool = False, span: Span = WHOLE
    ) -> None:
        """`marked`: the mark of UTF-16 or UTF-32 at the start, which no UTF-8 has, outweighs the charset."""
        self._body, self._replace = body, replace
        self.span = span
        start = Lookahead(body) if marked else body
        self._charset = (mark_of(start.peek(_MARK)) if isinstance(start, Lookahead) else None) or charset
        self._jumps = jumping(body)
        if self._units is not None:
            self._units.ask(span.end)
        self._base: int | None = 0  # bytes of the decoded object before offset 0
        self._from_start = True  # lines were counted from the object's start
        self.offset, self.line = 0, 1  # where the records begin
        self._begins = COUNTED
        self._is_over = False  # the span ends before the place at which we began
        self._read_from(0, start)

    @property
    def transcoded(self) -> bool:
        """True if the text's offsets are not the object's."""
        return self._transcoder is not None

    @property
    def is_packed(self) -> bool:
        """True if the span begins and ends with units of a decoder."""
        return self._jumps is not None

    def begin(self, offset: int, line: int, find: Find, *, behind: int = 0) -> None:
        """Go to where the span's records begin, after a header that was read up to this offset and line.

        `find` looks at up to `behind` bytes before the byte it is to find something behind. Raises ParseError if
        nothing is found within MAX_RECORD.
        """
        self.offset, self.line = offset, line
        after = self.span.after
        if after is not None and not after.is_counted:
            self._go_to(after)
        elif self.span.start:
            self._go_behind(self.span.start, find, behind)
        self._begins = self.place(self.offset, self.line)

    def limit(self) -> int | None:
        """The offset of the span's end; None if it has none, or nobody knows yet."""
        if self.span.end is None:
            return None
        if self._is_over:
            return -1
        limit = self.span.end if self._units is None else self._units.limit
        return limit if limit is None else self._offset(limit)

    def place(self, offset: int, line: int, *, rest: int = 0) -> Place:
        """What others know this place by; `rest`: bytes behind it that were read already."""
        if self._transcoder is not None and not self._is_single:
            return COUNTED
        if not rest and self._units is not None:
            self.text.peek(1)  # so that the decoder knows whether a unit begins here
        source = self._origin + self._transcoder.source(offset - self._origin) if self._transcoder else offset
        unit, before = self._units.at(source) if self._units is not None else (0, 0)
        base = None if self._base is None else self._base + before
        return Place(source - before, unit, base, line if self._from_start else None)

    def located(self, pieces: Iterator[P]) -> Iterator[tuple[P, Place]]:
        """The pieces, each with the place at which it ends."""
        return ((piece, self.place(piece.end, piece.end_line, rest=piece.rest)) for piece in pieces)

    def pages(self, made: Iterable[tuple[Place, Iterator[Page]]], empty: Page) -> Iterator[Page]:
        """The pages of pieces that end at these places. Of a part of an object there is one, even if it is empty."""
        pages = self._pages(made, empty)
        return without(pages, self._left_out) if self._left_out else pages

    def _pages(self, made: Iterable[tuple[Place, Iterator[Page]]], empty: Page) -> Iterator[Page]:
        begins, ends, told = self._begins, self._begins, False
        for place, pages in made:
            ends, told = place, False
            for page in _placed(pages, begins, ends):
                told = True
                yield self._told(page)
            begins = ends if told else begins
        if not told and self.span != WHOLE:
            yield replace(empty, begin=begins, end=ends)

    @property
    def _units(self) -> Units | None:
        return self._jumps.units if self._jumps is not None else None

    @property
    def _left_out(self) -> int:
        """Records that were read before, of which nobody knows where they end."""
        after = self.span.after
        return after.record if after is not None and after.is_counted else 0

    def _read_from(self, origin: int, body: Readable) -> None:
        """Read this body, as it goes on, with this offset for its first byte."""
        self._origin = origin
        stream = utf8(body, self._charset, replace=self._replace)
        self._transcoder = stream if isinstance(stream, Transcoded) else None
        self._is_single = self._transcoder is not None and is_single_byte(self._charset)
        if self._transcoder is not None and self._is_single:
            self._transcoder.locate()
        self.text = stream if isinstance(stream, Lookahead) else Lookahead(stream)

    def _go_to(self, place: Place) -> None:
        """Go to a place that an earlier attempt came to."""
        self._base, self._from_start = place.base, place.line is not None
        self.line = place.line or 1
        body = seekable(self._body)
        if self._jumps is not None:
            if self.span.end is not None and not place.offset:  # a record at the very end is the last one
                self._is_over = place.unit > self._jumps.next_unit(self.span.end)
            self._jumps.go(place.unit)
            _drop(self._body, place.offset)
        elif body is not None:
            body.seek(place.offset)
        else:
            self._drop_to(place.offset)
            return
        self._read_from(place.offset, self._body)
        self.offset = place.offset

    def _drop_to(self, source: int) -> None:
        """Read on to a place of a body that can only be read from first to last."""
        while data := self.text.peek(MOST):
            target = self._offset(source)
            size = len(data) if target is None else min(len(data), target - self.offset)
            if not size:
                break
            self.text.drop(size)
            self.offset += size
            if self._transcoder is not None:
                self._transcoder.source(self.offset)  # it can forget what came before

    def _go_behind(self, start: int, find: Find, behind: int) -> None:
        """Go behind the first line end at or after this byte, or in the first unit that begins there."""
        self._from_start, self.line = False, 1
        if self._jumps is not None:
            self._base, start, origin = None, 0, 0
            self._jumps.go(self._jumps.next_unit(self.span.start))
        else:
            origin = max(0, start - behind)
            body = seekable(self._body)
            assert body is not None, "only objects are split that can be read in any order"
            body.seek(origin)
        self._read_from(origin, self._body)
        self.offset = origin + self._found(start, find)

    def _found(self, start: int, find: Find) -> int:
        window = _WINDOW
        while window <= MAX_RECORD:
            data = self.text.peek(window)
            at = self._offset(start)
            found = -1 if at is None else find(data, at - self._origin)
            if found >= 0 or len(data) < window:
                found = found if found >= 0 else len(data)
                self.text.drop(found)
                return found
            window = 2 * len(data)
        raise too_long(MAX_RECORD)

    def _offset(self, source: int) -> int | None:
        """The offset of a byte of the decoded object; None if it was not read yet."""
        if self._transcoder is None:
            return source
        given = self._transcoder.given(source - self._origin)
        return None if given is None else self._origin + given

    def _told(self, page: Page) -> Page:
        """The page, with what is known of the places of its rejects, and nothing else."""
        if not page.rejects or (self._base == 0 and self._from_start):
            return page
        return replace(page, rejects=tuple(map(self._known, page.rejects)))

    def _known(self, reject: Reject) -> Reject:
        offset = None if reject.offset is None or self._base is None else self._base + reject.offset
        return replace(reject, line=reject.line if self._from_start else None, offset=offset)


def _placed(pages: Iterator[Page], begins: Place | None, ends: Place | None) -> Iterator[Page]:
    """The pages of one piece; the first says where it begins, the last where it ends."""
    last = None
    for page in pages:
        if last is not None:
            yield last
        last, begins = replace(page, begin=begins), None
    if last is not None:
        yield replace(last, end=ends)


def _drop(body: Readable, size: int) -> None:
    while size and (data := body.read(min(size, MOST))):
        size -= len(data)

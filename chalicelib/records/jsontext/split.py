"""JSON text to records, piece by piece: values one after the other, or the elements of arrays (F69, F70, E39, E40).

Values may stand on lines, several on one line, over many lines, with commas or record separators (RFC 7464) between
them. The elements of an array at the top, or of the one that `root` points to, are records too.

A broken value costs as little as can be told. On a line that begins with neither { nor [ it is that line. A value
whose brackets close is that value. Otherwise it ends before the next line that begins with a bracket, in column 1
or indented as the value itself, where the text so far could not go on with a bracket, or where that line is a whole
object that neither a comma nor a closing bracket follows; in an array before the next element that is an object.
"""

import re
import sys
from typing import NamedTuple

from chalicelib.config.parsers.json import Json
from chalicelib.records.jsontext.pointer import path
from chalicelib.records.jsontext.roots import Found, found
from chalicelib.records.jsontext.scan import (
    INDENT,
    WRONG,
    elements,
    end_of,
    has_gone_wrong,
    is_json,
    next_element,
    next_line,
    scalar_end,
    tail_end,
)

_BETWEEN = re.compile(rb"[ \t\r\n,\x1e]*")
_LINE = re.compile(rb"[^\r\n]*")
_JUNK = re.compile(rb"[^,\]\[{\r\n]*")
_PATIENCE = 1 << 20  # bytes after which a value that does not end is suspected of being broken

BROKEN = "no JSON: a bracket or a quote is never closed, or closed too often"
NO_OBJECT = "no JSON object"
_UNCLOSED = "the array before this is never closed: the object may be cut off"
_AFTERMATH = "no JSON: what follows the records is broken"


class Piece(NamedTuple):
    """A record, or text that is none."""

    start: int
    end: int
    why: str | None  # it is none; None: it begins with { and its brackets close


class Splitter:
    """Splits a stream of JSON text; remembers between buffers whether it is in an array."""

    def __init__(self, parser: Json) -> None:
        self._flatten = parser.flatten_json_array
        self._root = path(parser.root or "") if self._flatten else ()
        self._array: Found | None = None  # the array that we are in
        self._tail: Found | None = None  # the array whose enclosing value we are at the end of
        self._closed = False  # the last piece in this array ended with a bracket
        self._careful = 0  # elements that begin before this index are looked at one by one
        self._nothing = "no array" + (f" at root {parser.root}" if parser.root else "")

    @property
    def at_top(self) -> bool:
        """True between values: what comes is read as if the stream began there."""
        return self._array is None and self._tail is None and not self._flatten

    def split(self, data: bytes, *, final: bool, most: int = sys.maxsize) -> tuple[list[Piece], int]:
        """The pieces of this text, and the index after the last; text from there on needs what follows it.

        If there are `most` pieces or more, the text from there on may hold others.
        """
        pieces: list[Piece] = []
        at = self._careful = 0
        while len(pieces) < most:
            after = self._step(data, at, pieces, final=final)
            if after == at:
                break
            at = after
        else:
            return pieces, at
        if final and (self._array or self._tail):
            pieces.append(Piece(len(data), len(data), _UNCLOSED))
        return pieces, len(data) if final else at

    def _step(self, data: bytes, at: int, pieces: list[Piece], *, final: bool) -> int:
        """Go over one thing; the index after it, or `at` if it needs more data or there is none."""
        if self._tail:
            piece = self._rest_of_value(data, at, self._tail, final=final)
            if piece is None:
                return at
            self._tail = None
            if piece.why:
                pieces.append(piece)
            return piece.end
        match = _BETWEEN.match(data, at)
        assert match is not None
        start = match.end()
        if start == len(data):
            return at if self._array else _last_indent(data, at)
        if self._array:
            return self._in_array(data, at, start, pieces, final=final)
        return self._at_top(data, at, start, pieces, final=final)

    def _at_top(self, data: bytes, at: int, start: int, pieces: list[Piece], *, final: bool) -> int:
        if data[start] == ord("[") if not self._root else data[start] in b"[{":
            target = found(data, start, self._root)
            if target and data[target.at] == ord("[") and target.follows(data[start : target.at]):
                self._array, self._closed = target, False
                return target.at + 1
        if data[start] in b"{[":
            piece = self._value(data, start, final=final)
            if piece and self._flatten and piece.why is None:
                piece = piece._replace(why=self._nothing)
        else:
            piece = self._line(data, start, final=final)
        return _added(piece, pieces, at)

    def _value(self, data: bytes, start: int, *, final: bool) -> Piece | None:
        """The array or object from `start`, sound or broken; None if that cannot be told yet."""
        end = end_of(data, start)
        until = end if end > 0 else len(data)
        sure = perhaps = -1
        if _has_lines(data, start, until):
            sure, perhaps = next_line(data, start, until, final=final)
        if end > 0 and sure < 0 and (perhaps < 0 or is_json(data[start:end])):
            return Piece(start, end, None)
        if end < 0 and sure < 0 and not final and not (perhaps > 0 and self._is_wrong(data, start, end)):
            return None
        stop = min((line for line in (sure, perhaps) if line > 0), default=until)
        return Piece(start, stop, BROKEN)

    def _line(self, data: bytes, start: int, *, final: bool) -> Piece | None:
        match = _LINE.match(data, start)
        assert match is not None
        if match.end() == len(data) and not final:
            return None
        text = match[0].strip()
        return Piece(start, match.end(), NO_OBJECT if is_json(text) else "no JSON: neither { nor [ begins it")

    def _in_array(self, data: bytes, at: int, start: int, pieces: list[Piece], *, final: bool) -> int:
        between = data[at:start]
        if data[start] == ord("]"):
            self._tail, self._array = self._array if self._root else None, None
            return start + 1
        if self._closed and data[start] == ord("{") and b"," not in between and between[-1:] in (b"\n", b"\r"):
            self._array = None  # no array goes on like that
            pieces.append(Piece(start, start, _UNCLOSED))
            return start
        if data[start] == ord("{") and start >= self._careful:
            found, self._careful = elements(data, start)
            pieces += [Piece(*span, None) for span in found]
            if found:
                self._closed = True
                return pieces[-1].end
        own_line = between.rstrip(b" \t")[-1:] in (b"\n", b"\r")
        piece = self._element(data, start, own_line=own_line, final=final)
        self._closed = piece is not None and data[piece.end - 1] in b"}]"
        return _added(piece, pieces, at)

    def _element(self, data: bytes, start: int, *, own_line: bool, final: bool) -> Piece | None:
        if data[start] not in b"{[":
            return self._scalar(data, start, final=final)
        end = end_of(data, start)
        until = end if end > 0 else len(data)
        sure = next_line(data, start, until, final=final)[0] if _has_lines(data, start, until) else -1
        if sure > 0:
            if data[sure] == ord("{") and data[sure - 1] in b"\r\n" and data[start:sure].rstrip()[-1] in b"}]":
                self._array = None
            return Piece(start, sure, BROKEN)
        if end > 0:
            return Piece(start, end, None if data[start] == ord("{") else NO_OBJECT)
        if not final and not self._is_wrong(data, start, end):
            return None
        stop = next_element(data, start, own_line=own_line, final=final)
        if stop < 0 and not final:
            return None
        if stop < 0:
            self._array = None
        return Piece(start, stop if stop > 0 else len(data), BROKEN)

    def _scalar(self, data: bytes, start: int, *, final: bool) -> Piece | None:
        end = scalar_end(data, start)
        why = NO_OBJECT if end > start and is_json(data[start:end]) else BROKEN
        if end == start:  # a quote that is not closed on its line, or a sign that has no place here
            match = (_LINE if data[start] == ord('"') else _JUNK).match(data, start)
            assert match is not None
            end = max(match.end(), start + 1)
        return None if end == len(data) and not final else Piece(start, end, why)

    def _rest_of_value(self, data: bytes, at: int, array: Found, *, final: bool) -> Piece | None:
        """What follows the array in the values around it; a piece without `why` if that is sound."""
        end = tail_end(data, at, array.around)
        until = end if end > 0 else len(data)
        sure = next_line(data, at, until, final=final)[0]
        if end > 0 and sure < 0:
            sound = is_json(array.opened + b"0" + data[at:end])
            return Piece(at, end, None if sound else _AFTERMATH)
        if sure < 0 and not final:
            return None
        return Piece(at, sure if sure > 0 else len(data), _AFTERMATH)

    @staticmethod
    def _is_wrong(data: bytes, start: int, end: int) -> bool:
        return end == WRONG or (len(data) - start > _PATIENCE and has_gone_wrong(data, start))


def _has_lines(data: bytes, start: int, end: int) -> bool:
    return data.find(b"\n", start, end) > 0 or data.find(b"\r", start, end) > 0


def _last_indent(data: bytes, at: int) -> int:
    """From where the blanks at the end of `data`, which begin at `at`, may be the indentation of what comes."""
    return max(data.rfind(b"\n", at), data.rfind(b"\r", at), at, len(data) - INDENT)


def _added(piece: Piece | None, pieces: list[Piece], at: int) -> int:
    """The index after the piece; `at` if there is none yet."""
    if piece is None:
        return at
    pieces.append(piece)
    return piece.end

"""The packed side of a decoder: its bytes, how far they were read, and what is said when they are broken."""

import io
from dataclasses import dataclass

from chalicelib.errors import DecodeError
from chalicelib.records.decoders.units import Through, Units
from chalicelib.records.pages import Readable, Seekable

AGAIN = "Have the object written again; nothing of it was loaded"
MOST = 256 << 10  # decoded bytes that one read gives: memory of that size is used again, larger is fetched anew


@dataclass(frozen=True, slots=True)
class Member:
    """What an object holds: its one content without a name, or an entry of an archive."""

    name: str | None  # archives within archives: outer.zip/inner.csv
    body: Readable


class Packed:
    """A Readable that counts, and knows what it is ("the gzip data") for the errors it makes."""

    def __init__(self, body: Readable, what: str, remedy: str = AGAIN) -> None:
        self._body = body
        self._remedy = remedy
        self.what = what
        self.count = 0  # where in the packed bytes the next one is
        self.taken = 0  # bytes that were read since it last went somewhere
        self.units: Units | None = None  # what the decoder notes if anybody can make use of it

    def read(self, size: int, /) -> bytes:
        """As the body gives them."""
        data = self._body.read(size)
        self.count += len(data)
        self.taken += len(data)
        return data

    def go(self, place: int) -> None:
        """Read on from this byte, which only bodies can that are read in any order."""
        body = seekable(self._body)
        assert body is not None, "units are only noted for those"
        body.seek(place)
        self.count, self.taken = place, 0

    def exactly(self, size: int) -> bytes:
        """So many bytes. Raises DecodeError if there are fewer."""
        parts = []
        while size:
            data = self.read(size)
            if not data:
                raise self.broken("ends too soon")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def broken(self, how: str, ahead: int = 0) -> DecodeError:
        """The error for bytes that cannot be decoded; the last `ahead` bytes read have nothing to do with it."""
        return DecodeError(
            f"{self.what} {how}, at or before compressed byte {self.count - ahead}",
            remedy=self._remedy,
        )


class Start(Through):
    """A body whose next bytes can be looked at before they are read."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self._held = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, at least `size` unless there are fewer; they stay in the body."""
        while len(self._held) < size and (more := self._body.read(size - len(self._held))):
            self._held += more
        return self._held

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end."""
        if not self._held:
            return self._body.read(size)
        data, self._held = self._held[:size], self._held[size:]
        return data

    @property
    def held(self) -> int:
        """How many bytes were looked at and not yet read."""
        return len(self._held)

    def go(self, unit: int, /) -> None:
        """Go on with this unit of the body."""
        self._held = b""
        super().go(unit)


class SeekableStart:
    """The same for a body at its start that can be read in any order, which it stays; looking costs no request more."""

    def __init__(self, body: Seekable) -> None:
        self._body = body
        self._head = b""
        self._at = 0

    def peek(self, size: int) -> bytes:
        """The first bytes, at least `size` unless there are fewer."""
        while len(self._head) < size and (more := self._body.read(size - len(self._head))):
            self._head += more
        return self._head

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes from where we are; b"" at the end."""
        if self._at < len(self._head):
            data = self._head[self._at : self._at + size]
        else:
            if self._body.tell() != self._at:
                self._body.seek(self._at)
            data = self._body.read(size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go there; gives the new position."""
        match whence:
            case io.SEEK_SET:
                self._at = offset
            case io.SEEK_CUR:
                self._at += offset
            case _:
                self._at = self._body.seek(offset, io.SEEK_END)
        return self._at

    def tell(self) -> int:
        """The position of the next byte."""
        return self._at


def seekable(body: Readable) -> Seekable | None:
    """The body if it can be read in any order; a pipe has the methods, but says that it cannot."""
    if isinstance(body, Seekable) and getattr(body, "seekable", lambda: True)():
        return body
    return None


def started(body: Readable) -> Start | SeekableStart:
    """The body, to be looked at."""
    if isinstance(body, Start | SeekableStart):
        return body
    whole = seekable(body)
    return SeekableStart(whole) if whole else Start(body)

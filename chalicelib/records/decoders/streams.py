"""Codecs that take bytes in and give bytes out, with an end of their own: gzip, xz, and raw deflate.

isal inflates gzip two to three times as fast as zlib; xz comes with Python.
"""

import lzma
from collections.abc import Callable
from typing import Protocol

from isal import igzip_lib

from chalicelib.errors import DecodeError
from chalicelib.records.decoders.packed import MOST, Packed
from chalicelib.records.decoders.units import Units

CHUNK = 256 << 10  # packed bytes that one read asks for
SHORT = 16 << 10  # what a stream gets first; many tiny ones would else each copy all of a chunk that is left
MEMORY = 128 << 20  # bytes that xz may take; `xz -9` needs 65 MiB
ISAL: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]
CORRUPT = (ISAL, lzma.LZMAError, OSError, ValueError, EOFError, MemoryError)
NONE, ANY, FOURS = 0, 1, 4  # zero bytes that may follow a stream: none, any number, four by four


class Inflater(Protocol):
    """One stream, as Python's own decompressors work."""

    @property
    def eof(self) -> bool: ...  # noqa: D102
    @property
    def needs_input(self) -> bool: ...  # noqa: D102
    @property
    def unused_data(self) -> bytes: ...  # noqa: D102
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...  # noqa: D102


class Streams:
    """All streams of the packed bytes, one after the other (E32); each is a unit. Nothing is read before `read`."""

    def __init__(self, packed: Packed, inflater: Callable[[], Inflater], *, padding: int = NONE) -> None:
        self._packed = packed
        self._make = inflater
        self._padding = padding
        self._inflater: Inflater | None = None
        self._piece = SHORT
        self._data = b""  # packed bytes; those before _at went into the inflater
        self._at = 0
        self._begun = False
        self._given = 0

    @property
    def units(self) -> Units | None:
        """The streams."""
        return self._packed.units

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end. Raises DecodeError if the streams are cut or corrupt."""
        while size > 0:
            if self._inflater is None and not self._begin():
                break
            if data := self._inflate(min(size, MOST)):
                self._given += len(data)
                return data
        return b""

    def go(self, unit: int, /) -> None:
        """Go on with the stream at this byte."""
        self._packed.go(unit)
        self._inflater, self._data, self._at, self._begun, self._given = None, b"", 0, False, 0
        if self.units is not None:
            self.units.restart()

    def next_unit(self, byte: int, /) -> int:
        """Raises DecodeError: where a stream begins is only known to whoever read the one before."""
        raise DecodeError(f"{self._packed.what} cannot be read from byte {byte} on", remedy="Read it in one piece")

    def _begin(self) -> bool:
        """Start the next stream; False if there is none."""
        if self._begun and self._padding:
            self._skip_zeros()
        more = self._more()
        if self.units is not None:
            self.units.note(self._given, self._packed.count - (len(self._data) - self._at))
        if not more:
            return False
        self._begun = True
        self._inflater = self._make()
        self._piece = SHORT
        return True

    def _skip_zeros(self) -> None:
        zeros = 0
        while self._more():
            rest = self._data[self._at :]
            more = len(rest) - len(rest.lstrip(b"\0"))
            zeros += more
            self._at += more
            if more < len(rest):
                break
        if zeros % self._padding:
            raise self._packed.broken(f"is followed by {zeros} zero bytes, not by a multiple of {self._padding}")

    def _more(self) -> bool:
        """Whether there are packed bytes left, which are read if need be."""
        if self._at == len(self._data):
            self._data, self._at = self._packed.read(CHUNK), 0
        return bool(self._data)

    def _inflate(self, size: int) -> bytes:
        inflater = self._inflater
        assert inflater is not None
        taken = b""
        if inflater.needs_input:
            if not self._more():
                raise self._packed.broken("ends too soon")
            taken = self._data[self._at : self._at + self._piece]
            self._at += len(taken)
            self._piece = min(2 * self._piece, CHUNK)
        try:
            data = inflater.decompress(taken, size)
        except CORRUPT as error:
            raise self._packed.broken(f"is corrupt ({error})", len(self._data) - self._at) from None
        if inflater.eof:
            self._put_back(inflater.unused_data)
            self._inflater = None
        return data

    def _put_back(self, unused: bytes) -> None:
        if len(unused) <= self._at:
            self._at -= len(unused)
        else:  # some of it came before the bytes that we still have
            self._data, self._at = unused + self._data[self._at :], 0


def gunzip(packed: Packed) -> Streams:
    """All members of gzip data; zero padding behind any of them is fine, as for gzip(1), anything else is not."""
    return Streams(packed, lambda: _isal(igzip_lib.DECOMP_GZIP), padding=ANY)


def unxz(packed: Packed) -> Streams:
    """All streams of xz data, with the padding between them that xz(1) takes: zeros, four by four."""
    return Streams(packed, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY), padding=FOURS)


def inflate(packed: Packed) -> Streams:
    """Raw deflate, as it lies in zip archives."""
    return Streams(packed, lambda: _isal(igzip_lib.DECOMP_DEFLATE))


def unzlib(packed: Packed) -> Streams:
    """Deflate in zlib's wrapper, which HTTP calls "deflate"."""
    return Streams(packed, lambda: _isal(igzip_lib.DECOMP_ZLIB))


def unlzma(packed: Packed, filters: list[dict[str, int]]) -> Streams:
    """Raw LZMA, as it lies in zip archives."""
    return Streams(packed, lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters))


def _isal(flag: int) -> Inflater:
    inflater: Inflater = igzip_lib.IgzipDecompressor(flag=flag)
    return inflater

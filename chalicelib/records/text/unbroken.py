"""Unbroken: as much of a stream as can be read, for those who only look."""

from chalicelib.errors import DecodeError
from chalicelib.records.pages import Readable


class Unbroken:
    """A stream that ends where it breaks, and tells `breaks` why (E31). Its last record may be cut then."""

    def __init__(self, body: Readable, breaks: list[DecodeError]) -> None:
        self._body = body
        self._breaks = breaks

    def read(self, size: int, /) -> bytes:
        """As Readable; b"" from the first break on."""
        if self._breaks:
            return b""
        try:
            return self._body.read(size)
        except DecodeError as error:
            self._breaks.append(error)
            return b""

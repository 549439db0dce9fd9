"""Decompression, recognised by content. Streaming only: memory does not depend on what the bytes expand to."""

import gzip
import io
from typing import Any

from isal import igzip, igzip_lib

from chalicelib.config.formats import Decoder
from chalicelib.errors import DecodeError
from chalicelib.records.lookahead import Lookahead
from chalicelib.records.pages import Readable

MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1
CORRUPT: tuple[type[Exception], ...] = (gzip.BadGzipFile, igzip_lib.IsalError)  # type: ignore[assignment]


def decoded(body: Readable, decoders: tuple[Decoder, ...] | None) -> Readable:
    """The bytes after these decoders, in order; None: gzip if the content begins like it (E46)."""
    if decoders is None:
        return _Gunzip(body, required=False)
    for _ in decoders:
        body = _Gunzip(body, required=True)
    return body


class _Gunzip:
    """All members of a gzip stream, one after the other (E32); zero padding after the last is fine, as for gzip(1).

    Nothing is read before the first `read`. An empty body is empty, whatever was declared.
    """

    def __init__(self, body: Readable, *, required: bool) -> None:
        self._body = body
        self._required = required
        self._source: _Counted | None = None
        self._content: Readable | None = None

    def read(self, size: int, /) -> bytes:
        if self._content is None:
            self._content = self._open()
        try:
            return self._content.read(size)
        except EOFError:
            raise self._broken("ends too soon") from None
        except CORRUPT as error:
            raise self._broken(f"is corrupt ({error})") from None

    def _open(self) -> Readable:
        start = Lookahead(self._body)
        head = start.peek(2)
        if head.startswith(MAGIC):
            self._source = _Counted(start)
            return igzip.IGzipFile(fileobj=self._source, mode="rb")  # type: ignore[no-untyped-call]
        if head and self._required:
            raise DecodeError(
                f"the content is not gzip: it begins with {head.hex(' ')} instead of {MAGIC.hex(' ')}",
                remedy="Leave `decoders` out to have each object recognised by its content",
            )
        return start

    def _broken(self, how: str) -> DecodeError:
        offset = self._source.count if self._source else 0
        return DecodeError(
            f"the gzip data {how}, at or before compressed byte {offset}",
            remedy="Have the object written again; nothing of it was loaded",
        )


class _Counted(io.RawIOBase):
    """A Readable as the file object that igzip wants, which knows how far it was read."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self.count = 0

    def readinto(self, buffer: Any, /) -> int:
        data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)

"""Any charset as UTF-8, piece by piece."""

import codecs

from chalicelib.errors import ParseError
from chalicelib.records.pages import Readable

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}  # the longer ones first: one begins with the other


def utf8(body: Readable, charset: str, *, replace: bool = False) -> Readable:
    """The stream as UTF-8; untouched, the very `body`, where it should be that already.

    A byte that means nothing in `charset` becomes a sequence that is not UTF-8 either, so that it costs its row
    and nothing else, just as a bad byte in UTF-8 does; or U+FFFD with `replace`.
    """
    decoder = codecs.getincrementaldecoder(charset)("replace" if replace else "surrogateescape")
    name = codecs.lookup(charset).name
    return body if name in ("utf-8", "utf-8-sig") else _Transcoded(body, name, decoder)


def mark_of(data: bytes) -> str | None:
    """The charset that a byte order mark at the start tells; None for UTF-8 and for no mark."""
    return next((charset for mark, charset in _MARKS.items() if data.startswith(mark)), None)


def _without_mark(name: str) -> str:
    return f"; without a byte order mark it is {name}-le or {name}-be" if name in ("utf-16", "utf-32") else ""


class _Transcoded:
    def __init__(self, body: Readable, name: str, decoder: codecs.IncrementalDecoder) -> None:
        self._body = body
        self._name = name
        self._decoder = decoder
        self._done = 0

    def read(self, size: int, /) -> bytes:
        """About `size` bytes: up to three for each that was read."""
        while True:
            raw = self._body.read(size)
            try:
                text = self._decoder.decode(raw, not raw)
            except UnicodeError as error:  # UTF-16 without a byte order mark is no UnicodeDecodeError
                reason = getattr(error, "reason", str(error))
                raise ParseError(
                    f"the text is not {self._name} after byte {self._done}: {reason}",
                    remedy="Check the parser's charset" + _without_mark(self._name),
                ) from None
            self._done += len(raw)
            if text or not raw:
                return text.encode("utf-8", "surrogatepass")

"""Any charset as UTF-8, piece by piece."""

import codecs

from chalicelib.errors import ParseError
from chalicelib.records.pages import Readable


def utf8(body: Readable, charset: str) -> Readable:
    """The stream as UTF-8; untouched where it should be that already.

    A byte that means nothing in `charset` becomes a sequence that is not UTF-8 either, so that it costs its row
    and nothing else, just as a bad byte in UTF-8 does.
    """
    decoder = codecs.getincrementaldecoder(charset)("surrogateescape")
    name = codecs.lookup(charset).name
    return body if name in ("utf-8", "utf-8-sig") else _Transcoded(body, name, decoder)


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
            except UnicodeDecodeError as error:
                raise ParseError(
                    f"the text is not {self._name} after byte {self._done}: {error.reason}",
                    remedy="Check the parser's charset",
                ) from None
            self._done += len(raw)
            if text or not raw:
                return text.encode("utf-8", "surrogatepass")

"""Any charset as UTF-8, piece by piece."""

import codecs

from chalicelib.errors import ConfigError, ParseError
from chalicelib.records.pages import Readable


def utf8(body: Readable, charset: str) -> Readable:
    """The stream as UTF-8; untouched where it should be that already.

    A byte that means nothing in `charset` becomes a sequence that is not UTF-8 either, so that it costs its row
    and nothing else, just as a bad byte in UTF-8 does. Raises ConfigError if nobody knows the charset.
    """
    try:
        codec = codecs.lookup(charset)
    except LookupError:
        raise ConfigError(
            f"charset {charset!r} is not known", where="parser.charset", remedy="Use a name such as UTF-8 or Shift_JIS"
        ) from None
    return body if codec.name in ("utf-8", "utf-8-sig") else _Transcoded(body, codec)


class _Transcoded:
    def __init__(self, body: Readable, codec: codecs.CodecInfo) -> None:
        if codec.incrementaldecoder is None:
            raise ConfigError(f"charset {codec.name!r} is no text encoding", where="parser.charset")
        self._body = body
        self._name = codec.name
        self._decoder = codec.incrementaldecoder("surrogateescape")
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

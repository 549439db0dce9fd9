"""Any charset as UTF-8, piece by piece."""

import codecs
from collections import deque
from importlib import import_module

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
    return body if name in ("utf-8", "utf-8-sig") else Transcoded(body, name, decoder)


def is_single_byte(charset: str) -> bool:
    """True if each byte is a character whatever stands around it; ASCII and Python's tables of 256 characters are."""
    name = codecs.lookup(charset).name
    try:
        return name == "ascii" or hasattr(import_module("encodings." + name.replace("-", "_")), "decoding_table")
    except ImportError:
        return False


def mark_of(data: bytes) -> str | None:
    """The charset that a byte order mark at the start tells; None for UTF-8 and for no mark."""
    return next((charset for mark, charset in _MARKS.items() if data.startswith(mark)), None)


def _without_mark(name: str) -> str:
    return f"; without a byte order mark it is {name}-le or {name}-be" if name in ("utf-16", "utf-32") else ""


class Transcoded:
    """Any charset as UTF-8. Of one of single bytes it can tell where in the body its bytes come from.

    Places are asked for in order; what lies before the last one is forgotten.
    """

    def __init__(self, body: Readable, name: str, decoder: codecs.IncrementalDecoder) -> None:
        self._body = body
        self._name = name
        self._decoder = decoder
        self._done = 0
        self._given = 0
        self._pieces: deque[tuple[int, int, bytes]] | None = None  # bytes given and read before, and those given

    def locate(self) -> None:
        """From now on know where bytes come from."""
        self._pieces = deque()

    def source(self, given: int) -> int:
        """How many bytes were read for so many that were given."""
        pieces = self._pieces
        if not pieces:
            return 0
        while len(pieces) > 1 and pieces[1][0] <= given:
            pieces.popleft()
        before, read, piece = pieces[0]
        return read + len(piece[: given - before].decode("utf-8", "surrogatepass"))

    def given(self, source: int) -> int | None:
        """How many bytes are given for so many that are read, or about that if it is forgotten; None: not yet read."""
        if self._pieces and source < self._pieces[0][1]:
            return self._pieces[0][0] - 1
        for before, read, piece in self._pieces or ():
            text = piece.decode("utf-8", "surrogatepass")
            if read <= source <= read + len(text):
                return before + len(text[: source - read].encode("utf-8", "surrogatepass"))
        return None

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
            data = text.encode("utf-8", "surrogatepass")
            if self._pieces is not None and data:
                self._pieces.append((self._given, self._done, data))
            self._done += len(raw)
            self._given += len(data)
            if text or not raw:
                return data

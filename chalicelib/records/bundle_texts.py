"""The texts of small objects, cut where their rows begin, so that several can be read as one (records.bundle)."""

from codecs import BOM_UTF8
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from isal import igzip_lib

from chalicelib.config.decoders import Decoder, Gzip
from chalicelib.config.parsers.csv import Csv
from chalicelib.errors import DataError, DecodeError
from chalicelib.records.decoders.content import told
from chalicelib.records.decoders.packed import Start
from chalicelib.records.decoders.streams import ISAL
from chalicelib.records.delimited.dialect import Dialect
from chalicelib.records.formats.csv import CsvRows

SMALL = (1 << 20) - 1  # bytes of a text: all of it is in the first block, from which its columns are told
GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1
TOLD_BY_CONTENT = (None, "gzip", "x-gzip")  # Content-Encodings that say no more than the content itself


@dataclass(frozen=True)
class Head:
    """What is before the rows: lines that are skipped, the header."""

    data: bytes
    rows: CsvRows  # of an object that has nothing else

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the fields."""
        return self.rows.start.names


@dataclass(frozen=True, slots=True)
class Text:
    """An object's text."""

    head: Head  # the same one for texts that can be read together
    rows: bytes  # each with its line end
    lines: int


def unpacked(data: bytes, decoders: tuple[Decoder, ...] | None, encoding: str | None) -> bytes | None:
    """What is in these bytes of a whole object, if that is at most SMALL bytes, packed by one gzip member at most.

    None: it is something else, or broken, and records.decoders.chain has to see it.
    """
    by_content = decoders is None
    if not by_content and decoders and not (len(decoders) == 1 and isinstance(decoders[0], Gzip)):
        return None
    if by_content and encoding not in TOLD_BY_CONTENT:
        return None
    packed = decoders != () and data.startswith(GZIP)
    text = _gunzipped(data) if packed else data
    if text is None or len(text) > SMALL or (decoders and not packed):
        return None
    return text if not by_content or _is_plain(text) else None


def _gunzipped(data: bytes) -> bytes | None:
    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    try:
        text: bytes = inflater.decompress(data, SMALL + 1)
    except ISAL:
        return None
    return text if inflater.eof and not inflater.unused_data else None


def _is_plain(data: bytes) -> bool:
    try:
        return told(Start(BytesIO(data))) is None
    except DecodeError:
        return False


class Cutter:
    """Cuts the texts of one pipeline's delimited objects. Threads may share one."""

    def __init__(self, parser: Csv) -> None:
        self._parser = parser
        self._dialect = Dialect.of(parser)
        self._last: Head | None = None

    def cut(self, text: bytes) -> Text | None:
        """The text cut; None if it is to be read alone."""
        if text.startswith(BOM_UTF8):
            return None
        head = self._last
        if head is None or not text.startswith(head.data):
            head = self._last = self._head(text)
        if head is None:
            return None
        rows, end = text[len(head.data) :], self._dialect.terminator
        rows = rows if not rows or rows.endswith(end) else rows + end
        return Text(head, rows, self._dialect.line_ends(rows))

    def _head(self, text: bytes) -> Head | None:
        """How texts begin that begin like this one, as far as that can be told from it."""
        try:
            size = CsvRows(BytesIO(text), self._parser).start.offset
        except DataError:
            return None
        data = text[:size]
        # Without rows nobody knows where the head ends; and behind a CR an LF would belong to it.
        if size == len(text) or (data and not data.endswith(b"\n")):
            return None
        return Head(data, CsvRows(BytesIO(data), self._parser))

"""Which objects may be read in parts (W7): those in which decoders and records can be found from the middle."""

import codecs
import io

from chalicelib.config.filters import Filter
from chalicelib.config.filters.add_time import AddTime
from chalicelib.config.filters.file_metadata import Fact, FileMetadata
from chalicelib.config.formats import Parser
from chalicelib.config.parsers.csv import Csv
from chalicelib.config.parsers.fixed_width import FixedWidth
from chalicelib.config.parsers.json import Json
from chalicelib.config.source import Source
from chalicelib.errors import DecodeError
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.decoders.content import MARKS, Kind
from chalicelib.records.decoders.packed import seekable
from chalicelib.records.decoders.units import jumping
from chalicelib.records.jsontext.batches import value_after
from chalicelib.records.text.charset import is_single_byte, mark_of
from chalicelib.records.text.lookahead import Lookahead
from chalicelib.records.text.unbroken import Unbroken

SEEN = 1 << 16  # decoded bytes that are looked at
(ZSTD,), BZIP2 = MARKS[Kind.ZSTD], MARKS[Kind.BZIP2]


def splittable(source: Source, head: bytes, encoding: str | None, filters: tuple[Filter, ...] = ()) -> bool:
    """True if an object that begins with these bytes can be cut between its records.

    Plain text can, and bzip2, and zstd if a second frame begins within `head`; bzip2 needs a whole block there, which
    takes at most 1 MiB. Not what is packed twice, archives, JSON in arrays, charsets in which a character may take
    several bytes, but for UTF-8, and where rows are numbered.
    """
    if any(map(_numbers, filters)):
        return False
    try:
        member = next(decoded(io.BytesIO(head), source.decoders, encoding=encoding))
        if member.name is not None or not (seekable(member.body) or (_is_in_units(head) and jumping(member.body))):
            return False
        text = Lookahead(Unbroken(member.body, [])).peek(SEEN)
    except DecodeError:
        return False
    return bool(text) and mark_of(text) is None and _shows_records(source.parser, text)


def _numbers(declared: Filter) -> bool:
    """True if what it makes of a row depends on how many are before it."""
    if isinstance(declared, AddTime):
        return declared.from_value is not None and declared.from_value.mode == "incremental_time"
    return isinstance(declared, FileMetadata) and any(column.value is Fact.ROW_NUMBER for column in declared.columns)


def _is_in_units(head: bytes) -> bool:
    """True if where a unit begins shows from the middle, and there will be several."""
    return head.startswith(BZIP2) or head.count(ZSTD) > 1


def _shows_records(parser: Parser, text: bytes) -> bool:
    match parser:
        case Csv() | FixedWidth():
            return _is_utf8(parser.charset) or is_single_byte(parser.charset)
        case Json():
            plain = not parser.flatten_json_array and parser.invalid_string_escapes == "PASSTHROUGH"
            start = text.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
            return plain and _is_utf8(parser.charset) and start == b"{" and value_after(text, 0) > 0
        case _:
            return False


def _is_utf8(charset: str) -> bool:
    return codecs.lookup(charset).name in ("utf-8", "utf-8-sig")

"""Where records of delimited text begin and end.

The reading of RFC 4180 that Arrow and Python's csv module share: a quote opens a field only as its first byte,
`""` inside is a quote, whatever follows the closing quote up to the delimiter belongs to the field, and a quote
inside an unquoted field is a character like any other. CR, LF and CRLF all end a record.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import re2

from chalicelib.config.formats import Csv
from chalicelib.records.blocks import line_ends


@dataclass(frozen=True)
class Dialect:
    """Delimiter, quote and escape as single bytes. The escape acts inside quotes only, before a quote or itself."""

    delimiter: bytes
    quote: bytes | None
    escape: bytes | None

    @classmethod
    def of(cls, parser: Csv) -> "Dialect":
        """The dialect of a parser; a quote that escapes itself is RFC 4180's doubling, which always works."""
        escape = parser.escape if parser.quote is not None and parser.escape != parser.quote else None
        return _dialect(parser.delimiter, parser.quote, escape)

    def boundary(self, data: bytes) -> int:
        """How many bytes of `data` are whole records (a blocks.Boundary).

        A CR at the very end does not count yet: an LF may follow it.
        """
        if self.quote is None or self.quote not in data:
            return data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1
        match = self._whole_records.match(data, 0, len(data) - data.endswith(b"\r"))
        return int(match.end())

    def records(self, data: bytes, line: int) -> Iterator[tuple[int, bytes]]:
        """The records of a block that begins on `line`: the line each begins on, and its bytes; no empty lines."""
        if self.quote is None or self.quote not in data:
            yield from ((number, text) for number, text in enumerate(data.splitlines(), line) if text)
            return
        for match in self._record.finditer(data):
            text = match[1]
            if text:
                yield line, text
            line += 1 + (line_ends(text) if b"\n" in text or b"\r" in text else 0)

    def first(self, data: bytes) -> bytes | None:
        """The first record of `data` with the empty lines before it and its line end; None if it is not all there."""
        match = self._first.match(data)
        return match[0] if match else None

    def without_escapes(self, data: bytes) -> bytes:
        """The same records, with every escape written as RFC 4180 would."""
        if self.escape is None or self.escape not in data:
            return data
        return self._quoted.sub(lambda field: self._escaped.sub(self._doubled, field[0]), data)

    def _doubled(self, escaped: re.Match[bytes]) -> bytes:
        sign: bytes = escaped[1]
        return sign * 2 if sign == self.quote else sign

    # RE2 finds the end of the last record at about 650 MB/s, whatever is in the fields.
    @cached_property
    def _whole_records(self) -> "re2._Regexp[bytes]":
        end, sep = rb"(?:\r\n|\r|\n)", _byte(self.delimiter)
        field = rb"(?:%s|[^%s\r\n%s][^%s\r\n]*)?" % (self._quoted_field(), sep, _byte(self.quote), sep)
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1  # bytes, whatever they mean
        return re2.compile(rb"(?s)(?:(?:%s%s)*%s%s)*" % (field, sep, field, end), options)

    @cached_property
    def _record(self) -> "re.Pattern[bytes]":
        return re.compile(rb"(%s)(?:\r\n|\r|\n)" % self._fields(), re.DOTALL)

    @cached_property
    def _first(self) -> "re.Pattern[bytes]":
        return re.compile(rb"[\r\n]*+%s(?:\r\n|\r(?!\Z)|\n)" % self._fields(), re.DOTALL)

    @cached_property
    def _quoted(self) -> "re.Pattern[bytes]":
        start = rb"(?:(?<=[%s\r\n])|\A)" % _byte(self.delimiter)
        return re.compile(start + self._quoted_field(possessive=b"+"), re.DOTALL)

    @cached_property
    def _escaped(self) -> "re.Pattern[bytes]":
        return re.compile(rb"%s([%s%s])" % (_byte(self.escape), _byte(self.escape), _byte(self.quote)))

    def _fields(self) -> bytes:
        """One record without its line end, for `re`: possessive, so that it never goes back."""
        sep = _byte(self.delimiter)
        if self.quote is None:
            return rb"[^\r\n]*+"
        field = rb"(?:%s|(?!%s)[^%s\r\n]*+)" % (self._quoted_field(possessive=b"+"), _byte(self.quote), sep)
        return rb"(?>%s(?:%s%s)*+)" % (field, sep, field)

    def _quoted_field(self, *, possessive: bytes = b"") -> bytes:
        quote, escape, sep, plus = _byte(self.quote), _byte(self.escape), _byte(self.delimiter), possessive
        plain = rb"[^%s%s]*%s" % (quote, escape, plus)
        pair = quote + quote + (rb"|%s." % escape if escape else b"")
        body = rb"%s(?:(?:%s)%s)*%s" % (plain, pair, plain, plus)
        after = rb"(?:[^%s%s\r\n][^%s\r\n]*)?" % (quote, sep, sep)  # a quote here would be the second of a pair
        return quote + body + quote + after + plus


@cache
def _dialect(delimiter: str, quote: str | None, escape: str | None) -> Dialect:
    """The same dialect for the same signs, so that its patterns are compiled once for all objects."""
    return Dialect(delimiter.encode(), quote.encode() if quote else None, escape.encode() if escape else None)


def _byte(sign: bytes | None) -> bytes:
    """A byte in a regular expression or a set of one."""
    return rb"\x%02x" % ord(sign) if sign else b""

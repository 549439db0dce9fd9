"""Where records and fields of delimited text begin and end.

The reading of RFC 4180 that Arrow and Python's csv module share: a quote opens a field only as its first byte,
`""` inside is a quote, whatever follows the closing quote up to the delimiter belongs to the field, and a quote
inside an unquoted field is a character like any other. CR, LF and CRLF all end a record; empty lines are none.

What parsers may change about it (F60, F62, F66):

- `escape` acts inside quotes only, before a quote or itself.
- `line_delimiter_recognized`: only that one ends a line; the others are characters like any other.
- `comment_line_marker`: a line that begins with it, where a record would begin, is no record.
- `trim_if_not_quoted`: blanks (spaces and tabs, unless they delimit) around a value are no part of it, so that a
  quote may open a field after blanks.
- stray quotes: inside a quoted field a quote that stands before a delimiter or a line end closes it; before that, `""`
  is one quote, and any other quote stands for itself.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import re2

from chalicelib.config.parsers.csv import Csv
from chalicelib.records.text.blocks import line_after, line_ends

_ENDS = {None: None, "LF": b"\n", "CR": b"\r", "CRLF": b"\r\n"}
_SAMPLE = 1 << 16  # bytes that show how many quotes there are
_SPARSE = 32  # bytes for each quote at least, so that looking for the quotes alone is worth it
_STRAY = "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"


class Record(NamedTuple):
    """A record's bytes without their line end, and where they stand."""

    line: int
    offset: int
    raw: bytes


class Field(NamedTuple):
    """One value of a record."""

    text: bytes
    quoted: bool


@dataclass(frozen=True)
class Dialect:
    """The signs, in UTF-8. Quote and escape are single bytes; see this module for what they mean."""

    delimiter: bytes
    quote: bytes | None
    escape: bytes | None
    line_end: bytes | None = None  # None: CR, LF and CRLF
    comment: bytes | None = None
    trim: bool = False
    stray: bool = False

    @classmethod
    def of(cls, parser: Csv) -> "Dialect":
        """The dialect of a parser; a quote that escapes itself is RFC 4180's doubling, which always works."""
        quote, escape = parser.quote, parser.escape
        return _dialect(
            parser.delimiter,
            quote,
            escape if quote is not None and escape != quote else None,
            _ENDS[parser.line_delimiter_recognized],
            parser.comment_line_marker,
            parser.trim_if_not_quoted,
            parser.quotes_in_quoted_fields == _STRAY and quote is not None,
        )

    @property
    def terminator(self) -> bytes:
        """What ends a last line that lacks its end."""
        return self.line_end or b"\n"

    @property
    def blanks(self) -> bytes:
        """What `trim` takes off."""
        signs = self.delimiter + (self.quote or b"") + (self.escape or b"")
        return bytes(sign for sign in b" \t" if sign not in signs) if self.trim else b""

    @property
    def is_simple(self) -> bool:
        """True if Arrow reads the same records without any preparation."""
        others = self.escape or self.line_end or self.comment or self.trim or self.stray
        return len(self.delimiter) == 1 and not others

    def line_ends(self, data: bytes) -> int:
        """How many lines end in `data`."""
        return line_ends(data) if self.line_end is None else data.count(self.line_end)

    def boundary(self, data: bytes) -> int:
        """How many bytes of `data` are whole records, or lines between them (a blocks.Boundary).

        A CR at the very end does not count yet where an LF may follow it.
        """
        if self.quote is None or self.quote not in data:
            return self._last_line_end(data)
        common = self._is_common(data)
        if common and data.count(self.quote, 0, _SAMPLE) * _SPARSE < _SAMPLE and not self._may_break_in_quotes(data):
            return self._last_line_end(data)
        stop = len(data) - (self.line_end is None and data.endswith(b"\r"))
        pattern = self._whole_records if common else self._whole_records_of_any
        match = pattern.match(data, 0, stop)
        return int(match.end()) if match else 0

    def records(self, data: bytes, line: int, offset: int = 0) -> Iterator[Record]:
        """The records of whole lines that begin at this line and offset."""
        if self.quote is None or self.quote not in data:
            for number, match in enumerate(self._line.finditer(data), line):
                if match[1]:
                    yield Record(number, offset + match.start(), match[1])
            return
        for match in self._record.finditer(data):
            raw = match[1]
            if raw:
                yield Record(line, offset + match.start(), raw)
                line += self.line_ends(raw)
            line += 1

    def chosen(self, data: bytes, numbers: Collection[int], line: int, offset: int = 0) -> Iterator[tuple[int, Record]]:
        """Those of the records that have these numbers, from 0; `data` ends in a line end."""
        lines = data.split(b"\n", max(numbers) + 1) if self._may_be_lines(data) else []
        if b"" in lines[:-1] or len(lines) <= max(numbers):
            records = enumerate(self.records(data, line, offset))
            yield from ((number, record) for number, record in records if number in numbers)
            return
        before = 0
        for number in sorted(numbers):
            offset += sum(map(len, lines[before:number])) + number - before
            before = number
            yield number, Record(line + number, offset, lines[number])

    def _may_be_lines(self, data: bytes) -> bool:
        """True if each line is a record, unless it is empty; that takes a tenth of the time to tell them one by one."""
        if b"\r" in data or self.line_end not in (None, b"\n") or (self.comment is not None and self.comment in data):
            return False
        if self.quote is None or self.quote not in data:
            return True
        return self._is_common(data) and not self._may_break_in_quotes(data)

    def first(self, data: bytes) -> bytes | None:
        """The first record of `data` with what is no record before it, and its line end; None if it is not all there.

        The bytes of lines without any record, if `data` is nothing else and ends in a line end, are not all there.
        """
        match = self._first.match(data)
        return match[0] if match else None

    def first_row(self, data: bytes) -> bytes | None:
        """The first record, comment or empty line of `data` with its line end; None if it is not all there."""
        match = self._first_row.match(data)
        return match[0] if match else None

    def next_line(self, data: bytes, at: int) -> int:
        """Where the first line begins behind the byte at `at`, as if that stood outside of quotes; -1: nowhere."""
        return line_after(data, at, self.line_end)

    def first_line(self, data: bytes) -> bytes | None:
        """The first physical line, whatever is on it, with its end; None if it is not all there."""
        match = self._physical.match(data)
        return match[0] if match else None

    def fields(self, record: bytes) -> list[Field]:
        """The values of one record. Raises ValueError if a quote in it is never closed."""
        found: list[Field] = []
        for run in self.runs(record):
            if isinstance(run, Field):
                found.append(run)
            else:
                found += [Field(text, quoted=False) for text in run]
        return found

    def runs(self, record: bytes) -> Iterator[list[bytes] | Field]:
        """The values of one record: those without any quote several at a time, which is fast.

        Raises ValueError if a quote is never closed.
        """
        blanks, position = self.blanks, 0
        while True:
            at = record.find(self.quote, position) if self.quote is not None else -1
            texts = (record[position:at] if at >= 0 else record[position:]).split(self.delimiter)
            start = at - len(texts.pop()) if at >= 0 else -1
            if texts:
                yield [text.strip(blanks) for text in texts] if blanks else texts
            if at < 0:
                return
            match = self._field.match(record, start)
            if match is None:
                raise ValueError("a quote is never closed")
            yield self._value(match)
            position = match.end()
            if not match["delimiter"]:
                return

    def without_escapes(self, data: bytes) -> bytes:
        """The same records, with every escape written as RFC 4180 would; for dialects that are simple beyond that."""
        if self.escape is None or self.escape not in data:
            return data
        return self._quoted.sub(lambda field: self._escaped.sub(self._doubled, field[0]), data)

    def _last_line_end(self, data: bytes) -> int:
        if self.line_end is not None:
            return data.rfind(self.line_end) + len(self.line_end) if self.line_end in data else 0
        return data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1

    def _may_break_in_quotes(self, data: bytes) -> bool:
        """False if no quoted value of `data`, which is common, has a line break in it: each line end is one then.

        A quote opens a value only at the very start, after a delimiter, or after a line end. If wherever it stands
        so, it is closed on its line, it does not matter which of them really open one.
        """
        return (
            self._broken(b"").match(data) is not None
            or any(self._broken(end).search(data) is not None for end in (b"\n", b"\r") if end in data)
            or self._broken(self.delimiter).search(data) is not None
        )

    def _is_common(self, data: bytes) -> bool:
        """True if nothing in `data` is touched by what RE2's pattern does not know."""
        return (
            len(self.delimiter) == 1
            and not self.stray
            and (self.line_end is None or (self.line_end == b"\n" and b"\r" not in data))
            and (self.comment is None or self.comment not in data)
            and (not self.trim or re.search(rb"[ \t]%s" % _one(self.quote), data) is None)
        )

    def _value(self, match: "re.Match[bytes]") -> Field:
        blanks, body = self.blanks, match["body"]
        if body is None:
            text = match["plain"]
            return Field(text.strip(blanks) if blanks else text, quoted=False)
        after = match["after"].rstrip(blanks) if blanks else match["after"]
        return Field(self._pairs.sub(_second, body) + after, quoted=True)

    def _doubled(self, escaped: "re.Match[bytes]") -> bytes:
        sign: bytes = escaped[1]
        return sign * 2 if sign == self.quote else sign

    # RE2 finds the end of the last record at about 650 MB/s, whatever is in the fields.
    @cached_property
    def _whole_records(self) -> "re2._Regexp[bytes]":
        end, sep, quote, escape = rb"(?:\r\n|\r|\n)", _one(self.delimiter), _one(self.quote), _one(self.escape)
        pair = quote + quote + (rb"|%s." % escape if escape else b"")
        plain = rb"[^%s%s]*" % (quote, escape)
        body = rb"%s%s(?:(?:%s)%s)*%s" % (quote, plain, pair, plain, quote)
        quoted = rb"%s(?:[^%s%s\r\n][^%s\r\n]*)?" % (body, quote, sep, sep)  # a third quote would be half of a pair
        field = rb"(?:%s|[^%s\r\n%s][^%s\r\n]*)?" % (quoted, sep, quote, sep)
        return _fast(rb"(?s)(?:(?:%s%s)*%s%s)*" % (field, sep, field, end))

    # Skips from one delimiter and quote to the next, which is two to three times as fast where quotes are few.
    def _broken(self, before: bytes) -> "re2._Regexp[bytes]":
        return _broken(before, _one(self.quote), _one(self.escape))

    # The others are possessive, so that `re` never goes back: linear as well, only slower.
    @cached_property
    def _whole_records_of_any(self) -> "re.Pattern[bytes]":
        return _compiled(rb"(?>%s%s)*+" % (self._row, self._end))

    @cached_property
    def _record(self) -> "re.Pattern[bytes]":
        comment = rb"%s|" % self._comment if self.comment else b""
        return _compiled(rb"(?:%s(%s))%s" % (comment, self._fields, self._end))

    @cached_property
    def _line(self) -> "re.Pattern[bytes]":
        comment = rb"%s|" % self._comment if self.comment else b""
        return _compiled(rb"(?:%s(%s))%s" % (comment, self._any, self._end))

    @cached_property
    def _first(self) -> "re.Pattern[bytes]":
        comment = rb"|%s" % self._comment if self.comment else b""
        nothing = rb"(?>(?:%s)%s)*+" % (comment, self._sure_end)
        return _compiled(rb"%s(?!\Z)%s%s" % (nothing, self._fields, self._sure_end))

    @cached_property
    def _first_row(self) -> "re.Pattern[bytes]":
        return _compiled(self._row + self._sure_end)

    @cached_property
    def _physical(self) -> "re.Pattern[bytes]":
        return _compiled(self._any + self._sure_end)

    @cached_property
    def _field(self) -> "re.Pattern[bytes]":
        plain = rb"(?!%s%s)(?P<plain>%s)" % (self._some_blanks, _one(self.quote), self._text)
        field = rb"(?:%s|%s)" % (self._quoted_field(named=True), plain)
        return _compiled(rb"%s(?P<delimiter>%s|\Z)" % (field, re.escape(self.delimiter)))

    @cached_property
    def _quoted(self) -> "re.Pattern[bytes]":
        return _compiled(rb"(?:(?<=%s)|(?<=[\r\n])|\A)%s" % (re.escape(self.delimiter), self._quoted_field()))

    @cached_property
    def _escaped(self) -> "re.Pattern[bytes]":
        return _compiled(rb"%s([%s%s])" % (_one(self.escape), _one(self.escape), _one(self.quote)))

    @cached_property
    def _pairs(self) -> "re.Pattern[bytes]":
        quote, escape = _one(self.quote), _one(self.escape)
        return _compiled(rb"%s(%s)" % (quote, quote) + (rb"|%s([%s%s])" % (escape, escape, quote) if escape else b""))

    @property
    def _end(self) -> bytes:
        return rb"(?:\r\n|\r|\n)" if self.line_end is None else self.line_end

    @property
    def _sure_end(self) -> bytes:
        """A line end that is one whatever comes next."""
        return rb"(?:\r\n|\r(?!\Z)|\n)" if self.line_end is None else self.line_end

    @property
    def _any(self) -> bytes:
        """What may stand on a line."""
        match self.line_end:
            case None:
                return rb"[^\r\n]*+"
            case b"\r\n":
                return rb"(?:[^\r]++|\r(?!\n))*+"
            case end:
                return rb"[^%s]*+" % end

    @property
    def _text(self) -> bytes:
        """What may stand in a value without quotes."""
        start = self.delimiter[:1]
        ends = b"\r" if self.line_end == b"\r\n" else self.line_end or b"\r\n"
        others = rb"|%s(?!%s)" % (_one(start), re.escape(self.delimiter[1:])) if len(self.delimiter) > 1 else b""
        others += rb"|\r(?!\n)" if self.line_end == b"\r\n" else b""
        plain = rb"[^%s%s]" % (_one(start), ends)
        return rb"(?:%s++%s)*+" % (plain, others) if others else plain + b"*+"

    @property
    def _comment(self) -> bytes:
        return re.escape(self.comment or b"") + self._any

    @property
    def _row(self) -> bytes:
        """A record or a comment, without its line end."""
        return rb"(?:%s|%s)" % (self._comment, self._fields) if self.comment else self._fields

    @property
    def _fields(self) -> bytes:
        """One record without its line end; an empty line is one as well."""
        if self.quote is None:
            return self._any
        blanks = self._some_blanks
        field = rb"(?:%s|(?!%s%s)%s)" % (self._quoted_field(), blanks, _one(self.quote), self._text)
        return rb"(?>%s(?:%s%s)*+)" % (field, re.escape(self.delimiter), field)

    @property
    def _some_blanks(self) -> bytes:
        return rb"[%s]*+" % self.blanks if self.blanks else b""

    def _quoted_field(self, *, named: bool = False) -> bytes:
        quote, escape = _one(self.quote), _one(self.escape)
        plain = rb"[^%s%s]*+" % (quote, escape)
        pair = quote + quote
        close = quote
        if self.stray:
            end = rb"(?=%s|%s|\Z)" % (re.escape(self.delimiter), self._end)
            pair, close = rb"%s(?!%s|%s|\Z)" % (quote, re.escape(self.delimiter), self._end), quote + end
        pair += rb"|%s." % escape if escape else b""
        body, after = rb"%s(?:(?:%s)%s)*+" % (plain, pair, plain), rb"(?:(?!%s)%s)?+" % (quote, self._text)
        if named:
            body, after = rb"(?P<body>%s)" % body, rb"(?P<after>%s)" % after
        return self._some_blanks + quote + body + close + after


@cache
def _dialect(
    delimiter: str,
    quote: str | None,
    escape: str | None,
    line_end: bytes | None,
    comment: str | None,
    trim: bool,
    stray: bool,
) -> Dialect:
    """The same dialect for the same signs, so that its patterns are compiled once for all objects."""
    return Dialect(
        delimiter.encode(),
        quote.encode() if quote else None,
        escape.encode() if escape else None,
        line_end,
        comment.encode() if comment else None,
        trim,
        stray,
    )


@cache
def _broken(before: bytes, quote: bytes, escape: bytes) -> "re2._Regexp[bytes]":
    """A quote behind these bytes, and a line end before the one that would close it."""
    pair = quote + quote + (rb"|%s[^\r\n]" % escape if escape else b"")
    plain = rb"[^%s%s\r\n]*" % (quote, escape)
    last = rb"%s?" % escape if escape else b""
    sign = b"".join(rb"\x%02x" % byte for byte in before)
    return _fast(rb"%s%s%s(?:(?:%s)%s)*%s[\r\n]" % (sign, quote, plain, pair, plain, last))


def _fast(pattern: bytes) -> "re2._Regexp[bytes]":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes, whatever they mean
    return re2.compile(pattern, options)


def _compiled(pattern: bytes) -> "re.Pattern[bytes]":
    return re.compile(pattern, re.DOTALL)


def _second(pair: "re.Match[bytes]") -> bytes:
    """The sign that a pair stands for."""
    return pair[pair.lastindex or 0]


def _one(sign: bytes | None) -> bytes:
    """A byte in a regular expression or a set of one."""
    return rb"\x%02x" % ord(sign) if sign else b""

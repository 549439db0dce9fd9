"""Whole records of any dialect as bytes that Arrow's CSV reader takes for the same values.

What Arrow knows stays as it is. The rest is brought there in the cheapest exact way: comment lines and blanks are cut
out, escapes become doubled quotes, a delimiter of several bytes becomes a byte that does not occur otherwise. Where
none of that is sure to be right, the records are written anew, value by value; so a strange option costs the blocks
in which it shows, and no others.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import re2

from chalicelib.records.delimited.dialect import Dialect, Field

_SPECIAL = re.compile(rb'["\r\n]')
_ROUNDS = 20  # longer runs of blanks than these are rare, and written anew
_UNUSED = bytes(sign for sign in range(1, 32) if sign not in b"\t\n\r")  # Arrow's delimiters are ASCII


@dataclass(frozen=True, slots=True)
class Plain:
    """Records for Arrow, with the signs that hold in them."""

    data: bytes
    delimiter: bytes
    quote: bytes | None
    keeps_empty: bool = False  # an empty line is a record


def plain(dialect: Dialect, data: bytes, *, fields: int, empty_is_null: bool) -> Plain:
    """The same records and values, of which those with this many `fields` matter.

    `empty_is_null`: an unquoted empty value and a quoted one are not the same.
    """
    quoted = dialect.quote is not None and dialect.quote in data
    if (quoted and _needs_care(dialect, data)) or _has_other_ends(dialect, data):
        return _written_anew(dialect, data, fields=fields, empty_is_null=empty_is_null)
    if dialect.comment is not None and dialect.comment in data:
        data = _without_comments(dialect, data, quoted=quoted)
    delimiter = dialect.delimiter
    if len(delimiter) > 1:  # one that is not ASCII as well; before blanks go, lest what they kept apart becomes one
        sign = _unused(data)
        if sign is None:
            return _written_anew(dialect, data, fields=fields, empty_is_null=empty_is_null)
        data, delimiter = data.replace(delimiter, sign), sign
    if dialect.blanks and not quoted:
        trimmed = _trimmed(data, delimiter, dialect.blanks)
        if trimmed is None:
            data = data.replace(delimiter, dialect.delimiter)
            return _written_anew(dialect, data, fields=fields, empty_is_null=empty_is_null)
        data = trimmed
    return Plain(dialect.without_escapes(data), delimiter, dialect.quote) if quoted else Plain(data, delimiter, None)


def _needs_care(dialect: Dialect, data: bytes) -> bool:
    """True if quotes and another option may meet in `data`, so that only a reader of values is sure to be right."""
    several = len(dialect.delimiter) > 1
    blanks = dialect.blanks
    return dialect.stray or several or (blanks != b"" and _blanks(dialect.delimiter, blanks).search(data) is not None)


def _has_other_ends(dialect: Dialect, data: bytes) -> bool:
    """True if there are CR or LF that end no line."""
    match dialect.line_end:
        case None:
            return False
        case b"\n":
            return b"\r" in data
        case b"\r":
            return b"\n" in data
        case both:
            pairs = data.count(both)
            return pairs != data.count(b"\r") or pairs != data.count(b"\n")


def _without_comments(dialect: Dialect, data: bytes, *, quoted: bool) -> bytes:
    if not quoted:
        return _comments(dialect.comment or b"").sub(b"", data)
    records = [record.raw for record in dialect.records(data, 1)]
    return b"\n".join([*records, b""])


def _trimmed(data: bytes, delimiter: bytes, blanks: bytes) -> bytes | None:
    """Data without quotes, and without blanks around its values; None where that would make a line empty."""
    if _blanks(delimiter, blanks).search(data) is None:
        return data
    if _only_blanks(blanks).search(data) is not None:
        return None
    beside = [sign for sign in (delimiter, b"\n", b"\r") if sign in data]
    pairs = [(bytes([blank]), sign) for blank in blanks for sign in beside]
    data = data.lstrip(blanks)
    for _ in range(_ROUNDS):
        before = len(data)
        for blank, sign in pairs:
            data = data.replace(blank + sign, sign).replace(sign + blank, sign)
        if len(data) == before:
            return data
    return None


def _unused(data: bytes) -> bytes | None:
    return next((bytes([sign]) for sign in _UNUSED if sign not in data), None)


def _written_anew(dialect: Dialect, data: bytes, *, fields: int, empty_is_null: bool) -> Plain:
    empty = b"" if fields == 1 and empty_is_null else b'""'  # an empty line would have as many fields as one likes
    sign = _unused(data) or b","
    lines = (_line(dialect.runs(record.raw), sign) or empty for record in dialect.records(data, 1))
    return Plain(b"".join(line + b"\n" for line in lines), sign, b'"', keeps_empty=fields == 1)


def _line(runs: Iterator[list[bytes] | Field], sign: bytes) -> bytes:
    cells: list[bytes] = []
    for run in runs:
        if isinstance(run, Field):
            cells.append(_cell(run.text, run.quoted, sign))
            continue
        whole = sign.join(run)
        if sign == b"," or _SPECIAL.search(whole):
            cells += [_cell(text, False, sign) for text in run]
        else:
            cells.append(whole)
    return sign.join(cells)


def _cell(text: bytes, quoted: bool, sign: bytes) -> bytes:
    if quoted or sign in text or _SPECIAL.search(text):
        return b'"%s"' % text.replace(b'"', b'""')
    return text


@cache
def _comments(marker: bytes) -> "re.Pattern[bytes]":
    """Comment lines of data without quotes."""
    return re.compile(rb"(?:\A|(?<=[\r\n]))%s[^\r\n]*+(?:\r\n|\r|\n)" % re.escape(marker))


@cache
def _blanks(delimiter: bytes, blanks: bytes) -> "re2._Regexp[bytes]":
    """A blank beside a delimiter or a line end."""
    sep = b"".join(rb"\x%02x" % byte for byte in delimiter)
    return _fast(rb"(?:\A|[\r\n]|%s)[%s]|[%s](?:%s|[\r\n])" % (sep, blanks, blanks, sep))


@cache
def _only_blanks(blanks: bytes) -> "re2._Regexp[bytes]":
    """A line of nothing else."""
    return _fast(rb"(?:\A|[\r\n])[%s]+[\r\n]" % blanks)


def _fast(pattern: bytes) -> "re2._Regexp[bytes]":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes, whatever they mean
    return re2.compile(pattern, options)

"""Delimited text read byte by byte: slow, written apart from the reader, and plain enough to be believed."""

from dataclasses import dataclass

from chalicelib.config.parsers.csv import Csv

ENDS = {None: (b"\r\n", b"\r", b"\n"), "LF": (b"\n",), "CR": (b"\r",), "CRLF": (b"\r\n",)}
Value = tuple[bytes, bool]
"""Its bytes, and whether it stood in quotes."""


@dataclass
class Token:
    """A record: its values, or None if a quote in it is never closed."""

    line: int
    offset: int
    raw: bytes
    values: list[Value] | None


class Tokenizer:
    def __init__(self, data: bytes, parser: Csv) -> None:
        self.ends = ENDS[parser.line_delimiter_recognized]
        self.data = data if data.endswith(self.ends[-1]) else data + self.ends[-1]
        self.delimiter = parser.delimiter.encode()
        self.quote = (parser.quote or "").encode()
        self.escape = (parser.escape or "").encode() if parser.quote and parser.escape != parser.quote else b""
        self.comment = (parser.comment_line_marker or "").encode()
        self.stray = parser.quotes_in_quoted_fields.startswith("ACCEPT_STRAY")
        signs = self.delimiter + self.quote + self.escape
        self.blanks = bytes(c for c in b" \t" if c not in signs) if parser.trim_if_not_quoted else b""
        self.at, self.line = 0, 1

    def tokens(self) -> list[Token]:
        found = []
        while self.at < len(self.data):
            if self.comment and self.data.startswith(self.comment, self.at):
                while not self.end():
                    self.at += 1
            if self.end():
                self.line += 1
                self.at += len(self.end())
                continue
            start, line = self.at, self.line
            values: list[Value] | None = self.record()
            if values is None:
                found.append(Token(line, start, self.data[start:].rstrip(b"\r\n"), None))
                break
            found.append(Token(line, start, self.data[start : self.at], values))
            self.at += len(self.end())
            self.line += 1
        return found

    def end(self) -> bytes:
        return next((end for end in self.ends if self.data.startswith(end, self.at)), b"")

    def stops(self, at: int) -> bool:
        return at >= len(self.data) or any(self.data.startswith(sign, at) for sign in (*self.ends, self.delimiter))

    def record(self) -> list[Value] | None:
        values = []
        while True:
            value = self.value()
            if value is None:
                return None
            values.append(value)
            if not self.data.startswith(self.delimiter, self.at):
                return values
            self.at += len(self.delimiter)

    def value(self) -> Value | None:
        start = self.at
        while self.data[start] in self.blanks:
            start += 1
        if not self.quote or not self.data.startswith(self.quote, start):
            return stripped(self.plain(), self.blanks), False
        self.at = start + 1
        inside = self.inside()
        return None if inside is None else (inside + stripped(b"x" + self.plain(), self.blanks)[1:], True)

    def plain(self) -> bytes:
        start = self.at
        while not self.stops(self.at):
            self.at += 1
        return self.data[start : self.at]

    def inside(self) -> bytes | None:
        """What stands in quotes; the place is after the closing one."""
        text = b""
        while self.at < len(self.data):
            sign, after = self.data[self.at : self.at + 1], self.data[self.at + 1 : self.at + 2]
            if sign == self.escape and after and after in (self.quote, self.escape):
                text, self.at = text + after, self.at + 2
            elif sign != self.quote:
                self.line += bool(self.end()) and not self.half_of_crlf()
                text, self.at = text + sign, self.at + 1
            elif self.stray and self.stops(self.at + 1):
                self.at += 1
                return text
            elif after == self.quote and not (self.stray and self.stops(self.at + 2)):
                text, self.at = text + sign, self.at + 2
            elif self.stray:
                text, self.at = text + sign, self.at + 1
            else:
                self.at += 1
                return text
        return None

    def half_of_crlf(self) -> bool:
        """An LF whose CR has been counted."""
        return len(self.ends) > 1 and self.data[self.at - 1 : self.at + 1] == b"\r\n"


def stripped(text: bytes, blanks: bytes) -> bytes:
    return text.strip(blanks) if blanks else text

"""A stream cut into blocks of whole records."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chalicelib.records.lookahead import MAX_RECORD, Lookahead, too_long

BLOCK = 1 << 20  # bytes: larger parses 3 % faster and needs twice the memory (bench/bench_formats.py)

Boundary = Callable[[bytes], int]
"""How many bytes of a buffer that begins with a record are whole records, their line ends included; 0: none."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records. The stream's last block always ends in a line end, given to it if need be."""

    data: bytes
    line: int  # physical line, from 1, on which it begins
    last: bool = False
    tail: bytes = b""  # after the last block: a record that never ends, because a quote in it is never closed


def blocks(body: Lookahead, boundary: Boundary, *, line: int = 1, size: int = BLOCK) -> Iterator[Block]:
    """The stream as blocks of about `size` bytes. Raises ParseError for a record above MAX_RECORD."""
    rest = b""
    while True:
        wanted = min(max(size, len(rest)), MAX_RECORD + 1 - len(rest))  # doubling keeps the search linear
        chunk = body.read(wanted)
        data = rest + chunk
        if len(chunk) < wanted:
            yield from _last(data, boundary, line)
            return
        end = boundary(data)
        if end:
            yield Block(data[:end], line)
            line += line_ends(data[:end])
        rest = data[end:]
        if len(rest) > MAX_RECORD:
            raise too_long(MAX_RECORD)


def _last(data: bytes, boundary: Boundary, line: int) -> Iterator[Block]:
    if data:
        whole = data if data.endswith(b"\n") else data + b"\n"
        end = boundary(whole)
        yield Block(whole[:end], line, last=True, tail=data[end:])


def line_ends(data: bytes) -> int:
    """How many CR, LF and CRLF there are."""
    if b"\r" not in data:
        return data.count(b"\n")
    return len(data.splitlines()) - (not data.endswith((b"\r", b"\n")))


def after_last_lf(data: bytes) -> int:
    """The boundary of formats where every LF ends a record."""
    return data.rfind(b"\n") + 1

"""A stream cut into blocks of whole records."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chalicelib.records.text.lookahead import MAX_RECORD, Lookahead, too_long

BLOCK = 2 << 20  # bytes: 1 MiB costs a tenth more CPU, and 4 MiB gains nothing (bench/bench_formats.py)

Boundary = Callable[[bytes], int]
"""How many bytes of a buffer that begins with a record are whole records, their line ends included; 0: none."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records. The stream's last block always ends in a line end, given to it if need be."""

    data: bytes
    line: int  # physical line, from 1, on which it begins
    offset: int = 0  # bytes of the stream before it
    last: bool = False
    tail: bytes = b""  # after the last block: a record that never ends, because a quote in it is never closed


def line_ends(data: bytes) -> int:
    """How many CR, LF and CRLF there are."""
    if b"\r" not in data:
        return data.count(b"\n")
    return len(data.splitlines()) - (not data.endswith((b"\r", b"\n")))


def blocks(
    body: Lookahead,
    boundary: Boundary,
    *,
    line: int = 1,
    offset: int = 0,
    size: int = BLOCK,
    ends: Callable[[bytes], int] = line_ends,
    terminator: bytes = b"\n",
) -> Iterator[Block]:
    """The stream, which begins at this line and offset, as blocks of about `size` bytes.

    `ends` counts the line ends of whole records, and `terminator` is what a last line without its end gets.
    Raises ParseError for a record above MAX_RECORD.

    The first is half as large: it is what types are guessed from, and what a preview waits for.
    """
    rest, usual = b"", -(-size // 2)
    while True:
        wanted = min(max(usual, len(rest)), MAX_RECORD + 1 - len(rest))  # doubling keeps the search linear
        usual = size
        chunk = body.read(wanted)
        data = rest + chunk
        if len(chunk) < wanted:
            yield from _last(data, boundary, line, offset, terminator)
            return
        end = boundary(data)
        if end:
            whole = data[:end]
            yield Block(whole, line, offset)
            line += ends(whole)
            offset += end
        rest = data[end:]
        if len(rest) > MAX_RECORD:
            raise too_long(MAX_RECORD)


def _last(data: bytes, boundary: Boundary, line: int, offset: int, terminator: bytes) -> Iterator[Block]:
    if data:
        whole = data if data.endswith(terminator) else data + terminator
        end = boundary(whole)
        yield Block(whole[:end], line, offset, last=True, tail=data[end:])

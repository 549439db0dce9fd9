"""A stream cut into blocks of whole records."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.records.text.lookahead import MAX_RECORD, Lookahead, too_long

BLOCK = 2 << 20  # bytes: 1 MiB costs a tenth more CPU, and 4 MiB gains nothing (bench/bench_formats.py)

Boundary = Callable[[bytes], int]
"""How many bytes of a buffer that begins with a record are whole records, their line ends included; 0: none."""

_ROW = 1 << 16  # bytes in which a record's end is first looked for
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")


class Stop(NamedTuple):
    """Where to stop: at the first boundary beyond `limit`, which may show only once it was read over."""

    limit: Callable[[], int | None]
    record: Callable[[bytes], bytes | None]  # the first record or line of a buffer; None if it is not all there


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records. The stream's last block always ends in a line end, given to it if need be."""

    data: bytes
    line: int  # physical line, from 1, on which it begins
    offset: int = 0  # bytes of the stream before it
    last: bool = False
    tail: bytes = b""  # after the last block: a record that never ends, because a quote in it is never closed
    end: int = 0  # bytes of the stream before what follows it
    end_line: int = 1  # physical line on which that begins
    rest: int = 0  # bytes of it that were read already


def line_ends(data: bytes) -> int:
    """How many CR, LF and CRLF there are."""
    if b"\r" not in data:
        return data.count(b"\n")
    return len(data.splitlines()) - (not data.endswith((b"\r", b"\n")))


def line_after(data: bytes, at: int, end: bytes | None) -> int:
    """Where the first line begins behind the byte at `at`; CR, LF and CRLF end lines, or `end` does; -1: nowhere."""
    if end is not None:
        found = data.find(end, max(0, at + 1 - len(end)))
        return found + len(end) if found >= 0 else -1
    return next((match.end() for match in _LINE_END.finditer(data, max(0, at - 1)) if match.end() > at), -1)


def blocks(
    body: Lookahead,
    boundary: Boundary,
    *,
    line: int = 1,
    offset: int = 0,
    size: int = BLOCK,
    ends: Callable[[bytes], int] = line_ends,
    terminator: bytes = b"\n",
    stop: Stop | None = None,
) -> Iterator[Block]:
    """The stream, which begins at this line and offset, as blocks of about `size` bytes.

    `ends` counts the line ends of whole records, and `terminator` is what a last line without its end gets.
    Raises ParseError for a record above MAX_RECORD.

    The first is half as large: it is what types are guessed from, and what a preview waits for.
    """
    rest, usual = b"", -(-size // 2)
    limit = stop.limit() if stop else None
    while limit is None or offset <= limit:
        wanted = min(max(usual, len(rest)), MAX_RECORD + 1 - len(rest))  # doubling keeps the search linear
        if limit is not None:
            wanted = min(wanted, limit + 1 - offset - len(rest))
        usual = size
        data = body.read(wanted, rest)
        if stop and limit is None:
            limit = stop.limit()
        if stop and limit is not None and offset + len(data) > limit:
            yield from _up_to(stop.record, limit, data, body, boundary, Start(line, offset, ends, terminator))
            return
        if len(data) - len(rest) < wanted:
            yield from _last(data, boundary, Start(line, offset, ends, terminator))
            return
        end = boundary(data)
        rest = data[end:]
        if end:
            whole = data[:end]
            after = line + ends(whole)
            yield Block(whole, line, offset, end=offset + end, end_line=after, rest=len(rest))
            line, offset = after, offset + end
        if len(rest) > MAX_RECORD:
            raise too_long(MAX_RECORD)


class Start(NamedTuple):
    """Where a block begins, and what its lines end in."""

    line: int
    offset: int
    ends: Callable[[bytes], int]
    terminator: bytes


def _up_to(
    record: Callable[[bytes], bytes | None],
    limit: int,
    data: bytes,
    body: Lookahead,
    boundary: Boundary,
    start: Start,
) -> Iterator[Block]:
    """The block up to the first boundary beyond `limit`, none if that is where it begins."""
    head, end = data[: max(0, limit + 1 - start.offset)], 0
    while more := boundary(head[end:]):  # where lines end in LF and CR, the last boundary is not the first it finds
        end += more
    body.back(data[end:])
    parts, at = [data[:end]], start.offset + end
    while at <= limit and (raw := body.up_to(record, _ROW)):
        body.drop(len(raw))
        parts.append(raw)
        at += len(raw)
        if record(raw) is None and not body.peek(1):
            yield from _last(b"".join(parts), boundary, start)
            return
    if whole := b"".join(parts):
        after = start.line + start.ends(whole)
        yield Block(whole, start.line, start.offset, end=at, end_line=after, rest=body.held)


def _last(data: bytes, boundary: Boundary, start: Start) -> Iterator[Block]:
    if data:
        line, offset, ends, terminator = start
        whole = data if data.endswith(terminator) else data + terminator
        end = boundary(whole)
        after = line + ends(whole)
        yield Block(whole[:end], line, offset, last=True, tail=data[end:], end=offset + len(data), end_line=after)

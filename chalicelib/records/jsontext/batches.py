"""A stream of JSON text cut into batches of whole records."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from chalicelib.config.parsers.json import Json
from chalicelib.errors import ParseError
from chalicelib.records.jsontext.split import Piece, Splitter
from chalicelib.records.text.lookahead import MAX_RECORD, Lookahead

MOST = 100_000  # values of a batch, each of which may become a reject of some hundred bytes
_EVERY = 17  # the how manieth byte is looked at to tell about how many values there are
BEHIND = 64  # bytes before a line end in which the one before it is to end
_SHORT = 1 << 16  # bytes that one read asks for at the end
_TRIES = 100  # lines that are looked at to find one that begins a value


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole values, or whole elements of an array with their places."""

    data: bytes
    line: int  # physical line, from 1, on which it begins
    offset: int  # bytes of the stream before it
    last: bool = False
    known: list[Piece] | None = field(default=None)  # None: values one after the other, not yet looked at
    end: int = 0  # bytes of the stream before what follows it
    end_line: int = 1  # physical line on which that begins
    rest: int = 0  # bytes of it that were read already
    between: bool = True  # what follows is read as if the stream began there

    def pieces(self, parser: Json) -> list[Piece]:
        """The records, and what is none."""
        return Splitter(parser).split(self.data, final=True)[0] if self.known is None else self.known

    def parts(self, size: int) -> Iterator["Batch"]:
        """The same in batches of hardly more than `size` bytes where it can be cut; itself if its pieces are known."""
        line, at, window = self.line, 0, size
        while self.known is None and at + window < len(self.data):
            length = _before_last_value(self.data[at : at + window])
            if not length:
                window *= 2
                continue
            part = self.data[at : at + length]
            yield Batch(part, line, self.offset + at)
            line, at, window = line + part.count(b"\n"), at + length, size
        yield replace(self, data=self.data[at:], line=line, offset=self.offset + at)


def value_after(data: bytes, at: int) -> int:
    """Where the first line behind the byte at `at` begins that can only be the beginning of a value; -1: nowhere."""
    found = data.find(b"\n{", at)
    while found >= 0 and not _ends_value(data, found):
        found = data.find(b"\n{", found + 1)
    return found + 1 if found >= 0 else -1


@dataclass(frozen=True, slots=True)
class Stop:
    """Where to stop: before the first value behind `limit`, an offset that may show only once it was read over.

    `behind`: bytes before the limit that are looked at, as many as whoever begins there sees.
    """

    limit: Callable[[], int | None] = lambda: None
    behind: int = 0

    def wanted(self, size: int, place: int) -> int:
        """Not many more bytes than are needed from this offset, of those that are wanted."""
        limit = self.limit()
        return size if limit is None else min(size, max(_SHORT, abs(limit + 1 - place)))

    def find(self, data: bytes, offset: int) -> int:
        """Where to stop in the data that begins at this offset; -1: not there."""
        limit = self.limit()
        if limit is None:
            return -1
        if offset > limit:
            return 0
        start = max(0, limit - self.behind - offset)
        found = value_after(data[start:], limit - offset - start)
        return start + found if found >= 0 else -1


def batches(
    body: Lookahead,
    parser: Json,
    *,
    offset: int,
    size: int,
    line: int = 1,
    longest: int = MAX_RECORD,
    most: int = MOST,
    stop: Stop | None = None,
) -> Iterator[Batch]:
    """The stream, which begins at this offset, as batches of about `size` bytes; the first is half as large.

    Where a line beginning with { follows one that ends with } or ], no value of JSON can go on: there text is cut
    without looking any closer, which is all that JSON Lines needs. Other text is split here. Of tiny values a batch
    has hardly more than `most`, so that memory is bounded if all of them are rejects.

    With a `stop`, the last batch ends where `value_after` finds the first value behind its limit; if that is within
    an array, behind that.

    Raises ParseError for a record that would not end within `longest` bytes.
    """
    splitter, stop = Splitter(parser), stop or Stop()
    rest, kept, usual = b"", b"", -(-size // 2)  # what is kept comes after the rest, and was seen to begin a value
    last = more = stopped = False
    while not last or more:
        if not more:
            wanted = stop.wanted(min(max(usual, len(rest)), longest + 1 - len(rest)), offset + len(rest))
            usual = size  # doubling keeps the search linear
            chunk = body.read(wanted)
            last = len(chunk) < wanted
            rest, kept = _joined(rest, chunk, last=last)
        if not stopped and splitter.at_top and (cut := stop.find(rest, offset)) >= 0:
            body.back(rest[cut:] + kept)
            kept = b""
            rest, last, stopped = rest[:cut], True, True
            if not cut:
                return
        end, known, more = _cut(splitter, rest, whole=last or bool(kept), final=last, most=most)
        finished = last and not more
        after = line + rest.count(b"\n", 0, end)
        if end or known or finished:
            between = splitter.at_top
            left = len(rest) - end + len(kept) + body.held
            yield Batch(rest[:end], line, offset, finished and not stopped, known, offset + end, after, left, between)
        line = after
        offset += end
        rest = rest[end:]
        if not more:
            rest, kept = rest + kept, b""
        if len(rest) > longest and not more:
            raise _too_long(longest, line)


def _joined(rest: bytes, chunk: bytes, *, last: bool) -> tuple[bytes, bytes]:
    """Both up to where the last value in the chunk begins, put together in one copy, and what follows."""
    at = 0 if last else _before_last_value(chunk)
    return (b"".join((rest, memoryview(chunk)[:at])), chunk[at:]) if at else (rest + chunk, b"")


def _too_long(longest: int, line: int) -> ParseError:
    return ParseError(
        f"one JSON value is longer than {longest >> 20} MiB",
        where=f"line {line}",
        remedy="If it holds its records in an array, set flatten_json_array and root; else a bracket is open",
    )


def _cut(
    splitter: Splitter, data: bytes, *, whole: bool, final: bool, most: int
) -> tuple[int, list[Piece] | None, bool]:
    """Where the next batch ends, its pieces if they are known, and whether there are more in `data` already.

    `whole`: if it begins at the top, its values end in it; `final`: nothing follows it.
    """
    if splitter.at_top and data[:64].lstrip()[:1] != b"[":
        length = len(data) if whole else _before_last_value(data)
        end = _with_few(data, length, most)
        if end or not data:
            return end, None, end < length
    known, end = splitter.split(data, final=final, most=most)
    return end, known, len(known) >= most


def _with_few(data: bytes, end: int, most: int) -> int:
    """The same end, or one before it up to which there are hardly too many values; 0 if none is found soon."""
    while end and (values := _values(data[:end:_EVERY])) > most:
        end = _before_last_value(data[: end * most // values])
    return end


def _values(some: bytes) -> int:
    """About how many values there are at most; to look at every byte would take longer than it helps."""
    return _EVERY * (some.count(b"{") + some.count(b"\n"))


def _before_last_value(data: bytes) -> int:
    """Where the last line begins that can only be the beginning of a value; 0 if none is found soon."""
    at = len(data)
    for _ in range(_TRIES):
        at = data.rfind(b"\n{", 0, at)
        if at < 0:
            break
        if _ends_value(data, at):
            return at + 1
    return 0


def _ends_value(data: bytes, at: int) -> bool:
    """True if a bracket is closed before the line end at `at`."""
    return data[max(0, at - BEHIND) : at].rstrip(b" \t\r\n")[-1:] in (b"}", b"]")

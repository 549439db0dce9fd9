"""A stream of JSON text cut into batches of whole records."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from chalicelib.config.parsers.json import Json
from chalicelib.errors import ParseError
from chalicelib.records.jsontext.split import Piece, Splitter
from chalicelib.records.text.lookahead import MAX_RECORD, Lookahead

MOST = 100_000  # values of a batch, each of which may become a reject of some hundred bytes
_EVERY = 17  # the how manieth byte is looked at to tell about how many values there are
_TRIES = 100  # lines that are looked at to find one that begins a value


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole values, or whole elements of an array with their places."""

    data: bytes
    line: int  # physical line, from 1, on which it begins
    offset: int  # bytes of the stream before it
    last: bool = False
    known: list[Piece] | None = field(default=None)  # None: values one after the other, not yet looked at

    def pieces(self, parser: Json) -> list[Piece]:
        """The records, and what is none."""
        return Splitter(parser).split(self.data, final=True)[0] if self.known is None else self.known


def batches(
    body: Lookahead, parser: Json, *, offset: int, size: int, longest: int = MAX_RECORD, most: int = MOST
) -> Iterator[Batch]:
    """The stream, which begins at this offset, as batches of about `size` bytes; the first is half as large.

    Where a line beginning with { follows one that ends with } or ], no value of JSON can go on: there text is cut
    without looking any closer, which is all that JSON Lines needs. Other text is split here. Of tiny values a batch
    has hardly more than `most`, so that memory is bounded if all of them are rejects.

    Raises ParseError for a record that would not end within `longest` bytes.
    """
    splitter = Splitter(parser)
    line, rest, usual = 1, b"", -(-size // 2)
    last = more = False
    while not last or more:
        if not more:
            wanted = min(max(usual, len(rest)), longest + 1 - len(rest))  # doubling keeps the search linear
            usual = size
            chunk = body.read(wanted)
            rest, last = rest + chunk, len(chunk) < wanted
        end, known, more = _cut(splitter, rest, last=last, most=most)
        finished = last and not more
        if end or known or finished:
            yield Batch(rest[:end], line, offset, finished, known)
        line += rest.count(b"\n", 0, end)
        offset += end
        rest = rest[end:]
        if len(rest) > longest and not more:
            raise ParseError(
                f"one JSON value is longer than {longest >> 20} MiB",
                where=f"line {line}",
                remedy="If it holds its records in an array, set flatten_json_array and root; else a bracket is open",
            )


def _cut(splitter: Splitter, data: bytes, *, last: bool, most: int) -> tuple[int, list[Piece] | None, bool]:
    """Where the next batch ends, its pieces if they are known, and whether there are more in `data` already."""
    if splitter.at_top and data[:64].lstrip()[:1] != b"[":
        whole = len(data) if last else _before_last_value(data)
        end = _with_few(data, whole, most)
        if end or not data:
            return end, None, end < whole
    known, end = splitter.split(data, final=last, most=most)
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
        if data[max(0, at - 64) : at].rstrip(b" \t\r\n")[-1:] in (b"}", b"]"):
            return at + 1
    return 0

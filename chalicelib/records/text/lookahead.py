"""Lookahead: a stream whose start can be seen before it is read."""

from collections.abc import Callable

from chalicelib.errors import ParseError
from chalicelib.records.pages import Readable

MAX_RECORD = 64 << 20  # bytes of one record: far above any honest row, and a few of them fit into a small Lambda


class Lookahead:
    """Readable, with `peek` and `drop`."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self._held = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, at least `size` unless the stream ends before; they stay in it."""
        parts = [self._held] if self._held else []  # bytes.join copies no single part
        have = len(self._held)
        while have < size and (more := self._body.read(size - have)):
            parts.append(more)
            have += len(more)
        self._held = b"".join(parts)
        return self._held

    @property
    def held(self) -> int:
        """How many bytes were taken from the body and not yet read."""
        return len(self._held)

    def back(self, data: bytes) -> None:
        """Put bytes in front that were read."""
        self._held = data + self._held

    def drop(self, size: int) -> None:
        """Forget the first `size` bytes of the last peek."""
        self._held = self._held[size:]

    def read(self, size: int, /, before: bytes = b"") -> bytes:
        """Exactly `size` bytes, fewer only at the end; `before` stands before them, and costs no copy of its own."""
        parts, have = [part for part in (before, self._held) if part], len(self._held)
        while have < size and (more := self._body.read(size - have)):
            parts.append(more)
            have += len(more)
        data = b"".join(parts)
        end = len(before) + size
        self._held = data[end:]
        return data[:end] if self._held else data

    def up_to(self, find: Callable[[bytes], bytes | None], window: int) -> bytes:
        """What `find` finds at the start, looking at `window` bytes or more; all of the stream if it finds nothing.

        Raises ParseError if there is nothing within MAX_RECORD.
        """
        while window <= MAX_RECORD:
            head = self.peek(window)
            found = find(head)
            if found is not None:
                return found
            if len(head) < window:
                return head
            window = len(head) * 2
        raise too_long(MAX_RECORD)

    def skip_bom(self) -> int:
        """Forget a UTF-8 byte order mark, which is no part of the first field (E42); how many bytes it had."""
        if not self.peek(3).startswith(b"\xef\xbb\xbf"):
            return 0
        self.drop(3)
        return 3


def too_long(size: int) -> ParseError:
    """The error for a record that would not end within MAX_RECORD."""
    return ParseError(
        f"one record is longer than {size >> 20} MiB",
        remedy="Most often a quote is never closed; check the parser's quote, escape and charset",
    )

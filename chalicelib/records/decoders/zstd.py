"""Zstandard, frame by frame: a frame depends on nothing before it.

https://datatracker.ietf.org/doc/html/rfc8878#section-3: where a frame ends is told by the sizes of its blocks, so
nothing has to be decoded for that. Bytes behind the last frame are an error, as for zstd(1), unless they are
skippable frames.
"""

from collections.abc import Iterator

from chalicelib.errors import DecodeError
from chalicelib.records.decoders.frames import Frames
from chalicelib.records.decoders.packed import Packed, Start
from chalicelib.records.decoders.units import Units

MAGIC, SKIPPABLE = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"
HEAD = 18  # bytes of the longest head of a frame
CHUNK = 256 << 10  # bytes among which a frame is looked for at once
LARGEST = 128 << 10  # bytes of a block
REST = 1 << 62  # bytes: whatever follows, where it makes no sense; Arrow then says so
DICTIONARY = (0, 1, 2, 4)  # bytes of its id
SIZE = (0, 2, 4, 8)  # bytes of the frame's size
RLE, RESERVED = 1, 3  # types of blocks


class Unzstd:
    """All frames of the packed bytes, which are units. Nothing is read before the first `read`."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed
        self._begin()

    def _begin(self) -> None:
        self._bytes = Start(self._packed)
        self._frame: Frames | None = None
        self._given = 0

    @property
    def units(self) -> Units | None:
        """The frames."""
        return self._packed.units

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end. Raises DecodeError if the frames are cut or corrupt."""
        while size > 0 and (self._frame is not None or self._next()):
            assert self._frame is not None
            if data := self._frame.read(size):
                self._given += len(data)
                return data
            self._frame = None
        return b""

    def go(self, unit: int, /) -> None:
        """Go on with the frame at this byte."""
        self._packed.go(unit)
        self._begin()
        if self.units is not None:
            self.units.restart()

    def next_unit(self, byte: int, /) -> int:
        """The byte at or after this one at which the first frame begins, or what looks like one; else the end."""
        self._packed.go(byte)
        data, before = b"", byte
        while more := self._packed.read(CHUNK):
            data += more
            at = data.find(MAGIC)
            while 0 <= at <= len(data) - HEAD - 3:
                if _makes_sense(data[at:]):
                    return before + at
                at = data.find(MAGIC, at + 1)
            data = data[-HEAD - 3 :] if at < 0 else data[at:]
            before = self._packed.count - len(data)
        at = data.find(MAGIC)
        return self._packed.count if at < 0 else before + at

    def _next(self) -> bool:
        """Come to the next frame, over skippable ones; False if there is none."""
        while (mark := self._bytes.peek(4)[:4])[1:] == SKIPPABLE and mark[0] >> 4 == 5:
            self._skip()
        if self.units is not None:
            self.units.note(self._given, self._packed.count - self._bytes.held)
        if not mark:
            return False
        self._frame = Frames(_Frame(self._packed, self._bytes), "zstd")
        return True

    def _skip(self) -> None:
        head = self._bytes.peek(8)[:8]
        left = 8 + int.from_bytes(head[4:], "little")
        while left and (skipped := self._bytes.read(min(left, CHUNK))):
            left -= len(skipped)
        if left:
            raise self._packed.broken("ends too soon")


class _Frame:
    """The bytes of one frame, and none behind it."""

    def __init__(self, packed: Packed, body: Start) -> None:
        self._packed, self._body = packed, body
        self._sizes = self._parts()
        self._left = 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at its end."""
        if not self._left:
            self._left = next(self._sizes, 0)
        data = self._body.read(min(size, self._left))
        self._left -= len(data)
        return data

    def broken(self, how: str, ahead: int = 0) -> DecodeError:
        """The error for bytes that cannot be decoded."""
        return self._packed.broken(how, ahead + self._body.held)

    def _parts(self) -> Iterator[int]:
        """How long head, blocks and checksum are, each told once the one before was read."""
        head = self._body.peek(5)
        if head[:4] != MAGIC or len(head) < 5:
            yield REST
        yield _head_size(head[4])
        last = False
        while not last:
            block = self._body.peek(3)[:3]
            last, kind, size = _block(block)
            if len(block) < 3 or kind == RESERVED:
                yield REST
            yield 3 + (1 if kind == RLE else size)
        if head[4] >> 2 & 1:
            yield 4


def _head_size(descriptor: int) -> int:
    single = descriptor >> 5 & 1
    size = SIZE[descriptor >> 6] or single
    return 4 + 1 + (1 - single) + DICTIONARY[descriptor & 3] + size


def _block(head: bytes) -> tuple[bool, int, int]:
    """Whether it is the last one, its type, and its size."""
    number = int.from_bytes(head[:3], "little")
    return bool(number & 1), number >> 1 & 3, number >> 3


def _makes_sense(data: bytes) -> bool:
    """Whether these can be a frame's first bytes: few can, if the mark stands there by chance."""
    _, kind, size = _block(data[_head_size(data[4]) :])
    return not data[4] >> 3 & 1 and kind != RESERVED and size <= LARGEST

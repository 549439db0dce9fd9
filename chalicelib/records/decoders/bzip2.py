"""bzip2, block by block: a block depends on nothing before it, and has a checksum of its own.

A stream is `BZh` and a digit, blocks, and an end; blocks and end begin with a mark, at any bit. A mark may by chance
stand within a block: what ends there does not decode, and is tried again with the text up to the next mark.
"""

import bz2
import re

from chalicelib.errors import DecodeError
from chalicelib.records.decoders.bits import CHUNK, Mark, Tape
from chalicelib.records.decoders.packed import MOST, Packed
from chalicelib.records.decoders.units import Units

HEAD = re.compile(rb"BZh[1-9]")
BLOCK, END = Mark(0x314159265359), Mark(0x177245385090)
MARK, CHECK = 48, 32  # bits of a mark, and of the checksum behind it
LARGEST = 2 << 20  # bytes of a packed block; bzip2 makes a little more than 900,000 of the worst
INVALID = "is corrupt (Invalid data stream)"  # as bz2 says it
CUT = "ends too soon"


class Bunzip2:
    """All streams of bzip2 data; blocks are units, whose places are bits. Nothing is read before the first `read`.

    Zeros behind a stream are fine. bzip2(1) ignores anything there, we refuse the rest.
    """

    def __init__(self, packed: Packed, marks: tuple[Mark, ...] = (BLOCK, END)) -> None:
        """`marks`: where blocks may end."""
        self._packed, self._marks = packed, marks
        self._begin(0)

    @property
    def units(self) -> Units | None:
        """The blocks."""
        return self._packed.units

    def _begin(self, unit: int) -> None:
        self._tape = Tape(self._packed, unit % 8)
        self._level = b"9" if unit else b""  # of the stream that we are in; nobody told, and 9 does for all
        self._checks: int | None = None  # of the stream's blocks together; None: we were not there from its start
        self._block: bz2.BZ2Decompressor | None = None
        self._size = 0  # bits of the block
        self._held = b""
        self._given = 0
        self._begun = unit > 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end. Raises DecodeError if the streams are cut or corrupt."""
        while size > 0 and not self._held:
            if self._block is not None:
                self._go_on(self._block, min(size, MOST))
            elif not self._next():
                break
        data, self._held = self._held[:size], self._held[size:]
        self._given += len(data)
        return data

    def go(self, unit: int, /) -> None:
        """Go on with the block at this bit."""
        self._packed.go(unit // 8)
        self._begin(unit)
        if self.units is not None:
            self.units.restart()

    def next_unit(self, byte: int, /) -> int:
        """The bit at which the first block begins at or after this byte; the end if there is none."""
        self._packed.go(byte)
        data, before = b"", byte
        while more := self._packed.read(CHUNK):
            data += more
            if (at := BLOCK.find(data, 0, len(data))) >= 0:
                return before * 8 + at
            data = data[-7:]
            before = self._packed.count - len(data)
        return 8 * self._packed.count

    def _next(self) -> bool:
        """Come to the next block, over an end and a head if need be; False if there is none."""
        tape = self._tape
        if not self._level and not self._stream():
            return False
        if self._checks is None and not self._given and not tape.left(1):  # somebody went to the end
            self._note()
            return False
        if tape.left(MARK + CHECK) < MARK + CHECK:
            raise self._packed.broken(CUT)
        mark, check = tape.peek(0, MARK), tape.peek(MARK, CHECK)
        if mark == BLOCK.number:
            self._note()
            self._open(check)
        elif mark != END.number or self._checks not in (None, check):
            raise self._packed.broken(INVALID, tape.ahead)
        else:
            tape.skip(MARK + CHECK)
            self._level = b""
        return True

    def _stream(self) -> bool:
        """Come to the next stream; False if there is none."""
        tape = self._tape
        if self._begun:
            tape.skip_zeros()
        there = tape.left(32)
        if not there:
            self._note()
            return False
        head = tape.peek(0, 32).to_bytes(4, "big")
        if not HEAD.match(head):
            cut = there < 32 and b"BZh".startswith(head[: there // 8])
            raise self._packed.broken(CUT if cut else INVALID, 0 if cut else tape.ahead)
        tape.skip(32)
        self._level, self._checks, self._begun = head[3:], 0, True
        return True

    def _open(self, check: int) -> None:
        """Find where the block ends, and decode what it begins with."""
        size = MARK + CHECK
        while (size := self._tape.distance(self._marks, size + 1, LARGEST)) > 0:
            end = self._tape.peek(0, size) << MARK + CHECK | END.number << CHECK | check
            if self._begins(end, size + MARK + CHECK):
                break
        else:
            size = self._tape.left(8 * LARGEST)
            self._begins(self._tape.peek(0, size), size)
        self._size = size
        if self._checks is not None:
            self._checks = (self._checks << 1 | self._checks >> 31) & 0xFFFFFFFF ^ check

    def _begins(self, number: int, size: int) -> bool:
        """Whether these bits, the last ones filled up with zeros, are a block as far as can be seen."""
        self._block = bz2.BZ2Decompressor()
        packed = (number << -size % 8).to_bytes(-(-size // 8), "big")
        try:
            self._held = self._block.decompress(b"BZh" + self._level + packed, MOST)
        except OSError:
            return False
        return bool(self._held)

    def _go_on(self, block: bz2.BZ2Decompressor, size: int) -> None:
        """More of the block; at its end, behind it."""
        if block.eof:
            self._block = None
            self._tape.skip(self._size)
            return
        try:
            self._held = block.decompress(b"", size)
        except (OSError, ValueError):
            raise self._invalid() from None
        if not self._held and not block.eof:
            raise self._packed.broken(CUT)

    def _invalid(self) -> DecodeError:
        return self._packed.broken(INVALID, max(0, self._tape.ahead - self._size // 8))

    def _note(self) -> None:
        if self.units is not None:
            self.units.note(self._given, self._tape.place)

"""Packed bytes as bits, and marks among them."""

from chalicelib.records.decoders.packed import Packed

CHUNK = 256 << 10  # packed bytes that one read asks for


class Mark:
    """Six bytes that may begin at any bit. Where they lie across bytes, the five in the middle are whole."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._aligned = number.to_bytes(6, "big")
        self._shifted = [(shift, (number >> shift & (1 << 40) - 1).to_bytes(5, "big")) for shift in range(1, 8)]

    def find(self, data: bytes, bit: int, until: int) -> int:
        """The bit at which the first one begins that is at or after this bit, and before byte `until`; -1: none."""
        at = data.find(self._aligned, -(-bit // 8), until)
        found, until = (at * 8, at + 6) if at >= 0 else (-1, until)
        for shift, middle in self._shifted:
            at = data.find(middle, bit // 8 + 1, until)
            while at >= 0:
                place = at * 8 - 8 + shift
                if place >= bit and bits(data, place, 48) == self.number:
                    found, until = place, at + 5
                    break
                at = data.find(middle, at + 1, until)
        return found


def bits(data: bytes, start: int, count: int) -> int:
    """So many bits from this one, as a number; zeros beyond the end."""
    stop = start + count
    size = -(-stop // 8) - start // 8
    piece = data[start // 8 : start // 8 + size].ljust(size, b"\0")
    return int.from_bytes(piece, "big") >> -stop % 8 & (1 << count) - 1


class Tape:
    """The packed bytes from a bit on; those before it are forgotten when there is time."""

    def __init__(self, packed: Packed, shift: int = 0) -> None:
        self._packed = packed
        self._bit = shift  # within _data
        self._data = b""

    @property
    def place(self) -> int:
        """The bit at which we are, of all."""
        return 8 * (self._packed.count - len(self._data)) + self._bit

    @property
    def ahead(self) -> int:
        """Bytes that were read and lie behind the byte in which we are."""
        return max(0, len(self._data) - -(-self._bit // 8))

    def left(self, count: int) -> int:
        """How many bits follow, up to `count`."""
        while len(self._data) * 8 - self._bit < count and self._read():
            pass
        return min(count, len(self._data) * 8 - self._bit)

    def peek(self, start: int, count: int) -> int:
        """Bits that follow after the next `start` ones, which are there already."""
        return bits(self._data, self._bit + start, count)

    def skip(self, count: int) -> None:
        """Go on so many bits."""
        self._bit += count
        self._data, self._bit = self._data[self._bit // 8 :], self._bit % 8

    def skip_zeros(self) -> int:
        """Go on to the next whole byte, and over zero bytes; how many those are."""
        self.skip(-self._bit % 8)
        zeros = 0
        while self.left(8):
            rest = self._data.lstrip(b"\0")
            zeros += len(self._data) - len(rest)
            self._data = rest
            if rest:
                break
        return zeros

    def distance(self, marks: tuple[Mark, ...], start: int, most: int) -> int:
        """How many bits from here the next of these marks is that is `start` bits away, or more; -1: within `most`
        bytes there is none.
        """
        place, window = self._bit + start, 16 << 10
        while place // 8 < most:
            until = place // 8 + window
            if until > len(self._data) and self._read():
                continue
            found = [at for mark in marks if (at := mark.find(self._data, place, until)) >= 0]
            if found:
                return min(found) - self._bit
            if until > len(self._data):  # there are no more
                break
            place, window = (until - 8) * 8, 2 * window
        return -1

    def _read(self) -> bool:
        more = self._packed.read(CHUNK)
        self._data += more
        return bool(more)

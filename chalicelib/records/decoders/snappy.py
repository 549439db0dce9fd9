"""The Snappy framing format: chunks of at most 64 KiB, each with its checksum, which cramjam checks."""

import cramjam

from chalicelib.records.decoders.packed import Packed

IDENTIFIER = b"\xff\x06\x00\x00sNaPpY"
COMPRESSED, UNCOMPRESSED, SKIPPABLE, STREAM = 0x00, 0x01, 0x80, 0xFF
LARGEST = 1 << 16  # decoded bytes of a chunk
LARGEST_PACKED = 4 + 32 + LARGEST + LARGEST // 6  # checksum, and what snappy needs at most
CHECKSUM = 4


class Snappy:
    """All chunks, one after the other; several streams may follow each other."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed
        self._held = b""
        self._begun = False

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end. Raises DecodeError if chunks are cut, corrupt or unknown."""
        while not self._held:
            header = self._packed.read(4)
            if not header:
                return b""
            header += self._packed.exactly(4 - len(header))
            self._held = self._chunk(header[0], int.from_bytes(header[1:], "little"), header)
        data, self._held = self._held[:size], self._held[size:]
        return data

    def _chunk(self, kind: int, size: int, header: bytes) -> bytes:
        if kind == STREAM:
            if header + self._packed.exactly(min(size, 6)) != IDENTIFIER:
                raise self._packed.broken("is corrupt (its stream identifier is wrong)")
            self._begun = True
        elif not self._begun:
            raise self._packed.broken("is corrupt (it does not begin with a stream identifier)")
        elif kind in (COMPRESSED, UNCOMPRESSED):
            return self._decoded(kind, size, header)
        elif kind >= SKIPPABLE:
            self._skip(size)
        else:
            raise self._packed.broken(f"has a chunk of the unknown type {kind:#04x}")
        return b""

    def _decoded(self, kind: int, size: int, header: bytes) -> bytes:
        most = LARGEST_PACKED if kind == COMPRESSED else LARGEST + CHECKSUM
        if not CHECKSUM <= size <= most:
            raise self._packed.broken(f"is corrupt (a chunk of {size} bytes)")
        chunk = self._packed.exactly(size)
        if kind == COMPRESSED and _length(chunk[CHECKSUM:]) > LARGEST:
            raise self._packed.broken("is corrupt (a chunk expands to more than 64 KiB)")
        try:
            return bytes(cramjam.snappy.decompress(IDENTIFIER + header + chunk))
        except (cramjam.DecompressionError, ValueError, OSError) as error:
            raise self._packed.broken(f"is corrupt ({error})") from None

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._packed.exactly(min(size, LARGEST)))


def _length(block: bytes) -> int:
    """What a snappy block says it expands to: seven bits a byte, lowest first."""
    length = 0
    for place, byte in enumerate(block[:5]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return length
    return LARGEST + 1

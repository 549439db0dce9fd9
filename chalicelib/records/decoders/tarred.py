"""Tar archives as a stream: ustar, pax and GNU's long names."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from chalicelib.errors import DecodeError
from chalicelib.records.decoders.entries import named, wanted
from chalicelib.records.decoders.limits import Meter
from chalicelib.records.decoders.packed import Member, Packed

BLOCK = 512
ZEROS = bytes(BLOCK)
PIECE = 1 << 20  # bytes of one read while skipping
LONGEST = 1 << 20  # bytes of a long name, or of pax records
NO_FILES = b"123456gK"  # links, devices, folders, defaults for all, long names of links: nothing with rows
LONG_NAME, PAX, SPARSE, VOLUME = b"L", b"x", b"S", b"M"


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    size: int
    type: bytes
    sparse: bool = False


def is_header(block: bytes) -> bool:
    """Whether this block begins an entry: its checksum says so."""
    if len(block) < BLOCK:
        return False
    stored = block[148:156].strip(b" \0")
    real = sum(block[:148]) + 8 * ord(" ") + sum(block[156:BLOCK])
    return stored != b"" and not stored.strip(b"01234567") and int(stored, 8) == real


def untar(packed: Packed, of: str | None, match: str | None, meter: Meter) -> Iterator[Member]:
    """The files with something in them, in order; those whose name `match` is found in, if it is given.

    Links, folders, devices and what macOS adds have no rows. Raises DecodeError if the archive is cut or corrupt,
    which includes one without the zeros at its end, or if a file is stored with holes or in several volumes.
    """
    blocks = _Blocks(packed)
    while (header := blocks.entry()) is not None:
        meter.entries(1)
        section = _Section(blocks, header.size)
        if header.type not in NO_FILES and header.size and wanted(header.name, match):
            name = named(of, header.name)
            if header.sparse or header.type in (SPARSE, VOLUME):
                raise DecodeError(
                    f"entry {name!r} of the tar archive is stored with holes or in several volumes",
                    remedy="Write the archive without --sparse and --multi-volume",
                )
            yield Member(name, section)
        section.skip()
    blocks.finish()


class _Blocks:
    """The archive, block by block."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed

    def entry(self) -> _Header | None:
        """The next entry's header, with what headers of the two long kinds say about it; None at the end."""
        name: str | None = None
        pax: dict[str, str] = {}
        while (header := self._header()) is not None:
            if header.type == LONG_NAME:
                name = _text(self._content(header.size).rstrip(b"\0"))
            elif header.type == PAX:
                pax = self._records(self._content(header.size))
            else:
                size = pax.get("size", "")
                return replace(
                    header,
                    name=pax.get("path") or name or header.name,
                    size=int(size) if size.isdecimal() and size.isascii() else header.size,
                    sparse=any(key.startswith("GNU.sparse.") for key in pax),
                )
        if name is not None or pax:
            raise self._packed.broken("is corrupt (a long name without a file)")
        return None

    def finish(self) -> None:
        """Read to the end, so that what the archive is packed in is checked too; nothing but zeros may come."""
        while data := self._packed.read(PIECE):
            if data.strip(b"\0"):
                raise self._packed.broken("is followed by something else")

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        self._packed.exactly(size)

    def some(self, size: int) -> bytes:
        """At most so many bytes, at least one."""
        data = self._packed.read(size)
        if not data:
            raise self._packed.broken("ends too soon")
        return data

    def _header(self) -> _Header | None:
        block = self._packed.exactly(BLOCK)
        if block == ZEROS:
            return None
        if not is_header(block):
            raise self._packed.broken("is corrupt (the checksum of a header is wrong)")
        prefix = _text(_cut(block[345:500])) if block[257:263] == b"ustar\0" else ""
        name = _text(_cut(block[:100]))
        return _Header(f"{prefix}/{name}" if prefix else name, self._number(block[124:136]), block[156:157])

    def _number(self, field: bytes) -> int:
        """Octal digits, or GNU's binary for what is too large for them."""
        if field[0] == 0x80:
            return int.from_bytes(field[1:], "big")
        digits = field.strip(b" \0")
        if digits.strip(b"01234567"):
            raise self._packed.broken("is corrupt (the size in a header is no number)")
        return int(digits or b"0", 8)

    def _content(self, size: int) -> bytes:
        if size > LONGEST:
            raise self._packed.broken(f"is corrupt (a name of {size} bytes)")
        return self._packed.exactly(size + -size % BLOCK)[:size]

    def _records(self, data: bytes) -> dict[str, str]:
        """What pax says: lines of "length key=value"."""
        records = {}
        while data:
            digits, _, _ = data.partition(b" ")
            size = int(digits) if digits.isdigit() and len(digits) < 8 else 0
            key, equals, value = data[len(digits) + 1 : size - 1].partition(b"=")
            if not equals or size > len(data):
                raise self._packed.broken("is corrupt (its pax records cannot be read)")
            records[_text(key)] = _text(value)
            data = data[size:]
        return records


class _Section:
    """One file's content."""

    def __init__(self, blocks: _Blocks, size: int) -> None:
        self._blocks = blocks
        self._left = size
        self._padding = -size % BLOCK

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end."""
        if not self._left or size <= 0:
            return b""
        data = self._blocks.some(min(size, self._left))
        self._left -= len(data)
        return data

    def skip(self) -> None:
        """Go to the next header."""
        while self.read(PIECE):
            pass
        self._blocks.skip(self._padding)
        self._padding = 0


def _cut(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")

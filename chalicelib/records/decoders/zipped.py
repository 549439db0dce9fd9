"""Zip archives: which entries there are, and each of them as a stream.

Python's zipfile reads the directory; the entries are read here, because isal inflates faster, and because zstd and xz
entries exist.
"""

import io
import lzma
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

from isal import isal_zlib

from chalicelib.errors import DecodeError
from chalicelib.records.decoders.bzip2 import Bunzip2
from chalicelib.records.decoders.entries import named, wanted
from chalicelib.records.decoders.limits import Meter
from chalicelib.records.decoders.packed import AGAIN, Member, Packed
from chalicelib.records.decoders.streams import MEMORY, inflate, unlzma, unxz
from chalicelib.records.decoders.zstd import Unzstd
from chalicelib.records.pages import Readable, Seekable

BUFFER = 4 << 20  # bytes of one read from the archive
ENTRY_TEXT = 1 << 10  # bytes of the directory that an entry takes on average at most
LOCAL = struct.Struct("<4s22xHH")  # an entry's own header: mark, lengths of the name and of the extra field
MARK = b"PK\x03\x04"
ENCRYPTED = 0x41  # flag bits: traditional, and strong encryption
STORED, DEFLATE, BZIP2, LZMA, ZSTD, XZ = 0, 8, 12, 14, 93, 95
OFFICE = "[Content_Types].xml"  # every such document has it
OTHERS = {1: "shrink", 6: "implode", 9: "deflate64", 96: "jpeg", 97: "wavpack", 98: "ppmd", 99: "AES encryption"}
UNREADABLE = (zipfile.BadZipFile, struct.error, NotImplementedError, ValueError, EOFError, OverflowError, OSError)


def unzip(body: Seekable, of: str | None, match: str | None, meter: Meter) -> Iterator[Member]:
    """The entries with rows in them, in the directory's order; those whose name `match` is found in, if it is given.

    Folders, empty entries and what macOS adds have none. Raises DecodeError if the directory is broken or too long,
    or if one of these entries is encrypted or compressed in a way that we cannot undo: before the first is given.
    """
    file = _File(body, max(1 << 17, meter.most_entries * ENTRY_TEXT))
    found = _directory(file, of)
    meter.entries(len(found))
    if match is None and any(info.filename == OFFICE for info in found):
        raise DecodeError(
            f"{_which(of)} is an Office document (xlsx, docx), whose parts are no data",
            remedy="Save it as CSV, or name the parts to read by match_name",
        )
    read = [info for info in found if info.file_size and wanted(info.filename, match)]
    for info in read:
        _check(info, named(of, info.filename))
    for info in read:
        name = named(of, info.filename)
        yield Member(name, _Entry(file, info, name))


def _directory(file: "_File", of: str | None) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.infolist()
    except UNREADABLE as error:
        raise DecodeError(
            f"{_which(of)} is corrupt or ends too soon, its directory cannot be read ({error}), "
            f"at or before compressed byte {file.size}",
            remedy=AGAIN,
        ) from None


def _which(of: str | None) -> str:
    return f"the zip archive {of!r}" if of else "the zip archive"


def _check(info: zipfile.ZipInfo, name: str) -> None:
    if info.flag_bits & ENCRYPTED:
        raise DecodeError(
            f"entry {name!r} of the zip archive is encrypted",
            remedy="Store the archive without a password, or leave the entry out by match_name",
        )
    if info.compress_type not in (STORED, DEFLATE, BZIP2, LZMA, ZSTD, XZ):
        method = OTHERS.get(info.compress_type, f"method {info.compress_type}")
        raise DecodeError(
            f"entry {name!r} of the zip archive is compressed with {method}, which cannot be read",
            remedy="Pack it with deflate, or leave the entry out by match_name",
        )


class _Entry:
    """One entry's content, as long as the directory says and with its checksum."""

    def __init__(self, file: "_File", info: zipfile.ZipInfo, name: str) -> None:
        self._file = file
        self._info = info
        self._packed = Packed(_Section(file, info), f"entry {name!r} of the zip archive")
        self._content: Readable | None = None
        self._left = info.file_size
        self._sum = 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end. Raises DecodeError if the entry is cut or corrupt."""
        if size <= 0:
            return b""
        if self._content is None:
            self._content = _content(self._packed, self._info.compress_type)
        if not self._left:
            return b""
        data = self._content.read(min(size, self._left))
        if not data:
            raise self._packed.broken(f"ends too soon, {self._left} bytes before the size in the directory")
        self._left -= len(data)
        self._sum = isal_zlib.crc32(data, self._sum)
        if not self._left:
            self._check()
        return data

    def _check(self) -> None:
        if self._sum != self._info.CRC:
            raise self._packed.broken("is corrupt (its checksum is wrong)")
        if self._info.compress_type != LZMA and self._content is not None and self._content.read(1):  # LZMA has no end
            raise self._packed.broken("is corrupt (it is longer than the directory says)")


def _content(packed: Packed, method: int) -> Readable:
    match method:
        case 8:
            return inflate(packed)
        case 12:
            return Bunzip2(packed)
        case 14:
            return unlzma(packed, _lzma_filters(packed))
        case 93:
            return Unzstd(packed)
        case 95:
            return unxz(packed)
        case _:
            return packed


def _lzma_filters(packed: Packed) -> list[dict[str, int]]:
    """What the decoder must know, from the head of the entry: version, length, then the five bytes of LZMA."""
    head = b""
    while len(head) < 9 and (more := packed.read(9 - len(head))):
        head += more
    if len(head) < 9 or head[2:4] != b"\x05\x00" or head[4] >= 9 * 5 * 5:
        raise packed.broken("is corrupt (its LZMA header is wrong)")
    memory = int.from_bytes(head[5:9], "little")
    if memory > MEMORY:
        raise packed.broken(f"needs {memory >> 20} MiB of memory, more than the {MEMORY >> 20} MiB that are allowed")
    lc, lp, pb = head[4] % 9, head[4] // 9 % 5, head[4] // 45
    if lc + lp > 4:  # liblzma knows no more
        raise packed.broken("is corrupt (its LZMA header is wrong)")
    return [{"id": lzma.FILTER_LZMA1, "dict_size": max(memory, 4096), "lc": lc, "lp": lp, "pb": pb}]


class _Section:
    """The packed bytes of one entry."""

    def __init__(self, file: "_File", info: zipfile.ZipInfo) -> None:
        self._file = file
        self._info = info
        self._at: int | None = None
        self._left = info.compress_size

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; fewer than the directory says if the archive is cut."""
        if self._at is None:
            self._at = self._begin()
        self._file.seek(self._at)
        data = self._file.read(min(size, self._left))
        self._at += len(data)
        self._left -= len(data)
        return data

    def _begin(self) -> int:
        """Where the packed bytes begin: behind the entry's own header."""
        at = self._info.header_offset
        head = b""
        if 0 <= at < self._file.size:
            self._file.seek(at)
            head = self._file.read(LOCAL.size)
        if len(head) < LOCAL.size or not head.startswith(MARK):
            raise DecodeError(
                f"entry {self._info.filename!r} of the zip archive is not where the directory says, "
                f"at or before compressed byte {min(max(at, 0), self._file.size)}",
                remedy=AGAIN,
            )
        _, name, extra = LOCAL.unpack(head)
        return at + LOCAL.size + int(name) + int(extra)


class _Raw(io.RawIOBase):
    """A Seekable as Python's files are."""

    def __init__(self, body: Seekable) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._body.seek(offset, whence)

    def tell(self) -> int:
        return self._body.tell()


class _File(io.BufferedReader):
    """A Seekable read in large pieces, none of them larger than `most`, so that no directory fills the memory."""

    def __init__(self, body: Seekable, most: int) -> None:
        super().__init__(_Raw(body), BUFFER)
        self._most = max(most, BUFFER)
        self.size = body.seek(0, io.SEEK_END)

    def read(self, size: int | None = -1, /) -> bytes:
        """As files do."""
        if size is None or size < 0:
            size = self._most
        if size > self._most:
            raise DecodeError(
                f"the directory of the zip archive takes {size} bytes",
                remedy="If it is honest, raise in.max_entries",
            )
        return super().read(size)

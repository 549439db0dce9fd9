"""Avro's object container: a header with the schema, then blocks of records, each packed for itself.

https://avro.apache.org/docs/1.12.0/specification/#object-container-files
"""

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cramjam
import zstandard
from isal import isal_zlib

from chalicelib.errors import DecodeError, ParseError
from chalicelib.records.pages import Readable
from chalicelib.records.text.lookahead import MAX_RECORD

MAGIC = b"Obj\x01"
SYNC = 16  # bytes of the mark after header and blocks
HEADER = 16 << 20  # bytes of a header's values at most: schemas of thousands of columns take hundreds of KB
EMPTY_RECORDS = 1 << 20  # of one block, where records take no bytes at all


@dataclass(frozen=True, slots=True)
class Packed:
    """Some records, unpacked but not yet read."""

    count: int
    data: bytes


class Container:
    """The header and the blocks of one object. Nothing is read before it is asked for."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self._place = 0  # bytes read so far
        self._blocks = 0  # that were whole

    def header(self) -> tuple[Any, str, bytes]:
        """The schema, the codec, and the mark that ends each block; to be called first and once.

        Raises DecodeError if this is no Avro, or was cut within the header; ParseError if the schema is no JSON.
        """
        start = self._read(len(MAGIC), "the header")
        if start != MAGIC:
            raise DecodeError(
                f"the content is not Avro: it begins with {start.hex(' ')} instead of {MAGIC.hex(' ')}",
                remedy="Check the parser's type; Avro without its container file cannot be read",
            )
        meta = dict(self._pairs())
        try:
            schema = json.loads(meta.get("avro.schema", b""))
        except (ValueError, RecursionError) as error:
            raise ParseError(f"the Avro schema is no JSON ({error})", remedy="Have the object written again") from None
        return schema, meta.get("avro.codec", b"null").decode("utf-8", "replace"), self._read(SYNC, "the header")

    def blocks(self, codec: str, sync: bytes) -> Iterator[Packed]:
        """The blocks in order.

        Raises DecodeError for an unknown codec, and where the object is cut or corrupt, with how far it was whole.
        """
        unpack = _CODECS.get(codec)
        if unpack is None:
            raise DecodeError(
                f"the Avro codec {codec!r} is not known",
                remedy=f"Have it written with one of {', '.join(sorted(_CODECS))}",
            )
        while start := self._body.read(1):
            self._place += 1
            count = self._number("a block", start)
            size = self._number("a block")
            if not 0 <= size <= MAX_RECORD:
                raise self._broken(f"claims a block of {size} bytes")
            data = self._unpacked(self._read(size, "a block"), unpack)
            if not 0 <= count <= max(len(data), EMPTY_RECORDS):
                raise self._broken(f"claims {count} records in {len(data)} bytes")
            if self._read(SYNC, "a block") != sync:
                raise self._broken("lacks the mark that ends a block")
            self._blocks += 1
            yield Packed(count, data)

    def _unpacked(self, data: bytes, unpack: Callable[[bytes], bytes]) -> bytes:
        try:
            unpacked = unpack(data)
        except _CORRUPT as error:
            raise self._broken(f"has a block that does not unpack ({error})") from None
        if len(unpacked) > MAX_RECORD:
            raise self._broken(f"has a block of more than {MAX_RECORD >> 20} MiB")
        return unpacked

    def _pairs(self) -> Iterator[tuple[str, bytes]]:
        left = HEADER
        while (count := self._number("the header")) != 0:
            if count < 0:
                count = -count
                self._number("the header")  # the size in bytes, which readers may skip
            for _ in range(count):
                pair = []
                for _ in range(2):
                    size = self._number("the header")
                    left -= max(size, 1)
                    if size < 0 or left < 0:
                        raise self._broken("has a header that makes no sense")
                    pair.append(self._read(size, "the header"))
                yield pair[0].decode("utf-8", "replace"), pair[1]

    def _number(self, what: str, start: bytes = b"") -> int:
        """A zigzag varint of at most 64 bits."""
        value = shift = 0
        while shift < 64:
            byte = (start or self._read(1, what))[0]
            start = b""
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value >> 1 ^ -(value & 1)
        raise self._broken("has a number of more than 64 bits")

    def _read(self, size: int, what: str) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            part = self._body.read(missing)
            if not part:
                raise self._broken(f"ends too soon, within {what}")
            parts.append(part)
            missing -= len(part)
            self._place += len(part)
        return b"".join(parts)

    def _broken(self, how: str) -> DecodeError:
        return DecodeError(
            f"the Avro file {how}, at byte {self._place}, after {self._blocks} whole blocks",
            remedy="Have the object written again; nothing of it was loaded",
        )


def number(value: int) -> bytes:
    """A number as Avro writes it: zigzag, then seven bits a byte."""
    value = value << 1 ^ value >> 63
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _deflate(data: bytes) -> bytes:
    return _whole(isal_zlib.decompressobj(-15), data)


def _bzip2(data: bytes) -> bytes:
    return _whole(bz2.BZ2Decompressor(), data)


def _xz(data: bytes) -> bytes:
    return _whole(lzma.LZMADecompressor(memlimit=128 << 20), data)


def _whole(decompressor: Any, data: bytes) -> bytes:
    unpacked: bytes = decompressor.decompress(data, MAX_RECORD + 1)
    if not decompressor.eof and len(unpacked) <= MAX_RECORD:
        raise ValueError("it ends too soon")
    return unpacked


def _zstandard(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor(max_window_size=128 << 20).stream_reader(data, read_across_frames=True) as reader:
        return reader.read(MAX_RECORD + 1)


def _snappy(data: bytes) -> bytes:
    """A raw Snappy block, then the CRC-32 of what it unpacks to."""
    raw, check = data[:-4], int.from_bytes(data[-4:], "big")
    size = shift = 0
    for byte in raw[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > MAX_RECORD:
        raise ValueError(f"{size} bytes")
    unpacked = bytes(cramjam.snappy.decompress_raw(raw))
    if zlib.crc32(unpacked) != check:
        raise ValueError("the check sum differs")
    return unpacked


def _lz4(data: bytes) -> bytes:
    """Not in Avro's specification, but some writers offer it: a block after its size."""
    if int.from_bytes(data[:4], "little") > MAX_RECORD:
        raise ValueError("too large")
    return bytes(cramjam.lz4.decompress_block(data))


_CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": _deflate,
    "bzip2": _bzip2,
    "xz": _xz,
    "zstandard": _zstandard,
    "snappy": _snappy,
    "lz4": _lz4,
}
_CORRUPT: tuple[type[Exception], ...] = (
    ValueError,
    EOFError,
    OSError,
    lzma.LZMAError,
    zstandard.ZstdError,
    cramjam.DecompressionError,
    isal_zlib.error,  # type: ignore[assignment]
)

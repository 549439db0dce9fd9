"""Bytes packed in every way that a decoder undoes, by libraries other than those that undo it where there is one."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import cramjam
import pyarrow as pa

from chalicelib.records.decoders.chain import decoded
from chalicelib.records.pages import Readable


def arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(data)
        return bytes(sink.getvalue())

    return pack


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    "brotli": lambda data: bytes(cramjam.brotli.compress(data, level=5)),
}
TOLD = [name for name in PACK if name != "brotli"]  # brotli has no mark
SKIPPABLE = b"\x53\x2a\x4d\x18\x04\0\0\0skip"


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def zipped_raw(name: str, data: bytes, packed: bytes, method: int, *, flags: int = 0, crc: int | None = None) -> bytes:
    """A zip archive of one entry, built by hand: for methods that Python's zipfile cannot write."""
    crc = zlib.crc32(data) if crc is None else crc
    raw = name.encode()
    local = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 63, flags, method, 0, 33, crc, len(packed), len(data), len(raw), 0)
    central = struct.pack(
        "<4sHHHHHHLLLHHHHHLL",
        b"PK\1\2", 63, 63, flags, method, 0, 33, crc, len(packed), len(data), len(raw), 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    start = local + raw + packed
    directory = central + raw
    return start + directory + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(start), 0)


def everything(body: Readable, size: int = 1 << 16) -> bytes:
    return b"".join(iter(lambda: body.read(size), b""))


def members(body: Readable | bytes, decoders: Any = None, size: int = 1 << 16, **more: Any) -> dict[str | None, bytes]:
    body = io.BytesIO(body) if isinstance(body, bytes) else body
    return {member.name: everything(member.body, size) for member in decoded(body, decoders, **more)}


def one(body: Readable | bytes, decoders: Any = None, size: int = 1 << 16, **more: Any) -> bytes:
    """The only content there is."""
    (name, data), *others = members(body, decoders, size, **more).items()
    assert (name, others) == (None, [])
    return data


def cuts(data: bytes) -> Iterator[bytes]:
    """Every beginning of it but the empty and the whole one."""
    return (data[:end] for end in range(1, len(data)))


def tarred(entries: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()

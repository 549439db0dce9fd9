"""Decoders: what compressors wrote, whole, cut and damaged, and any bytes.

Nothing but ConfigError and DataError; the same content whatever the size of reads; what was packed comes back; what
was cut does not pass for whole; what was damaged is found out wherever the packing has a checksum.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import cramjam
from pydantic import TypeAdapter

from chalicelib.config.decoders import Decoder
from chalicelib.errors import ConfigError, DataError
from chalicelib.records.decoders.chain import decoded
from fuzz.choices import Choices
from fuzz.reading import Trickle

DECODERS: TypeAdapter[tuple[Decoder, ...]] = TypeAdapter(tuple[Decoder, ...])
ROOM = 1 << 20  # bytes of content, beyond which nobody reads on here
SURE = 10  # bytes after which every packing is told by its start
CHECKED = ("gzip", "bzip2", "xz", "zip")  # each byte of content is under a checksum
Outcome = tuple[tuple[str | None, bytes], ...] | str


def _zip(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", data)
    return file.getvalue()


def _tar(data: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("a.csv")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    "brotli": lambda data: bytes(cramjam.brotli.compress(data, level=1)),
}
ARCHIVES: dict[str, Callable[[bytes], bytes]] = {"zip": _zip, "tar": _tar}
NAMES = (*STREAMS, *ARCHIVES)


def check(data: bytes) -> None:
    """Try one input. Raises AssertionError, or whatever a decoder lets out."""
    choices = Choices(data)
    name, way = choices.of(NAMES), choices.of((_any, _whole, _cut, _damaged))
    way(choices, name)


def _any(choices: Choices, name: str) -> None:
    """Bytes that nobody packed, perhaps behind a start that promises it."""
    decoders = choices.of((None, (name,), (name, "gzip"), ()))
    encoding = choices.of((None, "br", "deflate", "gzip", "aws-chunked,gzip", "x"))
    start = _packed(name, b"x")[: choices.of((0, 12, 4, 30))]
    _read_all(start + choices.rest(), decoders, encoding)


def _whole(choices: Choices, name: str) -> None:
    """One or two streams end to end, perhaps packed once more: their contents come back."""
    declared, twice, again = choices.number(2), choices.number(2), choices.of((None, *STREAMS))
    content = b"x" + choices.rest()
    packed = _packed(name, content)
    if twice and name in STREAMS and name != "brotli":
        packed, content = packed + packed, content + content
    decoders: tuple[str, ...] = (name,)
    if again:
        packed, decoders = _packed(again, packed), (again, name)
    if "brotli" not in decoders and not declared:
        got = _read_all(packed, None, None)
    else:
        got = _read_all(packed, decoders, None)
    if b"ustar" not in content:
        assert got == (("a.csv" if name in ARCHIVES else None, content),), f"{decoders} gave {got!r:.100}"


def _cut(choices: Choices, name: str) -> None:
    """What is not all there is an error, or at least nothing that was not packed."""
    declared, place = choices.number(2) or name == "brotli", choices.number(256) << 8 | choices.number(256)
    content = b"x" + choices.rest()
    packed = _packed(name, content)
    at = 1 + place % (len(packed) - 1)
    got = _read_all(packed[:at], (name,) if declared else None, None)
    if not declared and at <= SURE:
        return
    if name == "snappy" and not isinstance(got, str):  # its chunks have no last one
        assert all(content.startswith(part) for _, part in got), f"{name} cut at {at} gave {got!r:.100}"
    elif name != "tar":
        assert got == "DecodeError", f"{name} cut at {at} of {len(packed)} gave {got!r:.100}"


def _damaged(choices: Choices, name: str) -> None:
    """One byte is another one."""
    place, flip = choices.number(256) << 8 | choices.number(256), 1 + choices.number(255)
    content = b"x" + choices.rest()
    packed = bytearray(_packed(name, content))
    packed[place % len(packed)] ^= flip
    got = _read_all(bytes(packed), (name,), None)
    if name in CHECKED and not isinstance(got, str):
        assert not got or got[0][1] == content, f"{name} damaged gave {got!r:.100}"


def _packed(name: str, content: bytes) -> bytes:
    return (STREAMS | ARCHIVES)[name](content)


def _read_all(body: bytes, names: tuple[str, ...] | None, encoding: str | None) -> Outcome:
    """The contents; the same in small reads of a body that trickles."""
    decoders = None if names is None else DECODERS.validate_python([{"type": name} for name in names])
    whole = _contents(Trickle(body), decoders, encoding, 1 << 16)
    assert _contents(Trickle(body, 7), decoders, encoding, 1000) == whole, "other in small reads"
    assert _contents(io.BytesIO(body), decoders, encoding, 1 << 16) == whole, "other from what can seek"
    return whole


def _contents(body: Trickle | io.BytesIO, decoders: object, encoding: str | None, size: int) -> Outcome:
    found = []
    try:
        for member in decoded(body, decoders, encoding=encoding):  # type: ignore[arg-type]
            parts, room = [], ROOM
            while room > 0 and (part := member.body.read(min(size, room))):
                parts.append(part)
                room -= len(part)
            found.append((member.name, b"".join(parts)))
    except (ConfigError, DataError) as error:
        return type(error).__name__
    return tuple(found)

"""What bytes are packed in, told by how they begin; never by a name (F55, E46)."""

from enum import StrEnum

from chalicelib.errors import DecodeError
from chalicelib.records.decoders.packed import SeekableStart, Start
from chalicelib.records.decoders.snappy import IDENTIFIER
from chalicelib.records.decoders.tarred import BLOCK, is_header

HEAD = 10  # bytes that tell everything but tar
TAR_MARK, TAR_MARK_AT = b"ustar", 257
SKIPPABLE_HEAD = 1 << 16  # how far skippable frames are followed to see whose they are


class Kind(StrEnum):
    """A way to pack bytes."""

    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    LZ4 = "lz4"
    SNAPPY = "snappy"
    BROTLI = "brotli"
    DEFLATE = "deflate"
    ZIP = "zip"
    TAR = "tar"


MARKS = {
    Kind.GZIP: (b"\x1f\x8b",),  # RFC 1952, section 2.3.1
    Kind.BZIP2: tuple(
        b"BZh%d" % level + magic
        for level in range(1, 10)
        for magic in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")  # of a block; of the end
    ),
    Kind.XZ: (b"\xfd7zXZ\0",),
    Kind.ZSTD: (b"\x28\xb5\x2f\xfd",),
    Kind.LZ4: (b"\x04\x22\x4d\x18",),
    Kind.SNAPPY: (IDENTIFIER,),
    Kind.ZIP: (b"PK\x03\x04", b"PK\x05\x06"),  # an entry; the end of an empty archive
}
FOREIGN = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x1f\x9d\x90": "compressed with compress(1)",
    b"\x02\x21\x4c\x18": "in LZ4's legacy format",
}
SKIPPABLE = tuple(bytes([number]) + b"\x2a\x4d\x18" for number in range(0x50, 0x60))  # of zstd and LZ4 alike


def told(start: Start | SeekableStart) -> Kind | None:
    """What these bytes are packed in; None if they are not, or nobody can tell.

    Raises DecodeError if they are packed in something that we cannot undo.
    """
    head = start.peek(HEAD)
    for mark, name in FOREIGN.items():
        if head.startswith(mark):
            raise DecodeError(
                f"the content is {name}, which cannot be read",
                remedy="Pack it as gzip, zstd or zip, or declare `decoders: []` if it only begins like that",
            )
    for kind, marks in MARKS.items():
        if head.startswith(marks):
            return kind
    if head.startswith(SKIPPABLE):
        return _behind_skippable(start)
    block = start.peek(BLOCK)[:BLOCK]
    return Kind.TAR if block[TAR_MARK_AT:].startswith(TAR_MARK) and is_header(block) else None


def _behind_skippable(start: Start | SeekableStart) -> Kind | None:
    """Whose the skippable frames at the start are."""
    at = 0
    while at < SKIPPABLE_HEAD and (head := start.peek(at + 8))[at : at + 4] in SKIPPABLE:
        at += 8 + int.from_bytes(head[at + 4 : at + 8], "little")
    mark = start.peek(at + 4)[at : at + 4] if at < SKIPPABLE_HEAD else b""
    if mark in MARKS[Kind.LZ4]:
        return Kind.LZ4
    return Kind.ZSTD if mark in (b"", *MARKS[Kind.ZSTD]) else None


def check(start: Start | SeekableStart, kind: Kind, of: str) -> None:
    """Raise DecodeError unless these bytes can be what was declared; cut ones can be."""
    head = start.peek(HEAD)
    marks = MARKS.get(kind, ())
    if kind in (Kind.ZSTD, Kind.LZ4):
        marks += SKIPPABLE
    size = 4 if kind is Kind.BZIP2 else HEAD  # what comes behind the level is the codec's to judge
    if kind is Kind.ZIP or not marks or any(head[:size].startswith(mark[:size][: len(head)]) for mark in marks):
        return
    mark = marks[0][: 3 if kind is Kind.BZIP2 else 4]
    raise DecodeError(
        f"the content{of} is not {kind}: it begins with {head[: len(mark)].hex(' ')} instead of {mark.hex(' ')}",
        remedy="Leave `decoders` out to have each object recognised by its content",
    )

"""Objects read in parts, or from the middle."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cramjam

from chalicelib.config.columns import Column
from chalicelib.config.formats import Parser
from chalicelib.config.parsers.csv import Csv
from chalicelib.config.parsers.json import Json
from chalicelib.core.places import WHOLE, Place, Span
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.formats.fixed_width import FixedWidthRows
from chalicelib.records.formats.json import JsonRows
from chalicelib.records.pages import Reject, Rows
from chalicelib.records.quarantine import numbered
from tests.records.packing import PACK, SKIPPABLE


def in_pieces(name: str, *, between: bytes = b"") -> Callable[[bytes, int], bytes]:
    """Packs text as several members, streams or frames of so many bytes."""

    def pack(data: bytes, size: int) -> bytes:
        parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        return between.join(map(PACK[name], parts))

    return pack


PACKED: dict[str, Callable[[bytes, int], bytes]] = {
    "plain": lambda data, size: data,
    "gzip": in_pieces("gzip"),
    "padded gzip": in_pieces("gzip", between=b"\0\0"),
    "gzip and empty ones": in_pieces("gzip", between=PACK["gzip"](b"")),
    "bzip2": in_pieces("bzip2"),
    "bzip2 and empty ones": in_pieces("bzip2", between=PACK["bzip2"](b"") + b"\0"),
    "zstd": in_pieces("zstd"),
    "zstd and skippable": in_pieces("zstd", between=SKIPPABLE + PACK["zstd"](b"")),
    "xz": in_pieces("xz"),
    "lz4": in_pieces("lz4"),
    "snappy": lambda data, size: PACK["snappy"](data),
    "gzip in gzip": lambda data, size: PACK["gzip"](in_pieces("gzip")(data, size)),
    "bzip2 in zstd": lambda data, size: PACK["zstd"](in_pieces("bzip2")(data, size)),
}
IN_PARTS = ("plain", "bzip2", "bzip2 and empty ones", "zstd", "zstd and skippable")


def rows_of(data: bytes, parser: Parser, span: Span = WHOLE, *, block: int = 1 << 20) -> Rows:
    """The rows of a span."""
    (member,) = decoded(io.BytesIO(data), None)
    if isinstance(parser, Csv):
        return CsvRows(member.body, parser, block=block, span=span)
    if isinstance(parser, Json):
        return JsonRows(member.body, parser, block=block, span=span)
    return FixedWidthRows(member.body, parser, block=block, span=span)  # type: ignore[arg-type]


@dataclass
class Found:
    """What was in a span."""

    rows: list[Any] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    begin: Place | None = None
    ends: list[tuple[Place, int, int]] = field(default_factory=list)  # with the rows and rejects before them

    @property
    def end(self) -> Place:
        return self.ends[-1][0]


def read_span(
    data: bytes, parser: Parser, columns: tuple[Column, ...], span: Span = WHOLE, *, block: int = 1 << 20
) -> Found:
    """Rows, rejects and places of a span."""
    found = Found()
    before = span.after.record if span.after is not None else 0
    pages = rows_of(data, parser, span, block=block).pages(columns)
    for number, page in enumerate(numbered(pages, rows=False, before=before)):
        if number == 0:
            found.begin = page.begin
        found.rows += page.batch.to_pylist()
        found.rejects += page.rejects
        if page.end is not None:
            found.ends.append((page.end, len(found.rows), len(found.rejects)))
    return found


def zstd_frame(data: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(data))

"""Samples of one object: a bounded piece of its start, and some from further inside where they lie unpacked."""

from collections.abc import Iterator

from chalicelib.config.decoders import Decoder
from chalicelib.errors import DataError
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.pages import Readable, Seekable
from chalicelib.records.proposals.proposal import Sample

START = 128 << 10  # decoded bytes: four times what Embulk looks at (F57)
MIDDLE = 32 << 10  # bytes of each piece from further inside
PLACES = (0.25, 0.5, 0.75, 1.0)  # of those pieces, as shares of the object; the last ends where it ends
LONGEST = 1 << 20  # decoded bytes that are read until a first line ends
_ENTRIES = 3  # of an archive that are looked at
_PIECE = 32 << 10  # bytes of one read


def sampled(
    name: str, body: Readable, decoders: tuple[Decoder, ...] | None, *, size: int, encoding: str | None = None
) -> Iterator[Sample]:
    """The start of the object, or of each of its first entries; and MIDDLE bytes each from PLACES further inside.

    A start has START decoded bytes, more only until its first line ends.

    An object that is cut or broken behind its start is sampled as far as it can be read (E31).
    Raises DataError if nothing of it can be.
    """
    raw = b""
    if isinstance(body, Seekable):
        raw = body.read(_PIECE)
        body.seek(0)
    for number, member in enumerate(decoded(body, decoders, encoding=encoding)):
        start = _start(name if member.name is None else f"{name}:{member.name}", member.body)
        yield start
        if number + 1 == _ENTRIES:
            return
        plain = member.name is None and raw and start.data.startswith(raw[: len(start.data)])
        if plain and isinstance(body, Seekable) and size > START + 2 * len(PLACES) * MIDDLE:
            yield from (_inside(name, body, int(share * (size - MIDDLE))) for share in PLACES)


def _start(name: str, body: Readable) -> Sample:
    data, ended = _read(body, START)
    while not ended and len(data) < LONGEST and b"\n" not in data and b"\r" not in data:
        more, ended = _read(body, START)
        data += more
    return Sample(name, data, whole=ended)


def _inside(name: str, body: Seekable, place: int) -> Sample:
    body.seek(place)
    return Sample(name, _read(body, MIDDLE)[0], whole=False, start=False)


def _read(body: Readable, size: int) -> tuple[bytes, bool]:
    """So many bytes, and whether there are no more."""
    parts: list[bytes] = []
    have = 0
    while have < size:
        try:
            part = body.read(min(size - have, _PIECE))
        except DataError:
            if not parts:
                raise
            return b"".join(parts), False
        if not part:
            return b"".join(parts), True
        parts.append(part)
        have += len(part)
    return b"".join(parts), False

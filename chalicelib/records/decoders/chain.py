"""One object's contents, through all layers of its packing: `decoded`."""

import io
from collections.abc import Callable, Iterator
from contextlib import closing

from chalicelib.config.decoders import CommonsCompress, Decoder, Tar, Zip
from chalicelib.errors import DecodeError
from chalicelib.records.decoders.bzip2 import Bunzip2
from chalicelib.records.decoders.content import Kind, check, told
from chalicelib.records.decoders.frames import unbrotli, unlz4
from chalicelib.records.decoders.limits import DEPTH, Limits, Meter, Metered
from chalicelib.records.decoders.packed import Member, Packed, SeekableStart, Start, seekable, started
from chalicelib.records.decoders.snappy import Snappy
from chalicelib.records.decoders.streams import gunzip, inflate, unxz, unzlib
from chalicelib.records.decoders.tarred import untar
from chalicelib.records.decoders.units import Units
from chalicelib.records.decoders.zipped import unzip
from chalicelib.records.decoders.zstd import Unzstd
from chalicelib.records.pages import Readable, Seekable
from chalicelib.records.spool import spooled

CODECS: dict[Kind, Callable[[Packed], Readable]] = {
    Kind.GZIP: gunzip,
    Kind.BZIP2: Bunzip2,
    Kind.XZ: unxz,
    Kind.ZSTD: Unzstd,
    Kind.LZ4: unlz4,
    Kind.SNAPPY: Snappy,
    Kind.BROTLI: unbrotli,
}
ARCHIVES = (Kind.ZIP, Kind.TAR)
LABELS = {"br": Kind.BROTLI, "deflate": Kind.DEFLATE}  # codings of HTTP that content cannot tell
SAME_LABELS = {"gzip": Kind.GZIP, "x-gzip": Kind.GZIP, "zstd": Kind.ZSTD}
FORMATS = {"gz": Kind.GZIP, "jar": Kind.ZIP, "lz4-framed": Kind.LZ4, "snappy-framed": Kind.SNAPPY}  # Embulk's own names
Labels = tuple[Kind, ...]
RELABEL = "Store the object with the Content-Encoding that it has, or declare `decoders: []` to have it as it lies"


def decoded(
    body: Readable, decoders: tuple[Decoder, ...] | None, *, encoding: str | None = None, limits: Limits | None = None
) -> Iterator[Member]:
    """The contents of an object, each to be read to its end before the next; all but archives have one (F54).

    With no decoders declared (None) each layer of packing is told by its first bytes (F55, E46), up to DEPTH layers;
    `encoding`, the object's Content-Encoding, only counts where content cannot tell: br and deflate. Declared
    decoders are applied one after the other, none for (); the entries of an archive at their end are then told by
    content. An empty body is empty, whatever was declared. A body that is not packed stays seekable if it was, and
    one that is packed once can begin afresh in the middle (decoders.units) if its codec and the body below allow it.

    Raises DecodeError: bytes are cut, corrupt, encrypted, not what was declared, or expand beyond the limits.
    """
    if decoders is not None and not decoders:
        yield Member(None, body)
        return
    chain = _Chain(Meter(limits or Limits()))
    whole = Member(None, body)
    yield from chain.told(whole, 0, labels=_labels(encoding)) if decoders is None else chain.declared(whole, decoders)


def _labels(encoding: str | None) -> Labels:
    """The codings of a Content-Encoding that we know, in the order they were applied."""
    known = LABELS | SAME_LABELS
    names = (name.strip().lower() for name in (encoding or "").split(","))
    return tuple(known[name] for name in names if name in known)


class _Chain:
    """The layers of one object."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def told(self, member: Member, depth: int, match: str | None = None, labels: Labels = ()) -> Iterator[Member]:
        """What is in here after every layer that its content tells, or its label."""
        start = started(member.body)
        here = Member(member.name, start)
        kind = told(start)
        label = labels[-1] if labels else None
        if kind is None and label in LABELS.values() and start.peek(1):
            for inner in self._unpacked(labels[-1], here, depth, None, by_label=True):
                yield from self.told(inner, depth + 1, labels=labels[:-1])
            return
        if kind is None:
            yield here
            return
        if depth == DEPTH:
            raise DecodeError(
                f"the content{_of(here)} is packed more than {DEPTH} times over",
                remedy="Store it packed once, or declare its decoders",
            )
        left = _under(kind, labels)
        for inner in self._unpacked(kind, here, depth, match):
            yield from self.told(inner, depth + 1, None if kind in ARCHIVES else match, left)

    def declared(self, member: Member, decoders: tuple[Decoder, ...], depth: int = 0) -> Iterator[Member]:
        """What is in here after these decoders."""
        first, *others = decoders
        rest = tuple(others)
        start = started(member.body)
        here = Member(member.name, start)
        kind = _kind(first)
        match = first.match_name if isinstance(first, Zip | Tar | CommonsCompress) else None
        if not start.peek(1):
            yield here
        elif kind is None:
            for inner in self.told(here, depth, match):
                yield from self.declared(inner, rest, depth + DEPTH) if rest else (inner,)
        else:
            check(start, kind, _of(here))
            for inner in self._unpacked(kind, here, depth, match):
                yield from self._rest(inner, rest, depth + 1, entries=kind in ARCHIVES)

    def _rest(self, member: Member, rest: tuple[Decoder, ...], depth: int, *, entries: bool) -> Iterator[Member]:
        if rest:
            return self.declared(member, rest, depth)
        return self.told(member, min(depth, DEPTH)) if entries else iter((member,))

    def _unpacked(
        self, kind: Kind, member: Member, depth: int, match: str | None, *, by_label: bool = False
    ) -> Iterator[Member]:
        """One layer less."""
        if kind is Kind.ZIP:
            yield from self._unzipped(member, depth, match)
            return
        start = started(member.body)
        what = f"the {kind} {'archive' if kind is Kind.TAR else 'data'}{_of(member)}"
        packed = Packed(start, f"{what} (its Content-Encoding says so)", RELABEL) if by_label else Packed(start, what)
        if not depth:
            self._meter.packed = lambda: packed.taken
            packed.units = Units(8 if kind is Kind.BZIP2 else 1) if seekable(start) else None
        if kind is Kind.TAR:
            yield from untar(packed, member.name, match, self._meter)
            return
        content = _zlib_or_raw(packed, start) if kind is Kind.DEFLATE else CODECS[kind](packed)
        yield Member(member.name, Metered(content, self._meter, depth))

    def _unzipped(self, member: Member, depth: int, match: str | None) -> Iterator[Member]:
        whole = seekable(member.body)
        if whole is not None:
            yield from self._entries(whole, member.name, depth, match)
            return
        with closing(spooled(member.body, f"the zip archive{_of(member)}")) as file:
            yield from self._entries(file, member.name, depth, match)

    def _entries(self, body: Seekable, of: str | None, depth: int, match: str | None) -> Iterator[Member]:
        if not depth:
            size = body.seek(0, io.SEEK_END)
            self._meter.packed = lambda: size
        for entry in unzip(body, of, match, self._meter):
            yield Member(entry.name, Metered(entry.body, self._meter, depth))


def _kind(decoder: Decoder) -> Kind | None:
    """What a decoder undoes; None: whatever it finds."""
    if not isinstance(decoder, CommonsCompress):
        return Kind(decoder.type)
    return (FORMATS.get(decoder.format) or Kind(decoder.format)) if decoder.format else None


def _under(kind: Kind, labels: Labels) -> Labels:
    """The labels of what lies under a layer that content told; none if they contradict it, or do not reach inside."""
    return labels[: max(at for at, label in enumerate(labels) if label is kind)] if kind in labels else ()


def _of(member: Member) -> str:
    return f" of entry {member.name!r}" if member.name else ""


def _zlib_or_raw(packed: Packed, start: Start | SeekableStart) -> Readable:
    """What HTTP calls deflate: in zlib's wrapper by the standard, bare from some servers."""
    head = start.peek(2)[:2]
    wrapped = len(head) == 2 and head[0] & 15 == 8 and int.from_bytes(head, "big") % 31 == 0
    return unzlib(packed) if wrapped else inflate(packed)

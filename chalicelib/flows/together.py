"""The small objects of a task: opened ahead, and read together where nobody can tell the difference.

What becomes of each object is what flows.read makes of it alone: if anything about a bundle is not plain, its objects
are read one by one, from the bytes that are here already.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

from chalicelib.config.columns import Column
from chalicelib.config.parsers.objects import Objects
from chalicelib.core.connections import Grant
from chalicelib.core.descriptions import Description
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Outcome, OutcomeKind
from chalicelib.errors import TidegateError
from chalicelib.flows.agree import check_names
from chalicelib.flows.allowed import check
from chalicelib.flows.ports import Ahead, Body, Buckets, Opened
from chalicelib.flows.read import Reader
from chalicelib.records.bundle import Bundle, Bundling
from chalicelib.records.bundle_texts import SMALL, Text
from chalicelib.records.origin import with_origins
from chalicelib.records.pages import Reject
from chalicelib.records.rejected import REJECTED, rejected
from chalicelib.records.stream import Setting

if TYPE_CHECKING:
    import pyarrow as pa

ROOM = 4 << 20  # bytes of text that are read together: more gains nothing
LEAST = 256 << 10  # the same, after bundles that came to nothing


def in_turn(wanted: Iterable[tuple[int, Callable[[], Opened]]]) -> Generator[Callable[[], Opened], None, None]:
    """Opens each when it is asked for (flows.ports.Ahead)."""
    return (open_it for _, open_it in wanted)


@dataclass(frozen=True, slots=True)
class _Small:
    """An object that is here."""

    ref: ObjectRef
    body: "_Bytes"
    text: Text

    @property
    def size(self) -> int:
        """Bytes of its rows."""
        return len(self.text.rows)

    def joins(self, other: "_Small") -> bool:
        """True if both begin with the same bytes."""
        return self.text.head.data == other.text.head.data


class Together:
    """Reads runs of members for the reader of an attempt."""

    def __init__(self, reader: Reader, ahead: Ahead = in_turn) -> None:
        self._at_hand = _AtHand(reader.buckets)
        self._reader = replace(reader, buckets=self._at_hand)
        self._ahead = ahead
        self._room = ROOM
        pipeline = reader.pipeline
        self._bundling = Bundling.of(pipeline.source, pipeline.filters, pipeline.out.schema_change)

    def outcomes(self, members: Sequence[ObjectRef], *, last: bool) -> Iterator[Outcome]:
        """What became of each, in order; to be read to its end. Raises what Reader.member raises."""
        bundle: list[_Small] = []
        size = 0
        for ref, small in self._opened(members):
            if bundle and not (small is not None and small.joins(bundle[0]) and size + small.size <= self._room):
                yield from self._together(bundle, last=last)
                bundle, size = [], 0
            if small is None:
                yield self._reader.member(ref, last=last)
            else:
                self._reader.alive()
                bundle.append(small)
                size += small.size
        if bundle:
            yield from self._together(bundle, last=last)

    def _opened(self, members: Sequence[ObjectRef]) -> Iterator[tuple[ObjectRef, _Small | None]]:
        """Each member, and the object if it may be read with others; else it may be at hand all the same."""
        wanted = ((ref.size, partial(self._open, ref)) for ref in members if self._is_wanted(ref))
        with closing(self._ahead(wanted)) as opened:
            for ref in members:
                small = None
                if self._is_wanted(ref) and not self._reader.shut:
                    small = self._at_hand.take(ref, next(opened))
                yield ref, small

    def _is_wanted(self, ref: ObjectRef) -> bool:
        return ref.size <= SMALL and not isinstance(self._reader.pipeline.source.parser, Objects)

    def _open(self, ref: ObjectRef) -> _Small | Body:
        """The object. Several threads may be here. Raises what opening it alone would raise."""
        reader, bundling = self._reader, self._bundling
        check(reader.grant, ref.bucket, ref.key, owner=reader.pipeline.owner)
        body = self._at_hand.buckets.open(reader.grant, ref, prefix=reader.pipeline.source.listed_prefix)
        if bundling is None or body.size > SMALL:
            return body
        with closing(body):
            whole = _Bytes(body.read(body.size), body.encoding)
        text = bundling.text(whole.getvalue(), whole.encoding)
        return whole if text is None else _Small(ref, whole, text)

    def _together(self, bundle: list[_Small], *, last: bool) -> Iterator[Outcome]:
        known = self._known()
        if not known:  # whoever is the first says which columns there are
            yield self._alone(bundle[0], last=last)
            bundle, known = bundle[1:], self._known()
        outcomes = self._bundled(bundle, known) if len(bundle) > 1 and known else None
        if outcomes is not None:
            self._room = min(2 * self._room, ROOM)
            yield from outcomes
        else:
            if len(bundle) > 1:
                self._room = max(self._room // 4, LEAST)  # so that little is parsed twice where this goes on
            for small in bundle:
                yield self._alone(small, last=last)

    def _known(self) -> tuple[Column, ...]:
        pipeline = self._reader.pipeline
        declared = pipeline.source.parser.columns
        return declared if declared is not None else self._reader.pipelines.columns(pipeline.name)

    def _alone(self, small: _Small, *, last: bool) -> Outcome:
        self._at_hand.hold(small.ref, small.body)
        return self._reader.member(small.ref, last=last)

    def _bundled(self, bundle: list[_Small], known: tuple[Column, ...]) -> list[Outcome] | None:
        """What became of these objects; None if nothing has been written, and each is to be read alone."""
        assert self._bundling is not None, "there is a bundle"
        reader = self._reader
        setting = Setting(bundle[0].ref, reader.now(), reader.secret)
        try:
            read = self._bundling.read([small.text for small in bundle], known, setting)
            if read is None:
                return None
            outcomes = self._written(read, [small.ref for small in bundle], setting.run_at)
        except TidegateError:  # whichever object it is of will raise it again
            reader.rows.drop()
            reader.rejects.drop()
            return None
        reader.rows.keep()  # what fails here ends the attempt: nobody knows which rows are in files by then
        reader.rejects.keep()
        return outcomes

    def _written(self, read: Bundle, refs: list[ObjectRef], at: datetime) -> list[Outcome]:
        """What becomes of the objects, if what is written now is kept."""
        reader = self._reader
        check_names(read.columns)
        rows, rejects = [0] * len(refs), [0] * len(refs)
        for page in read.pages():
            reader.alive()
            batch = page.batch
            if reader.pipeline.out.origin_columns:
                batch = with_origins(batch, refs, page.owners, at)
            reader.rows.write(batch, read.columns, at)
            for number, count in page.rows:
                rows[number] += count
            for number, bad in page.rejects:
                rejects[number] += len(bad)
                reader.rejects.write(self._rejected(bad, refs[number], at), REJECTED)
        return [
            Outcome(ref.key, OutcomeKind.LOADED, rows=count, rejects=bad, read_at=reader.now())
            for ref, count, bad in zip(refs, rows, rejects, strict=True)
        ]

    def _rejected(self, bad: Sequence[Reject], ref: ObjectRef, at: datetime) -> "pa.RecordBatch":
        reader = self._reader
        return rejected(bad, ref, pipeline=reader.pipeline.name, job=reader.job, entry=None, at=at)


class _Bytes(BytesIO):
    """A whole object as a body (flows.ports.Body)."""

    def __init__(self, data: bytes, encoding: str | None) -> None:
        super().__init__(data)
        self.size = len(data)
        self.encoding = encoding


@dataclass(frozen=True, slots=True)
class _AtHand:
    """The customer's buckets, of which one object or another is open already, or was tried (flows.ports.Buckets)."""

    buckets: Buckets
    held: dict[ObjectRef, Body | TidegateError] = field(default_factory=dict)

    def hold(self, ref: ObjectRef, body: Body | TidegateError) -> None:
        """Give or raise this when the object is opened next."""
        self.held[ref] = body

    def take(self, ref: ObjectRef, open_it: Callable[[], _Small | Body]) -> _Small | None:
        """The object, if it is one that others may be read with; whatever else comes of opening it is held."""
        try:
            found = open_it()
        except TidegateError as error:
            self.hold(ref, error)
            return None
        if isinstance(found, _Small):
            return found
        self.hold(ref, found)
        return None

    def open(self, grant: Grant, ref: ObjectRef, *, prefix: str) -> Body:
        """See flows.ports."""
        held = self.held.pop(ref, None)
        if isinstance(held, TidegateError):
            raise held
        return held or self.buckets.open(grant, ref, prefix=prefix)

    def describe(self, grant: Grant, ref: ObjectRef, *, prefix: str, tags: bool = False) -> Description:
        """See flows.ports."""
        return self.buckets.describe(grant, ref, prefix=prefix, tags=tags)

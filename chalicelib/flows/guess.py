"""Guess: a seed document to a complete one, from bounded samples of the objects it is for. Writes nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.config.source import Source
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason, refusal
from chalicelib.errors import ConfigError, DataError
from chalicelib.flows.admin import Admin
from chalicelib.flows.allowed import check
from chalicelib.flows.ports import Body, Buckets, Listing
from chalicelib.records.proposals.proposal import Evidence, Sample, Sure
from chalicelib.records.proposals.propose import propose
from chalicelib.records.proposals.sampling import sampled

PAGES = 3  # calls of the listing, at most
OBJECTS = 5


@dataclass(frozen=True, slots=True)
class Taken:
    """What was sampled of one object."""

    name: str
    size: int  # bytes, as it lies there
    start: int  # decoded bytes from its start
    middle: int = 0  # and from its middle


@dataclass(frozen=True, slots=True)
class Guessed:
    """The completed document, and what it rests on."""

    document: Mapping[str, Any]
    taken: tuple[Taken, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """An object and its bytes, to be sampled and closed."""

    name: str  # for people
    size: int  # bytes, as it lies there
    body: Body


@dataclass(frozen=True, slots=True)
class Guessing:
    """Guesses from customers' buckets. Reads only."""

    admin: Admin
    listing: Listing
    buckets: Buckets

    def guess(
        self,
        document: Mapping[str, Any],
        *,
        connection: str | None = None,
        objects: int = OBJECTS,
        all_strings: bool = False,
    ) -> Guessed:
        """The document with a parser guessed from up to `objects` objects that it selects (F56, F57).

        Raises ConfigError: the seed is wrong, nothing lies under it, or nothing can be told from what does.
        """
        source = seeded(document)
        name = connection or document.get("connection")
        if not name:
            raise ConfigError("no connection is named", remedy="Write `connection` into the seed, or give --connection")
        check(self.admin.connection(str(name)), source.bucket, source.listed_prefix, owner=document.get("owner"))
        refs, evidence = self._selected(source, str(name))
        opened = self._open(source, str(name), pick(refs, objects))
        guessed = guess_from(document, opened, all_strings=all_strings)
        given = {"connection": name} if connection else {}
        return Guessed(dict(guessed.document) | given, guessed.taken, (*evidence, *guessed.evidence))

    def _selected(self, source: Source, connection: str) -> tuple[list[ObjectRef], tuple[Evidence, ...]]:
        """The objects among the first pages of the listing that the source wants."""
        grant = self.admin.connection(connection)
        refs: list[ObjectRef] = []
        listed = 0
        refused: dict[Reason, int] = {}
        after: str | None = ""
        exact = source.path is not None
        for _ in range(PAGES):
            page = self.listing.page(grant, source.bucket, source.listed_prefix, start_after=after or "", exact=exact)
            listed += len(page.objects)
            for each in page.objects:
                reason = refusal(source, each.ref, archived=each.archived)
                if reason is None:
                    refs.append(each.ref)
                else:
                    refused[reason] = refused.get(reason, 0) + 1
            after = page.next_after
            if after is None:
                break
        if not refs:
            raise _nothing(source, listed, refused)
        more = "" if after is None else ", the first of more"
        why = f"{listed} keys were listed{more}; {len(refs)} of them are wanted"
        return refs, (Evidence("objects", str(len(refs)), why, Sure.HIGH if after is None else Sure.MEDIUM),)

    def _open(self, source: Source, connection: str, refs: Sequence[ObjectRef]) -> Iterator[Opened]:
        grant = self.admin.connection(connection)
        for ref in refs:
            yield Opened(str(ref), ref.size, self.buckets.open(grant, ref, prefix=source.listed_prefix))


def guess_from(document: Mapping[str, Any], opened: Iterable[Opened], *, all_strings: bool = False) -> Guessed:
    """The document with a parser guessed from these objects; each is closed after it was sampled.

    What the user wrote stays as it was written (F58). Raises ConfigError if nothing can be told from them, and what
    the first of them raised if none can be read.
    """
    source = seeded(document)
    samples: list[Sample] = []
    taken, evidence, troubles = [], [], []
    objects = iter(opened)
    while True:
        try:
            each = next(objects, None)
            if each is None:
                break
            found = _sampled(each, source)
        except DataError as error:
            troubles.append(error)
            evidence.append(Evidence("trouble", error.where or "an object", str(error), Sure.HIGH))
            continue
        samples += found
        sizes = [sum(len(s.data) for s in found if s.start is start) for start in (True, False)]
        taken.append(Taken(each.name, each.size, *sizes))
    if not samples and troubles:
        raise troubles[0]
    written = document.get("in") or {}
    proposal = propose(samples, written.get("parser"), all_strings=all_strings)
    inside = {name: value for name, value in written.items() if name != "parser"}
    completed = {**document, "in": inside | {"parser": dict(proposal.parser)}}
    return Guessed(completed, tuple(taken), (*evidence, *proposal.evidence))


def seeded(document: Mapping[str, Any]) -> Source:
    """The seed's `in`, with a parser that stands in for what is not written yet. Raises ConfigError."""
    written = document.get("in")
    if not isinstance(written, dict):
        raise ConfigError("in is required, with the bucket to read", where="seed", remedy="See `tidegate guess --help`")
    parser = written.get("parser")
    if parser is not None and not isinstance(parser, dict):
        raise ConfigError("in.parser holds no mapping", where="seed", remedy="Leave it out to have it guessed")
    columns = {"columns": [{"name": "c", "type": "string", "width": 1}]}
    stand_in = (parser or {}) if (parser or {}).get("type") else {"type": "csv", **(parser or {})}
    if stand_in["type"] == "fixed_width" and "columns" not in stand_in:
        stand_in = stand_in | columns
    return Source.parse({**written, "parser": stand_in}, where="in")


def pick(refs: Sequence[ObjectRef], most: int) -> list[ObjectRef]:
    """At most so many: the largest, the first, the last, and others spread evenly between them; the largest first."""
    if not refs:
        return []
    largest = max(refs, key=lambda ref: ref.size)
    spread = [refs[index * (len(refs) - 1) // max(most - 1, 1)] for index in range(most)]
    order = dict.fromkeys((largest, refs[0], refs[-1], *spread, *refs))
    chosen = set(list(order)[:most])
    return [largest, *(ref for ref in refs if ref in chosen and ref != largest)][:most]


def _nothing(source: Source, listed: int, refused: Mapping[Reason, int]) -> ConfigError:
    where = f"s3://{source.bucket}/{source.listed_prefix}"
    if not listed:
        return ConfigError("nothing to sample: no key is there", where=where, remedy="Check bucket and path_prefix")
    why = ", ".join(f"{number} {reason}" for reason, number in refused.items())
    remedy = "Narrow path_prefix to where the objects lie, or mend the rules that refuse them"
    return ConfigError(f"nothing to sample among the first {listed} keys ({why})", where=where, remedy=remedy)


def _sampled(each: Opened, source: Source) -> list[Sample]:
    try:
        encoding = each.body.encoding
        return list(sampled(each.name, each.body, source.decoders, size=each.size, encoding=encoding))
    except DataError as error:
        error.where = error.where or each.name
        raise
    finally:
        each.body.close()

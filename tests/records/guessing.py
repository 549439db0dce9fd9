"""Short ways to guess in these tests."""

from collections.abc import Sequence
from typing import Any

from chalicelib.config.formats import Parser
from chalicelib.config.source import Source
from chalicelib.records.proposals.proposal import Evidence, Proposal, Sample
from chalicelib.records.proposals.propose import propose
from tests.records.reading import Read, read


def samples(*texts: str | bytes, whole: bool = True) -> list[Sample]:
    """Each text as the start of an object of its own."""
    data = [text.encode() if isinstance(text, str) else text for text in texts]
    return [Sample(f"object {number}", each, whole=whole) for number, each in enumerate(data, start=1)]


def guessed(*texts: str | bytes, all_strings: bool = False, **given: Any) -> Proposal:
    return propose(samples(*texts), given, all_strings=all_strings)


def types(proposal: Proposal) -> dict[str, str]:
    """What each column is, with its format if it has one."""
    columns = proposal.parser["columns"]
    return {each["name"]: " ".join(filter(None, (each["type"], each.get("format")))) for each in columns}


def options(proposal: Proposal) -> dict[str, Any]:
    """The document without its columns and its type."""
    return {name: value for name, value in proposal.parser.items() if name not in ("type", "columns")}


def said(evidence: Sequence[Evidence], what: str) -> Evidence:
    return next(each for each in evidence if each.what == what)


def parser(proposal: Proposal) -> Parser:
    return Source.parse({"bucket": "bucket", "parser": dict(proposal.parser)}, where="test").parser


def loaded(data: str | bytes, proposal: Proposal) -> Read:
    """All rows of an object by the proposal, as the load reads them."""
    return read(data.encode() if isinstance(data, str) else data, parser(proposal))

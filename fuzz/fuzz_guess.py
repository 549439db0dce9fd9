"""Guess: any samples, anything already given.

Nothing but ConfigError and DataError; the same proposal each time; what was given stays; the proposal is a parser;
and the sampled rows, read with it, are never set aside because of a type that was only guessed (F57).
"""

from typing import Any

from chalicelib.config.source import Source
from chalicelib.errors import ConfigError, DataError
from chalicelib.records.pages import Reject
from chalicelib.records.proposals.proposal import Sample
from chalicelib.records.proposals.propose import propose
from chalicelib.records.stream import open_rows
from fuzz.choices import Choices
from fuzz.reading import SETTING, Trickle

GIVEN: tuple[dict[str, Any], ...] = (
    {},
    {"type": "csv"},
    {"type": "json"},
    {"type": "tsv"},
    {"type": "csv", "delimiter": ";"},
    {"type": "csv", "delimiter": "||", "quote": None},
    {"type": "csv", "skip_header_lines": 0},
    {"type": "csv", "skip_header_lines": 2},
    {"type": "csv", "charset": "cp1252"},
    {"type": "csv", "charset": "UTF-16LE"},
    {"type": "csv", "null_string": ["NA", ""]},
    {"type": "csv", "comment_line_marker": "#"},
    {"type": "json", "flatten_json_array": True},
    {"type": "json", "root": "/a"},
    {"delimiter": "\t"},
    {"type": "fixed_width"},
)
SEEMS_TYPED = " is not "  # in the reason of a reject whose value does not fit its column


def check(data: bytes) -> None:
    """Try one input. Raises AssertionError, or whatever guess lets out."""
    choices = Choices(data)
    given, parts, cut = choices.of(GIVEN), 1 + choices.number(3), choices.number(2) == 1
    all_strings = choices.number(8) == 7
    body = choices.rest()
    size = -(-len(body) // parts) or 1
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    samples = [Sample(f"{number}", piece, whole=not cut) for number, piece in enumerate(pieces)]
    try:
        proposal = propose(samples, given, all_strings=all_strings)
    except (ConfigError, DataError):
        return
    assert propose(samples, given, all_strings=all_strings) == proposal, "another proposal for the same samples"
    assert given.items() <= dict(proposal.parser).items(), "what was given is not what is proposed"
    source = Source.parse({"bucket": "sample", "decoders": [], "parser": dict(proposal.parser)}, where="in")
    for piece in pieces:
        if not piece.strip(b"\r\n\0"):
            continue  # nothing but zeros says nothing of a type: a file that was reserved and never written
        for reject in _rejects(piece, source):
            assert cut or "type" in given or SEEMS_TYPED not in reject.reason, f"{proposal.parser}: {reject.reason}"


def _rejects(piece: bytes, source: Source) -> list[Reject]:
    try:
        entries = open_rows(Trickle(piece), source, (), SETTING)
        return [reject for entry in entries for page in entry.pages(entry.infer()) for reject in page.rejects]
    except (ConfigError, DataError):
        return []

"""Propose: samples in, a parser's document out, with the reasons."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.config.source import Source
from chalicelib.errors import ConfigError
from chalicelib.records.proposals import fixed, jsons
from chalicelib.records.proposals.charsets import charset_of, text_of
from chalicelib.records.proposals.delimited import delimited
from chalicelib.records.proposals.proposal import Evidence, Proposal, Sample, Sure

_MAGIC = {b"PAR1": "parquet", b"Obj\x01": "avro", b"ORC": "orc"}  # the first bytes that each format's documents give
_BINARY = 20  # a control character in as many bytes says that this is no text
_CONTROLS = bytes({*range(0x20)} - {*b"\t\n\r\f\x01\x02\x1b\x1e\x1f\x00"})


def propose(
    samples: Sequence[Sample], given: Mapping[str, Any] | None = None, *, all_strings: bool = False
) -> Proposal:
    """What the parser's document should say for these samples (F56).

    What is `given` is kept as it is, and the rest is guessed around it (F58). `all_strings`: no types (F59).
    Raises ConfigError if nothing can be told from the samples, or if what was given cannot be.
    """
    given = dict(given or {})
    kept = [sample for sample in samples if sample.data]
    if not kept or not any(sample.start for sample in kept):
        raise ConfigError("all samples are empty", remedy="Guess from objects that hold rows")
    proposal = _of_format(kept, given, all_strings=all_strings)
    Source.parse({"bucket": "sample", "parser": dict(proposal.parser)}, where="in")
    return proposal


def _of_format(samples: Sequence[Sample], given: Mapping[str, Any], *, all_strings: bool) -> Proposal:
    kinds = {_magic(sample.data) for sample in samples if sample.start}
    kind = given.get("type")
    if kind is None and kinds - {None}:
        if len(kinds) > 1:
            raise ConfigError("the objects have several formats", remedy="Give a narrower path_prefix or a pattern")
        kind = kinds.pop()
    if kind in (*_MAGIC.values(), "objects"):
        why = (
            "it was given" if "type" in given else "every object begins with its mark; columns are told by the objects"
        )
        return Proposal({"type": kind} | dict(given), (Evidence("format", str(kind), why, Sure.HIGH),))
    if kind == "fixed_width" and "columns" in given:
        return Proposal(given, (Evidence("format", "fixed_width", "it was given", Sure.HIGH),))
    charset, said = charset_of(samples)
    if "charset" in given:
        charset, said = given["charset"], Evidence("charset", given["charset"], "it was given", Sure.HIGH)
    proposal = _text(samples, charset, given, kind, all_strings=all_strings)
    return Proposal(proposal.parser, (said, *proposal.evidence))


def _text(
    samples: Sequence[Sample], charset: str, given: Mapping[str, Any], kind: str | None, *, all_strings: bool
) -> Proposal:
    try:
        texts = [text_of(sample, charset) for sample in samples if sample.start]
    except LookupError:
        Source.parse({"bucket": "sample", "parser": {"type": "csv"} | dict(given)}, where="in")
        raise
    if kind == "json" or (kind is None and jsons.is_json(texts)):
        return jsons.proposed(samples, charset, given, all_strings=all_strings)
    if kind is None and not charset.startswith("UTF-16") and _is_binary(samples):
        raise ConfigError(
            "the samples are no text, and begin like no format that is known",
            remedy="Declare `parser` (and `decoders`) by hand",
        )
    if kind == "fixed_width" or kind is None:
        layout = fixed.proposed(texts, charset, given, all_strings=all_strings)
        if layout is not None:
            return layout
    return delimited(samples, charset, given, all_strings=all_strings)


def _magic(data: bytes) -> str | None:
    return next((kind for mark, kind in _MAGIC.items() if data.startswith(mark)), None)


def _is_binary(samples: Sequence[Sample]) -> bool:
    head = b"".join(sample.data[:4096] for sample in samples)
    return (len(head) - len(head.translate(None, _CONTROLS))) * _BINARY > len(head)

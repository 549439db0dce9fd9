"""Delimited text: a csv parser's document, and its proof that the samples load by it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.errors import ConfigError
from chalicelib.records.proposals.charsets import text_of
from chalicelib.records.proposals.headers import Layout, layout_of
from chalicelib.records.proposals.nulls import CLEAR, WORDS, collisions, ordered
from chalicelib.records.proposals.proposal import Evidence, Proposal, Sample, Sure
from chalicelib.records.proposals.reading import Looked, look
from chalicelib.records.proposals.signs import Signs, differing, records, signs_of
from chalicelib.records.proposals.types import column_of, demoted

_STRAY = "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"
_SHORT = 0.05  # the share of rows with too few fields that makes it a habit
_ALIGNED = 5  # records in a row that must have the usual number of fields, for a place in the middle to be a start


@dataclass(slots=True)
class _Draft:
    """A document in the making."""

    given: Mapping[str, Any]
    texts: list[tuple[str, bool]]  # starts of objects, each with whether it is whole
    middles: list[str]
    signs: Signs
    layout: Layout
    parser: dict[str, Any]
    evidence: list[Evidence] = field(default_factory=list)

    def settle(self, **options: Any) -> None:
        """Take options into the document, unless the user wrote them."""
        self.parser |= {name: value for name, value in options.items() if name not in self.given}

    def look(self, columns: Sequence[Mapping[str, Any]]) -> Looked:
        """What the load would read with these columns, in UTF-8, which the texts are by now."""
        parser = {**self.parser, "charset": "UTF-8", "columns": list(columns)}
        starts = [(_whole_lines(text, whole=whole).encode("utf-8", "replace"), whole) for text, whole in self.texts]
        found = look(starts, parser)
        middles = [(text.encode("utf-8", "replace"), False) for text in self.middles]
        if middles and self.parser.get("columns_by", "position") == "position":
            beside = look(middles, parser | {"skip_header_lines": 0})
            if beside.rows > 20 * len(beside.rejects):  # else it was no place to begin at
                for name, chunks in beside.texts.items():
                    found.texts.setdefault(name, []).extend(chunks)
        return found


def delimited(samples: Sequence[Sample], charset: str, given: Mapping[str, Any], *, all_strings: bool) -> Proposal:
    """A csv parser for these samples; keys that were given are kept, and the rest is guessed around them.

    Raises ConfigError if there is nothing in the samples to tell it by.
    """
    draft = _drafted(samples, charset, given)
    if "columns" in given:
        return _finished(draft)
    if not draft.layout.names:
        raise ConfigError("there are no rows in the samples", remedy="Write the parser by hand")
    strings = [{"name": name, "type": "string"} for name in draft.layout.names]
    _shape(draft, draft.look(strings))
    found = draft.look(strings)
    if found.trouble:
        draft.evidence.append(Evidence("trouble", "an object cannot be read to its end", found.trouble, Sure.HIGH))
    columns = [Column(name=name, type=ColumnType.STRING) for name in draft.layout.names]
    if not all_strings:
        _find_nulls(draft, found)
        columns = _typed(draft, found)
    draft.settle(columns=[_shown(column) for column in columns])
    _prove(draft, columns)
    return _finished(draft)


def _drafted(samples: Sequence[Sample], charset: str, given: Mapping[str, Any]) -> _Draft:
    told = dict(given) | ({"delimiter": "\t"} if given.get("type") == "tsv" and "delimiter" not in given else {})
    starts = [sample for sample in samples if sample.start]
    texts = [(text_of(sample, charset), sample.whole) for sample in starts]
    texts = [each for each in texts if each[0].strip("\r\n\0")]  # zeros: reserved, and never written
    if not texts:
        raise ConfigError("there is no text in the samples", remedy="Write the parser by hand")
    signs, evidence = signs_of(texts, told)
    cut = [list(records(text, signs, whole=whole)) or list(records(text, signs, whole=True)) for text, whole in texts]
    layout = layout_of([each for each in cut if each], skip=_skip(given), comment=given.get("comment_line_marker"))
    draft = _Draft(given, texts, _middles(samples, charset, signs, layout.width), signs, layout, {})
    draft.evidence += [_newline([text for text, _ in texts]), *evidence, *layout.evidence]
    draft.evidence += [
        Evidence("disagreement", starts[index].name, f"by itself its delimiter would be {other!r}", Sure.HIGH)
        for index, other in differing([text for text, _ in texts], signs, told).items()
    ]
    draft.parser = {"type": given.get("type", "csv")}
    if signs.delimiter != ("\t" if draft.parser["type"] == "tsv" else ","):
        draft.settle(delimiter=signs.delimiter)
    draft.settle(**({"quote": signs.quote} if signs.quote != '"' else {}))
    draft.settle(**({"escape": signs.escape} if signs.escape else {}))
    draft.settle(**({"comment_line_marker": layout.comment} if layout.comment else {}))
    draft.settle(**({"skip_header_lines": layout.skip} if layout.skip and "header_line" not in given else {}))
    draft.settle(**({"charset": charset} if charset != "UTF-8" else {}))
    draft.parser |= given
    return draft


def _skip(given: Mapping[str, Any]) -> int | None:
    if "skip_header_lines" in given:
        return int(given["skip_header_lines"])
    return int(given["header_line"]) if "header_line" in given else None


def _newline(texts: Sequence[str]) -> Evidence:
    text = "".join(texts)
    both = text.count("\r\n")
    counts = {"CRLF": both, "LF": text.count("\n") - both, "CR": text.count("\r") - both}
    most = max(counts, key=lambda name: counts[name])
    seen = [f"{times} {name}" for name, times in counts.items() if times]
    why = f"{', '.join(seen) or 'none'}; all three end a line in any case"
    return Evidence("newline", most, why, Sure.HIGH if len(seen) == 1 else Sure.MEDIUM)


def _middles(samples: Sequence[Sample], charset: str, signs: Signs, width: int) -> list[str]:
    """Whole records from the middle of objects; of charsets of two bytes a character nobody knows where one begins."""
    if charset.startswith(("UTF-16", "UTF-32", "ISO-2022")):
        return []
    texts = [_whole_lines(text_of(sample, charset), whole=sample.whole) for sample in samples if not sample.start]
    return [aligned for text in texts if (aligned := _aligned(text, signs, width))]


def _aligned(text: str, signs: Signs, width: int) -> str:
    """The text from the first line on that can be the beginning of a record."""
    for match in list(re.finditer(r"(?m)^", text[:20_000]))[:40]:
        rest = text[match.start() :]
        cut = [len(record.fields) for record in _some_records(rest, signs)]
        if len(cut) == _ALIGNED and set(cut) == {width}:
            return rest
    return ""


def _some_records(text: str, signs: Signs) -> list[Any]:
    return [record for record, _ in zip(records(text, signs, whole=True), range(_ALIGNED), strict=False)]


def _whole_lines(text: str, *, whole: bool) -> str:
    if whole:
        return text
    end = max(text.rfind("\n"), text.rfind("\r", 0, -1))
    return text[: end + 1] or text


def _shape(draft: _Draft, found: Looked) -> None:
    """Options that the rows themselves ask for: short rows, stray quotes, spaces around values."""
    short = [reject for reject in found.rejects if _fields(reject.reason) in range(1, draft.layout.width)]
    if len(short) > max(1, _SHORT * (found.rows + len(short))):
        draft.settle(allow_optional_columns=True)
        why = f"{len(short)} rows of the samples end before the last column"
        draft.evidence.append(Evidence("allow_optional_columns", "true", why, Sure.MEDIUM))
    stray = _strays(draft)
    if stray:
        draft.settle(quotes_in_quoted_fields=_STRAY)
        why = f"{stray} quoted values have quotes inside that are not doubled"
        draft.evidence.append(Evidence("quotes_in_quoted_fields", _STRAY, why, Sure.MEDIUM))
    elif _trimmed(draft, found):
        draft.settle(trim_if_not_quoted=True)
        why = "values have spaces around them"
        draft.evidence.append(Evidence("trim_if_not_quoted", "true", why, Sure.MEDIUM))


def _fields(reason: str) -> int:
    """How many fields a row had, if that is why it was bad."""
    match = re.match(r"(\d+) fields?, ", reason)
    return int(match[1]) if match else 0


def _strays(draft: _Draft) -> int:
    """Quoted values with a quote in the middle of words: `"a "b" c"`."""
    quote, sep = draft.signs.quote, re.escape(draft.signs.delimiter)
    if quote is None or draft.signs.escape:
        return 0
    other = rf"[^{quote}\r\n]"
    pattern = (
        rf"(?m)(?:^|(?<={sep})){quote}{other}*[^{quote}\r\n\\]{quote}(?!{sep}){other}+?{quote}(?!{sep}){other}+{quote}"
    )
    return sum(len(re.findall(pattern + rf"(?=\r?$|{sep})", text)) for text, _ in draft.texts)


def _trimmed(draft: _Draft, found: Looked) -> bool:
    """True if spaces around values keep a column from its type, or stand after nearly every delimiter."""
    names = [name for name in draft.layout.names if found.texts.get(name)]
    spaced = []
    for name in names:
        texts = found.column(name).drop_null()
        padded = pc.not_equal(texts, pc.utf8_trim(texts, " "))
        share = (pc.sum(padded).as_py() or 0) / max(len(texts), 1)
        spaced.append(share)
        if share and column_of(name, texts)[0].type is ColumnType.STRING:
            bare = column_of(name, pc.utf8_trim(texts, " "))[0]
            if bare.type is not ColumnType.STRING:
                return True
    return len(spaced) > 1 and sum(share > 0.9 for share in spaced) >= len(spaced) - 1


def _find_nulls(draft: _Draft, found: Looked) -> None:
    """The texts that mean NULL: those that keep a column from its type, and those that hardly mean anything else."""
    if "null_string" in draft.given:
        return
    needed: dict[str, list[str]] = {}
    texts: dict[str, list[str]] = {}
    for name in draft.layout.names:
        present = found.column(name)
        distinct = set(pc.unique(present).to_pylist())
        words = sorted(WORDS & distinct)
        if not words:
            continue
        if column_of(name, present)[0].type is ColumnType.STRING:
            kept = present.filter(pc.invert(pc.is_in(present, pa.array(words))))
            if column_of(name, kept)[0].type is not ColumnType.STRING:
                needed[name] = words
                continue
            texts[name] = words
    chosen = {word for words in needed.values() for word in words}
    chosen |= {word for words in texts.values() for word in words if word in CLEAR}
    if not chosen:
        return
    why = f"they keep {', '.join(needed)} from being typed" if needed else "they stand for whole values"
    found_in = collisions(chosen, texts)
    if found_in:
        shown = "; ".join(f"{word!r} in {', '.join(names)}" for word, names in found_in.items())
        why += f"; texts become NULL as well: {shown}"
    strings = ordered({*chosen, ""})
    draft.settle(null_string=list(strings))
    sure = Sure.LOW if found_in else Sure.MEDIUM
    draft.evidence.append(Evidence("null_string", ", ".join(map(repr, strings)), why, sure))


def _typed(draft: _Draft, found: Looked) -> list[Column]:
    nulls = draft.parser.get("null_string")
    words = pa.array([nulls] if isinstance(nulls, str) else nulls or [], pa.string())
    trim = draft.parser.get("trim_if_not_quoted", False)
    columns = []
    for name in draft.layout.names:
        texts = found.column(name)
        texts = pc.utf8_trim(texts, " ") if trim else texts
        column, said = column_of(name, texts.filter(pc.invert(pc.is_in(texts, words))))
        columns.append(column)
        draft.evidence += said
    return _same_order(columns, draft)


def _same_order(columns: Sequence[Column], draft: _Draft) -> list[Column]:
    """Where one column's values decide for day-first, those that allow both follow it."""
    open_ = {each.what for each in draft.evidence if each.sure is Sure.LOW and "allow" in each.why}
    decided = [column.format for column in columns if column.format and column.name not in open_]
    if not any(layout.startswith("%d") and "%m" in layout for layout in decided):
        return list(columns)
    if any(layout.startswith("%m") for layout in decided):
        return list(columns)
    result = []
    for column in columns:
        if column.name in open_ and (column.format or "").startswith("%m"):
            swapped = (column.format or "").translate(str.maketrans("dm", "md"))
            column = column.model_copy(update={"format": swapped})
            draft.evidence = [each for each in draft.evidence if each.what != column.name]
            why = "its values allow both orders: day-first, as other columns have it"
            draft.evidence.append(Evidence(column.name, f"{column.type} {swapped}", why, Sure.MEDIUM))
        result.append(column)
    return result


def _prove(draft: _Draft, columns: Sequence[Column]) -> None:
    """Load the samples by the document; a column that costs a row becomes a string."""
    found = draft.look([_shown(column) for column in columns])
    misfits = {c.name: r.reason for r in found.rejects for c in columns if f"{c.name}: " in r.reason}
    misfits = {name: why for name, why in misfits.items() if draft.parser["columns"]}
    if misfits and "columns" not in draft.given:
        kept = []
        for column in columns:
            if column.name in misfits and column.type is not ColumnType.STRING:
                column, said = demoted(column, f"a value did not fit: {misfits[column.name]}")
                draft.evidence.append(said)
            kept.append(column)
        draft.parser["columns"] = [_shown(column) for column in kept]
        found = draft.look(draft.parser["columns"])
    bad = len(found.rejects)
    why = f"{found.rows} rows of the samples load, {bad} do not" + (f": {found.rejects[0].reason}" if bad else "")
    draft.evidence.append(Evidence("proof", f"{found.rows} rows", why, Sure.HIGH if not bad else Sure.LOW))


def _finished(draft: _Draft) -> Proposal:
    order = ["type", "charset", "delimiter", "quote", "escape"]
    names = [*(name for name in order if name in draft.parser), *(n for n in draft.parser if n not in order)]
    names = [*(name for name in names if name != "columns"), *(["columns"] if "columns" in draft.parser else [])]
    return Proposal({name: draft.parser[name] for name in names}, tuple(draft.evidence))


def _shown(column: Column) -> dict[str, Any]:
    return column.model_dump(mode="json", exclude_none=True)

"""Signs: delimiter, quote and escape, told by how evenly they cut a text into fields, and what the fields look like.

Each candidate cuts all samples. Its score is the share of records that have the usual number of fields, cubed, times
the share of fields that look like values, times (n - 1) / n for n fields; rarer delimiters start a little behind.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from chalicelib.records.proposals.proposal import Evidence, Sure

_ONE = {",": 1.0, "\t": 1.0, ";": 1.0, "|": 1.0, "\x01": 1.0, "\x1f": 1.0, "\x02": 0.9, "\x1e": 0.9}
_ONE |= {"¦": 0.9, "§": 0.9, "~": 0.8, "^": 0.8, "!": 0.5, "#": 0.5, "@": 0.4, "&": 0.5, "*": 0.5, "$": 0.5, "%": 0.5}
_ONE |= {":": 0.4, "=": 0.2, " ": 0.5}
_SEVERAL = (
    "||",
    "::",
    "|~|",
    "~|~",
    "|^|",
    "^|^",
    "|;|",
    "|#|",
    "#|#",
    "@@",
    "##",
    "$$",
    "~~",
    "^^",
    "%%",
    ";;",
    "@|@",
)
_SPACED = (", ", "; ", "| ", " | ", "\t|\t")
_DELIMITERS = _ONE | dict.fromkeys(_SEVERAL, 0.95) | dict.fromkeys(_SPACED, 0.9)
_COMMON = frozenset(",\t;|\x01\x1f\x02\x1e~^¦§")  # two fields by these are evidence enough
_ALONE = 0.12  # a score below it says that there is one column only
_PIECE, _MANY, _TYPED = 1 << 16, 2000, 3000  # characters of each sample, records, and fields that are looked at
_MARK, _BACKSLASHES = "\ue000", "\ue001"  # private characters: one for a delimiter of several, one for \\

_NUMBER = re.compile(r"[+-]?[$€£¥]? ?(?:\d+(?:[.,]\d+)*|\.\d+)(?:[eE][+-]?\d+)? ?%?")
_TIME = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
    r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?"
    r"|\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?"
)
_WORD = re.compile(r"[\w.@+\-/#&'’()*?!\[\]\\{}<>:%°$_=]+", re.UNICODE)
_ELSEWHERE = re.compile(r"[\t|;~^¦\x01\x1f\x02]|\S,\S")  # what hardly stands inside a value, unless it is free text


@dataclass(frozen=True, slots=True)
class Signs:
    """What cuts a text into fields."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record, and the physical line, from 1, on which it begins."""

    line: int
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Score:
    signs: Signs
    score: float
    fields: int  # of most records
    even: float  # the share of records that have as many


def records(text: str, signs: Signs, *, whole: bool) -> Iterator[Record]:
    """The records, without empty lines; of a text that was cut, without the last."""
    delimiter, quote = signs.delimiter, signs.quote
    if len(delimiter) > 1:
        text, delimiter = text.replace(delimiter, _MARK), _MARK
    if signs.escape and quote:
        text = text.replace(signs.escape * 2, _BACKSLASHES).replace(signs.escape + quote, quote * 2)
    quoting: Any = csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote or '"', quoting=quoting)
    held, line = None, 1
    try:
        for fields in reader:
            if fields:
                if held is not None:
                    yield held
                held = Record(line, tuple(fields))
            line = reader.line_num + 1
    except csv.Error:  # a field beyond 128 KiB: a quote that never closes
        return
    if held is not None and whole:
        yield held


def signs_of(texts: Sequence[tuple[str, bool]], given: Mapping[str, Any]) -> tuple[Signs, tuple[Evidence, ...]]:
    """The signs that cut all texts best, each text with whether it is whole; `given` ones are kept."""
    pieces = [(text[:_PIECE], whole and len(text) <= _PIECE) for text, whole in texts if text.strip()]
    scores = [_scored(pieces, signs) for signs in _candidates(pieces, given)]
    best = max(scores, key=lambda each: each.score)
    if best.score < _ALONE and "delimiter" not in given:
        return _single_column(pieces, best.signs, scores)
    sign = best.signs.delimiter.strip(" ") or " "
    rivals = [each.score for each in scores if (each.signs.delimiter.strip(" ") or " ") != sign]
    lead = best.score - max(rivals, default=0)
    sure = Sure.HIGH if lead > 0.25 and best.even > 0.95 else Sure.MEDIUM if lead > 0.08 else Sure.LOW
    why = f"{best.even:.0%} of the records have {best.fields} fields by it"
    if "delimiter" in given:
        sure, why = Sure.HIGH, "it was given"
    said = Evidence("delimiter", repr(best.signs.delimiter), why, sure)
    return best.signs, (said, _quote_said(best.signs, pieces, given))


def differing(texts: Sequence[str], signs: Signs, given: Mapping[str, Any]) -> dict[int, str]:
    """Of texts that the signs do not fit, by position, the delimiter that each would have by itself."""
    found = {}
    for index, text in enumerate(texts):
        piece = [(text[:_PIECE], False)]
        if text.strip() and "delimiter" not in given and _scored(piece, signs).score < _ALONE:
            own, _ = signs_of([(text, True)], given)
            if own.delimiter != signs.delimiter:
                found[index] = own.delimiter
    return found


def _candidates(pieces: Sequence[tuple[str, bool]], given: Mapping[str, Any]) -> list[Signs]:
    text = "\n".join(piece for piece, _ in pieces)
    delimiters = [given["delimiter"]] if "delimiter" in given else [sign for sign in _DELIMITERS if sign in text]
    delimiters = [sign for sign in delimiters if not _doubled(text, sign)] or [","]
    signs = []
    for delimiter in delimiters:
        for quote in _quotes(text, delimiter, given):
            signs += [Signs(delimiter, quote, escape) for escape in _escapes(text, quote, given)]
    return [each for each in signs if each.delimiter not in (each.quote, each.escape)] or [Signs(delimiters[0])]


def _doubled(text: str, sign: str) -> bool:
    """True if `sign` only ever stands there as a part of `||` and the like."""
    longer = [other for other in _SEVERAL if sign in other and other in text]
    return len(sign) == 1 and any(text.count(sign) == text.count(other) * other.count(sign) for other in longer)


def _quotes(text: str, delimiter: str, given: Mapping[str, Any]) -> list[str | None]:
    if "quote" in given:
        return [given["quote"]]
    found: list[str | None] = ['"']
    opened, closed = _edges(text, delimiter, "'")
    if opened >= 2 and abs(opened - closed) * 10 <= opened:
        found.append("'")
    opened, closed = _edges(text, delimiter, '"')
    if opened and abs(opened - closed) * 10 > opened:
        found.append(None)
    return found


def _escapes(text: str, quote: str | None, given: Mapping[str, Any]) -> list[str | None]:
    if "escape" in given:
        return [given["escape"]]
    return [None, "\\"] if quote and "\\" + quote in text else [None]


def _edges(text: str, delimiter: str, quote: str) -> tuple[int, int]:
    """How many fields begin with the quote, and how many end with it."""
    sep = re.escape(delimiter)
    opened = len(re.findall(rf"(?:^|(?<={sep})){quote}", text, re.MULTILINE))
    closed = len(re.findall(rf"{quote}(?=\r?$|{sep})", text, re.MULTILINE))
    return opened, closed


def _scored(pieces: Sequence[tuple[str, bool]], signs: Signs) -> _Score:
    cut = [rows for piece, whole in pieces if (rows := _rows(piece, signs, whole=whole))]
    found = [_below_preamble(rows) for rows in cut]
    counts = Counter(len(row) for rows in found for row in rows)
    if not counts:
        return _Score(signs, 0, 0, 0)
    usual, times = max(counts.items(), key=lambda item: (item[1], item[0]))
    above = sum(len(rows) for rows in cut) - counts.total()  # a preamble is no good sign either
    even = times / (counts.total() + above)
    regular = [row for rows in found for row in rows if len(row) == usual]
    looks = [_looks(field, signs) for field in islice(chain.from_iterable(regular), _TYPED)]
    worth = even**3 * (sum(looks) / len(looks)) ** 2 * (usual - 1) / usual * _DELIMITERS.get(signs.delimiter, 0.5)
    opened, closed = _all_edges(pieces, signs)
    balanced = opened > 0 and abs(opened - closed) * 20 <= opened
    worth *= 0.6 if abs(opened - closed) * 5 > opened > 0 else 1  # most of the quotes never close
    if not (balanced and even > 0.95 and len(regular) > 2):
        worth *= _doubt(signs, regular)
    return _Score(signs, worth * (1 + 0.05 * balanced + _escaping(pieces, signs)), usual, even)


def _doubt(signs: Signs, rows: Sequence[tuple[str, ...]]) -> float:
    """What remains of a score if the delimiter is one that words and times have as well, or one that is hardly used."""
    columns = [[_looks(field, signs) == 1 for field in column] for column in zip(*rows[1:_MANY], strict=True)]
    shares = [sum(column) / len(column) for column in columns if column]
    rest = 1.0
    if signs.delimiter in (" ", ":"):
        lines = [signs.delimiter.join(row) for row in rows]
        rest = 1 - sum(_TIME.fullmatch(line) is not None for line in lines) / len(lines)
        rest *= 0.2 if sum(shares) * 3 < len(shares) else 1
    rare = signs.delimiter not in _COMMON and len(signs.delimiter) == 1
    return rest * (0.3 if rare and len(rows[0]) == 2 and max(shares, default=0) < 0.95 else 1)


def _rows(piece: str, signs: Signs, *, whole: bool) -> list[tuple[str, ...]]:
    """The records without comments."""
    rows = [record.fields for record in islice(records(piece, signs, whole=whole), _MANY)]
    rows = [row for row in rows if not row[0].startswith(("#", "//"))] or rows
    if not rows:
        rows = [record.fields for record in islice(records(piece, signs, whole=True), _MANY)]
    return rows


def _below_preamble(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The records from the first that has as many fields as most."""
    usual = Counter(map(len, rows)).most_common(1)
    first = next((index for index, row in enumerate(rows) if usual and len(row) == usual[0][0]), 0)
    return rows[first:] if first <= 30 and first * 2 <= len(rows) else rows


def _looks(field: str, signs: Signs) -> float:
    """1: surely a value; 0: surely not."""
    text = field.strip()
    if not text or _NUMBER.fullmatch(text) or _TIME.fullmatch(text):
        return 1
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and signs.quote != text[0]:
        return 0.3
    if signs.quote and signs.quote in text:
        return 0.2 if text.count(signs.quote) % 2 and signs.quote == '"' else 0.6
    if signs.quote is None and '"' in text:
        return 0.5
    if "\n" in text or "\r" in text:
        return 0.8
    if _WORD.fullmatch(text):
        return 0.95
    if any(_NUMBER.fullmatch(word) or _TIME.fullmatch(word) for word in (text.split()[0], text.split()[-1])):
        return 0.6  # a number beside words is two values rather than one
    return 0.4 if _ELSEWHERE.search(text.replace(signs.delimiter, "")) else 0.9


def _all_edges(pieces: Sequence[tuple[str, bool]], signs: Signs) -> tuple[int, int]:
    """How many values begin with the quote, and how many end with it."""
    if signs.quote is None:
        return 0, 0
    edges = [_edges(piece, signs.delimiter, signs.quote) for piece, _ in pieces]
    return sum(opened for opened, _ in edges), sum(closed for _, closed in edges)


def _escaping(pieces: Sequence[tuple[str, bool]], signs: Signs) -> float:
    """A little more for an escape that stands before a quote in the middle of a value, a little less for others."""
    if signs.escape is None or signs.quote is None:
        return 0
    inside = rf"\\{signs.quote}(?!\r?$|{re.escape(signs.delimiter)})"
    return 0.02 if any(re.search(inside, piece, re.MULTILINE) for piece, _ in pieces) else -0.02


def _quote_said(signs: Signs, pieces: Sequence[tuple[str, bool]], given: Mapping[str, Any]) -> Evidence:
    value = f"{signs.quote or 'none'}" + (f", escaped by {signs.escape}" if signs.escape else "")
    if "quote" in given:
        return Evidence("quote", value, "it was given", Sure.HIGH)
    if signs.quote is None:
        return Evidence("quote", value, "values begin with quotes that never close", Sure.MEDIUM)
    opened, _ = _all_edges(pieces, signs)
    if not opened:
        return Evidence("quote", value, "no value is quoted; it is what most writers use", Sure.LOW)
    return Evidence("quote", value, f"{opened} values begin with it", Sure.HIGH if opened > 3 else Sure.MEDIUM)


def _single_column(
    pieces: Sequence[tuple[str, bool]], best: Signs, scores: Sequence[_Score]
) -> tuple[Signs, tuple[Evidence, ...]]:
    """Signs that leave each line whole."""
    text = "\n".join(piece for piece, _ in pieces)
    free = next((sign for sign in (",", "\t", "|", ";", "\x01", "\x1f") if sign not in text), best.delimiter)
    quoted = next((each.signs for each in scores if each.signs.delimiter == free), Signs(free))
    quote = quoted.quote if all(text.count(each) % 2 == 0 for each in (quoted.quote or "",) if each) else None
    signs = Signs(free, quote, quoted.escape)
    why = "nothing cuts the lines into equally many fields: one column"
    return signs, (Evidence("delimiter", repr(free), why, Sure.MEDIUM), Evidence("quote", str(quote), why, Sure.LOW))

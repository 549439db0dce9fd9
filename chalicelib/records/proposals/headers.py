"""Layout of a delimited text: comment marker, lines before the header, the header, and its names."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from chalicelib.records.delimited.header import distinct
from chalicelib.records.proposals.nulls import WORDS
from chalicelib.records.proposals.proposal import Evidence, Sure
from chalicelib.records.proposals.signs import Record

_PREAMBLE = 30  # records before the header, at most
_ROWS = 1000  # records that are compared with the header
_IDENTIFIER = re.compile(r"[^\W\d][\w.-]*", re.UNICODE)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|\.\d+)(?:[eE][+-]?\d+)?%?")
_TIME = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|\d{1,2}:\d\d.*")
_BOOLEAN = frozenset({"true", "false", "yes", "no"})
_KNOWN = re.compile(
    r"(?i)(?:.*[_ -])?(?:id|ids|name|names|date|time|day|month|year|type|code|key|value|values|email|mail|address|city|"
    r"country|state|region|zip|phone|status|title|description|comment|count|amount|price|total|url|user|account|"
    r"number|no|index|label|class|category|group|text|message|level|size|age|sex|gender|lat|lon|lng|latitude|"
    r"longitude|created|updated|timestamp|source|target|score|rank|unit|currency|quantity|qty)s?(?:_at|_on)?"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows begin, and what their fields are called."""

    skip: int  # physical lines before the first row
    names: tuple[str, ...]  # one a field, all different
    header: tuple[str, ...] | None  # as it stands there
    width: int  # fields of most rows
    comment: str | None
    evidence: tuple[Evidence, ...]


def layout_of(texts: Sequence[Sequence[Record]], *, skip: int | None, comment: str | None) -> Layout:
    """The layout that all objects share, from their records; `skip` and `comment` are kept if given."""
    marker, marked = (comment, None) if comment else _comment(texts)
    kept = [[each for each in text if not (marker and each.fields[0].startswith(marker))] for text in texts]
    kept = [text for text in kept if text]
    if not kept:
        return Layout(skip or 0, (), None, 0, marker, ())
    width = _usual(kept)
    said = [marked] if marked else []
    if skip is not None:
        header = next((each.fields for each in reversed(kept[0]) if each.line <= skip), None) if skip else None
        names = column_names(header or ("",) * width, width)
        return Layout(skip, names, header, width, marker, tuple(said))
    first = _first(kept[0], width)
    if first:
        said.append(Evidence("preamble", f"{first} records", f"they have not {width} fields", Sure.MEDIUM))
    header, decided = _header(kept, first, width)
    said.append(decided)
    if header is not None and any(len(each.fields) == len(header) > width for each in kept[0][first + 1 :]):
        width = len(header)  # the rows end early where their last values are missing
    rows = kept[0][first + (header is not None) :]
    start = rows[0].line if rows else kept[0][-1].line + 1
    skip = start - 1 if header is not None or first else 0
    said += _disagreeing(kept, width, skip, header)
    return Layout(skip, column_names(header or ("",) * width, width), header, width, marker, tuple(said))


def column_names(fields: Sequence[str], width: int) -> tuple[str, ...]:
    """A name for each field, all different: those of the header, `c0`, `c1`, … by position where it has none."""
    if len(fields) == width - 1:
        fields = ("", *fields)  # a header without a name for the row's own, as R writes it
    return distinct((*fields, *("",) * width)[:width])


def _usual(texts: Sequence[Sequence[Record]]) -> int:
    counts = Counter(len(each.fields) for text in texts for each in islice(text, _ROWS))
    return max(counts.items(), key=lambda item: (item[1], item[0]))[0]


def _first(records: Sequence[Record], width: int) -> int:
    """The index of the first record that is no preamble; a header may lack the name of the first field."""
    first = next((index for index, each in enumerate(records) if len(each.fields) == width), 0)
    if first > _PREAMBLE:
        return 0
    alike = _first_alike(records, first, width)
    above = records[alike - 1].fields if alike else ()
    if alike < first:
        return alike - 1 if above and _are_names(above) else alike
    named = _without_blank_end(above)
    if named and len(named) in (width, width - 1) and width > 1 and _are_names(named):
        return first - 1
    return first


def _first_alike(records: Sequence[Record], first: int, width: int) -> int:
    """The first record above `first` that holds values as the rows do, if not as many; else `first`.

    It is better for a row to be set aside, which shows, than to be skipped, which does not.
    """
    rows = [_values(each.fields) for each in records[first + 1 : first + 21] if len(each.fields) == width]
    usual = sorted(rows)[len(rows) // 2] if rows else 0
    for index, each in enumerate(records[:first]):
        if usual and len(each.fields) > 1 and 2 * len(each.fields) >= width and 2 * _values(each.fields) >= usual:
            return index
    return first


def _values(fields: Sequence[str]) -> int:
    """How many are numbers or times."""
    return sum(_kind(field.strip()) in ("number", "time") for field in fields)


def _are_names(fields: Sequence[str]) -> bool:
    return all(map(_nameable, fields)) and len(set(fields)) == len(fields)


def _without_blank_end(fields: Sequence[str]) -> Sequence[str]:
    while fields and not fields[-1].strip():
        fields = fields[:-1]
    return fields


def _comment(texts: Sequence[Sequence[Record]]) -> tuple[str | None, Evidence | None]:
    """The marker of lines that are no records; a header that begins with # is none."""
    for marker in ("#", "//"):
        marked = [each for text in texts for each in text if each.fields[0].startswith(marker)]
        others = [each for text in texts for each in text if not each.fields[0].startswith(marker)]
        if not marked or len(marked) > len(others):
            continue
        width = _usual([others])
        odd = sum(len(each.fields) != width or width == 1 for each in marked)
        top = len(texts) if width == 1 else 0  # of one column, only lines above all others are told from values
        above = sum(text[0].fields[0].startswith(marker) for text in texts)
        if odd * 2 >= len(marked) and (width > 1 or above == top):
            why = f"{len(marked)} lines begin with it, and are not like the others"
            return marker, Evidence("comment_line_marker", marker, why, Sure.MEDIUM)
    return None, None


def _header(texts: Sequence[Sequence[Record]], first: int, width: int) -> tuple[tuple[str, ...] | None, Evidence]:
    """The header, if there is one."""
    cells = texts[0][first].fields
    firsts = [text[_first(text, width)].fields for text in texts]
    rows = [each.fields for text in texts for each in text[_first(text, width) + 1 :][:_ROWS]]
    rows = [row for row in rows if len(row) == width]
    names = all(map(_nameable, filter(None, map(str.strip, cells))))
    if len(cells) != width and names and rows:
        return cells, Evidence("header", "yes", "it has names only, but not one for each field", Sure.MEDIUM)
    if len(texts) > 1 and len(set(firsts)) == 1 and rows and names and cells not in rows:
        return cells, Evidence("header", "yes", f"{len(texts)} objects begin with the same record", Sure.HIGH)
    if not rows:
        return _only_line(cells)
    for_it, against = _votes(cells, rows)
    sure = Sure.HIGH if abs(for_it - against) >= 2 else Sure.MEDIUM if abs(for_it - against) >= 1 else Sure.LOW
    if _is_corner(cells, rows):
        return cells, Evidence("header", "yes", "nothing stands over the names of the rows", Sure.MEDIUM)
    if for_it > against:
        return cells, Evidence("header", "yes", "the first record looks like names, unlike the others", sure)
    return None, Evidence("header", "no", "the first record looks like the others; names are c0, c1, …", sure)


def _is_corner(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """True if these are names of columns beside an empty corner, below which every row has a name of its own."""
    below, others = [row[0].strip() for row in rows], [cell.strip() for cell in cells[1:]]
    if cells[0].strip() or not others or not all(others) or len(set(others)) < len(others) or len(rows) < 2:
        return False
    return all(below) and len(set(below)) == len(below)


def _only_line(cells: Sequence[str]) -> tuple[tuple[str, ...] | None, Evidence]:
    named = cells if cells[0].strip() else cells[1:]  # the corner over the names of rows may be empty
    if len(cells) > 1 and named and all(map(_IDENTIFIER.fullmatch, named)) and len(set(cells)) == len(cells):
        return tuple(cells), Evidence("header", "yes", "there is one record only, and it looks like names", Sure.LOW)
    return None, Evidence("header", "no", "there is one record only", Sure.LOW)


def _votes(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[float, float]:
    """How much speaks for a header, and how much against it."""
    for_it = against = 0.0
    for index, cell in enumerate(cells[: len(rows[0])]):
        values = [row[index].strip() for row in rows if row[index].strip() and row[index].strip() not in WORDS]
        vote = _vote(cell.strip(), values)
        if vote > 0:
            for_it += vote
        else:
            against -= vote
    present = [cell.strip() for cell in cells if cell.strip()]
    if _are_years([cell for cell in present if _kind(cell) == "number"]):
        for_it += 2
    against += 0.5 * (len(present) - len(set(present)))
    blanks = len(cells) - len(present)
    against += 0.5 * max(0, blanks - 1)
    if not present:
        against += 2
    return for_it, against


def _are_years(cells: Sequence[str]) -> bool:
    """True if these are years at even distances, as tables have them over their columns."""
    if len(cells) < 2 or not all(re.fullmatch(r"(?:1[89]|20)\d\d", cell) for cell in cells):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(cells)}
    return len(steps) == 1 and 0 < abs(steps.pop()) <= 10


def _vote(cell: str, values: Sequence[str]) -> float:
    kind = _kind(cell)
    usual = _shared_kind(values)
    if not cell or cell in WORDS:
        return 0 if cell.lower() in ("", "null") else -0.5  # a column may be called null (E33), hardly \\N
    if kind != "text":
        year = re.fullmatch(r"(?:1[89]|20)\d\d", cell) is not None and usual == "number"
        return 0 if year and cell not in values else -1.5
    if usual not in ("text", ""):
        return 2 if usual != "boolean" or cell.lower() not in _BOOLEAN else -1
    return _text_vote(cell, values)


def _text_vote(cell: str, values: Sequence[str]) -> float:
    """Of a column of texts: is this one of them, or their name?"""
    if cell in values:
        return -1 if len(set(values)) * 2 > len(values) else -1.5
    vote = 0.3 if _KNOWN.fullmatch(cell) else 0.0
    vote += 0.15 if _IDENTIFIER.fullmatch(cell) and any(not _IDENTIFIER.fullmatch(value) for value in values) else 0
    lengths = [len(value) for value in values]
    if lengths:
        mean = sum(lengths) / len(lengths)
        variance = sum((length - mean) ** 2 for length in lengths) / len(lengths)
        even = variance <= 0.2 and len(lengths) > 1
        vote += 0.6 if even and abs(len(cell) - mean) > 0.5 else 0.1 if len(cell) > 2 * max(lengths) else 0
        if mean > 20 and len(cell) < mean / 2:
            vote += 0.3
        digits = sum(any(char.isdigit() for char in value) for value in values)
        vote += 0.4 if digits * 5 > len(values) * 4 and not any(char.isdigit() for char in cell) else 0
        signs = sum(not value.isascii() for value in values)
        vote += 0.2 if signs * 5 > len(values) * 4 and cell.isascii() else 0
        repeated = len(values) >= 8 and len(set(values)) * 2 < len(values)
        vote += 0.3 if repeated else 0
    if not _nameable(cell) or len(cell) > 60:
        vote -= 1
    return vote or -0.05


def _nameable(cell: str) -> bool:
    """True if it could be a column's name; a number could only be a year's, or a position's."""
    return _kind(cell.strip()) == "text"


def _shared_kind(values: Sequence[str]) -> str:
    kinds = Counter(map(_kind, values))
    if not kinds:
        return ""
    kind, times = kinds.most_common(1)[0]
    return kind if times * 10 >= 9 * len(values) else "text"


def _kind(cell: str) -> str:
    if _NUMBER.fullmatch(cell):
        return "number"
    if _TIME.fullmatch(cell):
        return "time"
    return "boolean" if cell.lower() in _BOOLEAN else "text"


def _disagreeing(
    texts: Sequence[Sequence[Record]], width: int, skip: int, header: tuple[str, ...] | None
) -> list[Evidence]:
    """Objects whose start is another."""
    said = []
    for number, text in enumerate(texts[1:], start=2):
        first = text[_first(text, width)]
        if header is not None and first.fields != header:
            said.append(Evidence("disagreement", f"object {number}", f"its header is {list(first.fields)}", Sure.HIGH))
        elif header is not None and first.line + first.fields[-1].count("\n") > skip:
            said.append(Evidence("disagreement", f"object {number}", "its rows begin on a later line", Sure.HIGH))
    return said

"""Fixed width: columns that lie at the same places of every line, told by the blanks that all lines share."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pyarrow.compute as pc

from chalicelib.records.proposals.headers import column_names
from chalicelib.records.proposals.proposal import Evidence, Proposal, Sure
from chalicelib.records.proposals.reading import look
from chalicelib.records.proposals.types import column_of

_LINES = 2000  # lines that are looked at
_ENOUGH = 5  # lines that must agree

Place = tuple[int, int]  # first character, and the one after the last


def proposed(texts: Sequence[str], charset: str, given: Mapping[str, Any], *, all_strings: bool) -> Proposal | None:
    """A fixed_width parser, only if the texts clearly are that."""
    lines = [line for text in texts for line in text.split("\n")[:_LINES] if line.strip()]
    lines = [line.rstrip("\r") for line in lines]
    asked = given.get("type") == "fixed_width"
    if len(lines) < (2 if asked else _ENOUGH) or not (asked or _aligned(lines)):
        return None
    places = _places(lines)
    if len(places) < (1 if asked else 3):
        return None
    header = _is_header(lines, places)
    names = column_names([_cut(lines[0], place) for place in places] if header else [], len(places))
    columns = [
        {"name": name, "type": "string", "start": start, "width": end - start}
        for name, (start, end) in zip(names, places, strict=True)
    ]
    parser: dict[str, Any] = {"type": "fixed_width"} | ({"charset": charset} if charset != "UTF-8" else {})
    parser |= {"skip_header_lines": 1} if header else {}
    if any(len(line) <= places[-1][0] for line in lines):
        parser["allow_optional_columns"] = True
    parser |= {**given, "columns": columns}
    why = f"{len(lines)} lines have blanks at the same {len(places) - 1} places between values"
    evidence = [Evidence("format", "fixed_width", why, Sure.MEDIUM if not asked else Sure.HIGH)]
    if not all_strings:
        _type(parser, texts)
    return Proposal(parser, tuple(evidence))


def _aligned(lines: Sequence[str]) -> bool:
    """True if it cannot be delimited text: no delimiter in most lines, but runs of blanks, and lines of one length."""
    for sign in "\t,;|":
        if sum(sign in line for line in lines) * 2 > len(lines):
            return False
    lengths = [len(line) for line in lines]
    usual = max(set(lengths), key=lengths.count)
    runs = sum("  " in line.strip() for line in lines)
    return runs * 2 > len(lines) and (lengths.count(usual) * 10 >= 8 * len(lines) or len(_places(lines)) >= 4)


def _places(lines: Sequence[str]) -> list[Place]:
    """The columns; blanks between two belong to the left one, unless the right one ends evenly."""
    length = max(map(len, lines))
    padded = [line.ljust(length) for line in lines]
    used = [any(line[index] != " " for line in padded) for index in range(length)]
    edges = [index for index in range(length + 1) if used[index - 1 : index] != used[index : index + 1]]
    edges = [0, *edges] if used and used[0] and edges[:1] != [0] else edges
    edges = [index for index in edges if 0 <= index <= length]
    runs = [(start, end) for start, end in pairwise(sorted({*edges, length})) if used[start]]
    places: list[Place] = []
    for number, (start, end) in enumerate(runs):
        after = runs[number + 1][0] if number + 1 < len(runs) else end
        values = [line[start:end] for line in padded if line[start:end].strip()]
        even = all(value[-1] != " " for value in values) and any(value[0] == " " for value in values)
        begin = places[-1][1] if places else start
        if even or not places:
            places.append((begin if places else 0, after))
        else:
            places.append((begin, after))
    return places


def _cut(line: str, place: Place) -> str:
    return line[place[0] : place[1]].strip()


def _is_header(lines: Sequence[str], places: Sequence[Place]) -> bool:
    """True if the first line is words over columns that hold numbers."""
    first = [_cut(lines[0], place) for place in places]
    if any(char.isdigit() for cell in first for char in cell[:1]) or len(set(first)) < len(first):
        return False
    return any(all(_cut(line, place)[:1].isdigit() or not _cut(line, place) for line in lines[1:]) for place in places)


def _type(parser: dict[str, Any], texts: Sequence[str]) -> None:
    """Types instead of strings, from what the load reads."""
    found = look([(text.encode("utf-8", "replace"), True) for text in texts], parser | {"charset": "UTF-8"})
    for column in parser["columns"]:
        values = found.column(column["name"])
        kind, _ = column_of(column["name"], pc.utf8_trim_whitespace(values))
        column |= kind.model_dump(mode="json", exclude_none=True)

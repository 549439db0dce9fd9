"""Names for the fields of delimited text, from its header."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from chalicelib.config.columns import Column
from chalicelib.errors import ParseError


def distinct(fields: Sequence[str], *, taken: Iterable[str] = ()) -> tuple[str, ...]:
    """One name a field, all different and none of those `taken`.

    Spaces around a name are removed, an empty one becomes c0, c1, … by its position, and a name that stood there
    before gets _2, _3, …; names that differ in case are different.
    """
    seen = set(taken)
    wanted = {field.strip() for field in fields}
    last: dict[str, int] = {}
    names: list[str] = []
    for position, field in enumerate(fields):
        name = first = field.strip() or f"c{position}"
        number = last.get(first, 1)
        while name in seen or (number > 1 and name in wanted):
            number += 1
            name = f"{first}_{number}"
        last[first] = number
        seen.add(name)
        names.append(name)
    return tuple(names)


def by_name(header: Sequence[str], columns: Iterable[Column], *, optional: bool) -> tuple[str, ...]:
    """The declared columns' names at the places where the header has them; what nobody declared has no name to speak.

    Raises ParseError if the header lacks a column, unless columns are optional.
    """
    places = {name: position for position, name in enumerate(header)}
    names = [f"\0{position}" for position in range(len(header))]
    for column in columns:
        source = column.src or column.name
        if source in places:
            names[places[source]] = column.name
        elif not optional:
            raise ParseError(_lacks(source, header), remedy="Mend columns, or set allow_optional_columns")
    return tuple(names)


def _lacks(source: str, header: Sequence[str]) -> str:
    near = get_close_matches(source, header, n=1)
    shown = ", ".join(header[:20]) + (", …" if len(header) > 20 else "")
    hint = f"; the nearest is {near[0]}" if near else ""
    return f"the header has no column {source}{hint}: {shown[:500]}"

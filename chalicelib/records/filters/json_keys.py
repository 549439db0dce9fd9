"""Keys: which keys JSON objects have, and of which types their values are."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chalicelib.config.columns import ColumnType

_LONGS = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Keys:
    """Ways to values, in the order of their first appearance."""

    types: dict[tuple[str, ...], ColumnType]

    @classmethod
    def of(cls, values: Iterable[Any], depth: int) -> "Keys":
        """The keys of those values that are objects; `depth` levels of them are followed.

        A key whose values are sometimes objects and sometimes not is not followed.
        """
        seen: dict[str, list[Any]] = defaultdict(list)
        for value in values:
            if isinstance(value, dict):
                for key, inner in value.items():
                    seen[key].append(inner)
        types: dict[tuple[str, ...], ColumnType] = {}
        for key, inners in seen.items():
            present = [inner for inner in inners if inner is not None]
            deeper: dict[tuple[str, ...], ColumnType] = {}
            if depth > 1 and present and all(isinstance(inner, dict) for inner in present):
                deeper = cls.of(present, depth - 1).types
            if deeper:
                types |= {(key, *way): kind for way, kind in deeper.items()}
            else:
                types[(key,)] = _type(present)
        return cls(types)

    @classmethod
    def known(cls, ways: Iterable[tuple[str, ...]]) -> "Strict":
        """What finds the values that lie on none of these ways."""
        tree: dict[str, Any] = {}
        for way in ways:
            place = tree
            for key in way[:-1]:
                place = place.setdefault(key, {})
            place[way[-1]] = None
        return Strict(tree)


@dataclass(frozen=True, slots=True)
class Strict:
    """The keys that may be there: of nested ones a tree, None at its leaves."""

    tree: dict[str, Any]

    def strangers(self, values: Iterable[Any], name: str) -> dict[int, str]:
        """By row, which values of the column would get lost."""
        bad = {}
        for row, value in enumerate(values):
            if value is None:
                continue
            if not isinstance(value, dict):
                bad[row] = f"{name}: not a JSON object"
                continue
            lost = _lost(value, self.tree)
            if lost:
                bad[row] = (
                    f"{name}: {', '.join(sorted(lost))}: not among the columns; declare expanded_columns, or keep the "
                    "JSON column with keep_expanding_json_column"
                )
        return bad


def _lost(value: dict[str, Any], tree: dict[str, Any]) -> list[str]:
    lost = [key for key in value if key not in tree]
    for key, below in tree.items():
        inner = value.get(key)
        if below is None or inner is None:
            continue
        if isinstance(inner, dict):
            lost += [f"{key}.{deeper}" for deeper in _lost(inner, below)]
        else:
            lost.append(key)
    return lost


def _type(values: list[Any]) -> ColumnType:
    """The type that all these values have; text takes what has none in common."""
    kinds = {_kind(value) for value in values}
    if ColumnType.JSON in kinds:
        return ColumnType.JSON
    if kinds == {ColumnType.LONG, ColumnType.DOUBLE}:
        return ColumnType.DOUBLE
    return kinds.pop() if len(kinds) == 1 else ColumnType.STRING


def _kind(value: Any) -> ColumnType:
    match value:
        case bool():
            return ColumnType.BOOLEAN
        case int() if value in _LONGS:
            return ColumnType.LONG
        case float():
            return ColumnType.DOUBLE
        case dict() | list():
            return ColumnType.JSON
    return ColumnType.STRING

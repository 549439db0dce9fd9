"""What JSON values look like that need not be read to be known as compact text.

A value is its own compact text if it has no blanks, no escapes but the short ones, each number as a double or a long
is written, and no key twice in an object. One regular expression tells all of that, in a tenth of the time in which
the values could be read and written, once the keys and their order are known: so these are learned.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from threading import Lock
from typing import Any

import orjson
import re2

_SAMPLE = 3000  # values that a shape is learned from: to look at one takes as long as to read it
_LESSONS = 8  # times that a shape is learned; what still looks otherwise then always will
_MEMBERS = 200  # places for values in a shape; RE2 needs some KB for each, and ids that are keys have no end
_DEEPEST = 8  # levels of nesting in a shape

_TEXT = r'"(?:[^"\\\x00-\x1f]|\\["\\bfnrt])*"'
_LONG = r"-?[1-9][0-9]{0,17}|0"
_DOUBLE = (  # of at most 15 digits, which a double gives back
    r"-?(?:0\.0{0,3}[1-9](?:[0-9]{0,9}[1-9])?|0\.0"
    r"|[1-9][0-9]{0,7}\.(?:0|[0-9]{0,6}[1-9])|[1-9][0-9]{8,11}\.(?:0|[0-9]{0,2}[1-9]))"
)
_SCALAR = f"(?:{_TEXT}|{_LONG}|{_DOUBLE}|true|false|null)"


@dataclass(slots=True)
class _Node:
    """What may stand at one place."""

    scalar: bool = False
    layouts: dict[str, "dict[str, _Node]"] = field(default_factory=dict)  # of objects, by their first key: the members
    empty: bool = False  # an object without any
    items: "_Node | None" = None  # of an array

    def learn(self, value: Any) -> None:
        """Let this value stand here too."""
        match value:
            case dict():
                self._learn_object(value)
            case list():
                self.items = self.items or _Node()
                for item in value:
                    self.items.learn(item)
            case _:
                self.scalar = True

    def _learn_object(self, value: dict[str, Any]) -> None:
        if not value:
            self.empty = True
            return
        first = next(iter(value))
        layout = self.layouts.get(first, {})
        if not value.keys() <= layout.keys():
            layout = {key: layout.get(key) or _Node() for key in _merged(list(layout), list(value))}
            self.layouts[first] = layout
        for key, inner in value.items():
            layout[key].learn(inner)

    def pattern(self) -> str:
        """The regular expression of all that may stand here; an empty one if nothing has."""
        ways = [_SCALAR] if self.scalar else []
        ways += [r"\{\}"] if self.empty else []
        for layout in self.layouts.values():
            first, *others = (f"{_quoted(key)}:{node.pattern()}" for key, node in layout.items())
            ways.append(r"\{" + first + "".join(f"(?:,{member})?" for member in others) + r"\}")
        if self.items is not None:
            item = self.items.pattern()
            ways.append(rf"\[(?:{item}(?:,{item})*)?\]" if item else r"\[\]")
        return f"(?:{'|'.join(ways)})" if ways else ""

    def members(self, levels: int = _DEEPEST) -> int:
        """How many places for values there are; too many if it is too deep."""
        if not levels:
            return _MEMBERS + 1
        inner = chain([self.items] if self.items else [], *(each.values() for each in self.layouts.values()))
        return 1 + sum(node.members(levels - 1) for node in inner)


class Shapes:
    """Tells of values whether they are their own compact texts. Learns what they look like as they come."""

    def __init__(self) -> None:
        self._root = _Node()
        self._regex: Any = None
        self._lessons = -1  # after the first, which is none: those values may be all there are
        self._lock = Lock()

    def know(self, values: Sequence[bytes]) -> bool:
        """True if each of these values is JSON and its own compact text; False says nothing."""
        return self._regex is not None and self._regex.fullmatch(b"\n".join([*values, b""])) is not None

    def learn(self, values: Sequence[Any]) -> None:
        """Look at values that were not known."""
        with self._lock:
            self._lessons += 1
            if not 0 < self._lessons <= _LESSONS:
                return
            for value in values[:: len(values) // _SAMPLE + 1]:
                self._root.learn(value)
            self._regex = _regex(self._root)
            if self._regex is None:
                self._lessons = _LESSONS


def _regex(root: _Node) -> Any:
    """The expression for any number of values, each on a line; None if that would be too large."""
    if not 1 < root.members() <= _MEMBERS:
        return None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # a byte is a byte: the text is known to be UTF-8
    options.never_capture = True
    return re2.compile(f"(?:{root.pattern()}\n)*".encode("latin-1"), options)


def _quoted(key: str) -> str:
    return re.escape(orjson.dumps(key).decode("latin-1"))


def _merged(known: list[str], others: list[str]) -> list[str]:
    """All keys: those that are new come after the one that they follow."""
    at = 0
    for key in others:
        if key in known:
            at = known.index(key) + 1
        else:
            known.insert(at, key)
            at += 1
    return known

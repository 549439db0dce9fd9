"""What a user wrote as YAML or JSON, as plain values: bounded in size, depth and expansion, and nothing twice.

YAML as everybody reads it lets the last of two equal keys win, makes numbers of a megabyte of digits, and lets ten
lines of aliases stand for a billion values. A document is small, so that is refused, with the line where it stands.
"""

import json
import math
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import yaml

from chalicelib.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 50  # lists and mappings within each other
MAX_VALUES = 100_000  # with each alias written out
MAX_SCALAR = 1000  # characters of a number, a time, or anything else that is no text
_REMEDY = "Give a YAML document"
_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null"))
_TIME = "tag:yaml.org,2002:timestamp"
_EQUALS = "tag:yaml.org,2002:value"  # a bare `=`, which YAML 1.1 keeps for something that nobody has: a text
_MERGE = "tag:yaml.org,2002:merge"
_Refusal = Callable[[str], ConfigError]


def document(data: bytes, *, where: str) -> dict[str, Any]:
    """The one mapping that a text in UTF-8 holds, YAML or JSON. Raises ConfigError that names the line."""

    def refusal(what: str) -> ConfigError:
        return ConfigError(what, where=where, remedy=_REMEDY)

    if len(data) > MAX_BYTES:
        raise refusal(f"it has more than {MAX_BYTES:,} bytes, and no document needs as many")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refusal(f"it cannot be read ({error})") from None
    found = _as_json(text, refusal)
    if found is None:
        found = _as_yaml(text, refusal)
    if not isinstance(found, dict):
        raise refusal("it holds no mapping")
    _judge(found, refusal)
    return found


def _as_json(text: str, refusal: _Refusal) -> Any:
    """The value of a JSON text; None for all else, also if something is wrong with it: YAML tells the line of that."""
    if not text.lstrip().startswith("{"):
        return None

    def no_number(word: str) -> Any:
        raise refusal(f"{word} is no number that JSON knows")

    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=no_number)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe one, which makes nothing but plain values; a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping, once it is known that no key was written twice; those that `<<` brings may be."""
        seen: dict[Any, yaml.Mark] = {}
        for key, _ in node.value:
            value = self.construct_object(key, deep=True) if key.tag != _MERGE else _MERGE
            if not isinstance(value, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key.start_mark)
            if value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} stands here again, after {_place(seen[value])}", key.start_mark
                )
            seen[value] = key.start_mark
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]


_Loader.add_constructor(_EQUALS, yaml.constructor.SafeConstructor.construct_yaml_str)


def _as_yaml(text: str, refusal: _Refusal) -> Any:
    try:
        _bounded(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _expanded(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise refusal(f"it cannot be read ({str(error.problem or error.context)[:300]}, {_place(mark)})") from None
    except (ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:  # ValueError: 2026-13-45 is no date
        raise refusal(f"it cannot be read ({' '.join(str(error).split())[:300]})") from None


def _bounded(text: str) -> None:
    """Before anything is built, which goes down as deep as the text does: how deep that is, and how much."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if count > 2 * MAX_VALUES:
            raise _problem(f"it holds more than {MAX_VALUES:,} values", event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _problem(f"lists and mappings lie deeper than {MAX_DEPTH}", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and event.implicit[0] and len(event.value) > MAX_SCALAR:
            _unlike_a_number(event)


def _unlike_a_number(event: yaml.ScalarEvent) -> None:
    """Whether it is one would be asked by patterns that take a hundred bytes a character."""
    if event.value[0] in "-+.0123456789":
        raise _problem(f"a value of {len(event.value):,} characters that is no text", event)


def _expanded(root: yaml.Node) -> None:
    """How many values there are when each alias is written out; each node is looked at once."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    ways: list[tuple[yaml.Node, Iterator[yaml.Node]]] = []

    def enter(node: yaml.Node) -> None:
        if id(node) in open_:
            raise _problem("an alias stands for what it stands in", node)
        _plain(node)
        open_.add(id(node))
        ways.append((node, _inner(node)))

    enter(root)
    while ways:
        node, inner = ways[-1]
        below = next((each for each in inner if id(each) not in sizes), None)
        if below is not None:
            enter(below)
            continue
        sizes[id(node)] = 1 + sum(sizes[id(each)] for each in _inner(node))
        if sizes[id(node)] > MAX_VALUES:
            raise _problem(f"it holds more than {MAX_VALUES:,} values once its aliases are written out", node)
        open_.discard(id(node))
        ways.pop()


def _inner(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return (each for pair in node.value for each in pair)
    return iter(node.value if isinstance(node, yaml.SequenceNode) else ())


def _plain(node: yaml.Node) -> None:
    if node.tag not in _TAGS | {_TIME, _EQUALS, _MERGE}:
        raise _problem(f"the tag {node.tag} is not taken", node)
    if isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":str") and len(node.value) > MAX_SCALAR:
        raise _problem(f"a value of {len(node.value):,} characters that is no text", node)


def _problem(what: str, at: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = at.start_mark
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark)


def _place(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "its end"


def _judge(found: Any, refusal: _Refusal) -> None:
    """Whatever YAML and JSON can say and a stored document cannot: infinite numbers, half characters, depth."""
    ways: list[tuple[Any, int]] = [(found, 1)]
    count = 0
    while ways:
        value, depth = ways.pop()
        count += 1
        if depth > MAX_DEPTH + 1 or count > MAX_VALUES:
            raise refusal(f"it holds more than {MAX_VALUES:,} values, or they lie deeper than {MAX_DEPTH}")
        if isinstance(value, float) and not math.isfinite(value):
            raise refusal(f"{value} is no number that can be kept")
        if isinstance(value, str) and not _is_text(value):
            raise refusal(f"{value[:50]!r} holds half a character (a lone surrogate)")
        if isinstance(value, dict):
            ways += [(each, depth + 1) for pair in value.items() for each in pair]
        elif isinstance(value, list):
            ways += [(each, depth + 1) for each in value]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Values and blocks in Terraform's language, laid out as `terraform fmt` does.

https://developer.hashicorp.com/terraform/language/expressions/strings
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import ConfigError

STEP = "  "
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Raw:
    """An expression, not a text: a reference or a call. Never made of somebody else's names."""

    text: str


def call(function: str, value: Any, depth: int = 0) -> Raw:
    """`function(value)`, to stand `depth` levels deep."""
    return Raw(f"{function}({expression(value, depth)})")


def expression(value: Any, depth: int = 0) -> str:
    """A value as Terraform writes it; its further lines are indented by `depth` levels.

    Raises ConfigError for a text that Terraform cannot hold as it is.
    """
    match value:
        case Raw():
            return value.text
        case str():
            return quoted(value)
        case bool() | int():
            return json.dumps(value)
        case Mapping() if value:
            return f"{{\n{attributes(value, depth + 1)}{STEP * depth}}}"
        case Mapping():
            return "{}"
        case _ if not value:
            return "[]"
        case _:
            inner = STEP * (depth + 1)
            lines = "".join(f"{inner}{expression(each, depth + 1)},\n" for each in value)
            return f"[\n{lines}{STEP * depth}]"


def quoted(text: str) -> str:
    """The text as a literal in which nothing is a template.

    Terraform brings every text into the composed form (NFC), however it is written: raises ConfigError for others.
    """
    if unicodedata.normalize("NFC", text) != text:
        raise ConfigError(
            f"{text!a} has decomposed letters, which Terraform composes: it would name other keys",
            remedy="Take another --format",
        )
    escaped = "".join(_escaped(char) for char in text)
    return '"' + re.sub(r"[$%](?=\{)", lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'


def attributes(values: Mapping[str, Any], depth: int) -> str:
    """One line or more for each, `=` in one column within each run of single lines."""
    lines = [(_name(name), expression(value, depth)) for name, value in values.items()]
    text, run = "", list[tuple[str, str]]()
    for name, value in lines:
        if "\n" in value:
            text += _aligned(run, depth) + f"{STEP * depth}{name} = {value}\n"
            run = []
        else:
            run.append((name, value))
    return text + _aligned(run, depth)


def block(kind: str, labels: Iterable[str], body: Mapping[str, Any], *blocks: str) -> str:
    """A block of the top level; `blocks` are finished ones of the second."""
    head = " ".join((kind, *(quoted(label) for label in labels)))
    within = "".join(f"\n{each}" for each in blocks)
    return f"{head} {{\n{attributes(body, 1)}{within}}}\n"


def inner(kind: str, body: Mapping[str, Any]) -> str:
    """A block of the second level."""
    return f"{STEP}{kind} {{\n{attributes(body, 2)}{STEP}}}\n"


def _aligned(run: list[tuple[str, str]], depth: int) -> str:
    width = max((len(name) for name, _ in run), default=0)
    return "".join(f"{STEP * depth}{name:<{width}} = {value}\n" for name, value in run)


def _name(name: str) -> str:
    return name if _WORD.fullmatch(name) else quoted(name)


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char) or f"\\U{ord(char):08x}"

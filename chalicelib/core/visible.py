"""Names and keys are other people's text: what a terminal would obey, or not show, is written out before it is shown.

An object's key may hold a line end that begins a false line of a log, an escape sequence that clears the screen, signs
that turn the order of others round, or half a character, which no stream takes. All that is shown goes through here.
"""

import json
from typing import Any


def visible(text: str) -> str:
    """The text on one line, with whatever is not printed as itself as Python and YAML write it: \\n, \\x1b, \\u202e."""
    return text if text.isprintable() else "".join(map(_written, text))


def block(text: str) -> str:
    """A text of several lines that is known to be laid out by us; its lines are kept."""
    return "\n".join(map(visible, text.split("\n")))


def json_line(value: Any, *, compact: bool = False) -> str:
    """The value as JSON on one line of printable characters; what reads JSON gets the value itself."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":") if compact else None, default=_plain)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _written(char: str) -> str:
    return char if char.isprintable() else ascii(char)[1:-1]


def _escaped(char: str) -> str:
    """JSON's own escape; beyond 16 bits that is a pair."""
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)

"""Paths into JSON values: keys and indices where that is enough, JSONPath beyond."""

import re
from functools import lru_cache
from itertools import islice
from math import prod
from typing import Any

MAX_LENGTH = 500  # characters of a JSONPath
MAX_FOUND = 10_000  # values that one JSONPath finds in one value
MAX_BRANCHES = 100  # ways that brackets with commas open, all multiplied
MAX_COMMAS = 3  # within a filter
MAX_NESTING = 20  # parentheses and nots
_MULTIPLIERS = ("TOKEN_DDOT", "TOKEN_FILTER", "TOKEN_ROOT", "TOKEN_COMMA")

_KEY = r"[^\s.\[\]*?@$'\"(),]+(?: +[^\s.\[\]*?@$'\"(),]+)*"
_STEP = re.compile(
    rf"\.(?P<key>{_KEY})|\[(?P<index>-?[0-9]{{1,9}})\]|\['(?P<single>[^'\\]*)'\]|\[\"(?P<double>[^\"\\]*)\"\]"
)


def steps(path: str) -> tuple[str | int, ...] | None:
    """The keys and indices of a path like `$.a.b[0]['c d']`; None if it is more than that, such as `$.a[*]`."""
    rest = path[1:] if path.startswith("$") else path if path.startswith("[") else f".{path}"
    found: list[str | int] = []
    place = 0
    while place < len(rest):
        match = _STEP.match(rest, place)
        if match is None:
            return None
        index = match["index"]
        found.append(int(index) if index is not None else next(g for g in match.group(1, 3, 4) if g is not None))
        place = match.end()
    return tuple(found)


def joined(root: str, path: str) -> str:
    """The path from the whole value: of one that begins with `$` that is itself, of another it begins at `root`."""
    if path.startswith("$"):
        return path
    root = root.removesuffix(".")
    return root + path if path.startswith("[") else f"{root}.{path}"


@lru_cache(maxsize=1024)
def compiled(path: str) -> Any:
    """The JSONPath, for what `steps` cannot say. Raises ValueError.

    RFC 9535 without regular expressions, which would not run in linear time, and without what multiplies: the steps
    that a path takes are bounded by a small multiple of the value's size, whatever the value is.
    """
    if len(path) > MAX_LENGTH:
        raise ValueError(f"the JSONPath has {len(path)} characters; at most {MAX_LENGTH} are taken")
    from jsonpath import JSONPathEnvironment, JSONPathError  # a tenth of a second, and hardly anybody needs it

    environment = JSONPathEnvironment(strict=True)
    for name in ("match", "search"):
        environment.function_extensions.pop(name, None)
    try:
        if "=~" in path:
            raise ValueError(f"{path!r}: regular expressions are not taken in a JSONPath")
        found: Any = environment.compile(path)
        signs = [token.value for token in environment.lexer.tokenize(path) if token.kind in _MULTIPLIERS]
    except (JSONPathError, RecursionError) as error:
        reason = (str(error).splitlines() or ["too deep"])[0]
        raise ValueError(f"{path!r} is not a JSONPath ({reason})") from None
    _judge(path, signs, [len(segment.selectors) for segment in found.segments])
    return found


def found_by(path: Any, value: Any) -> list[Any]:
    """All that a compiled JSONPath finds in the value.

    Raises ValueError for more than MAX_FOUND, and for a value nested more than a hundred levels deep below `..`.
    """
    try:
        found = [match.obj for match in islice(path.finditer(value), MAX_FOUND + 1)]
    except RecursionError:
        raise ValueError("the value is nested too deeply for its JSONPath") from None
    if len(found) > MAX_FOUND:
        raise ValueError(f"its JSONPath finds more than {MAX_FOUND} values")
    return found


def _judge(path: str, signs: list[str], selectors: list[int]) -> None:
    """Raises ValueError for what multiplies: each of these visits all that the one before it found."""
    if signs.count("..") > 1 or signs.count("?") > 1 or signs.count("$") > 1:
        raise ValueError(f"{path!r}: a JSONPath may have `..` once, one filter, and `$` only where it begins")
    if {"..", "?"} <= set(signs) and signs.index("?") < signs.index(".."):
        raise ValueError(f"{path!r}: in a JSONPath, `..` may not follow a filter")
    within = signs.count(",") - sum(count - 1 for count in selectors)
    if path.count("(") + path.count("!") > MAX_NESTING:
        raise ValueError(f"{path!r}: a JSONPath may have {MAX_NESTING} parentheses and nots")
    if prod(selectors) > MAX_BRANCHES or within > MAX_COMMAS:
        raise ValueError(f"{path!r}: a JSONPath may name {MAX_BRANCHES} things side by side, {MAX_COMMAS} in a filter")

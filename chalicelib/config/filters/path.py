"""Paths into JSON values: keys and indices where that is enough, JSONPath beyond."""

import re
from functools import cache
from typing import Any

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


@cache
def compiled(path: str) -> Any:
    """The JSONPath, for what `steps` cannot say. Raises ValueError.

    Regular expressions in it are refused: they would not run in linear time.
    """
    from jsonpath import JSONPathEnvironment, JSONPathError  # a tenth of a second, and hardly anybody needs it

    environment = JSONPathEnvironment()
    for name in ("match", "search"):
        environment.function_extensions.pop(name, None)
    try:
        if "=~" in path:
            raise ValueError(f"{path!r}: regular expressions are not taken in a JSONPath")
        return environment.compile(path)
    except JSONPathError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path!r} is not a JSONPath ({reason})") from None

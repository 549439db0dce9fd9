"""Our own patterns over other people's text: does twice the text take twice the time?

What users write is RE2's (config/patterns.py); these are Python's, which may go back as often as there are ways to.
Each `re` pattern that a module of chalicelib holds is tried as that module uses it (match, or search as well) on
repetitions of one or two signs with something at the end that does not fit. Near 2 is linear, near 4 quadratic.

python bench/bench_patterns.py [--all]
"""

import importlib
import inspect
import itertools
import pkgutil
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import chalicelib

UNITS = [*"a0 \"'\\{[,:-.\t\n%(/=_Aé", '""', "at", "id"]
ENDS = ["", "!", "\n", "\x00", '"', "a", "0"]
SEARCHING = "finditer|findall|search|sub|split"


def patterns() -> Iterator[tuple[str, "re.Pattern[Any]", bool]]:
    """The compiled patterns of modules, once each, and whether they are looked for anywhere in a text."""
    seen = set()
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        if module.name.endswith("__main__"):
            continue
        held = importlib.import_module(module.name)
        source = inspect.getsource(held)
        for name, value in vars(held).items():
            if isinstance(value, re.Pattern) and value not in seen:
                seen.add(value)
                shown = module.name.removeprefix("chalicelib.")
                yield f"{shown}.{name}", value, re.search(rf"\b{name}\.({SEARCHING})\(", source) is not None


def texts(size: int) -> Iterator[tuple[str, str]]:
    """A repetition and its end."""
    for unit in [*UNITS, *map("".join, itertools.permutations(UNITS, 2))]:
        for end in ENDS if unit in UNITS else ENDS[:3]:
            yield unit * (size // len(unit)), end


def seconds(pattern: "re.Pattern[Any]", text: str, *, searched: bool) -> float:
    """The shortest of three times."""
    given = text.encode() if isinstance(pattern.pattern, bytes) else text

    def once() -> float:
        started = time.perf_counter()
        pattern.match(given)
        pattern.fullmatch(given)
        for _ in pattern.finditer(given) if searched else ():
            pass
        return time.perf_counter() - started

    return min(once() for _ in range(3))


def main() -> None:
    """Print the slowest text of each pattern, and what doubling it does."""
    rows = []
    for name, pattern, searched in patterns():
        body, end = max(texts(400), key=lambda text: seconds(pattern, "".join(text), searched=searched))
        small, large = (seconds(pattern, body * times + end, searched=searched) for times in (20, 40))
        rows.append((large * 1000, large / small, name, body[:6], end))
    for spent, ratio, name, start, end in sorted(rows, reverse=True)[: None if "--all" in sys.argv else 15]:
        print(f"{spent:9.3f} ms for 16 KB, {ratio:4.1f} times those of 8 KB: {name} on {start!r}…{end!r}")


if __name__ == "__main__":
    main()

"""RE2 patterns, as users write them: linear time whatever is written, no look-around, no back-references.

Linear is not yet cheap: a step costs as much as the compiled pattern is large. So a pattern has a length and a compiled
size, both bounded when a document is read; then Arrow, which compiles patterns of its own without telling of limits,
gets none that is beyond them.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Annotated, Any

import re2
from pydantic import AfterValidator

MAX_LENGTH = 1000  # characters of a pattern, and of a glob
MAX_PROGRAM = 10_000  # instructions: a key of 1,024 characters takes at most 30 ms (`.{1000}` has 8,004, `\pL` 1,200)
MAX_GLOBS = 100  # in one list: each is tried on every key
_MEMORY = 1 << 20  # bytes: what one pattern may take, its automata included
_TOGETHER = 8  # times that, for the patterns of one list together
_ANYTHING = ""  # a pattern that is found in every text


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The RE2 pattern, compiled once a process and silently. Raises re2.error."""
    return re2.compile(pattern, _options(_MEMORY))


class Together:
    """Patterns that are tried in one pass over a text: 0.8 µs a key for 20 globs, where each alone takes 1.5 to 4."""

    __slots__ = ("_patterns", "_set")

    def __init__(self, patterns: tuple[str, ...], *, memory: int = _TOGETHER * _MEMORY) -> None:
        self._patterns, self._set = patterns, _set_of((*patterns, _ANYTHING), memory)

    def found(self, text: str) -> Collection[int]:
        """The places among the patterns, counted from 0, of those that are found anywhere in the text.

        The place behind the last may be among them: there stands what is found in every text. For where a set's
        automaton outgrows its memory, RE2 finds nothing, not even that, and does not say why; then each pattern is
        tried alone.
        """
        hits: Collection[int] | None = self._set.Match(text) if self._set is not None else None
        if hits:
            return hits
        return [place for place, pattern in enumerate(self._patterns) if compiled(pattern).search(text)]


@lru_cache(maxsize=256)
def together(patterns: tuple[str, ...]) -> Together:
    """The patterns as one set, compiled once a process."""
    return Together(patterns)


def _set_of(patterns: tuple[str, ...], memory: int) -> Any:
    """RE2's set of them; None if they are too many for one."""
    found = re2.Set.SearchSet(_options(memory))
    try:
        for pattern in patterns:
            found.Add(pattern)
        found.Compile()
    except re2.error:
        return None
    return found


def _options(memory: int) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    return options


def valid(pattern: str | None) -> str | None:
    """The pattern, if it is one and within the limits. Raises ValueError that says why not."""
    if pattern is not None:
        _judge(pattern)
    return pattern


def short(glob: str) -> str:
    """The glob, or the pattern of `like`, if it is within the limit; raises ValueError.

    Whoever compiles it escapes all but its signs, so that its length bounds its size.
    """
    if len(glob) > MAX_LENGTH:
        raise ValueError(f"{glob[:50]!r}… has {len(glob)} characters; at most {MAX_LENGTH} are taken")
    return glob


Glob = Annotated[str, AfterValidator(short)]


def _judge(pattern: str) -> None:
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"the pattern has {len(pattern)} characters; at most {MAX_LENGTH} are taken")
    try:
        size = compiled(pattern).programsize
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error.args[0]
        if "too large" not in reason and "repetition size" not in reason:
            raise ValueError(
                f"{pattern!r} is not an RE2 pattern ({reason}); look-around and back-references do not exist there"
            ) from None
        size = MAX_PROGRAM + 1
    except UnicodeEncodeError:
        raise ValueError(f"{pattern!r} holds half a character (a lone surrogate)") from None
    if size > MAX_PROGRAM:
        raise ValueError(
            f"{pattern!r} is too large once its repetitions are written out; repeat less, or write * and + for {{n,m}}"
        )

"""RE2 patterns, as users write them: linear time whatever is written, no look-around, no back-references."""

from functools import cache
from typing import Any

import re2


@cache
def compiled(pattern: str) -> Any:
    """The RE2 pattern, compiled once a process and silently. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def valid(pattern: str | None) -> str | None:
    """The pattern, if it is one. Raises ValueError that says why not."""
    if pattern is not None:
        try:
            compiled(pattern)
        except re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
            raise ValueError(
                f"{pattern!r} is not an RE2 pattern ({reason}); look-around and back-references do not exist there"
            ) from None
    return pattern

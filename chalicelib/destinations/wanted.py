"""Wanted: which rows somebody wants to look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows with these values in these text columns, of keys under a prefix."""

    equal: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""


ALL = Wanted()

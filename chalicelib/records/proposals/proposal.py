"""Sample, Evidence and Proposal: what a guess is made from, and what it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Sure(StrEnum):
    """How much a decision can be trusted."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Sample:
    """Some decoded bytes of one object."""

    name: str
    data: bytes
    whole: bool = True  # nothing comes after them
    start: bool = True  # they begin where the object begins; False: somewhere in its middle


@dataclass(frozen=True, slots=True)
class Evidence:
    """One decision: of what, which, why, and how sure it is."""

    what: str
    value: str
    why: str
    sure: Sure


@dataclass(frozen=True, slots=True)
class Proposal:
    """A parser's document, with what differs from the defaults only, and the reasons for it."""

    parser: Mapping[str, Any]
    evidence: tuple[Evidence, ...]

"""Finding: what one probe of a connection showed, and what would mend it (F11, F12, W14)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.core.policies.sheets import Kind, Seat


class Verdict(StrEnum):
    """How a probe ended."""

    OK = "ok"
    WARN = "warn"  # it works, and yet somebody should look
    FAIL = "fail"
    SKIPPED = "skipped"  # something before it failed, or it does not apply; `evidence` says which


@dataclass(frozen=True, slots=True)
class Missing:
    """One statement that is not there, or does not hold: what to add, where, and in whose account."""

    kind: Kind
    sid: str  # as in the sheet that `tidegate policy` prints
    seat: Seat
    account: str | None
    target: str
    statement: dict[str, Any]
    place: str = ""  # what of the target the statement belongs to: "the role's trust policy"


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of a diagnosis."""

    step: str  # one plain word or two: `assume role`, `list`, `decrypt`
    verdict: Verdict
    evidence: str  # what AWS said or showed, in one sentence, without secrets
    advice: str = ""  # what to do; empty if nothing
    missing: tuple[Missing, ...] = ()  # any one of these explains what was seen, the likeliest first
    subject: str = ""  # what was probed, where there are several: `s3://bucket/prefix`

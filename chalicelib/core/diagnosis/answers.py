"""Answer: what AWS said to one probe. Refusal: why, as far as its words tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chalicelib.core.listing import Listed
from chalicelib.core.visible import visible

CLOCK = ("Signature expired", "Signature not yet current")  # of a signature that is otherwise right
QUOTED = 400  # characters of AWS's words that are repeated

_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}([A-Z0-9]{4})\b")
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AccountProblem", "Forbidden", "403"}
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_UNKNOWN_KEYS = frozenset(
    {"InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "SignatureDoesNotMatch", "IncompleteSignature"}
)
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. It holds no secret: neither keys, nor tokens, nor external ids."""

    status: int  # HTTP; 0: nobody answered, `message` says why
    code: str = ""  # AWS's; empty if the call worked
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    said: Mapping[str, str] = field(default_factory=dict)  # what the answer told: `arn`, `account`, `key_id`
    listed: tuple[Listed, ...] = ()
    document: Mapping[str, Any] | None = None  # a notification configuration, a policy

    @property
    def ok(self) -> bool:
        """True if the call did what was asked."""
        return 200 <= self.status < 300 and not self.code

    @property
    def silent(self) -> bool:
        """True if nobody answered."""
        return self.status == 0

    @property
    def denied(self) -> bool:
        """True if it was refused for lack of permission. A HEAD has no body, so that its code is a number."""
        return not self.ok and self.code in _DENIED

    @property
    def expired(self) -> bool:
        """True if the credentials have ended."""
        return self.code in _EXPIRED

    @property
    def stranger(self) -> bool:
        """True if AWS does not know the keys, or they signed wrongly."""
        return self.code in _UNKNOWN_KEYS

    @property
    def skewed(self) -> bool:
        """True if the clocks differ by more than AWS puts up with (15 minutes)."""
        return self.code in _SKEWED or any(words in self.message for words in CLOCK)

    @property
    def words(self) -> str:
        """The answer as evidence: code, status and AWS's own words, harmless to a terminal."""
        if self.silent:
            return f"no answer ({quoted(self.message)})"
        code = self.code or "OK"
        status = f" ({self.status})" if str(self.status) != code else ""
        return f"{quoted(code)}{status}" + (f": {quoted(self.message)}" if self.message else "")


def quoted(text: str) -> str:
    """Other people's words, in one line: what a terminal would obey is written out, access keys are masked."""
    shown = visible(" ".join(_KEY_ID.sub(r"…\1", text).split()))
    return shown if len(shown) <= QUOTED else f"{shown[:QUOTED]}…"


class Source(StrEnum):
    """Whose policy refused, in AWS's words."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    TRUST = "role trust policy"
    SCP = "service control policy"
    RCP = "resource control policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    ENDPOINT = "VPC endpoint policy"
    UNTOLD = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was denied. S3 tells it within one account or organization only.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """

    action: str = ""  # empty: not told
    source: Source = Source.UNTOLD
    explicit: bool = False  # a Deny said so; else there is no Allow
    who: str = ""  # the ARN that was refused; empty: not told


_ACROSS = "no resource-based policies allow"  # KMS, of a key that it does not admit to know
_ACTION = re.compile(r"(?:User: (arn:\S+) is )?not authorized to perform:? ([a-zA-Z0-9-]+:[A-Za-z]+)")
_SOURCES = {source.value.lower(): source for source in Source if source}
_BECAUSE = re.compile(
    rf"(?P<explicit>explicit deny in (?:an?|the) |because no )(?P<source>{'|'.join(map(re.escape, _SOURCES))})", re.I
)


def refusal(answer: Answer) -> Refusal:
    """What the words of a refusal tell."""
    named, because = _ACTION.search(answer.message), _BECAUSE.search(answer.message)
    action, who = (named[2], named[1] or "") if named else ("", "")
    if because is None:
        return Refusal(action, Source.RESOURCE if _ACROSS in answer.message else Source.UNTOLD, who=who)
    explicit = because["explicit"].lower().startswith("explicit")
    return Refusal(action, _SOURCES[because["source"].lower()], explicit, who)


def is_of(arn: str, role: str) -> bool:
    """True if the ARN, of a role or one of its sessions, is this role's; the path is no part of a session's."""
    account, name = (role.split(":") + [""] * 5)[4], role.rpartition("/")[2]
    return arn == role or (f":{account}:" in arn and f":assumed-role/{name}/" in arn)

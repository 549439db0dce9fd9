"""Bundle: the sheets that one admin pastes into one account; and the roles, users and topics that they make up."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chalicelib.core.policies.sheets import Place, Seat, Sheet
from chalicelib.core.policies.statements import Policy


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one admin does in one account."""

    connection: str
    seat: Seat
    account: str | None  # twelve digits; None: nobody told us
    sheets: tuple[Sheet, ...]

    @property
    def regions(self) -> tuple[str, ...]:
        """Where topics and rules have to be made: the bucket's region."""
        arns = (sheet.target for sheet in self.at(Place.TOPIC_POLICY, Place.RULE))
        return tuple(dict.fromkeys(arn.split(":")[3] for arn in arns))

    def at(self, *places: Place) -> tuple[Sheet, ...]:
        """The sheets of these places, in their order."""
        return tuple(sheet for sheet in self.sheets if sheet.place in places)


@dataclass(frozen=True, slots=True)
class Holder:
    """A role or a user, with everything that the sheets say of it."""

    arn: str  # not an ARN where nobody told us whose it is
    trust: Policy | None  # None: the role is there already, or it is a user
    policies: tuple[tuple[str, Policy], ...]  # by name
    session_seconds: int | None = None  # at least; None: AWS's one hour will do

    @property
    def name(self) -> str | None:
        """Without its path; None: nobody told us."""
        found = re.fullmatch(r"arn:[^:]+:iam::[0-9]*:(?:role|user)/(?:.*/)?([^/]+)", self.arn, re.DOTALL)
        return found[1] if found else None

    @property
    def path(self) -> str:
        """With a slash at both ends."""
        found = re.fullmatch(r"arn:[^:]+:iam::[0-9]*:(?:role|user)(/.*?/?)[^/]+", self.arn, re.DOTALL)
        return found[1] if found else "/"


def bundles(connection: str, sheets: Iterable[Sheet]) -> tuple[Bundle, ...]:
    """The sheets by seat and account; one of an unknown account goes with its seat's, if that is a single one."""
    found = tuple(sheets)
    known = {seat: list(dict.fromkeys(s.account for s in found if s.seat == seat and s.account)) for seat in Seat}
    grouped: dict[tuple[Seat, str | None], list[Sheet]] = {}
    for sheet in found:
        accounts = known[sheet.seat]
        account = sheet.account or (accounts[0] if len(accounts) == 1 else None)
        grouped.setdefault((sheet.seat, account), []).append(sheet)
    return tuple(Bundle(connection, seat, account, tuple(group)) for (seat, account), group in grouped.items())


def roles(bundle: Bundle) -> tuple[Holder, ...]:
    """The roles of a bundle, each with its trust policy and its permissions."""
    return _holders(bundle, Place.ROLE_TRUST, Place.ROLE_POLICY)


def users(bundle: Bundle) -> tuple[Holder, ...]:
    """The users of a bundle; they are there already."""
    return _holders(bundle, None, Place.USER_POLICY)


def _holders(bundle: Bundle, trusting: Place | None, permitting: Place) -> tuple[Holder, ...]:
    found: dict[str, Holder] = {}
    for sheet in bundle.sheets:
        known = found.get(sheet.target, Holder(sheet.target, None, ()))
        if sheet.place == trusting:
            found[sheet.target] = replace(known, trust=sheet.document, session_seconds=sheet.session_seconds)
        elif sheet.place == permitting:
            found[sheet.target] = replace(known, policies=(*known.policies, (sheet.name, sheet.document)))
    return tuple(found.values())


def resource(arn: str) -> str:
    """The last part of an ARN: a topic's or a queue's name."""
    return arn.rpartition(":")[2]

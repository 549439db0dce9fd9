"""Parties: whose identity reads, who owns the buckets, and how what is made for a connection is called."""

import hashlib
import re
from dataclasses import dataclass

from chalicelib.config.access.keys import Anonymous
from chalicelib.config.access.own import Default, Env, Profile
from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.policies.sheets import Facts, Place, Seat

LONGEST = 57  # characters; of the 64 that a role and a rule may have, with room for an ending
OUR_FUNCTIONS = "the roles of Tidegate's functions"
PASTED = "the user or role whose keys are used"


@dataclass(frozen=True, slots=True)
class Reader:
    """The identity whose permissions decide what is read."""

    account: str | None  # None: its keys do not tell
    arns: tuple[str, ...]  # empty: nobody told us
    place: Place  # of its permissions
    seat: Seat  # who grants them

    def targets(self) -> tuple[str, ...]:
        """Whom to give permissions, one by one."""
        if self.place is Place.USER_POLICY:
            return (PASTED,)
        return tuple(OUR_FUNCTIONS if arn.endswith(":root") else arn for arn in self.arns)


def reader(facts: Facts) -> Reader | None:
    """Who reads the customer's objects; None: anybody may."""
    connection = facts.grant.connection
    if isinstance(connection, Anonymous):
        return None
    if isinstance(connection, AssumeRole):
        return Reader(connection.account, (connection.role,), Place.ROLE_POLICY, seat(connection.account, facts))
    if isinstance(connection, Default):
        return Reader(facts.ours, our_functions(facts), Place.ROLE_POLICY, Seat.OPERATOR)
    own = isinstance(connection, Profile | Env)  # on our own laptop
    return Reader(None, (), Place.USER_POLICY, Seat.OPERATOR if own else Seat.CUSTOMER)


def our_functions(facts: Facts) -> tuple[str, ...]:
    """Principals that stand for our functions: their roles, or our whole account where these are not known."""
    return facts.functions or (root(facts.ours, facts.grant.connection.partition),)


def owner(facts: Facts) -> str | None:
    """The account of the buckets, where it is known. Whoever reads with our own roles alone means our own buckets."""
    connection = facts.grant.connection
    if isinstance(connection, Default) and connection.bucket_owner is None:
        return facts.ours
    return connection.expected_owner(facts.ours)


def foreign(facts: Facts) -> bool:
    """True if the buckets are, or may be, another account's than the reader's: then a bucket's policy must let it in.

    A role of our own account that a connection assumes is made for others' buckets, unless it says otherwise.
    """
    reading, owning = reader(facts), owner(facts)
    if reading is None or reading.account is None:
        return False
    return reading.account != (owning or (reading.account if reading.account != facts.ours else None))


def seat(account: str | None, facts: Facts) -> Seat:
    """Whose admin has a say in that account."""
    return Seat.OPERATOR if account == facts.ours else Seat.CUSTOMER


def root(account: str, partition: str) -> str:
    """The principal that stands for everybody whom the account's own policies allow it."""
    return f"arn:{partition}:iam::{account}:root"


def account_of(arn: str) -> str:
    """The account that an ARN names."""
    return arn.split(":")[4]


def made(facts: Facts) -> str:
    """The name of whatever is made for this connection: a policy, a role, a rule, a topic.

    It is `tidegate-` and the connection's name, which is shortened and given a digest where AWS would not take it.
    """
    name = f"tidegate-{facts.grant.connection.name}"
    if len(name) <= LONGEST and re.fullmatch("[a-z0-9_-]+", name):  # IAM takes capitals for small letters
        return name
    return f"{re.sub('[^A-Za-z0-9_-]', '-', name)[: LONGEST - 9]}-{_digest(name, 8)}"


def named(facts: Facts, verb: str) -> str:
    """A Sid for a document that others write into as well: it says that it is ours, what it does, and for whom."""
    name = facts.grant.connection.name
    words = "".join(word[:1].upper() + word[1:] for word in re.split("[^A-Za-z0-9]+", name))
    return f"Tidegate{verb}{words}{'' if re.fullmatch('[a-z0-9]+', name) else _digest(name, 6)}"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]

"""Sheet: one document that somebody pastes at one place of one account."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.core.connections import Grant
from chalicelib.core.policies.statements import Policy, compact
from chalicelib.errors import ConfigError


class Kind(StrEnum):
    """What `tidegate policy NAME KIND` prints."""

    TRUST = "trust"
    ROLE = "role"
    BUCKET = "bucket"
    KMS = "kms"
    QUEUE = "queue"
    NOTIFICATION = "notification"


class Seat(StrEnum):
    """Whose admin pastes it."""

    CUSTOMER = "customer"
    OPERATOR = "operator"


class Place(StrEnum):
    """What a document is part of."""

    ROLE_TRUST = "the role's trust policy"
    ROLE_POLICY = "a policy of the role"
    USER_POLICY = "a policy of the user"
    BUCKET_POLICY = "the bucket's policy"
    KEY_POLICY = "the key's policy"
    QUEUE_POLICY = "the queue's policy"
    TOPIC_POLICY = "the topic's policy"
    BUCKET_NOTIFICATION = "the bucket's notification configuration"
    SUBSCRIPTION = "a subscription of the topic"
    RULE = "an EventBridge rule"


SHARED = frozenset({Place.BUCKET_POLICY, Place.KEY_POLICY, Place.QUEUE_POLICY, Place.BUCKET_NOTIFICATION})
"""Places that hold other people's statements too: what is printed is added to them, and never put in their stead.

Statements for them carry the connection's name in their Sid, so that each can be found again. So do those of the
trust policy of a role that reads: several connections may use one role, each with an external id of its own.
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One document, and where it belongs.

    Policies have a Sid on every statement, which is unique within the sheet: that is how the doctor names one. They are
    to be printed in ASCII, as `compact` does: IAM takes no characters beyond Latin-1.
    Documents of the other places are in the words of the API that takes them:

    - BUCKET_NOTIFICATION: `NotificationConfiguration` of S3's PutBucketNotificationConfiguration, our part of it;
    - SUBSCRIPTION: the arguments of SNS's Subscribe, with `Attributes`;
    - RULE: the arguments of EventBridge's PutRule, and `Targets` as in PutTargets; `EventPattern` is an object here.
    """

    kind: Kind
    place: Place
    seat: Seat
    account: str | None  # twelve digits; None: nobody told us
    target: str  # what the document is part of: a role's or user's ARN, a bucket's name, a key's, queue's, topic's ARN
    document: Policy
    name: str = ""  # of the inline policy, the rule or the topic, where the place wants one
    needed: bool = True  # False: it works without, unless what `note` says
    note: str = ""  # a sentence or two for whoever pastes it; may be empty
    session_seconds: int | None = None  # a role's maximum session duration, where it must be more than AWS's one hour


@dataclass(frozen=True, slots=True)
class Read:
    """What one pipeline reads."""

    bucket: str
    prefix: str = ""
    tags: bool = False  # objects' tags too
    removals: bool = False  # it wants to hear of deleted objects


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the sheets of a connection follow from."""

    grant: Grant
    ours: str  # our account: twelve digits
    region: str  # of our queues
    queue: str  # ARN of the arrivals queue
    functions: tuple[str, ...] = ()  # ARNs of the roles of our functions that read customers' buckets
    reads: tuple[Read, ...] = ()  # by the pipelines that there are


def statements(sheet: Sheet) -> tuple[dict[str, Any], ...]:
    """The statements of a policy; the whole document as the only one where it is no policy."""
    return tuple(sheet.document.get("Statement", (sheet.document,)))


def within(document: Policy, limit: int, what: str, facts: Facts, remedy: str) -> Policy:
    """The document; raises ConfigError if AWS would not take it, being longer than `limit` characters."""
    length = len(compact(document))
    if length > limit:
        said = f"{what} has {length:,} characters, and AWS takes {limit:,}"
        raise ConfigError(said, where=f"connection {facts.grant.connection.name}", remedy=remedy)
    return document

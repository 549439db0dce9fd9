"""Sheet: one document that somebody pastes at one place of one account."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.core.connections import Grant
from chalicelib.core.policies.statements import Policy


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


@dataclass(frozen=True, slots=True)
class Sheet:
    """One document, and where it belongs.

    Policies have a Sid on every statement, which is unique within the sheet: that is how the doctor names one.
    """

    kind: Kind
    place: Place
    seat: Seat
    account: str | None  # twelve digits; None: nobody told us
    target: str  # what the document is part of: a role's or user's ARN, a bucket's name, a key's, queue's, topic's ARN
    document: Policy


@dataclass(frozen=True, slots=True)
class Read:
    """What one pipeline reads."""

    bucket: str
    prefix: str = ""
    tags: bool = False  # objects' tags too


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

"""Customers of each kind, and what is printed for them."""

from typing import Any

from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Facts, Read, Seat
from chalicelib.core.printing import Bundle, bundles
from chalicelib.flows.facts import Home
from tests.examples import START

OURS, THEIRS, KEEPER = "111111111111", "222222222222", "333333333333"
HOME = Home(OURS, "us-east-1", "tidegate")
KEY = f"arn:aws:kms:us-east-1:{KEEPER}:key/0b1c"
USER = f"arn:aws:iam::{THEIRS}:user/apps/tidegate"
INGEST = f"arn:aws:iam::{OURS}:role/ingest"
ROLE = {"role_arn": f"arn:aws:iam::{THEIRS}:role/reader"}

DOCUMENTS: dict[str, dict[str, Any]] = {
    "cross-account role": {},
    "role with a path": {"role_arn": f"arn:aws:iam::{THEIRS}:role/partners/eu/reader"},
    "role with tags": {"session_tags": {"team": "ocean"}, "source_identity": "tidegate", "session_name": "acme-in"},
    "same account": {"auth_method": "default"},
    "bucket policy only": {"role_arn": INGEST, "bucket_owner": THEIRS, "can_list": False},
    "bucket policy for functions": {"auth_method": "default", "bucket_owner": THEIRS},
    "user, then role": {"through": {"type": "user", "user_arn": USER}},
    "user, then role, for long": {"through": {"type": "user", "user_arn": USER}, "duration_in_seconds": 7200},
    "session as principal": {"through": {"type": "role", "role_arn": INGEST, "principal": "session"}},
    "pasted keys": {"auth_method": "basic", "bucket_owner": THEIRS},
    "KMS": {"kms_keys": [KEY]},
    "SNS": {"notify_by": "sns"},
    "SNS, same account": {"auth_method": "default", "notify_by": "sns"},
    "EventBridge": {"notify_by": "eventbridge"},
}


def facts(name: str = "cross-account role", *reads: Read, **changes: Any) -> Facts:
    """The facts of one customer, whose pipelines read flights/ unless told."""
    document = {"name": "acme", **({} if "auth_method" in DOCUMENTS[name] else ROLE), **DOCUMENTS[name], **changes}
    given = Grant(parse_connection(document, where="test"), "ab" * 32, START)
    return Facts(given, OURS, HOME.region, HOME.queue, HOME.functions, reads or (Read("acme-exports", "flights/"),))


def printed(found: Facts) -> tuple[Bundle, ...]:
    """All that the customer and we have to paste."""
    return bundles("acme", sheets(found))


def customers(found: Facts) -> Bundle:
    """What the admin of the customer's account pastes."""
    return next(b for b in printed(found) if b.seat is Seat.CUSTOMER and b.account == THEIRS)

"""A connection and its sheets, to diagnose."""

from typing import Any

from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Facts, Read, Sheet
from tests import examples

OURS = "111111111111"
BUCKET = "acme-exports"
QUEUE = f"arn:aws:sqs:us-east-1:{OURS}:tidegate-arrivals"


def facts(*reads: Read, **changes: Any) -> Facts:
    grant = examples.grant(**changes)
    functions = (f"arn:aws:iam::{OURS}:role/tidegate-load",)
    return Facts(grant, OURS, "us-east-1", QUEUE, functions, reads or (Read(BUCKET, "in/", tags=True),))


def ward(*reads: Read, **changes: Any) -> tuple[Any, tuple[Sheet, ...]]:
    found = facts(*reads, **changes)
    return found.grant.connection, sheets(found)


def role(**changes: Any) -> tuple[AssumeRole, tuple[Sheet, ...]]:
    connection, printed = ward(**changes)
    assert isinstance(connection, AssumeRole)
    return connection, printed

"""Recipes: which documents a connection takes, at which places, in which order."""

from enum import StrEnum

from chalicelib.config.access.keys import Anonymous
from chalicelib.config.access.own import Default
from chalicelib.config.access.roles import AssumeRole, ThroughRole, ThroughUser
from chalicelib.core.policies.bucket import bucket_sheets
from chalicelib.core.policies.kms import key_sheets
from chalicelib.core.policies.notification import before_queue, notification_sheets
from chalicelib.core.policies.parties import foreign, owner, reader
from chalicelib.core.policies.queue import queue_sheets
from chalicelib.core.policies.roles import role_sheets
from chalicelib.core.policies.routes import buckets
from chalicelib.core.policies.sheets import Facts, Kind, Sheet
from chalicelib.core.policies.trust import trust_sheets


class Recipe(StrEnum):
    """How we get into the customer's buckets; notifications and keys are chosen beside."""

    CROSS_ACCOUNT_ROLE = "cross-account role"
    SAME_ACCOUNT = "same account"
    BUCKET_POLICY = "bucket policy only"
    USER_THEN_ROLE = "user, then role"
    ROLE_THEN_ROLE = "role, then role"
    SESSION_PRINCIPAL = "session as principal"
    PASTED_KEYS = "pasted keys"
    PUBLIC = "public bucket"


def recipe(facts: Facts) -> Recipe:
    """The recipe that the connection's document and the accounts amount to."""
    connection = facts.grant.connection
    if isinstance(connection, Anonymous):
        return Recipe.PUBLIC
    if isinstance(connection, AssumeRole) and isinstance(connection.through, ThroughUser):
        return Recipe.USER_THEN_ROLE
    if isinstance(connection, AssumeRole) and isinstance(connection.through, ThroughRole):
        return Recipe.SESSION_PRINCIPAL if connection.through.principal == "session" else Recipe.ROLE_THEN_ROLE
    if isinstance(connection, AssumeRole) and connection.account != facts.ours:
        return Recipe.CROSS_ACCOUNT_ROLE
    if isinstance(connection, AssumeRole | Default):
        return Recipe.BUCKET_POLICY if foreign(facts) else Recipe.SAME_ACCOUNT
    return Recipe.PASTED_KEYS


def sheets(facts: Facts) -> tuple[Sheet, ...]:
    """Every document that the connection takes, in the order in which they can be pasted.

    Whoever is named by another document is there before it: AWS refuses principals that do not exist.

    Raises ConfigError if AWS would not take one of them for its length.
    """
    return (
        *trust_sheets(facts),
        *role_sheets(facts),
        *bucket_sheets(facts),
        *key_sheets(facts),
        *before_queue(facts),
        *queue_sheets(facts),
        *notification_sheets(facts),
    )


def absence(facts: Facts, kind: Kind) -> str:
    """Why there is no sheet of this kind; only where there is none."""
    connection = facts.grant.connection
    whose = f"connection {connection.name}"
    if kind is Kind.TRUST:
        return f"{whose} assumes no role, so that no trust policy is asked"
    if kind is Kind.KMS and not connection.kms_keys:
        return f"{whose} names no key: give `kms_keys` if the objects are encrypted with a key of the customer's own"
    if kind in (Kind.ROLE, Kind.BUCKET, Kind.KMS) and reader(facts) is None:
        return f"{whose} reads what is public already; there is nobody to whom anything could be allowed"
    if kind is Kind.KMS:
        return f"{whose} does not tell whose keys it uses: what they may decrypt stands in the policy of kind role"
    if kind in (Kind.QUEUE, Kind.NOTIFICATION) and connection.notify_by == "none":
        return f"{whose} has `notify_by: none`, so that objects are found by listing alone"
    if not buckets(facts):
        return f"{whose} names no bucket, and no pipeline reads one over it: give `buckets`"
    if kind in (Kind.QUEUE, Kind.NOTIFICATION) and owner(facts) is None:
        return f"{whose} does not say whose the buckets are: give `bucket_owner`"
    return f"{whose} does not tell whose keys it uses, so that no bucket's policy can name them"

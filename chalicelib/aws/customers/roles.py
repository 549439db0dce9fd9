"""Roles: what STS is asked for a connection, and what its answer gives (F1–F5, E26, E27, E30)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.credentials import ReadOnlyCredentials

from chalicelib.aws.customers.credentials import Held, worded
from chalicelib.aws.errors import translated
from chalicelib.config.access.roles import AssumeRole, ThroughRole, ThroughUser
from chalicelib.core.connections import Grant
from chalicelib.core.policies import session
from chalicelib.core.policies.statements import Policy, compact
from chalicelib.errors import AccessDenied, CredentialsRefused, RoleNotAssumable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sts.client import STSClient

RENEW_IF_POSSIBLE = timedelta(minutes=10)  # before the end; the shortest session has fifteen (F3)
RENEW_OR_FAIL = timedelta(minutes=5)  # before the end; longer than any one request takes
REMEDY_BETWEEN = (
    "The trust policy of the role in between must name our functions' roles, without an external id, and our own "
    "policy must allow sts:AssumeRole on it"
)


def entry(grant: Grant, policy: Policy) -> dict[str, Any]:
    """What STS is asked to let us into the customer's account, narrowed down to `policy`.

    The external id always goes with it (F5).
    """
    connection = _role_of(grant)
    tags = [{"Key": name, "Value": value} for name, value in connection.session_tags.items()]
    asked = {
        "RoleArn": connection.role,
        "RoleSessionName": connection.session_name,
        "ExternalId": grant.external_id,
        "DurationSeconds": connection.duration_in_seconds,
        "Policy": compact(policy),
    }
    asked |= {"Tags": tags} if tags else {}
    return asked | ({"SourceIdentity": connection.source_identity} if connection.source_identity else {})


def passage(grant: Grant, through: ThroughRole) -> dict[str, Any]:
    """What STS is asked for the role in between, which may do nothing but assume the customer's.

    The customer's external id is not shown to it.
    """
    connection = _role_of(grant)
    return {
        "RoleArn": through.role_arn,
        "RoleSessionName": through.session_name or connection.session_name,
        "DurationSeconds": connection.duration_in_seconds,
        "Policy": compact(session.passage(connection.role)),
    }


def assumed(sts: "STSClient", grant: Grant, asked: "Mapping[str, Any]", now: Callable[[], datetime]) -> Held:
    """One session of a role.

    Raises RoleNotAssumable if STS refuses, CredentialsRefused if it does not take the keys that asked.
    """
    start = now()
    with _told(grant, asked["RoleArn"]):
        answer = sts.assume_role(**asked)
    given = answer["Credentials"]
    end = start + (given["Expiration"] - _clock_of(answer["ResponseMetadata"]["HTTPHeaders"], start))
    keys = ReadOnlyCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], None)
    return Held(keys, end - RENEW_IF_POSSIBLE, end - RENEW_OR_FAIL)


def _clock_of(headers: "Mapping[str, str]", here: datetime) -> datetime:
    """AWS's own time, where it tells."""
    try:
        return parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return here


def _role_of(grant: Grant) -> AssumeRole:
    assert isinstance(grant.connection, AssumeRole)
    return grant.connection


@contextmanager
def _told(grant: Grant, role: str) -> Iterator[None]:
    connection = _role_of(grant)
    between = role != connection.role
    where = f"connection {connection.name}, role {role}{' in between' if between else ''}"
    try:
        with translated(where):
            yield
    except CredentialsRefused as error:
        raise (worded(connection, error, "user's keys") if _by_a_user(connection) else error) from None
    except (AccessDenied, RoleNotAssumable) as error:
        name = connection.name
        hint = (
            f"`tidegate policy {name} trust` prints the trust policy to paste, `tidegate doctor {name}` looks further"
        )
        remedy = REMEDY_BETWEEN if between else f"{error.remedy}. {hint}"
        raise RoleNotAssumable(error.what, where=where, remedy=remedy) from None


def _by_a_user(connection: AssumeRole) -> bool:
    return isinstance(connection.through, ThroughUser)

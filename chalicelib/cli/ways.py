"""The options of `connection create` and `connection edit`: every key of a connection but its secrets."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from chalicelib.config.connection import METHODS

F = TypeVar("F", bound=Callable[..., Any])
BESIDES = ("proxy", "proxy_user", "proxy_plain", "through_user", "through_role", "through_session", "principal")


def _proxy(context: click.Context, option: click.Parameter, text: str | None) -> dict[str, Any] | None:
    """HOST or HOST:PORT."""
    if text is None:
        return None
    host, colon, port = text.rpartition(":") if ":" in text else (text, "", "")
    if colon and not port.isdecimal():
        raise click.BadParameter("give HOST or HOST:PORT, without scheme, user or password")
    return {"host": host, "port": int(port)} if colon else {"host": host}


def _tags(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str] | None:
    if not all("=" in each for each in given):
        raise click.BadParameter("give KEY=VALUE")
    return dict(each.split("=", 1) for each in given) or None


OPTIONS = (
    click.option("--auth-method", type=click.Choice(list(METHODS)), help="How to get in; assume_role if left out."),
    click.option("--owner", help="Take this owner's pipelines only; never changes afterwards."),
    click.option("--role-arn", help="The role that the customer makes for you."),
    click.option("--account-id", help="Instead of --role-arn, together with --role-name."),
    click.option("--role-name", help="With its path, if it has one."),
    click.option("--arn-partition", help="aws, aws-cn or aws-us-gov."),
    click.option("--session-name", help="Shows in the customer's CloudTrail."),
    click.option("--duration-in-seconds", type=int, help="900 to 3600, or to 43200 through a user."),
    click.option("--session-tag", "session_tags", multiple=True, callback=_tags, help="KEY=VALUE; may be repeated."),
    click.option("--source-identity", help="Stays with the session through further roles."),
    click.option("--sts-region", help="Ask this region's STS."),
    click.option("--through-user", metavar="ARN", help="The user who assumes the role; asks for its keys."),
    click.option("--through-role", metavar="ARN", help="The role that we assume first."),
    click.option("--through-session", metavar="NAME", help="The name of its session."),
    click.option("--principal", type=click.Choice(["role", "session"]), help="What the trust policy names of it."),
    click.option("--profile-name", help="With auth method profile: of ~/.aws/config."),
    click.option("--region", help="The region of the customer's buckets."),
    click.option("--endpoint", help="Another address of S3; goes before --region."),
    click.option("--addressing-style", type=click.Choice(["auto", "path", "virtual"]), help="Where the bucket stands."),
    click.option("--use-fips-endpoint/--no-use-fips-endpoint", default=None, help="FIPS 140 endpoints."),
    click.option("--use-dualstack-endpoint/--no-use-dualstack-endpoint", default=None, help="IPv6 endpoints."),
    click.option("--proxy", metavar="HOST[:PORT]", callback=_proxy, help="For all requests of the connection."),
    click.option("--proxy-user", help="Asks for the password."),
    click.option("--proxy-plain", is_flag=True, help="Speak with the proxy itself without TLS."),
    click.option("--requester-pays/--no-requester-pays", default=None, help="We pay for requests and transfer."),
    click.option("--bucket-owner", help="Account that must own the buckets, or any."),
    click.option("--bucket", "buckets", multiple=True, help="Allow this bucket only; may be repeated."),
    click.option("--prefix", "prefixes", multiple=True, help="Allow keys under this prefix only; may be repeated."),
    click.option("--can-list/--no-can-list", default=None, help="Whether we were given s3:ListBucket."),
    click.option("--kms-key", "kms_keys", multiple=True, help="ARN of a key of the customer; may be repeated."),
    click.option("--notify-by", type=click.Choice(["sqs", "sns", "eventbridge", "none"]), help="How events reach us."),
    click.option(
        "--secret-store", type=click.Choice(["secrets_manager", "parameter_store"]), help="Where keys are kept."
    ),
)


def way_options(command: F) -> F:
    """All of them."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def declared(options: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a connection document that these options stand for. Raises click's errors where some do not fit."""
    given = {name: value for name, value in options.items() if value not in (None, ()) and name not in BESIDES}
    return given | _http_proxy(options) | _through(options)


def _http_proxy(options: Mapping[str, Any]) -> dict[str, Any]:
    proxy, user, without_tls = (options.get(name) for name in ("proxy", "proxy_user", "proxy_plain"))
    if proxy is None:
        if user is not None or without_tls:
            raise click.UsageError("--proxy-user and --proxy-plain come with --proxy")
        return {}
    return {"http_proxy": proxy | ({"user": user} if user else {}) | ({"https": False} if without_tls else {})}


def _through(options: Mapping[str, Any]) -> dict[str, Any]:
    user, role, session, principal = (
        options.get(name) for name in ("through_user", "through_role", "through_session", "principal")
    )
    if user and role:
        raise click.UsageError("give --through-user or --through-role, not both")
    if user:
        return {"through": {"type": "user", "user_arn": user}}
    if role is None:
        if session or principal:
            raise click.UsageError("--through-session and --principal come with --through-role")
        return {}
    named = {"session_name": session, "principal": principal}
    return {"through": {"type": "role", "role_arn": role} | {key: value for key, value in named.items() if value}}

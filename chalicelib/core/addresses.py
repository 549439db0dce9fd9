"""Where a bucket answers: one rule for all that sends requests to it (F15, F96).

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from chalicelib.config.connection import Connection
from chalicelib.errors import ConfigError

REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOSTED = re.compile(rf"(?=.{{3,63}}\Z){_LABEL}")  # a dot fails AWS's certificate, a capital is lost
_DOTTED = re.compile(rf"(?=.{{3,63}}\Z){_LABEL}(?:\.{_LABEL})*")
_S3 = re.compile(
    rf"s3(?:-fips)?(?:\.dualstack)?\.(?P<usual>{REGION})\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
    rf"|(?:bucket\.)?vpce-[a-z0-9-]+\.s3(?:-fips)?(?:\.dualstack)?\.(?P<private>{REGION})\.vpce\.amazonaws\.com(?:\.cn)?"
    rf"|s3-(?P<old>{REGION})\.amazonaws\.com|s3\.amazonaws\.com"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where one bucket answers."""

    endpoint: str  # scheme, host and perhaps a path, without a slash at the end; a virtual host has the bucket's name
    virtual: bool  # the bucket stands in the host's name, and not in the path
    bucket: str
    region: str  # that requests are signed for

    @property
    def url(self) -> str:
        """The bucket itself; a key follows after a slash."""
        return self.endpoint if self.virtual else f"{self.endpoint}/{quote(self.bucket)}"


def address(connection: Connection, bucket: str, endpoint: str | None = None) -> Address:
    """Where the bucket answers over this connection.

    `endpoint`: the operator's, such as AWS_ENDPOINT_URL_S3; the connection's own goes before it. Both go before the
    region, FIPS and dual-stack, which are about AWS's usual hosts.

    Raises ConfigError if there is no such host.
    """
    given = connection.endpoint or endpoint
    base = (given or _usual(connection)).rstrip("/")
    parts = urlsplit(base)
    virtual = _is_virtual(style(connection, endpoint), bucket, plain=parts.scheme == "http")
    if virtual:
        base = parts._replace(netloc=f"{bucket}.{parts.netloc}").geturl()
    return Address(base, virtual, bucket, signing_region(connection))


def style(connection: Connection, endpoint: str | None = None) -> str:
    """`virtual` if the bucket may stand in the host's name, else `path`; a given endpoint has few names, an IP none."""
    given = connection.endpoint or endpoint
    if connection.addressing_style == "auto":
        return "virtual" if given is None else "path"
    return "path" if given is not None and is_numeric(urlsplit(given).hostname or "") else connection.addressing_style


def signing_region(connection: Connection) -> str:
    """The region that AWS's own endpoint names, else the connection's (F15: the endpoint goes before the region)."""
    found = aws_host(urlsplit(connection.endpoint or "").hostname or "")
    named = next((region for region in found.groups() if region), None) if found is not None else None
    return named or connection.region


def aws_host(host: str) -> "re.Match[str] | None":
    """A match if AWS's S3 answers under this name, also through a VPC endpoint; no bucket's own name is one."""
    return _S3.fullmatch(host)


def is_numeric(host: str) -> bool:
    """True for an IP address as it is usually written."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _usual(connection: Connection) -> str:
    china = connection.region.startswith("cn-")
    if china and connection.use_fips_endpoint:
        raise ConfigError(
            "S3 has no FIPS endpoints in China",
            where=f"connection {connection.name}",
            remedy="Set use_fips_endpoint to false",
        )
    name = "s3-fips" if connection.use_fips_endpoint else "s3"
    stack = ".dualstack" if connection.use_dualstack_endpoint else ""
    return f"https://{name}{stack}.{connection.region}.amazonaws.com{'.cn' if china else ''}"


def _is_virtual(style: str, bucket: str, *, plain: bool) -> bool:
    named = (_DOTTED if plain else _HOSTED).fullmatch(bucket) is not None
    return style == "virtual" and named and not is_numeric(bucket)

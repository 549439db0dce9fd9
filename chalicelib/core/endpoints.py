"""Which hosts a connection may send us to: its endpoint and proxy are data, and may be somebody else's idea.

AWS's own S3 is free; everything else has to be on the operator's list (TIDEGATE_ENDPOINT_HOSTS). Addresses behind
which a machine's own affairs lie, such as AWS's metadata service, are never spoken to unless the list holds that very
address, however it is spelled and whatever name leads there.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from chalicelib.config.connection import Connection
from chalicelib.core.addresses import aws_host, is_numeric
from chalicelib.errors import ConfigError

SETTING = "TIDEGATE_ENDPOINT_HOSTS"
_ENTRY = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    r"(?P<host>\[[0-9a-fA-F:.]+\]|(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")  # the last label of what resolvers take for an IPv4 address
_TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64: an IPv4 address in the last four bytes
_AMAZON = IPv6Network("fd00:ec2::/32")  # the metadata service and its neighbours
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Host:
    """One entry of the operator's list."""

    name: str  # in lower case; `*.` in front: all names under it; an IP address in its usual spelling
    port: int | None  # None: any
    plain: bool  # http is taken too

    @classmethod
    def parse(cls, text: str) -> "Host":
        """An entry as it is written: `minio.internal:9000`, `*.example.org`, `http://10.0.0.5:9000`.

        Raises ValueError.
        """
        found = _ENTRY.fullmatch(text)
        name = found["host"].strip("[]").lower() if found is not None else ""
        if found is None or (_looks_numeric(name.removeprefix("*.")) and not is_numeric(name)):
            raise ValueError(f"{text!r} is no host; write name, name:port, *.domain, address or http://name:port")
        port = int(found["port"]) if found["port"] else None
        return cls(str(ip_address(name)) if is_numeric(name) else name, port, found["scheme"] == "http")

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """True if a request may go there."""
        named = host.endswith(self.name[1:]) if self.name.startswith("*.") else host == self.name
        return named and self.port in (None, port) and (scheme == "https" or self.plain)


def check(connection: Connection, allowed: Sequence[Host]) -> None:
    """Raises ConfigError if the connection leads where it must not."""
    if connection.endpoint is not None and not is_aws(connection):
        _check("endpoint", connection.endpoint, connection, allowed)
    proxy = connection.http_proxy
    if proxy is not None:
        scheme = "https" if proxy.https else "http"
        _check("http_proxy", f"{scheme}://{proxy.host}:{proxy.port or _PORTS[scheme]}", connection, allowed)


def is_aws(connection: Connection) -> bool:
    """True if the connection's requests go to AWS's S3, or where the operator has pointed everything to."""
    if connection.endpoint is None:
        return True
    parts = urlsplit(connection.endpoint)
    return (
        parts.scheme == "https" and parts.port in (None, 443) and aws_host((parts.hostname or "").lower()) is not None
    )


def is_own_affair(address: str, allowed: Iterable[Host]) -> bool:
    """True if nothing of a connection may be sent to this IP address, which a name has led to."""
    found = _unwrapped(address)
    return _is_inner(found) and str(found) not in {host.name for host in allowed}


def _check(field: str, url: str, connection: Connection, allowed: Sequence[Host]) -> None:
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme]
    if is_numeric(host):
        host = str(ip_address(host))
    numeric = _looks_numeric(host) and not is_numeric(host)
    covered = not numeric and any(entry.covers(parts.scheme, host, port) for entry in allowed)
    if not covered:
        scheme = "" if parts.scheme == "https" else "http://"
        instead = "Use AWS's own endpoints; or, if" if field == "endpoint" else "If"
        raise ConfigError(
            f"{field} leads to {host}, where connections may not go",
            where=f"connection {connection.name}",
            remedy=f"{instead} it is right, add {scheme}{parts.netloc} to {SETTING}, for the functions too",
        )


def _looks_numeric(host: str) -> bool:
    return ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _unwrapped(address: str) -> IPv4Address | IPv6Address:
    """The address, or the IPv4 address that is wrapped in it."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        teredo = found.teredo[1] if found.teredo else None
        inner = found.ipv4_mapped or found.sixtofour or teredo
        if inner is None and (found in _TRANSLATED or 1 < int(found) < 2**32):
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
        return inner or found
    return found


def _is_inner(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address) and int(address) < 2**24:
        return True  # "this network": many systems take it for the machine itself
    own = address.is_loopback or address.is_link_local or address.is_unspecified
    amazon = isinstance(address, IPv6Address) and address in _AMAZON
    return own or amazon or address.is_multicast or address.is_reserved

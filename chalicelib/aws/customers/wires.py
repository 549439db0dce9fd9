"""Wires: what carries requests over connections with a proxy or an endpoint of their own.

A name is looked up when a connection is opened, and may lead anywhere by then. So the address is judged that a socket
has really reached, before a byte is sent: whoever changes names between a check and a call gains nothing. Redirects
are answers like any other, and are not followed.
"""

import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

from chalicelib.errors import ConfigError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

TIMEOUT: Any = (5, 60)  # seconds to connect, and without a byte; botocore's stubs know one number only
CONNECTIONS = 16  # that are kept for one host

Peer = Callable[[str], None]  # raises ConfigError for an address that must not be spoken to


class Http(Protocol):
    """What sends a request: botocore's URLLib3Session, which keeps connections and shares them among threads."""

    def send(self, request: "AWSPreparedRequest") -> "AWSResponse":
        """Raises BotoCoreError if there is no answer."""
        ...


class Wire:
    """A pool of connections, through proxies if there are any; `peer` judges each address before it is used."""

    def __init__(self, proxies: Mapping[str, str], peer: Peer | None = None) -> None:
        made = _Judging(peer, proxies) if peer is not None else _Session(proxies)
        self._session: URLLib3Session = made

    def send(self, request: "AWSPreparedRequest") -> "AWSResponse":
        """Send it and give the answer; raises BotoCoreError, and the ConfigError of `peer`."""
        try:
            return self._session.send(request)
        except HTTPClientError as error:
            cause = error.kwargs.get("error")
            if isinstance(cause, ConfigError):
                raise cause from None
            raise


class _Session(URLLib3Session):
    def __init__(self, proxies: Mapping[str, str]) -> None:
        super().__init__(proxies=dict(proxies), timeout=TIMEOUT, max_pool_connections=CONNECTIONS)


class _Judging(_Session):
    """Opens connections to addresses that `peer` lets pass only."""

    def __init__(self, peer: Peer, proxies: Mapping[str, str]) -> None:
        super().__init__(proxies)
        session: Any = self  # whose stubs know nothing of the pools
        pools = {"http": _pool(peer), "https": _tls_pool(peer)}
        session._pool_classes_by_scheme = pools  # noqa: SLF001 - a session of botocore's takes them in no other way
        session._manager.pool_classes_by_scheme = pools  # noqa: SLF001


def _pool(peer: Peer) -> type[AWSHTTPConnectionPool]:
    class Connection(AWSHTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _judged(super()._new_conn(), peer)

    class Pool(AWSHTTPConnectionPool):
        ConnectionCls = Connection

    return Pool


def _tls_pool(peer: Peer) -> type[AWSHTTPSConnectionPool]:
    class Connection(AWSHTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _judged(super()._new_conn(), peer)

    class Pool(AWSHTTPSConnectionPool):
        ConnectionCls = Connection

    return Pool


def _judged(opened: socket.socket, peer: Peer) -> socket.socket:
    try:
        peer(opened.getpeername()[0])
    except ConfigError:
        opened.close()
        raise
    return opened

"""How a connection's requests travel, and what they all say: one answer for the three clients that send them."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import Session
from botocore.utils import get_environ_proxies

from chalicelib.aws.customers.recent import Recent
from chalicelib.aws.customers.wires import CONNECTIONS, Http, Wire
from chalicelib.config.access.way import HttpProxy
from chalicelib.config.connection import Connection
from chalicelib.core.addresses import signing_region, style
from chalicelib.core.endpoints import Host, check, is_aws, is_own_affair
from chalicelib.core.keys import Keys
from chalicelib.errors import AccessDenied, ConfigError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from mypy_boto3_s3.client import S3Client

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 6},  # beyond that the queue delivers again
    connect_timeout=5,  # seconds
    read_timeout=60,  # seconds; a long poll of SQS takes 20
    tcp_keepalive=True,
    max_pool_connections=CONNECTIONS,
    user_agent_extra="tidegate",
)
WIRES = 32  # that are kept, each for one proxy or way to judge addresses
_BARE = re.compile(r"\((AccessDenied(: Access Denied)?|403\b.*)\)$")
PASSWORD_FOR = 600.0  # seconds a proxy's password is taken for good; then the vault is asked again


@dataclass(frozen=True, eq=False)
class Network:
    """Where connections may lead, through which proxies, and whose buckets they must find there.

    `hosts`: what the operator allows beside AWS; `keys`: the vault; `ours`: asks for our own account's number. Threads
    may share one.
    """

    hosts: tuple[Host, ...] = ()
    keys: Callable[[Connection], Keys | None] | None = None
    ours: Callable[[], str] | None = None
    clock: Callable[[], float] = monotonic
    _wires: Recent[Any, Http] = field(default_factory=partial(Recent, WIRES), repr=False)
    _passwords: dict[Any, tuple[str, float]] = field(default_factory=dict, repr=False)

    def owner(self, connection: Connection) -> str | None:
        """The account that must own the connection's buckets; None: not known, or not to be checked.

        Asks for our own account only where the answer depends on it.
        """
        expected = connection.expected_owner()
        if expected is None or connection.bucket_owner is not None or self.ours is None:
            return expected
        return connection.expected_owner(self.ours())

    @contextmanager
    def owned(self, connection: Connection) -> Iterator[None]:
        """Calls whose refusal names the account that must own the bucket, where S3 says no more than that it refuses.

        S3 answers the same for a bucket of another account than expected as for a missing right.
        """
        try:
            yield
        except AccessDenied as error:
            owner = self.owner(connection)
            if owner is not None and _BARE.search(error.what):
                error.remedy += (
                    f". The bucket must also belong to account {owner}: see whose it is, and set the connection's "
                    "bucket_owner if that is right"
                )
            raise

    def headers(self, connection: Connection) -> dict[str, str]:
        """What each request says beside its own; to be signed with it."""
        said = {"x-amz-request-payer": "requester"} if connection.requester_pays else {}
        owner = self.owner(connection)
        return said | ({"x-amz-expected-bucket-owner": owner} if owner is not None else {})

    def proxy(self, connection: Connection) -> str | None:
        """The connection's proxy as a URL, with user and password: a secret. None: it has none of its own.

        Raises ConfigError if the password is not kept, or cannot be told.
        """
        proxy = connection.http_proxy
        if proxy is None:
            return None
        secret = (
            f"{quote(proxy.user, safe='')}:{quote(self._password(connection, proxy), safe='')}@" if proxy.user else ""
        )
        scheme = "https" if proxy.https else "http"
        return f"{scheme}://{secret}{proxy.host}:{proxy.port or (443 if proxy.https else 80)}"

    def is_plain(self, connection: Connection) -> bool:
        """True if requests go straight to AWS's S3, or where the operator has pointed everything to.

        Only such go through obstore: it follows redirects, and connects wherever a name leads. Raises ConfigError if
        the connection leads where it must not.
        """
        check(connection, self.hosts)
        return connection.http_proxy is None and is_aws(connection)

    def wire(self, connection: Connection, url: str) -> Http:
        """What carries requests to `url`: through the connection's proxy, or else the environment's.

        Raises ConfigError if the connection leads where it must not, or lacks its proxy's password.
        """
        check(connection, self.hosts)
        own = self.proxy(connection)
        proxies = {"http": own, "https": own} if own is not None else get_environ_proxies(url)
        # Through the operator's own proxy it is the proxy that looks up names, and its address is nobody's idea.
        judges = own is not None or (not is_aws(connection) and not proxies)
        key = (judges, *sorted(proxies.items()))
        return self._wires.get(key, lambda: Wire(proxies, self.judge if judges else None))

    def judge(self, address: str) -> None:
        """Raises ConfigError for an IP address that no connection may reach."""
        if is_own_affair(address, self.hosts):
            raise ConfigError(
                "the endpoint's or proxy's name leads to an address of this machine or of AWS's metadata service",
                where=address,
                remedy="Correct the endpoint; nothing was sent there",
            )

    def client(self, session: Session, connection: Connection, *, signed: bool = True) -> "S3Client":
        """S3 over this connection, with the session's credentials unless it is anonymous.

        All its calls name the bucket's owner and who pays. It follows no redirect to another region: that is an
        error, as in a listing. Raises ConfigError if the connection leads where it must not.
        """
        plain = self.is_plain(connection)
        made: Any = session.create_client(
            "s3",
            region_name=signing_region(connection),
            endpoint_url=connection.endpoint,
            config=CONFIG.merge(_config(connection, signed=signed)),
        )

        def say(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            context.setdefault("s3_redirect", {})["redirected"] = True  # as if it had been, which happens once at most
            members = model.input_shape.members if model.input_shape is not None else {}
            owner = self.owner(connection) if "ExpectedBucketOwner" in members else None
            if owner is not None:
                params.setdefault("ExpectedBucketOwner", owner)
            if connection.requester_pays and "RequestPayer" in members:
                params.setdefault("RequestPayer", "requester")

        def send(request: "AWSPreparedRequest", **_: Any) -> "AWSResponse":
            return self.wire(connection, request.url).send(request)

        made.meta.events.register_last("before-parameter-build.s3", say)
        if not plain:
            made.meta.events.register_last("before-send.s3", send)
        return cast("S3Client", made)

    def _password(self, connection: Connection, proxy: HttpProxy) -> str:
        key = (connection.name, connection.secret_store, proxy)
        password, until = self._passwords.get(key, ("", 0.0))
        if self.clock() < until:
            return password
        found = self.keys(connection) if self.keys is not None else None
        if found is None or found.proxy_password is None:
            what = "the password of its proxy's user is not kept"
        elif not f"{proxy.user}{found.proxy_password}".isascii():
            what = "user or password of its proxy hold characters beyond ASCII, which proxies are not told"
        else:
            self._passwords[key] = (found.proxy_password, self.clock() + PASSWORD_FOR)
            return found.proxy_password
        remedy = f"Give it with `tidegate connection edit {connection.name}`, or take the user out"
        raise ConfigError(what, where=f"connection {connection.name}", remedy=remedy)


def _config(connection: Connection, *, signed: bool) -> Config:
    # botocore knows by itself where the operator has pointed it to, and what `auto` means there.
    chosen = style(connection) if connection.endpoint is not None else connection.addressing_style
    s3: Any = {"addressing_style": chosen, "us_east_1_regional_endpoint": "regional"}
    return Config(
        s3=s3,
        use_fips_endpoint=connection.use_fips_endpoint,
        use_dualstack_endpoint=connection.use_dualstack_endpoint,
        **({} if signed else {"signature_version": UNSIGNED}),
    )

"""The three clients ask the same host for the same path, say the same of owner and payer, and go nowhere else."""

import itertools
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from chalicelib.aws.customers.buckets import Buckets
from chalicelib.aws.customers.listing import Listing
from chalicelib.aws.customers.network import PASSWORD_FOR, Network
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.connection import Connection, parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.endpoints import Host
from chalicelib.core.keys import Keys
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import AccessDenied, BucketNotFound, ConfigError, SourceUnavailable, TidegateError
from tests.aws import proxies
from tests.aws.proxies import Proxy
from tests.fakes.serving import serving
from tests.fakes.wire import DATA, ETAG, NOW
from tests.planted import MARK, SECRET_ACCESS_KEY
from tests.planted import PROXY_PASSWORD as PASSWORD
from tests.wired import session

ROLE = "arn:aws:iam::111122223333:role/tidegate"
HERE = (Host("127.0.0.1", None, True),)
VPCE = "https://bucket.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com"
KEYS = ("AKIAEXAMPLE", SECRET_ACCESS_KEY)


def connection(**fields: Any) -> Connection:
    return parse_connection({"name": "acme", "auth_method": "anonymous"} | fields, where="test")


def granted(**fields: Any) -> Grant:
    return Grant(connection(**fields), "e" * 64, NOW)


def sessions(network: Network | None = None) -> Sessions:
    return Sessions(session(*KEYS), network or Network(HERE), keys=lambda _: Keys("AKIAEXAMPLE", SECRET_ACCESS_KEY))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Answers:
    """Stands in for the network of a listing, or of a client of botocore's."""

    status: int = 200
    text: str = "<ListBucketResult/>"
    requests: list[AWSPreparedRequest] = field(default_factory=list)

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        raw = type("Raw", (), {"stream": lambda *_, **__: iter([self.text.encode()])})()
        return AWSResponse(request.url, self.status, HTTPHeaders(), raw)


ENDPOINTS = (
    {},
    {"region": "eu-west-1"},
    {"region": "cn-north-1"},
    {"region": "us-gov-west-1"},
    {"endpoint": VPCE},
    {"endpoint": VPCE.replace("bucket.", "")},
    {"endpoint": "https://s3.eu-west-1.amazonaws.com"},
)
FLAGS = ({}, {"use_fips_endpoint": True}, {"use_dualstack_endpoint": True})
BOTH = {"use_fips_endpoint": True, "use_dualstack_endpoint": True}
CASES = [
    (where | flags | {"addressing_style": chosen}, bucket)
    for where, flags, chosen, bucket in itertools.product(
        ENDPOINTS, (*FLAGS, BOTH), ("auto", "path", "virtual"), ("acme", "acme.exports")
    )
    if not (flags and "endpoint" in where) and not ("use_fips_endpoint" in flags and "cn-north-1" in where.values())
]


def by_botocore(chosen: Connection, bucket: str) -> str:
    answers = Answers()
    client = Network(HERE).client(session(*KEYS), chosen)
    client.meta.events.register("before-send.s3", answers.send)
    client.list_objects_v2(Bucket=bucket)
    [request] = answers.requests
    assert f"/{signed_for(request)}/s3/" in str(request.headers["Authorization"])
    return request.url.partition("?")[0].rstrip("/")


def signed_for(request: AWSPreparedRequest) -> str:
    return str(request.headers["Authorization"]).split("/")[2]


def by_listing(grant: Grant, bucket: str, endpoint: str | None = None) -> tuple[str, str]:
    answers = Answers()
    Listing(sessions(), endpoint, http=answers).page(grant, bucket, "")
    return answers.requests[0].url.partition("?")[0].rstrip("/"), signed_for(answers.requests[0])


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What obstore meets instead of the network."""
    with proxies.running() as made:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{made.port}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        yield made


def by_obstore(proxy: Proxy, grant: Grant, bucket: str, endpoint: str | None = None) -> str:
    """Host and port of the TLS connection it wants, or the whole URL without TLS."""
    proxy.asked.clear()
    buckets = Buckets(sessions(), endpoint)
    with pytest.raises(TidegateError):
        buckets._fetch(grant, ObjectRef(bucket, "a", ETAG, 5, NOW), "", None, 5)
    return proxy.asked[0].partition(" ")[2]


@pytest.mark.parametrize(("fields", "bucket"), CASES)
def test_listing_goes_where_botocore_goes(fields: dict[str, Any], bucket: str) -> None:
    grant = granted(auth_method="basic", **fields)
    url, region = by_listing(grant, bucket)
    assert url == by_botocore(grant.connection, bucket)
    named = fields.get("region", "eu-west-1" if "endpoint" in fields else "us-east-1")
    assert region == named


@pytest.mark.parametrize(("fields", "bucket"), CASES[::13])
def test_obstore_goes_where_botocore_goes(proxy: Proxy, fields: dict[str, Any], bucket: str) -> None:
    grant = granted(**fields)
    expected = urlsplit(by_botocore(grant.connection, bucket))
    assert by_obstore(proxy, grant, bucket) == f"{expected.hostname}:443"


@pytest.mark.parametrize("chosen", ["auto", "path", "virtual"])
@pytest.mark.parametrize("endpoint", ["http://store.invalid:9000", "http://10.255.255.1:9000"])
def test_all_three_go_where_the_operator_points(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, endpoint: str, chosen: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    grant = granted(auth_method="basic", addressing_style=chosen, bucket_owner="any")
    expected = by_botocore(grant.connection, "acme")
    assert by_listing(grant, "acme", endpoint)[0] == expected
    assert by_obstore(proxy, grant, "acme", endpoint) == f"{expected}/a"


def test_the_connections_own_endpoint_goes_before_the_operators(monkeypatch: pytest.MonkeyPatch, proxy: Proxy) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://operators.invalid:9000")
    grant = granted(auth_method="basic", endpoint=VPCE)
    assert by_botocore(grant.connection, "acme") == f"{VPCE}/acme"
    assert by_listing(grant, "acme", "http://operators.invalid:9000")[0] == f"{VPCE}/acme"
    assert by_obstore(proxy, grant, "acme", "http://operators.invalid:9000") == f"{urlsplit(VPCE).hostname}:443"


# What each request says.


class Server(BaseHTTPRequestHandler):
    """One object under every key, listed and described; or what `status` says."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, Any]]
    answers: dict[str, Any]

    def do_GET(self) -> None:
        self.seen.append((self.command, self.path, self.headers))
        status, where = self.answers.get("status", 200), self.answers.get("location")
        listed = "list-type=2" in self.path
        body = b"<ListBucketResult/>" if listed else b"<Tagging><TagSet/></Tagging>" if "tagging" in self.path else DATA
        if status != 200:
            code, message = self.answers["code"], self.answers["message"]
            body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.send_response(status)
        if where:
            self.send_header("Location", where)
        self.send_header("ETag", f'"{ETAG}"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - http.server's name


@dataclass
class Store:
    """A server for S3 on this machine."""

    url: str
    seen: list[tuple[str, str, Any]]
    answers: dict[str, Any]

    def refuse(self, status: int, code: str, message: str = "because", **more: str) -> None:
        self.answers |= {"status": status, "code": code, "message": message} | more


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    seen: list[tuple[str, str, Any]] = []
    answers: dict[str, Any] = {}
    with serving(Server, seen=seen, answers=answers) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield Store(url, seen, answers)


def ref(key: str = "in/a.csv") -> ObjectRef:
    return ObjectRef("acme", key, ETAG, len(DATA), NOW)


def everything(grant: Grant, store: Store, network: Network | None = None) -> None:
    """List, describe with tags, and read, by each client that may be chosen."""
    made = sessions(network)
    buckets = Buckets(made, store.url)
    Listing(made, store.url).page(grant, "acme", "in/")
    buckets.describe(grant, ref(), prefix="in/", tags=True)
    for key in ("in/a.csv", "in/a.csv", "in//a.csv"):
        with buckets.open(grant, ref(key), prefix="in/") as body:
            assert body.read() == DATA


def agents(store: Store) -> list[str]:
    return [str(headers["User-Agent"]).split("/")[0].lower() for _, _, headers in store.seen]


def test_nothing_is_signed_over_an_anonymous_connection(store: Store) -> None:
    everything(granted(), store)
    assert set(agents(store)) == {"tidegate", "botocore", "object_store"}
    for _, _, headers in store.seen:
        assert not [name for name in headers if name.lower() in ("authorization", "x-amz-security-token")]


def test_everything_is_signed_over_another(store: Store) -> None:
    everything(granted(auth_method="basic"), store)
    assert set(agents(store)) == {"tidegate", "botocore", "object_store"}
    assert all("Credential=AKIAEXAMPLE/" in headers["Authorization"] for _, _, headers in store.seen)


def test_whoever_asks_says_that_we_pay_and_signs_it(store: Store) -> None:
    everything(granted(auth_method="basic", requester_pays=True), store)
    assert set(agents(store)) == {"tidegate", "botocore", "object_store"}
    for _, _, headers in store.seen:
        assert headers["x-amz-request-payer"] == "requester"
        assert "x-amz-request-payer" in headers["Authorization"]


def test_nobody_pays_who_was_not_asked_to(store: Store) -> None:
    everything(granted(auth_method="basic"), store)
    assert all("x-amz-request-payer" not in headers for _, _, headers in store.seen)


def test_the_owner_is_named_by_all_that_can_sign_it_and_proved_before_the_rest(store: Store) -> None:
    everything(granted(auth_method="basic", bucket_owner="111122223333"), store)
    named = [headers.get("x-amz-expected-bucket-owner") for _, _, headers in store.seen]
    assert agents(store) == ["tidegate", "botocore", "botocore", "botocore", "object_store", "botocore"]
    assert named == ["111122223333"] * 4 + [None, "111122223333"]
    for _, _, headers in (*store.seen[:4], store.seen[5]):
        assert "x-amz-expected-bucket-owner" in headers["Authorization"]


def test_the_owner_is_proved_again_every_five_minutes_and_for_each_bucket(store: Store) -> None:
    time = [0.0]
    buckets = Buckets(sessions(), store.url, clock=lambda: time[0])
    grant = granted(auth_method="basic", bucket_owner="111122223333")

    def reader(bucket: str = "acme", to: Grant = grant) -> str:
        store.seen.clear()
        buckets.open(to, ObjectRef(bucket, "a", ETAG, len(DATA), NOW), prefix="").close()
        [agent] = agents(store)
        return agent

    assert [reader(), reader()] == ["botocore", "object_store"]
    time[0] = 299.0
    assert reader() == "object_store"
    assert [reader("other"), reader("other")] == ["botocore", "object_store"]
    time[0] = 301.0
    assert [reader(), reader()] == ["botocore", "object_store"]
    assert reader(to=granted(auth_method="basic", bucket_owner="999999999999")) == "botocore"
    assert reader(to=granted(auth_method="basic")) == "object_store"


def test_a_bucket_whose_owner_cannot_be_proved_is_not_read_and_its_owner_is_spoken_of(store: Store) -> None:
    store.refuse(403, "AccessDenied", "Access Denied")
    grant = granted(auth_method="basic", bucket_owner="111122223333", can_list=False)
    buckets = Buckets(sessions(), store.url)
    for _ in range(2):
        with pytest.raises(AccessDenied, match=r"belong to account 111122223333.*bucket_owner"):
            buckets.open(grant, ref(), prefix="in/")
    assert agents(store) == ["botocore", "botocore"]
    listing = Listing(sessions(), store.url)
    for can_list, exact in ((True, False), (False, True)):
        asked = granted(auth_method="basic", bucket_owner="111122223333", can_list=can_list)
        with pytest.raises(AccessDenied, match="belong to account 111122223333"):
            listing.page(asked, "acme", "in/", exact=exact)


def test_a_refusal_that_says_why_is_left_alone(store: Store) -> None:
    store.refuse(403, "AccessDenied", "User: x is not authorized to perform: s3:ListBucket on resource: y")
    with pytest.raises(AccessDenied) as caught:
        Listing(sessions(), store.url).page(granted(auth_method="basic", bucket_owner="111122223333"), "acme", "in/")
    assert "111122223333" not in str(caught.value)


def test_our_own_account_is_asked_for_only_where_it_decides() -> None:
    asked: list[int] = []

    def ours() -> str:
        asked.append(1)
        return "111122223333"

    network = Network(ours=ours)
    role = {"auth_method": "assume_role", "role_arn": ROLE}
    assert network.owner(connection()) is None
    assert network.owner(connection(bucket_owner="999999999999")) == "999999999999"
    assert network.owner(connection(**role, bucket_owner="any")) is None
    assert asked == []
    assert network.owner(connection(**role)) is None  # a role of ours may read anybody's bucket
    assert network.owner(connection(**role | {"role_arn": ROLE.replace("3333:", "4444:")})) == "111122224444"
    assert asked == [1, 1]


# Where nothing goes.


def test_a_connection_that_leads_astray_makes_no_call_at_all(store: Store) -> None:
    grant = granted(endpoint=store.url)
    made = sessions(Network())
    asks = (
        lambda: Listing(made).page(grant, "acme", "in/"),
        lambda: Buckets(made).open(grant, ref(), prefix="in/"),
        lambda: Buckets(made).describe(grant, ref(), prefix="in/"),
    )
    for ask in asks:
        with pytest.raises(ConfigError, match="TIDEGATE_ENDPOINT_HOSTS"):
            ask()
    assert store.seen == []


def test_an_allowed_endpoint_serves_everything_by_wires_that_are_guarded(store: Store) -> None:
    everything(granted(endpoint=store.url), store, Network(HERE))
    assert set(agents(store)) == {"tidegate", "botocore"}


def test_a_name_that_leads_to_the_machine_itself_is_not_spoken_to(store: Store) -> None:
    port = urlsplit(store.url).port
    network = Network((Host("localhost", None, True),))  # on the list; its address is not
    grant = granted(endpoint=f"http://localhost:{port}")
    made = sessions(network)
    for ask in (
        lambda: Listing(made, sleep=lambda _: None).page(grant, "acme", "in/"),
        lambda: Buckets(made).open(grant, ref(), prefix="in/"),
    ):
        with pytest.raises(ConfigError, match="nothing was sent there"):
            ask()
    assert store.seen == []
    both = Network((Host("localhost", None, True), *HERE))
    Listing(sessions(both)).page(grant, "acme", "in/")
    assert len(store.seen) == 1


def test_not_even_a_handshake_is_begun_with_the_machine_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        port = server.getsockname()[1]
        grant = granted(endpoint=f"https://localhost:{port}")
        with pytest.raises(ConfigError, match="nothing was sent there"):
            Listing(sessions(Network((Host("localhost", None, plain=False),)))).page(grant, "acme", "in/")
        opened, _ = server.accept()
        with opened:
            assert opened.recv(1) == b""


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_followed_by_anybody(store: Store, status: int) -> None:
    store.refuse(status, "TemporaryRedirect", location=f"{store.url}/elsewhere")
    made = sessions(Network(HERE))
    grant = granted(auth_method="basic", endpoint=store.url)
    for ask in (
        lambda: Listing(made).page(grant, "acme", "in/"),
        lambda: Buckets(made).open(grant, ref(), prefix="in/"),
        lambda: Buckets(made).describe(grant, ref(), prefix="in/"),
    ):
        store.seen.clear()
        with pytest.raises(ConfigError) as caught:
            ask()
        assert status == 302 or isinstance(caught.value, BucketNotFound)
        assert len(store.seen) == 1
        assert "elsewhere" not in store.seen[0][1]


def test_a_wrong_region_is_an_error_and_not_silently_another_host(store: Store) -> None:
    answers = Answers(301, "<Error><Code>PermanentRedirect</Code><Region>eu-west-1</Region></Error>")
    client = Network().client(session(*KEYS), connection())
    client.meta.events.register("before-send.s3", answers.send)
    with pytest.raises(Exception, match="PermanentRedirect"):
        client.get_object(Bucket="acme", Key="a")
    assert len(answers.requests) == 1


# Proxies.


@pytest.fixture
def gate() -> Iterator[Proxy]:
    with proxies.running(f"me:{PASSWORD}") as made:
        yield made


def through(gate: Proxy, **fields: Any) -> Grant:
    return granted(http_proxy={"host": "127.0.0.1", "port": gate.port, "https": False, "user": "me"}, **fields)


def guarded(password: str | None = PASSWORD, hosts: tuple[Host, ...] = HERE, **more: Any) -> Network:
    return Network(hosts, keys=lambda _: Keys(proxy_password=password), **more)


def test_all_that_a_connection_asks_goes_through_its_proxy(gate: Proxy, store: Store) -> None:
    everything(through(gate, auth_method="basic", requester_pays=True), store, guarded())
    assert len(gate.asked) == len(store.seen) == 6
    assert all(asked.split(" ")[1].startswith(store.url) for asked in gate.asked)
    assert gate.refused == 0
    assert all("Proxy-Authorization" not in headers for _, _, headers in store.seen)


def test_tls_goes_through_a_tunnel_and_the_environments_proxies_do_not_matter(
    gate: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    made = sessions(guarded())
    with pytest.raises(SourceUnavailable):
        Listing(made, sleep=lambda _: None).page(through(gate), "acme", "in/")
    assert set(gate.asked) == {"CONNECT acme.s3.us-east-1.amazonaws.com:443"}
    assert gate.refused == 0


@pytest.mark.parametrize("password", ["wrong-planted-password", ""])
def test_a_wrong_password_is_an_error_that_does_not_repeat_it(gate: Proxy, store: Store, password: str) -> None:
    made = sessions(guarded(password))
    texts = []
    for ask in (
        lambda: Listing(made, store.url, sleep=lambda _: None).page(through(gate), "acme", "in/"),
        lambda: Buckets(made, store.url).open(through(gate), ref(), prefix="in/"),
        lambda: Listing(made, sleep=lambda _: None).page(through(gate), "acme", "in/"),
    ):
        with pytest.raises(TidegateError) as caught:
            ask()
        texts.append(f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}")
    assert "wrong-planted-password" not in "".join(texts)
    assert store.seen == []


def test_no_proxy_means_no_call(store: Store) -> None:
    nowhere = granted(http_proxy={"host": "127.0.0.1", "port": 1, "https": False, "user": "me"})
    with pytest.raises(SourceUnavailable) as caught:
        Listing(sessions(guarded()), store.url, sleep=lambda _: None).page(nowhere, "acme", "in/")
    assert MARK not in f"{caught.value} {caught.value.__cause__!r}"
    assert store.seen == []


def test_a_password_that_nobody_kept_is_asked_for(gate: Proxy) -> None:
    for network in (Network(HERE), guarded(None), Network(HERE, keys=lambda _: None), guarded("planted-é")):
        with pytest.raises(ConfigError, match="tidegate connection edit acme") as caught:
            Listing(sessions(network)).page(through(gate), "acme", "in/")
        assert MARK not in str(caught.value)
    assert gate.asked == []


def test_a_changed_password_is_taken_up(gate: Proxy, store: Store) -> None:
    time, kept = [0.0], ["old"]
    network = Network(HERE, keys=lambda _: Keys(proxy_password=kept[0]), clock=lambda: time[0])
    listing, buckets = (
        Listing(sessions(network), store.url, sleep=lambda _: None),
        Buckets(sessions(network), store.url),
    )
    with pytest.raises(TidegateError):
        listing.page(through(gate), "acme", "in/")
    with pytest.raises(TidegateError):
        buckets.open(through(gate), ref(), prefix="in/")
    kept[0], time[0] = PASSWORD, PASSWORD_FOR
    listing.page(through(gate), "acme", "in/")
    buckets.open(through(gate), ref(), prefix="in/").close()


def test_a_proxy_that_is_not_on_the_list_is_not_spoken_to(gate: Proxy, store: Store) -> None:
    with pytest.raises(ConfigError, match=r"http_proxy leads to 127\.0\.0\.1"):
        Listing(sessions(guarded(hosts=())), store.url).page(through(gate), "acme", "in/")
    assert gate.asked == []


def test_a_proxys_name_that_leads_to_the_machine_itself_is_not_spoken_to(gate: Proxy, store: Store) -> None:
    proxy = {"host": "localhost", "port": gate.port, "https": False, "user": "me"}
    network = guarded(hosts=(Host("localhost", None, True),))
    with pytest.raises(ConfigError, match="nothing was sent there"):
        Listing(sessions(network), store.url).page(granted(http_proxy=proxy), "acme", "in/")
    assert gate.asked == []


def test_wires_are_shared_and_few() -> None:
    network = Network(HERE)
    first = network.wire(connection(), "https://acme.s3.us-east-1.amazonaws.com")
    assert network.wire(connection(region="eu-west-1"), "https://other.s3.eu-west-1.amazonaws.com") is first
    assert network.wire(connection(endpoint="http://127.0.0.1:9"), "http://127.0.0.1:9/acme") is not first
    for port in range(1, 100):
        network.wire(connection(http_proxy={"host": "127.0.0.1", "port": port}), "https://x.example")
    assert len(network._wires) == 32


def test_a_network_shows_no_password() -> None:
    network = guarded()
    network.proxy(granted(http_proxy={"host": "127.0.0.1", "user": "me"}).connection)
    assert MARK not in repr(network)

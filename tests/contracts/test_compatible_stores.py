"""A store that speaks S3 and is not AWS's, reached over a connection with an endpoint of its own (F15, F96)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.aws.customers.buckets import Buckets
from chalicelib.aws.customers.listing import Listing
from chalicelib.aws.customers.network import Network
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.endpoints import Host
from chalicelib.core.keys import Keys
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import (
    AccessDenied,
    BucketNotFound,
    ConfigError,
    CredentialsRefused,
    ObjectChanged,
    ObjectMissing,
)
from tests.aws import proxies
from tests.contracts import seaweed
from tests.fakes.wire import NOW
from tests.planted import PROXY_PASSWORD as PASSWORD
from tests.wired import session

DATA = bytes(range(256)) * 40
KEYS = [
    "a b+c/é.csv",
    "b/c",
    "b/d",
    "q?x=1&b#c",
    "日本/e\u0301",
    "😀",
]  # a folder is listed where its name is, without the slash
HERE = (Host("127.0.0.1", None, True),)


@dataclass
class Store:
    """The store as its owner sees it, and as we do by each way."""

    url: str
    gate: proxies.Proxy
    owner: Any

    def ways(self) -> dict[str, dict[str, Any]]:
        proxy = {"host": "127.0.0.1", "port": self.gate.port, "https": False, "user": "me"}
        return {
            "endpoint": {"endpoint": self.url},
            "path": {"endpoint": self.url, "addressing_style": "path"},
            "proxy": {"endpoint": self.url, "http_proxy": proxy},
            "operator": {},
        }

    def put(self, bucket: str, key: str, data: bytes = DATA) -> ObjectRef:
        answer = self.owner.put_object(Bucket=bucket, Key=key, Body=data)
        return ObjectRef(bucket, key, answer["ETag"].strip('"'), len(data), NOW)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if not seaweed.WEED.exists():
        pytest.skip("SeaweedFS is not installed")
    with seaweed.running(tmp_path_factory.mktemp("seaweed")) as running, proxies.running(f"me:{PASSWORD}") as gate:
        yield Store(
            running.s3, gate, session(seaweed.ACCESS, seaweed.SECRET).create_client("s3", endpoint_url=running.s3)
        )


@dataclass
class Seen:
    """The store over one connection."""

    store: Store
    grant: Grant
    listing: Listing
    buckets: Buckets

    def keys(self, bucket: str, prefix: str = "", **bounds: Any) -> list[str]:
        page = self.listing.page(self.grant, bucket, prefix, **bounds)
        return [each.ref.key for each in page.objects]

    def read(self, ref: ObjectRef) -> bytes:
        with self.buckets.open(self.grant, ref, prefix="") as body:
            return body.read()


See = Callable[..., Seen]


@pytest.fixture
def see(store: Store, monkeypatch: pytest.MonkeyPatch) -> See:
    def made(way: str, secret: str = seaweed.SECRET, **fields: Any) -> Seen:
        operators = store.url if way == "operator" else None
        if operators is not None:
            monkeypatch.setenv("AWS_ENDPOINT_URL", operators)
        document = {"name": "acme", "auth_method": "basic"} | store.ways()[way] | fields
        grant = Grant(parse_connection(document, where="test"), "e" * 64, NOW)
        kept = Keys(seaweed.ACCESS, secret, proxy_password=PASSWORD)
        sessions = Sessions(session("none", "none"), Network(HERE, keys=lambda _: kept), keys=lambda _: kept)
        return Seen(store, grant, Listing(sessions, operators), Buckets(sessions, operators, part=4096))

    return made


@pytest.fixture
def bucket(store: Store) -> str:
    name = f"acme-{uuid4().hex[:8]}"
    store.owner.create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["endpoint", "path", "proxy", "operator"])
def seen(request: pytest.FixtureRequest, see: See, store: Store) -> Iterator[Seen]:
    store.gate.asked.clear()
    made = see(request.param)
    yield made
    assert bool(store.gate.asked) is (request.param == "proxy")
    assert store.gate.refused == 0


def test_it_is_listed_and_read_as_s3_is(seen: Seen, bucket: str) -> None:
    refs = {key: seen.store.put(bucket, key) for key in KEYS}
    listed = seen.listing.page(seen.grant, bucket, "").objects
    assert [each.ref.key for each in listed] == sorted(refs)
    assert all(each.ref.same(refs[each.ref.key]) and each.ref.size == len(DATA) for each in listed)
    assert seen.keys(bucket, "b/") == ["b/c", "b/d"]
    assert seen.keys(bucket, start_after="b/d", limit=1) == ["q?x=1&b#c"]
    for ref in refs.values():
        assert seen.read(ref) == DATA
        assert seen.buckets.describe(seen.grant, ref, prefix="").size == len(DATA)


def test_what_is_wrong_there_is_told_apart(seen: Seen, bucket: str) -> None:
    ref = seen.store.put(bucket, "a")
    seen.store.put(bucket, "a", DATA[::-1])
    with pytest.raises(ObjectChanged):
        seen.read(ref)
    with pytest.raises(ObjectMissing):
        seen.read(ObjectRef(bucket, "b", ref.etag, 5, NOW))
    with pytest.raises(BucketNotFound):
        seen.keys("acme-nowhere")


@pytest.mark.parametrize("way", ["endpoint", "proxy"])
def test_wrong_keys_are_refused_there_too(see: See, bucket: str, way: str) -> None:
    wrong = see(way, secret="not-the-secret")
    for ask in (
        lambda: wrong.keys(bucket),
        lambda: wrong.read(ObjectRef(bucket, "a", "e", 5, NOW)),
    ):
        with pytest.raises((CredentialsRefused, AccessDenied)) as caught:
            ask()
        assert "not-the-secret" not in str(caught.value)


def test_one_key_is_found_without_listing_there_too(see: See, store: Store, bucket: str) -> None:
    ref = store.put(bucket, "in/a")
    single = see("endpoint", can_list=False)
    [listed] = single.listing.page(single.grant, bucket, "in/a", exact=True).objects
    assert listed.ref.same(ref)
    with pytest.raises(ConfigError, match="s3:ListBucket"):
        single.keys(bucket, "in/")

"""A connection without s3:ListBucket: one key is found by a HEAD, and nothing is listed (F7)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from chalicelib.aws.customers.listing import Listing
from chalicelib.aws.customers.network import Network
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.endpoints import Host
from chalicelib.core.listing import Listed, Page
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import AccessDenied, ConfigError, CredentialsRefused
from tests.fakes.serving import serving
from tests.wired import from_environment

GRANT = Grant(
    parse_connection({"name": "acme", "auth_method": "anonymous", "can_list": False}, where="test"),
    "e" * 64,
    datetime(2026, 1, 1, tzinfo=UTC),
)
HEADERS = {"ETag": '"e-2"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Content-Length": "5"}


class Heads(BaseHTTPRequestHandler):
    """Answers HEADs with `status` and `told`, and nothing else at all."""

    seen: list[str]
    told: dict[str, Any]

    def do_HEAD(self) -> None:
        self.seen.append(f"{self.command} {self.path}")
        self.send_response(self.told.get("status", 200))
        for name, value in (HEADERS | self.told.get("headers", {})).items():
            self.send_header(name, value)
        self.end_headers()


class Bucket:
    def __init__(self, url: str, seen: list[str], told: dict[str, Any]) -> None:
        self.listing = Listing(Sessions(from_environment(), Network((Host("127.0.0.1", None, True),))), url)
        self.seen, self.told = seen, told

    def page(self, key: str = "in/a b.csv", **bounds: Any) -> Page:
        return self.listing.page(GRANT, "acme", key, **{"exact": True} | bounds)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    seen: list[str] = []
    told: dict[str, Any] = {}
    with serving(Heads, seen=seen, told=told) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield Bucket(url, seen, told)


def test_one_key_is_a_page_of_its_own(bucket: Bucket) -> None:
    ref = ObjectRef("acme", "in/a b.csv", "e-2", 5, datetime(2026, 1, 1, tzinfo=UTC))
    assert bucket.page() == Page((Listed(ref, "STANDARD", restored=False),), None)
    assert bucket.seen == ["HEAD /acme/in/a%20b.csv"]


@pytest.mark.parametrize(
    ("headers", "archived"),
    [
        ({"x-amz-storage-class": "GLACIER"}, True),
        ({"x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="true"'}, True),
        ({"x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="false", expiry-date="x"'}, False),
        ({"x-amz-storage-class": "STANDARD_IA"}, False),
    ],
)
def test_its_class_is_told_as_a_listing_tells_it(bucket: Bucket, headers: dict[str, str], archived: bool) -> None:
    bucket.told["headers"] = headers
    [listed] = bucket.page().objects
    assert (listed.storage_class, listed.archived) == (headers["x-amz-storage-class"], archived)


def test_bounds_hold_for_one_key_too_and_cost_no_call(bucket: Bucket) -> None:
    assert bucket.page("b", start_after="b") == bucket.page("b", start_after="c") == Page((), None)
    assert bucket.page("b", until="b") == bucket.page("b", until="a") == Page((), None)
    assert bucket.seen == []
    assert len(bucket.page("b", start_after="a", until="c").objects) == 1


def test_a_key_that_is_not_there_is_an_empty_page(bucket: Bucket) -> None:
    bucket.told["status"] = 404
    assert bucket.page() == Page((), None)


def test_a_refusal_says_that_the_key_may_not_be_there(bucket: Bucket) -> None:
    bucket.told["status"] = 403
    with pytest.raises(AccessDenied, match=r"s3:ListBucket.*gone"):
        bucket.page()


def test_a_listing_is_refused_before_any_call(bucket: Bucket) -> None:
    with pytest.raises(ConfigError, match=r"connection acme was given no s3:ListBucket.*in\.path") as caught:
        bucket.page("in/", exact=False)
    assert caught.value.where == "s3://acme/in/"
    assert bucket.seen == []


def test_a_probe_gets_credentials_and_asks_nothing_more(bucket: Bucket) -> None:
    bucket.listing.probe(GRANT, "acme", "in/")
    assert bucket.seen == []
    basic = parse_connection({"name": "acme", "auth_method": "basic", "can_list": False}, where="test")
    with pytest.raises(CredentialsRefused):
        bucket.listing.probe(Grant(basic, "e" * 64, GRANT.created_at), "acme", "in/")

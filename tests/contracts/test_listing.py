"""Customers' buckets are listed the same from memory, from moto, and from the embedded AWS with a role."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from chalicelib.aws.customers.listing import Listing
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.connections import Grant
from chalicelib.core.listing import Listed, Page
from chalicelib.core.objects import ObjectRef
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Facts, Kind
from chalicelib.errors import AccessDenied, BucketNotFound, ConfigError, RoleNotAssumable
from chalicelib.local import emulator as embedded
from chalicelib.local.account import CUSTOMERS, Account
from chalicelib.local.customer import open_customer
from tests.fakes.buckets import FakeBuckets
from tests.fakes.wire import AWKWARD, GRANT, reading
from tests.wired import from_environment

ODD = [
    *AWKWARD,
    "/lead",
    "//",
    "a b",
    "a+b",
    "a%2Bb",
    "a/",
    "a//b",
    "a/b",
    "a&b<c>\"d'",
    "a=b;c:d@e!f$g,h~i",
    "a\\b",
    "é",
    "e\u0301",
    "日本",
    "\uff5e",  # UTF-16 puts it after the next one, UTF-8 before
    "😀",
    "z" * 1000,
]
# Characters that some encoding of keys, XML or URLs treats as special, and both sides of UTF-16's surrogates.
CHARACTERS = "ab/ +%&<>\"'?#=;~é日\ue000\uffe6😀"
KEYS = st.text(CHARACTERS, min_size=1, max_size=4)
ROUGH = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PREFIXES = st.text(CHARACTERS.replace("?", ""), max_size=1)  # the emulator does not know how a policy escapes it
names = count()


class Shown(Protocol):
    """A customer's buckets, and how we see them."""

    @property
    def page(self) -> Callable[..., Page]: ...
    @property
    def probe(self) -> Callable[[Grant, str, str], None]: ...
    def create(self, bucket: str, *, versioned: bool = False) -> None: ...
    def put(self, bucket: str, key: str, data: bytes) -> ObjectRef: ...
    def delete(self, ref: ObjectRef) -> None: ...
    def archive(self, ref: ObjectRef) -> None: ...


class S3Shown:
    """The same on a server that speaks S3; `s3` acts for the customer."""

    def __init__(self, listing: Listing, s3: Any) -> None:
        self.s3, self.page, self.probe = s3, listing.page, listing.probe

    def create(self, bucket: str, *, versioned: bool = False) -> None:
        self.s3.create_bucket(Bucket=bucket)
        if versioned:
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def put(self, bucket: str, key: str, data: bytes, storage_class: str = "STANDARD") -> ObjectRef:
        answer = self.s3.put_object(Bucket=bucket, Key=key, Body=data, StorageClass=storage_class)
        written = self.s3.head_object(Bucket=bucket, Key=key)["LastModified"]
        return ObjectRef(bucket, key, answer["ETag"].strip('"'), len(data), written, answer.get("VersionId"))

    def delete(self, ref: ObjectRef) -> None:
        self.s3.delete_object(Bucket=ref.bucket, Key=ref.key)

    def archive(self, ref: ObjectRef) -> None:
        data = self.s3.get_object(Bucket=ref.bucket, Key=ref.key)["Body"].read()
        self.put(ref.bucket, ref.key, data, "GLACIER")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}".replace("0.0.0.0", "127.0.0.1")
    server.stop()


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Account, Account, str]]:
    """Our account in the embedded AWS, the customer's, and its role, which may list and read what it is told to."""
    with embedded.running(tmp_path_factory.mktemp("emulator")) as running:
        ours, customer = running.account(), running.account(CUSTOMERS)
        role = f"arn:aws:iam::{customer.number}:role/reader"
        grant = Grant(AssumeRole(name="acme", role_arn=role), GRANT.external_id, GRANT.created_at)
        queue = f"arn:aws:sqs:{ours.region}:{ours.number}:arrivals"
        pasted = {sheet.kind: sheet.document for sheet in sheets(Facts(grant, ours.number, ours.region, queue))}
        permissions = pasted[Kind.ROLE]
        open_customer(customer, "acme-any", role="reader", trust=pasted[Kind.TRUST], permissions=permissions)
        yield ours, customer, role


@pytest.fixture
def emulated(aws: tuple[Account, Account, str], monkeypatch: pytest.MonkeyPatch) -> tuple[S3Shown, Grant]:
    ours, customer, role = aws
    for name, value in ours.env().items():
        monkeypatch.setenv(name, value)
    grant = Grant(AssumeRole(name="acme", role_arn=role), GRANT.external_id, GRANT.created_at)
    return S3Shown(Listing(Sessions(from_environment()), ours.endpoint), customer.client("s3")), grant


@pytest.fixture(params=["memory", "moto", pytest.param("emulator", marks=pytest.mark.local)])
def seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Shown, Grant]:
    """Buckets, and the grant that opens them."""
    if request.param == "memory":
        return FakeBuckets(), GRANT
    if request.param == "emulator":
        found: tuple[Shown, Grant] = request.getfixturevalue("emulated")
        return found
    url: str = request.getfixturevalue("moto")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    sessions = reading(url).sessions
    return S3Shown(Listing(sessions, url), sessions.client("s3")), GRANT


@pytest.fixture
def shown(seen: tuple[Shown, Grant]) -> Shown:
    return seen[0]


@pytest.fixture
def grant(seen: tuple[Shown, Grant]) -> Grant:
    return seen[1]


@pytest.fixture
def bucket(shown: Shown) -> str:
    return fresh(shown)


def fresh(shown: Shown, *, versioned: bool = False) -> str:
    name = f"acme-{next(names)}-{uuid4().hex[:8]}"
    shown.create(name, versioned=versioned)
    return name


def fill(shown: Shown, bucket: str, keys: Sequence[str]) -> None:
    for key in keys:
        shown.put(bucket, key, key.encode())


def keys_of(page: Page) -> list[str]:
    return [listed.ref.key for listed in page.objects]


def walked(shown: Shown, grant: Grant, bucket: str, prefix: str = "", **bounds: Any) -> list[str]:
    """The keys of all pages, each of which is full but the last."""
    found: list[str] = []
    after: str | None = bounds.pop("start_after", "")
    while after is not None:
        page = shown.page(grant, bucket, prefix, start_after=after, **bounds)
        assert page.next_after is None or len(page.objects) == bounds.get("limit", 1000)
        found, after = found + keys_of(page), page.next_after
    return found


def in_seconds(page: Page) -> list[Listed]:
    """The objects with times as S3 lists them; MiniStack's have fractions."""
    refs = (replace(each.ref, created_at=each.ref.created_at.replace(microsecond=0)) for each in page.objects)
    return [replace(each, ref=ref) for each, ref in zip(page.objects, refs, strict=True)]


def in_order(keys: Sequence[str]) -> list[str]:
    return sorted(keys, key=str.encode)


def test_an_object_is_shown_with_its_identity(shown: Shown, grant: Grant, bucket: str) -> None:
    ref = shown.put(bucket, "in/a b.csv", b"12345")
    [listed] = shown.page(grant, bucket, "in/").objects
    assert (listed.ref.key, listed.ref.etag, listed.ref.size) == ("in/a b.csv", ref.etag, 5)
    assert (listed.ref.version_id, listed.ref.sequencer) == (None, None)
    assert (listed.storage_class, listed.restored, listed.archived) == ("STANDARD", False, False)
    assert listed.ref.created_at.tzinfo is UTC
    assert abs(listed.ref.created_at - ref.created_at) < timedelta(seconds=1)
    assert listed.ref.same(ref)


def test_keys_are_shown_as_they_are_and_in_the_order_of_their_bytes(shown: Shown, grant: Grant, bucket: str) -> None:
    fill(shown, bucket, ODD)
    assert keys_of(shown.page(grant, bucket, "")) == in_order(ODD)


@pytest.mark.parametrize("key", ODD)
def test_every_key_is_a_prefix_and_a_place_to_go_on_from(shown: Shown, grant: Grant, bucket: str, key: str) -> None:
    if set(key) & set("*?$") and grant is not GRANT:
        pytest.skip("MiniStack knows no policy variables, which keep a session to such a prefix")
    others = [" ", f"{key}x", "\U0010fffd"]
    fill(shown, bucket, [key, *others])
    assert keys_of(shown.page(grant, bucket, key)) == [key, f"{key}x"]
    assert keys_of(shown.page(grant, bucket, "", start_after=key)) == [f"{key}x", "\U0010fffd"]
    assert keys_of(shown.page(grant, bucket, "", until=f"{key}x")) == [" ", key]


@pytest.mark.parametrize("limit", [1, 2, 6, 7, 8, 1000])
def test_pages_of_any_size_give_the_same_objects(shown: Shown, grant: Grant, bucket: str, limit: int) -> None:
    fill(shown, bucket, ["a", "b", "c/", "c/1", "c/2", "d", "é"])
    assert walked(shown, grant, bucket, limit=limit) == ["a", "b", "c/", "c/1", "c/2", "d", "é"]
    assert walked(shown, grant, bucket, "c/", limit=limit) == ["c/", "c/1", "c/2"]


def test_what_comes_after_a_key_needs_no_such_key(shown: Shown, grant: Grant, bucket: str) -> None:
    fill(shown, bucket, ["in/a", "in/c", "out"])
    assert keys_of(shown.page(grant, bucket, "in/", start_after="in/b")) == ["in/c"]
    assert keys_of(shown.page(grant, bucket, "in/", start_after="in/c")) == []
    assert keys_of(shown.page(grant, bucket, "in/", start_after="a")) == ["in/a", "in/c"]
    assert keys_of(shown.page(grant, bucket, "in/", start_after="z")) == []


def test_a_bound_ends_the_listing_before_it(shown: Shown, grant: Grant, bucket: str) -> None:
    fill(shown, bucket, ["a", "b", "c"])
    assert shown.page(grant, bucket, "", until="b", limit=2).next_after is None
    assert [walked(shown, grant, bucket, until=until, limit=1) for until in ("a", "b", "bb", "d")] == [
        [],
        ["a"],
        ["a", "b"],
        ["a", "b", "c"],
    ]


def test_ranges_of_keys_give_each_object_once(shown: Shown, grant: Grant, bucket: str) -> None:
    fill(shown, bucket, ODD)
    first = walked(shown, grant, bucket, until="a/b", limit=3)
    rest = walked(shown, grant, bucket, start_after="a/b", limit=3)
    assert [*first, "a/b", *rest] == in_order(ODD)


def test_a_prefix_is_text_and_not_a_folder(shown: Shown, grant: Grant, bucket: str) -> None:
    fill(shown, bucket, ["/in/a", "in", "in/a", "in2/a", "IN/a"])
    listed = {prefix: keys_of(shown.page(grant, bucket, prefix)) for prefix in ("in", "in/", "/in", "n")}
    assert listed == {"in": ["in", "in/a", "in2/a"], "in/": ["in/a"], "/in": ["/in/a"], "n": []}


def test_an_empty_bucket_has_an_empty_page(shown: Shown, grant: Grant, bucket: str) -> None:
    assert shown.page(grant, bucket, "") == Page((), None)
    shown.probe(grant, bucket, "")


def test_only_the_newest_content_of_a_key_is_shown(shown: Shown, grant: Grant) -> None:
    bucket = fresh(shown, versioned=True)
    shown.put(bucket, "a", b"old")
    new = shown.put(bucket, "a", b"new")
    shown.delete(shown.put(bucket, "b", b"gone"))
    assert [(each.ref.key, each.ref.etag) for each in shown.page(grant, bucket, "").objects] == [("a", new.etag)]


def test_one_key_is_the_same_whether_it_is_listed_or_asked_for(shown: Shown, grant: Grant) -> None:
    bucket = fresh(shown, versioned=True)
    unlisted = replace(grant, connection=grant.connection.model_copy(update={"can_list": False}))
    for key in ("in/a b.csv", "in/é+%"):
        fill(shown, bucket, [key, f"{key}x"])
        shown.put(bucket, key, b"newer")
        listed = shown.page(grant, bucket, key, limit=1, exact=True)
        asked = shown.page(unlisted, bucket, key, exact=True)
        assert in_seconds(asked) == in_seconds(listed)
        assert asked.next_after is None
    shown.archive(shown.put(bucket, "in/old", b"1"))
    assert shown.page(unlisted, bucket, "in/old", exact=True).objects[0].archived
    with pytest.raises(ConfigError, match="s3:ListBucket"):
        shown.page(unlisted, bucket, "in/")


def test_an_archived_object_shows_its_class(shown: Shown, grant: Grant, bucket: str) -> None:
    shown.archive(shown.put(bucket, "a", b"1"))
    [listed] = shown.page(grant, bucket, "").objects
    assert (listed.storage_class, listed.restored, listed.archived) == ("GLACIER", False, True)
    shown.put(bucket, "a", b"2")
    assert not shown.page(grant, bucket, "").objects[0].archived


def test_a_bucket_that_does_not_exist_is_no_empty_one(shown: Shown, grant: Grant) -> None:
    for look in (shown.page, shown.probe):
        with pytest.raises(BucketNotFound, match="acme-nowhere"):
            look(grant, "acme-nowhere", "in/")


@ROUGH
@given(keys=st.sets(KEYS, max_size=6), prefix=PREFIXES, after=KEYS, until=st.none() | KEYS)
def test_nobody_lists_otherwise_than_by_the_definition(
    shown: Shown, grant: Grant, keys: set[str], prefix: str, after: str, until: str | None
) -> None:
    bucket = fresh(shown)
    fill(shown, bucket, sorted(keys))
    within = [key for key in keys if key.startswith(prefix) and key.encode() > after.encode()]
    expected = in_order([key for key in within if until is None or key.encode() < until.encode()])
    for limit in (1, 2, 1000):
        assert walked(shown, grant, bucket, prefix, start_after=after, until=until, limit=limit) == expected


@given(keys=st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)), limit=st.integers(1, 9))
def test_the_fake_gives_every_key_once_at_any_page_size(keys: set[str], limit: int) -> None:
    buckets = FakeBuckets()
    buckets.create("acme")
    fill(buckets, "acme", sorted(keys))
    assert walked(buckets, GRANT, "acme", limit=limit) == in_order(list(keys))
    assert buckets.listings == max(1, -(-len(keys) // limit))


@pytest.mark.parametrize("storage_class", ["DEEP_ARCHIVE", "GLACIER_IR", "INTELLIGENT_TIERING", "STANDARD_IA"])
def test_classes_are_passed_on_as_they_are(moto: str, monkeypatch: pytest.MonkeyPatch, storage_class: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    sessions = reading(moto).sessions
    s3 = S3Shown(Listing(sessions, moto), sessions.client("s3"))
    bucket = fresh(s3)
    s3.put(bucket, "a", b"1", storage_class)
    assert [each.storage_class for each in s3.page(GRANT, bucket, "").objects] == [storage_class]


def listed(buckets: FakeBuckets) -> Listed:
    [found] = buckets.page(GRANT, "acme", "").objects
    return found


def test_the_fake_gives_at_most_a_thousand_objects_unless_told_otherwise() -> None:
    buckets = FakeBuckets()
    fill(buckets, "acme", [f"{number:04}" for number in range(1001)])
    page = buckets.page(GRANT, "acme", "")
    assert (len(page.objects), page.next_after) == (1000, "0999")


def test_the_fake_shows_a_restored_copy_until_it_is_archived_again() -> None:
    buckets = FakeBuckets()
    ref = buckets.put("acme", "a", b"1")
    buckets.archive(ref)
    buckets.restore(ref)
    assert (listed(buckets).storage_class, listed(buckets).archived) == ("GLACIER", False)
    with buckets.open(GRANT, ref, prefix="") as body:
        assert body.read() == b"1"
    buckets.archive(ref)
    assert listed(buckets).archived


def test_the_fake_shows_a_multipart_upload_late_and_with_its_early_date() -> None:
    buckets = FakeBuckets()
    buckets.now += timedelta(microseconds=700_000)
    began, ends = buckets.now, buckets.now + timedelta(hours=2)
    buckets.hide(buckets.put("acme", "a", b"1"), ends)
    buckets.now = ends - timedelta(seconds=1)
    assert buckets.page(GRANT, "acme", "") == Page((), None)
    buckets.now = ends
    assert listed(buckets).ref.created_at == began.replace(microsecond=0)


def test_a_refused_listing_is_no_empty_one_in_memory_either() -> None:
    buckets = FakeBuckets()
    buckets.put("acme", "a", b"1")
    buckets.deny("acme")
    with pytest.raises(AccessDenied):
        buckets.page(GRANT, "acme", "")
    buckets.refused.add(GRANT.connection.name)
    with pytest.raises(RoleNotAssumable):
        buckets.page(GRANT, "acme", "")


@pytest.mark.local
def test_a_session_lists_its_prefix_and_nothing_beside_it(emulated: tuple[S3Shown, Grant]) -> None:
    shown, grant = emulated
    bucket = fresh(shown)
    fill(shown, bucket, ["in/a", "out/b"])
    assert keys_of(shown.page(grant, bucket, "in/")) == ["in/a"]
    document = {"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}
    shown.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [document]}))
    for look in (shown.page, shown.probe):
        with pytest.raises(AccessDenied, match="in/"):
            look(grant, bucket, "in/")


@pytest.mark.local
def test_a_role_that_lets_nobody_in_is_named(emulated: tuple[S3Shown, Grant]) -> None:
    shown, grant = emulated
    with pytest.raises(RoleNotAssumable):
        shown.page(Grant(grant.connection, "f" * 64, grant.created_at), "acme-any", "")

"""Customers' objects read the same from memory and from S3."""

import gzip
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from chalicelib.aws.customers.ahead import ahead
from chalicelib.aws.customers.bodies import ObjectBody
from chalicelib.aws.customers.buckets import Buckets
from chalicelib.core.connections import Grant
from chalicelib.core.descriptions import Description
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import (
    AccessDenied,
    BucketNotFound,
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
)
from tests.fakes.buckets import FakeBody, FakeBuckets
from tests.fakes.wire import AWKWARD, DATA, GRANT, NOW, PART, reading

names = count()


class Customer(Protocol):
    """The customer's side: what can happen to an object while we work."""

    def create(self, bucket: str, *, versioned: bool = False) -> None: ...
    def put(
        self, bucket: str, key: str, data: bytes, *, tags: dict[str, str] | None = None, **told: Any
    ) -> ObjectRef: ...
    def delete(self, ref: ObjectRef) -> None: ...
    def archive(self, ref: ObjectRef) -> None: ...
    def deny(self, bucket: str) -> None: ...
    def open(self, grant: Grant, ref: ObjectRef, *, prefix: str) -> ObjectBody | FakeBody: ...
    def describe(self, grant: Grant, ref: ObjectRef, *, prefix: str, tags: bool = False) -> Description: ...


class S3Customer:
    """The same on a server that speaks S3."""

    def __init__(self, buckets: Buckets) -> None:
        self.sessions = buckets.sessions
        self.s3 = buckets.sessions.client("s3")
        self.open, self.describe = buckets.open, buckets.describe

    def create(self, bucket: str, *, versioned: bool = False) -> None:
        self.s3.create_bucket(Bucket=bucket)
        if versioned:
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def put(self, bucket: str, key: str, data: bytes, *, tags: dict[str, str] | None = None, **told: Any) -> ObjectRef:
        names = {name: name.title().replace("_", "") for name in told} | {"sse": "ServerSideEncryption"}
        extra = {names[name]: value for name, value in told.items()}
        answer = self.s3.put_object(Bucket=bucket, Key=key, Body=data, **extra)
        if tags:
            labels = [{"Key": name, "Value": value} for name, value in tags.items()]
            moto_keeps_tags_by_account = self.sessions.customer(GRANT, bucket, "")
            moto_keeps_tags_by_account.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": labels})
        return ObjectRef(bucket, key, answer["ETag"].strip('"'), len(data), NOW, answer.get("VersionId"))

    def delete(self, ref: ObjectRef) -> None:
        self.s3.delete_object(Bucket=ref.bucket, Key=ref.key)

    def archive(self, ref: ObjectRef) -> None:
        data = self.s3.get_object(Bucket=ref.bucket, Key=ref.key)["Body"].read()
        self.s3.put_object(Bucket=ref.bucket, Key=ref.key, Body=data, StorageClass="GLACIER")

    def deny(self, bucket: str) -> None:
        statement = f'{{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/*"}}'
        self.s3.put_bucket_policy(Bucket=bucket, Policy=f'{{"Version":"2012-10-17","Statement":[{statement}]}}')


@pytest.fixture(scope="module")
def moto() -> Iterator[Buckets]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield reading(f"http://{host}:{port}".replace("0.0.0.0", "127.0.0.1"))
    server.stop()


@pytest.fixture(params=["memory", "s3"])
def customer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Customer:
    if request.param == "memory":
        return FakeBuckets(part=PART)
    buckets: Buckets = request.getfixturevalue("moto")
    monkeypatch.setenv("AWS_ENDPOINT_URL", buckets.endpoint or "")
    return S3Customer(buckets)


@pytest.fixture
def bucket(customer: Customer) -> str:
    name = f"acme-{next(names)}"
    customer.create(name)
    return name


def read(customer: Customer, ref: ObjectRef) -> bytes:
    with customer.open(GRANT, ref, prefix="") as body:
        return body.read()


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, len(DATA)])
def test_an_object_is_read_whole_whatever_its_size(customer: Customer, bucket: str, size: int) -> None:
    assert read(customer, customer.put(bucket, "a.csv", DATA[:size])) == DATA[:size]


def test_each_read_gives_as_much_as_was_asked_for_until_the_end(customer: Customer, bucket: str) -> None:
    with customer.open(GRANT, customer.put(bucket, "a.csv", DATA), prefix="") as body:
        sizes = [len(body.read(1500)) for _ in range(5)]
    assert sizes == [1500, 1500, 1500, len(DATA) - 4500, 0]


def test_a_body_is_a_file_to_other_libraries(customer: Customer, bucket: str) -> None:
    packed = gzip.compress(DATA, compresslevel=0)
    with customer.open(GRANT, customer.put(bucket, "a.gz", packed), prefix="") as body, gzip.open(body) as unpacked:
        assert unpacked.read() == DATA


PLACES = st.lists(
    st.tuples(st.sampled_from([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END]), st.integers(-6000, 6000), st.integers(0, 3000)),
    max_size=12,
)


@pytest.fixture(params=[PART, 1 << 20])
def body(request: pytest.FixtureRequest, customer: Customer, bucket: str) -> Iterator[ObjectBody | FakeBody]:
    size = min(request.param, len(DATA))
    with customer.open(GRANT, customer.put(bucket, "a.parquet", DATA[:size]), prefix="") as opened:
        yield opened


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PLACES)
def test_a_body_is_read_in_any_order_like_a_file(
    body: ObjectBody | FakeBody, places: list[tuple[int, int, int]]
) -> None:
    file = io.BytesIO(DATA[: body.size])
    body.seek(0)
    for whence, offset, size in places:
        try:
            there = file.seek(file.tell() + offset) if whence == io.SEEK_CUR else file.seek(offset, whence)
        except ValueError:
            there = None
        if whence == io.SEEK_END and offset < -body.size:
            there = None  # where BytesIO goes to the start
            file.seek(body.tell())
        if there is None:
            with pytest.raises(ValueError, match="before the object"):
                body.seek(offset, whence)
        else:
            assert body.seek(offset, whence) == there
        assert body.read(size) == file.read(size)
        assert body.tell() == file.tell()


def test_a_body_knows_its_size_and_how_it_says_it_is_packed(customer: Customer, bucket: str) -> None:
    packed = customer.put(bucket, "a", DATA, content_encoding="gzip")
    with customer.open(GRANT, packed, prefix="") as body:
        assert (body.size, body.encoding) == (len(DATA), "gzip")
    with customer.open(GRANT, customer.put(bucket, "b", DATA), prefix="") as body:
        assert (body.size, body.encoding) == (len(DATA), None)


def test_a_seek_beyond_an_overwrite_is_never_mixed(customer: Customer, bucket: str) -> None:
    ref = customer.put(bucket, "a.parquet", DATA)
    with customer.open(GRANT, ref, prefix="") as body:
        customer.put(bucket, "a.parquet", DATA[::-1])
        body.seek(-10, io.SEEK_END)
        with pytest.raises(ObjectChanged):
            body.read(10)


def test_an_object_is_described_without_its_bytes(customer: Customer, bucket: str) -> None:
    told = {"content_type": "text/csv", "content_encoding": "gzip", "metadata": {"who": "me"}, "sse": "AES256"}
    ref = customer.put(bucket, "in/a.csv", DATA, tags={"team": "blue", "a b": "1+1"}, **told)
    shown = customer.describe(GRANT, ref, prefix="in/", tags=True)
    assert shown == Description(
        ref, len(DATA), shown.last_modified, tags={"team": "blue", "a b": "1+1"}, storage_class="STANDARD", **told
    )
    assert shown.last_modified.utcoffset() == timedelta(0)
    assert customer.describe(GRANT, ref, prefix="in/").tags is None


def test_an_object_that_tells_nothing_has_nothing(customer: Customer, bucket: str) -> None:
    shown = customer.describe(GRANT, customer.put(bucket, "a//b", b""), prefix="", tags=True)
    assert (shown.size, shown.metadata, shown.tags, shown.content_encoding, shown.restore) == (0, {}, {}, None, None)


def test_an_archived_object_is_described(customer: Customer, bucket: str) -> None:
    ref = customer.put(bucket, "a.csv", DATA)
    customer.archive(ref)
    assert customer.describe(GRANT, ref, prefix="").storage_class == "GLACIER"


def test_a_description_is_of_the_claimed_identity(customer: Customer, bucket: str) -> None:
    ref = customer.put(bucket, "a.csv", DATA)
    customer.put(bucket, "a.csv", DATA[::-1])
    with pytest.raises(ObjectChanged):
        customer.describe(GRANT, ref, prefix="", tags=True)
    gone = customer.put(bucket, "b.csv", DATA)
    customer.delete(gone)
    for tags in (False, True):
        with pytest.raises(ObjectMissing):
            customer.describe(GRANT, gone, prefix="", tags=tags)


def test_a_version_is_described_whatever_came_later(customer: Customer) -> None:
    bucket = f"acme-{next(names)}"
    customer.create(bucket, versioned=True)
    ref = customer.put(bucket, "a.csv", DATA, tags={"n": "1"}, metadata={"n": "1"})
    customer.put(bucket, "a.csv", DATA[::-1], tags={"n": "2"}, metadata={"n": "2"})
    shown = customer.describe(GRANT, ref, prefix="", tags=True)
    assert (shown.tags, shown.metadata) == ({"n": "1"}, {"n": "1"})


def test_objects_that_are_opened_ahead_are_what_they_are_one_by_one(customer: Customer, bucket: str) -> None:
    refs = [customer.put(bucket, f"{number}.csv", DATA[number:]) for number in range(40)]
    customer.delete(refs[7])
    customer.put(bucket, refs[9].key, b"other")

    def outcome(open_it: Callable[[], ObjectBody | FakeBody]) -> bytes | type[Exception]:
        try:
            with open_it() as body:
                return body.read()
        except (ObjectMissing, ObjectChanged) as error:
            return type(error)

    wanted = [(ref.size, partial(customer.open, GRANT, ref, prefix="")) for ref in refs]
    alone = [outcome(open_it) for _, open_it in wanted]
    assert [outcome(result) for result in ahead(wanted)] == alone
    assert (alone[7], alone[9], alone[39]) == (ObjectMissing, ObjectChanged, DATA[39:])


def test_a_closed_body_gives_nothing_more(customer: Customer, bucket: str) -> None:
    body = customer.open(GRANT, customer.put(bucket, "a.csv", DATA), prefix="")
    body.close()
    body.close()
    with pytest.raises(ValueError, match="closed"):
        body.read(1)


@pytest.mark.parametrize("key", AWKWARD)
def test_a_key_is_a_key_and_not_a_path(customer: Customer, bucket: str, key: str) -> None:
    assert read(customer, customer.put(bucket, key, DATA)) == DATA


@pytest.mark.parametrize("announced", [0, 1, 10 * len(DATA)])
def test_a_wrong_announced_size_does_no_harm(customer: Customer, bucket: str, announced: int) -> None:
    ref = customer.put(bucket, "a.csv", DATA)
    told = ObjectRef(ref.bucket, ref.key, ref.etag, announced, ref.created_at, ref.version_id)
    assert read(customer, told) == DATA


def test_an_overwritten_object_is_not_read(customer: Customer, bucket: str) -> None:
    ref = customer.put(bucket, "a.csv", DATA)
    customer.put(bucket, "a.csv", DATA[::-1])
    with pytest.raises(ObjectChanged):
        customer.open(GRANT, ref, prefix="")


def test_an_object_overwritten_in_mid_read_is_never_mixed(customer: Customer, bucket: str) -> None:
    ref = customer.put(bucket, "a.csv", DATA)
    with customer.open(GRANT, ref, prefix="") as body:
        assert body.read(10) == DATA[:10]
        customer.put(bucket, "a.csv", DATA[::-1])
        with pytest.raises(ObjectChanged):
            body.read()


def test_a_claimed_version_is_read_whatever_came_later(customer: Customer) -> None:
    bucket = f"acme-{next(names)}"
    customer.create(bucket, versioned=True)
    ref = customer.put(bucket, "a.csv", DATA)
    with customer.open(GRANT, ref, prefix="") as body:
        start = body.read(10)
        customer.delete(customer.put(bucket, "a.csv", DATA[::-1]))
        assert start + body.read() == DATA
    assert read(customer, ref) == DATA


def test_a_deleted_object_is_missing(customer: Customer, bucket: str) -> None:
    ref = customer.put(bucket, "a.csv", DATA)
    customer.delete(ref)
    with pytest.raises(ObjectMissing):
        customer.open(GRANT, ref, prefix="")


def test_an_object_deleted_in_mid_read_is_missing(customer: Customer, bucket: str) -> None:
    ref = customer.put(bucket, "a.csv", DATA)
    with customer.open(GRANT, ref, prefix="") as body:
        customer.delete(ref)
        with pytest.raises(ObjectMissing):
            body.read()


def test_an_archived_object_is_told_from_a_denied_one(customer: Customer, bucket: str) -> None:
    ref = customer.put(bucket, "a.csv", DATA)
    customer.archive(ref)
    with pytest.raises(ObjectArchived):
        customer.open(GRANT, ref, prefix="")
    denied = customer.put(bucket, "b.csv", DATA)
    customer.deny(bucket)
    with pytest.raises(AccessDenied):
        customer.open(GRANT, denied, prefix="")


def test_a_bucket_that_does_not_exist_is_told_from_a_missing_object(customer: Customer) -> None:
    with pytest.raises(BucketNotFound):
        customer.open(GRANT, ObjectRef("acme-nowhere", "a.csv", "e", 5, NOW), prefix="")

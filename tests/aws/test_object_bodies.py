"""What is asked of S3 for an object, byte range by byte range, and what becomes of its misbehaviour."""

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from chalicelib.aws.customers.bodies import ObjectBody
from chalicelib.aws.customers.buckets import Buckets
from chalicelib.config.access.keys import Anonymous
from chalicelib.core.connections import Grant
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import (
    AccessDenied,
    BucketNotFound,
    ObjectChanged,
    ObjectMissing,
    RoleNotAssumable,
    SourceUnavailable,
    TidegateError,
)
from tests.fakes.wire import AWKWARD, DATA, ETAG, GRANT, NOW, PART, Wire, reading

BEYOND_OBSTORE = ["/a", "a/", "a//b", "/", "..", "a/../b", "a/./b", "./x", "a\nb", "a\tb", "a\x7fb", "//"]


@pytest.fixture(scope="module")
def server() -> Iterator[Wire]:
    wire = Wire()
    thread = threading.Thread(target=wire.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield wire
    wire.server.shutdown()
    wire.server.server_close()
    thread.join()


@pytest.fixture
def wire(server: Wire, monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    server.requests, server.breaks, server.refusal, server.listed = [], [], None, None
    server.ends, server.refuses_roles, server.short = datetime(2099, 1, 1, tzinfo=UTC), False, None
    return server


@pytest.fixture(scope="module")
def buckets(server: Wire) -> Buckets:
    return reading(server.url)


def ref_to(key: str, version: str | None = None) -> ObjectRef:
    return ObjectRef("acme", key, ETAG, len(DATA), NOW, version)


@pytest.mark.parametrize("key", AWKWARD + BEYOND_OBSTORE)
def test_the_key_arrives_at_s3_unchanged_and_every_request_is_pinned(wire: Wire, buckets: Buckets, key: str) -> None:
    with buckets.open(GRANT, ref_to(key, "v/1+"), prefix="") as body:
        assert body.read() == DATA
    assert len(wire.gets) == 6
    for path, headers in wire.gets:
        path, _, query = path.partition("?")
        assert unquote(path) == f"/acme/{key}"
        assert unquote(query) == "versionId=v/1+" or unquote(query) == "versionId=v/1+&x-id=GetObject"
        assert headers["If-Match"] == f'"{ETAG}"'


@pytest.mark.parametrize("key", ["a.csv", "a//b.csv"])
def test_a_broken_body_is_resumed_under_the_same_pins(wire: Wire, buckets: Buckets, key: str) -> None:
    wire.breaks = [PART, 300, 10, PART]
    with buckets.open(GRANT, ref_to(key, "v1"), prefix="") as body:
        assert body.read() == DATA
    assert len(wire.gets) == 8
    assert {headers["If-Match"] for _, headers in wire.gets} == {f'"{ETAG}"'}
    assert all("versionId=v1" in path for path, _ in wire.gets)


@pytest.mark.parametrize("key", ["a.csv", "a//b.csv"])
def test_a_body_that_keeps_breaking_is_for_the_queue_to_repeat(wire: Wire, buckets: Buckets, key: str) -> None:
    wire.breaks = [PART, *[10] * 20]
    with buckets.open(GRANT, ref_to(key), prefix="") as body:
        assert body.read(PART) == DATA[:PART]
        with pytest.raises(SourceUnavailable):
            body.read()


@pytest.mark.parametrize("key", ["a.csv", "a//b.csv"])
def test_a_short_answer_is_not_taken_for_the_end(wire: Wire, buckets: Buckets, key: str) -> None:
    with buckets.open(GRANT, ref_to(key), prefix="") as body:
        wire.short = 10
        with pytest.raises(SourceUnavailable):
            body.read()


def test_only_one_range_is_fetched_ahead(wire: Wire, buckets: Buckets) -> None:
    with buckets.open(GRANT, ref_to("a.csv"), prefix="") as body:
        body.read(10)
        assert len(wire.gets) == 1
        body.read(PART)
        assert len(wire.gets) == 2


def ranges(wire: Wire) -> list[tuple[int, int]]:
    """First byte and length of each range that was asked for."""
    found = [headers["Range"].removeprefix("bytes=").split("-") for _, headers in wire.gets]
    return [(int(first), int(last) - int(first) + 1) for first, last in found]


def opened(server: Wire, part: int) -> ObjectBody:
    return replace(reading(server.url), part=part).open(GRANT, ref_to("a.parquet"), prefix="")


def test_a_footer_is_fetched_alone(wire: Wire) -> None:
    with opened(wire, 1600) as body:
        body.seek(-8, io.SEEK_END)
        assert body.read(8) == DATA[-8:]
        body.seek(4)
        assert body.read(100) == DATA[4:104]
    assert ranges(wire) == [(0, 1600), (len(DATA) - 8, 8)]


def test_a_few_bytes_elsewhere_cost_a_small_range(wire: Wire) -> None:
    with opened(wire, 1600) as body:
        body.seek(3000)
        body.read(2)
        body.read(2)
    assert ranges(wire) == [(0, 1600), (3000, 50)]


def test_reading_on_makes_the_ranges_grow_until_they_are_whole_parts_and_fetched_ahead(wire: Wire) -> None:
    with opened(wire, 1600) as body:
        body.seek(1700)
        while body.tell() < 1700 + 50 + 100 + 200 + 400 + 800:
            body.read(10)
        assert ranges(wire)[1:] == [(1700, 50), (1750, 100), (1850, 200), (2050, 400), (2450, 800)]
        body.read(1)
        assert ranges(wire)[-1] == (3250, 1600)


def test_a_large_piece_elsewhere_is_fetched_as_it_is(wire: Wire) -> None:
    with opened(wire, 1600) as body:
        body.seek(2000)
        assert body.read(1000) == DATA[2000:3000]
        body.seek(1000)
        assert body.read(2000) == DATA[1000:3000]
    assert ranges(wire) == [(0, 1600), (2000, 1000), (1600, 1400)]


def test_two_places_are_kept(wire: Wire) -> None:
    with opened(wire, 1600) as body:
        for _ in range(3):
            for place in (2000, 4000):
                body.seek(place)
                assert body.read(20) == DATA[place : place + 20]
    assert ranges(wire) == [(0, 1600), (2000, 50), (4000, 50)]


def test_no_range_reaches_beyond_the_end(wire: Wire) -> None:
    with opened(wire, 1600) as body:
        body.seek(0)
        assert body.read() == DATA
    assert ranges(wire) == [(0, 1600), (1600, 1600), (3200, 1600), (4800, 320)]


def test_an_answer_from_another_identity_is_refused_even_if_the_server_ignores_the_pin(
    wire: Wire, buckets: Buckets
) -> None:
    claimed = ObjectRef("acme", "a.csv", "0" * 32, len(DATA), NOW)
    with pytest.raises(ObjectChanged):
        buckets.open(GRANT, claimed, prefix="")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [([], ObjectMissing), (["a.csv.1"], ObjectMissing), (["a.csv"], AccessDenied), (None, AccessDenied)],
)
def test_a_refusal_is_a_missing_object_if_a_listing_says_so(
    wire: Wire, buckets: Buckets, listed: list[str] | None, expected: type[TidegateError]
) -> None:
    wire.refusal, wire.listed = (403, "AccessDenied"), listed
    with pytest.raises(expected):
        buckets.open(GRANT, ref_to("a.csv"), prefix="")


def test_a_region_mismatch_is_told(wire: Wire, buckets: Buckets) -> None:
    wire.refusal = (301, "PermanentRedirect")
    with pytest.raises(BucketNotFound, match="region"):
        buckets.open(GRANT, ref_to("a.csv"), prefix="")


@pytest.mark.parametrize("etag", ["e\nx: y", "e\x00", "e\x7f"])
def test_an_etag_that_no_header_can_hold_is_an_error_and_not_the_end_of_the_process(
    buckets: Buckets, etag: str
) -> None:
    with pytest.raises(TidegateError):
        buckets.open(GRANT, replace(ref_to("a.csv"), etag=etag), prefix="")


@pytest.mark.parametrize("key", ["a.csv", "a//b.csv"])
def test_an_unreachable_server_is_for_the_queue_to_repeat(
    wire: Wire, buckets: Buckets, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    nowhere = Buckets(buckets.sessions, "http://127.0.0.1:1")
    with pytest.raises(SourceUnavailable):
        nowhere.open(Grant(Anonymous(name="acme"), "e" * 64, NOW), ref_to(key), prefix="")


def test_each_range_is_asked_for_with_credentials_that_are_good(wire: Wire) -> None:
    wire.ends = datetime.now(UTC) + timedelta(minutes=4)  # noqa: TID251 - botocore compares with the true time
    before = wire.given
    with reading(wire.url).open(GRANT, ref_to("a.csv"), prefix="") as body:
        assert body.read() == DATA
    signers = [headers["Authorization"].partition("Credential=")[2].partition("/")[0] for _, headers in wire.gets]
    assert len(set(signers)) == len(signers) == 6
    assert wire.given - before > 6


def test_a_role_that_is_taken_away_in_mid_read_is_named(wire: Wire) -> None:
    wire.ends = datetime.now(UTC) + timedelta(minutes=4)  # noqa: TID251 - botocore compares with the true time
    with reading(wire.url).open(GRANT, ref_to("a.csv"), prefix="") as body:
        wire.refuses_roles = True
        with pytest.raises(RoleNotAssumable):
            body.read()


def test_nothing_is_listed_over_a_connection_that_may_not_list(wire: Wire, buckets: Buckets) -> None:
    wire.refusal, wire.listed = (403, "AccessDenied"), []
    unlisted = Grant(GRANT.connection.model_copy(update={"can_list": False}), GRANT.external_id, NOW)
    with pytest.raises(AccessDenied):
        buckets.open(unlisted, ref_to("a.csv"), prefix="")
    assert all("list-type" not in path for path, _ in wire.requests)

"""Whatever lies in the queue is notices or a BadMessage, and a key comes out as S3 knows it (E17-E20)."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.notifications import Notices, parse
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import BadMessage

TIME = "2026-11-22T12:00:00.250Z"
AT = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": TIME, "Bucket": "acme", "RequestId": "5"}


def record(key: Any = "in/a.csv", event: str = "ObjectCreated:Put", **thing: Any) -> dict[str, Any]:
    known = {"key": key, "size": 12, "eTag": "e1", "versionId": "v1", "sequencer": "0A"}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": TIME,
        "eventName": event,
        "s3": {"bucket": {"name": "acme"}, "object": known | thing},
    }


def message(*records: Any) -> str:
    return json.dumps({"Records": list(records)})


def sns(body: str) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:111122223333:t", "Message": body})


def eventbridge(key: str = "in/a.csv", kind: str = "Object Created", **thing: Any) -> str:
    known = {"key": key, "size": 12, "etag": "e1", "version-id": "v1", "sequencer": "0A"}
    detail = {"version": "0", "bucket": {"name": "acme"}, "object": known | thing, "reason": "PutObject"}
    return json.dumps({"version": "0", "source": "aws.s3", "detail-type": kind, "time": TIME, "detail": detail})


REF = ObjectRef("acme", "in/a.csv", "e1", 12, AT, "v1", "0A")


@pytest.mark.parametrize(
    "body",
    [message(record()), sns(message(record())), eventbridge(), sns(eventbridge()), sns(sns(message(record())))],
    ids=["s3", "s3 in sns", "eventbridge", "eventbridge in sns", "s3 in sns in sns"],
)
def test_every_envelope_says_the_same(body: str) -> None:
    assert parse(body) == Notices((REF,))


@pytest.mark.parametrize("body", [json.dumps(TEST_EVENT), sns(json.dumps(TEST_EVENT))], ids=["plain", "in sns"])
def test_a_test_event_says_nothing(body: str) -> None:
    assert parse(body) == Notices(ignored=1)


@pytest.mark.parametrize(
    "event",
    [
        "ObjectCreated:Put",
        "ObjectCreated:Post",
        "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload",
        "s3:ObjectCreated:Put",
    ],
)
def test_whatever_makes_an_object_counts(event: str) -> None:
    assert parse(message(record(event=event))).created == (REF,)


RESTORED = [message(record(event="ObjectRestore:Completed")), eventbridge(kind="Object Restore Completed")]


@pytest.mark.parametrize("body", RESTORED, ids=["s3", "eventbridge"])
def test_a_restored_object_is_there_again_but_older_than_whatever_else_its_key_holds(body: str) -> None:
    (ref,) = parse(body).created
    assert ref.same(REF)
    other = replace(REF, etag="e2", version_id="v0", created_at=datetime(2006, 3, 14, tzinfo=UTC))
    assert ref.older(other)
    assert not other.older(ref)


@pytest.mark.parametrize(
    "event",
    [
        "ObjectRestore:Post",
        "ObjectRestore:Delete",
        "ObjectTagging:Put",
        "ReducedRedundancyLostObject",
        "NotObjectCreated:Put",
    ],
)
def test_other_events_are_ignored(event: str) -> None:
    assert parse(message(record(event=event))) == Notices(ignored=1)


def test_eventbridge_tells_of_other_things_that_are_ignored() -> None:
    assert parse(eventbridge(kind="Object Tags Added")) == Notices(ignored=1)


@pytest.mark.parametrize(
    ("event", "marker"),
    [
        ("ObjectRemoved:Delete", False),
        ("ObjectRemoved:DeleteMarkerCreated", True),
        ("LifecycleExpiration:Delete", False),
    ],
)
def test_removals_are_told(event: str, marker: bool) -> None:
    (removal,) = parse(message(record("in/a", event=event, eTag=None, size=None))).removed
    assert (removal.bucket, removal.key, removal.marker) == (
        parse(message(record("in/a"))).created[0].bucket,
        "in/a",
        marker,
    )


def test_eventbridge_tells_of_removals() -> None:
    (removal,) = parse(eventbridge("in/a+b", kind="Object Deleted")).removed
    assert removal.key == "in/a+b"


def test_one_incomplete_record_does_not_hide_the_others() -> None:
    notices = parse(message(record("a"), {"eventName": "ObjectCreated:Put"}, record("c")))
    assert [ref.key for ref in notices.created] == ["a", "c"]
    assert "incomplete" in str(notices.broken)


def test_each_record_of_a_message_is_seen() -> None:
    body = message(record("a"), record("b", event="ObjectRemoved:Delete"), record("c"), record("a"))
    assert [ref.key for ref in parse(body).created] == ["a", "c", "a"]
    assert [removal.key for removal in parse(body).removed] == ["b"]


def test_a_message_without_records_says_nothing() -> None:
    assert parse(message()) == Notices()


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("in/a+b.csv", "in/a b.csv"),
        ("in/a%20b.csv", "in/a b.csv"),
        ("in/a%2Bb.csv", "in/a+b.csv"),
        ("in/100%25.csv", "in/100%.csv"),
        ("in/%252F.csv", "in/%2F.csv"),
        ("in/a+b%2Bc/%C3%A9.csv.gz", "in/a b+c/é.csv.gz"),
        ("%E6%97%A5%E6%9C%AC", "日本"),
        ("in/é.csv", "in/é.csv"),
        ("in/%zz", "in/%zz"),
        ("in/%4", "in/%4"),
        ("in/folder/", "in/folder/"),
        ("+", " "),
    ],
)
def test_a_key_of_s3_is_decoded_once_and_as_a_form(sent: str, key: str) -> None:
    assert [ref.key for ref in parse(message(record(sent))).created] == [key]


def test_a_key_of_eventbridge_is_taken_as_it_is() -> None:
    assert [ref.key for ref in parse(eventbridge("a+b%20c")).created] == ["a+b%20c"]


@pytest.mark.parametrize("version", ["null", "", None])
def test_a_bucket_without_versions_gives_no_version(version: str | None) -> None:
    assert parse(message(record(versionId=version))).created[0].version_id is None
    assert parse(eventbridge(**{"version-id": version})).created[0].version_id is None


def test_quotes_around_an_etag_are_taken_off() -> None:
    assert parse(message(record(eTag='"e1"'))).created[0].etag == "e1"


def without(path: str) -> str:
    whole = record()
    *parents, last = path.split(".")
    place: Any = whole
    for name in parents:
        place = place[name]
    del place[last]
    return message(whole)


@pytest.mark.parametrize(
    "path",
    [
        "eventName",
        "eventTime",
        "s3",
        "s3.bucket",
        "s3.bucket.name",
        "s3.object",
        "s3.object.key",
        "s3.object.size",
        "s3.object.eTag",
    ],
)
def test_a_record_that_lacks_what_names_its_object_is_a_bad_message(path: str) -> None:
    with pytest.raises(BadMessage, match="incomplete"):
        parse(without(path))


@pytest.mark.parametrize("path", ["s3.object.versionId", "s3.object.sequencer", "eventVersion"])
def test_a_record_may_lack_the_rest(path: str) -> None:
    assert parse(without(path)).created[0].key == "in/a.csv"


def nested(depth: int, body: str = "{}") -> str:
    for _ in range(depth):
        body = sns(body)
    return body


BAD = {
    "nothing": "",
    "a word": "hello",
    "half of it": message(record())[:-1],
    "a list": "[1]",
    "a number": "12",
    "null": "null",
    "a number too long": "9" * 10_000,
    "not a number": "NaN",
    "other json": '{"a": 1}',
    "records are no list": '{"Records": {}}',
    "a record is a number": message(1),
    "a record is a list": message([]),
    "a record is null": message(None),
    "an object is a list": message(record() | {"s3": {"bucket": {"name": "b"}, "object": []}}),
    "no key": message(record("")),
    "a key is a number": message(record(1)),
    "a key is not utf-8": message(record("%ff")),
    "a size is text": message(record(size="big")),
    "a size is not a number": message(record(size=float("nan"))),
    "a size is infinite": message(record(size=float("inf"))),
    "a size is a list": message(record(size=[1])),
    "a time without a zone": message(record() | {"eventTime": "2026-11-22T12:00:00"}),
    "a time is text": message(record() | {"eventTime": "noon"}),
    "another service's event": json.dumps({"source": "aws.ec2", "detail-type": "x", "detail": {}}),
    "an empty eventbridge event": json.dumps({"source": "aws.s3", "detail-type": "Object Created"}),
    "a wish to subscribe": json.dumps({"Type": "SubscriptionConfirmation", "Message": "You have chosen …"}),
    "sns with garbage": sns("garbage"),
    "many envelopes": nested(20, message(record())),
    "deep nesting": "[" * 100_000,
    "deep nesting inside sns": sns('{"a":' * 50_000),
    "a lone surrogate": '{"\\ud800": 1}',
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_anything_else_is_a_bad_message(body: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(body)
    assert caught.value.remedy
    assert len(caught.value.where) < 1000, "a message of a megabyte must not become a log line of a megabyte"


UNSTORABLE = {
    "a key with half a character": message(record("in/\ud800.csv")),
    "a key with half a character from eventbridge": eventbridge("in/\ud800.csv"),
    "a key longer than s3's": message(record("x" * 1025)),
    "a sequencer that is a number": message(record(sequencer=5)),
    "a sequencer that is a list": message(record(sequencer=["0A"])),
    "a version that is a list": message(record(versionId=["v1"])),
    "a size beyond all objects": message(record(size=10**50)),
    "a size below none": message(record(size=-12)),
    "an etag that is null": message(record(eTag=None)),
    "an etag with half a character": message(record(eTag="\ud800")),
    "an etag that no header can hold": message(record(eTag="e1\nx: y")),
    "an etag from eventbridge that no header can hold": eventbridge(etag="e1\x00"),
    "a version that no s3 gives": message(record(versionId="v\u20281")),
    "an etag as long as a book": message(record(eTag="e" * 5000)),
    "a bucket with half a character": message(
        record() | {"s3": {"bucket": {"name": "\ud800"}, "object": record()["s3"]["object"]}}
    ),
}


@pytest.mark.parametrize("body", UNSTORABLE.values(), ids=UNSTORABLE)
def test_what_no_s3_would_say_is_a_bad_message_and_no_later_surprise(body: str) -> None:
    with pytest.raises(BadMessage):
        parse(body)


keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200)


@given(keys)
def test_any_key_survives_the_way_through_a_notification(key: str) -> None:
    for sent in (quote_plus(key), quote_plus(key, safe="/")):
        assert [ref.key for ref in parse(message(record(sent))).created] == [key]
    assert [ref.key for ref in parse(eventbridge(key)).created] == [key]


@given(st.text())
def test_any_text_is_notices_or_a_bad_message(body: str) -> None:
    _parses_or_is_bad(body)


things = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(things)
def test_any_json_is_notices_or_a_bad_message(thing: Any) -> None:
    _parses_or_is_bad(json.dumps(thing))


@given(st.sampled_from(["eventName", "eventTime", "s3", "s3.bucket.name", "s3.object", "s3.object.key"]), things)
def test_any_json_in_any_place_of_a_record_is_notices_or_a_bad_message(path: str, thing: Any) -> None:
    _with(path, thing)


@given(st.sampled_from(["size", "eTag", "versionId", "sequencer"]), things)
def test_any_json_beside_a_key_is_notices_or_a_bad_message(name: str, thing: Any) -> None:
    _with(f"s3.object.{name}", thing)


def _with(path: str, thing: Any) -> None:
    whole = record()
    *parents, last = path.split(".")
    place: Any = whole
    for name in parents:
        place = place[name]
    place[last] = thing
    _parses_or_is_bad(message(whole))


def _parses_or_is_bad(body: str) -> None:
    try:
        notices = parse(body)
    except BadMessage:
        return
    assert isinstance(notices, Notices)
    for ref in notices.created:
        assert not ref.older(ref)
        hash(ref)
        for text in (ref.bucket, ref.key, ref.etag, ref.version_id or "", ref.sequencer or ""):
            text.encode()

"""Whether a bucket tells us of its objects."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.core.diagnosis import arrivals
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.diagnosis.arrivals import Heard
from chalicelib.core.findings import Verdict
from chalicelib.core.policies.sheets import Place, Read
from tests.core.diagnosis.wards import BUCKET, QUEUE, ward
from tests.core.diagnosis.words import denied, fine
from tests.examples import START

TOPIC = "arn:aws:sns:us-east-1:222222222222:tidegate-acme"
OTHER = "arn:aws:lambda:us-east-1:222222222222:function:theirs"
READS = (Read(BUCKET, "in/"),)


def entry(target: str, prefix: str = "in/", events: tuple[str, ...] = ("s3:ObjectCreated:*",), suffix: str = "") -> Any:
    rules = [{"Name": "Prefix", "Value": prefix}] + ([{"Name": "Suffix", "Value": suffix}] if suffix else [])
    service = target.split(":")[2]
    name = {"sqs": "QueueArn", "sns": "TopicArn", "lambda": "LambdaFunctionArn"}[service]
    return {name: target, "Events": list(events), "Filter": {"Key": {"FilterRules": rules}}}


def document(*entries: Any, **more: Any) -> Answer:
    kinds = {"QueueArn": "QueueConfigurations", "TopicArn": "TopicConfigurations"}
    found: dict[str, Any] = {}
    for each in entries:
        kind = next((kinds[name] for name in kinds if name in each), "LambdaFunctionConfigurations")
        found.setdefault(kind, []).append(each)
    return fine(document=found | more)


@pytest.mark.parametrize(
    ("notify_by", "answer", "verdict"),
    [
        ("sqs", document(entry(QUEUE)), Verdict.OK),
        ("sqs", document(entry(QUEUE, "")), Verdict.OK),
        ("sqs", document(entry(QUEUE, "in/deeper/")), Verdict.FAIL),
        ("sqs", document(entry(QUEUE, suffix=".gz")), Verdict.FAIL),
        ("sqs", document(entry(QUEUE, events=("s3:ObjectCreated:Put",))), Verdict.FAIL),
        (
            "sqs",
            document(
                entry(
                    QUEUE,
                    events=tuple(f"s3:ObjectCreated:{w}" for w in ("Put", "Post", "Copy", "CompleteMultipartUpload")),
                )
            ),
            Verdict.OK,
        ),
        ("sqs", document(entry(QUEUE, events=("s3:ObjectRemoved:*",))), Verdict.FAIL),
        ("sqs", document(entry(QUEUE + "-dead")), Verdict.FAIL),
        ("sqs", document(), Verdict.FAIL),
        ("sqs", document(entry(TOPIC)), Verdict.FAIL),
        ("sns", document(entry(TOPIC)), Verdict.OK),
        ("sns", document(entry(QUEUE)), Verdict.FAIL),
        ("eventbridge", document(EventBridgeConfiguration={}), Verdict.OK),
        ("eventbridge", document(entry(QUEUE)), Verdict.FAIL),
        ("none", document(), Verdict.SKIPPED),
        ("sqs", denied(), Verdict.SKIPPED),
    ],
)
def test_a_buckets_configuration_tells_us_of_every_object_or_not(
    notify_by: str, answer: Answer, verdict: Verdict
) -> None:
    connection, printed = ward(notify_by=notify_by)
    finding = arrivals.configured(connection, BUCKET, READS, answer, QUEUE, printed)
    assert finding.verdict is verdict
    places = {each.place for each in finding.missing}
    assert places == ({Place.BUCKET_NOTIFICATION.value} if verdict is Verdict.FAIL else set())


def test_somebody_elses_overlapping_configuration_stands_in_the_way() -> None:
    connection, printed = ward()
    finding = arrivals.configured(connection, BUCKET, READS, document(entry(OTHER, "")), QUEUE, printed)
    assert finding.verdict is Verdict.FAIL
    assert OTHER in finding.advice
    assert "SNS" in finding.advice
    elsewhere = arrivals.configured(connection, BUCKET, READS, document(entry(OTHER, "out/")), QUEUE, printed)
    assert OTHER not in elsewhere.advice


def test_what_we_may_not_look_at_is_looked_at_by_hand() -> None:
    connection, printed = ward()
    finding = arrivals.configured(connection, BUCKET, READS, denied(), QUEUE, printed)
    assert f"get-bucket-notification-configuration --bucket {BUCKET}" in finding.advice


def test_our_queues_policy_lets_the_events_in_or_not() -> None:
    connection, printed = ward()
    [sheet] = [sheet for sheet in printed if sheet.place is Place.QUEUE_POLICY]
    assert arrivals.policed(connection, fine(document=sheet.document), printed).verdict is Verdict.OK
    missing = arrivals.policed(connection, fine(document={}), printed)
    assert missing.verdict is Verdict.FAIL
    assert [each.statement for each in missing.missing] == sheet.document["Statement"]
    assert arrivals.policed(connection, denied(), printed).verdict is Verdict.SKIPPED
    nowhere = Answer(400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
    assert arrivals.policed(connection, nowhere, printed).verdict is Verdict.WARN
    assert arrivals.policed(connection, fine(document={}), ()).verdict is Verdict.SKIPPED


def test_of_a_bucket_that_is_nobodys_the_owner_is_asked_for() -> None:
    connection, printed = ward(bucket_owner="any")
    [sheet] = [sheet for sheet in printed if sheet.place is Place.QUEUE_POLICY]
    assert arrivals.policed(connection, fine(document=sheet.document), printed).verdict is Verdict.OK
    unknown = arrivals.policed(connection, fine(document={}), printed)
    assert unknown.verdict is Verdict.WARN
    assert "tidegate connection edit acme --bucket-owner" in unknown.advice
    assert [each.statement for each in unknown.missing] == sheet.document["Statement"]


def ago(minutes: int) -> datetime:
    return START - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("since", "newest", "verdict"),
    [
        (ago(60), ago(61), Verdict.OK),
        (ago(60), ago(59), Verdict.OK),
        (ago(60), ago(30), Verdict.WARN),
        (None, ago(30), Verdict.WARN),
        (None, ago(5), Verdict.SKIPPED),
        (ago(60), ago(5), Verdict.OK),
        (None, None, Verdict.SKIPPED),
        (ago(60), None, Verdict.OK),
    ],
)
def test_an_object_that_nobody_told_us_of_is_noticed(
    since: datetime | None, newest: datetime | None, verdict: Verdict
) -> None:
    connection, printed = ward()
    finding = arrivals.arrived(connection, BUCKET, [Heard("flights", since, newest)], printed, START)
    assert finding.verdict is verdict
    kinds = [each.kind.value for each in finding.missing]
    assert kinds == (["notification", "queue"] if verdict is Verdict.WARN else [])


@pytest.mark.parametrize("notify_by", ["sqs", "sns", "eventbridge"])
def test_everything_on_an_events_way_may_be_what_is_missing(notify_by: str) -> None:
    connection, printed = ward(notify_by=notify_by)
    finding = arrivals.arrived(connection, BUCKET, [Heard("flights", None, ago(30))], printed, START)
    wanted = {(s.place.value, s.target) for s in printed if s.kind.value in ("notification", "queue")}
    assert {(each.place, each.target) for each in finding.missing} == wanted


def test_what_was_looked_at_and_is_well_is_not_suspected() -> None:
    connection, printed = ward()
    heard = [Heard("flights", None, ago(30))]
    finding = arrivals.arrived(connection, BUCKET, heard, printed, START, [Place.QUEUE_POLICY])
    assert [each.kind.value for each in finding.missing] == ["notification"]


def test_without_pipelines_nobody_can_have_been_told() -> None:
    connection, printed = ward()
    assert arrivals.arrived(connection, BUCKET, [], printed, START).verdict is Verdict.SKIPPED
    quiet, _ = ward(notify_by="none")
    assert arrivals.arrived(quiet, BUCKET, [Heard("f", None, ago(30))], (), START).verdict is Verdict.SKIPPED

"""The fake customer gives the answers that AWS gives to probes."""

import json
from typing import Any

import pytest

from chalicelib.aws.customers.probes import AwsProbes
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.access.own import Default
from chalicelib.core.connections import Grant
from chalicelib.core.diagnosis.spots import Spot
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef
from tests.examples import START
from tests.fakes.probes import FakeProbes
from tests.wired import from_environment

GRANT = Grant(Default(name="acme"), "ab" * 32, START)
KEYS = {"in/a.csv": b"a,b\n", "in/empty": b"", "out/x": b"x"}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:tidegate-arrivals"
POLICY = {"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "sqs:*"}]}


def spot(prefix: str = "in/", bucket: str = "acme-exports") -> Spot:
    return Spot(GRANT, bucket, prefix)


@pytest.fixture(params=["fake", "aws"])
def probes(request: pytest.FixtureRequest) -> Any:
    if request.param == "fake":
        listed = {
            key: Listed(ObjectRef("acme-exports", key, "e", len(body), START), "STANDARD", False)
            for key, body in KEYS.items()
        }
        return FakeProbes({"acme-exports": listed}, policies={QUEUE: POLICY})
    request.getfixturevalue("aws")
    boto = request.getfixturevalue("boto")
    s3, sqs = boto.client("s3"), boto.client("sqs")
    s3.create_bucket(Bucket="acme-exports")
    for key, body in KEYS.items():
        s3.put_object(Bucket="acme-exports", Key=key, Body=body)
    sqs.create_queue(QueueName="tidegate-arrivals", Attributes={"Policy": json.dumps(POLICY)})
    return AwsProbes(Sessions(from_environment()), lambda connection: None)


def test_we_are_somebody(probes: Any) -> None:
    answer = probes.ourselves()
    assert (answer.ok, answer.said["account"], answer.said["arn"].startswith("arn:aws:")) == (
        True,
        "123456789012",
        True,
    )


def test_a_bucket_is_there_in_its_region(probes: Any) -> None:
    answer = probes.bucket(spot())
    assert (answer.ok, answer.headers["x-amz-bucket-region"]) == (True, "us-east-1")


def test_a_bucket_that_is_not_there_is_a_404(probes: Any) -> None:
    answers = [probes.bucket(spot(bucket="acme-nowhere")), probes.list(spot(bucket="acme-nowhere"))]
    assert [(each.ok, each.status) for each in answers] == [(False, 404)] * 2
    assert answers[1].code == "NoSuchBucket"


def test_a_listing_shows_the_keys_under_the_prefix(probes: Any) -> None:
    answer = probes.list(spot())
    assert [(each.ref.key, each.ref.size, each.archived) for each in answer.listed] == [
        ("in/a.csv", 4, False),
        ("in/empty", 0, False),
    ]
    assert answer.said == {}
    assert probes.list(spot("no/")).listed == ()
    assert probes.list(spot(), pays=True, owner="123456789012").ok


def test_an_object_is_described_and_its_first_byte_read(probes: Any) -> None:
    assert probes.head(spot(), "in/a.csv").headers["content-length"] == "4"
    assert probes.get(spot(), "in/a.csv").ok
    assert probes.get(spot(), "in/a.csv", owner="123456789012", pays=True).ok
    assert probes.tags(spot(), "in/a.csv").ok


def test_an_object_that_is_not_there_is_a_404_and_an_empty_one_has_no_first_byte(probes: Any) -> None:
    assert probes.head(spot(), "in/gone").status == 404
    gone = probes.get(spot(), "in/gone")
    assert (gone.status, gone.code) == (404, "NoSuchKey")
    assert probes.get(spot(), "in/empty").status == 416


def test_a_fresh_bucket_tells_nobody(probes: Any) -> None:
    answer = probes.notification(spot())
    assert (answer.ok, answer.document) == (True, {})


def test_the_policy_of_our_queue_is_read_if_there_is_such_a_queue(probes: Any) -> None:
    assert probes.queue_policy(QUEUE).document == POLICY
    missing = probes.queue_policy(f"{QUEUE}-nowhere")
    assert (missing.ok, missing.denied, missing.status) == (False, False, 400)

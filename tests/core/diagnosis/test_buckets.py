"""What S3 says of a bucket, a listing and its owner, as findings."""

from typing import Any

import pytest

from chalicelib.config.access.keys import Session
from chalicelib.core.diagnosis import buckets
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.findings import Verdict
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef
from chalicelib.core.policies.sheets import Read
from tests.core.diagnosis.wards import BUCKET, ward
from tests.core.diagnosis.words import denied, explicit, fine, implicit
from tests.examples import START

HERE = {"x-amz-bucket-region": "us-east-1"}
ARN = f"arn:aws:s3:::{BUCKET}"


def listed(*classes: str, restored: bool = False) -> Answer:
    found = [
        Listed(ObjectRef(BUCKET, f"in/{number}", "e", 10, START), storage, restored)
        for number, storage in enumerate(classes)
    ]
    return fine(listed=tuple(found))


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (fine(headers=HERE), Verdict.OK, "us-east-1"),
        (Answer(403, "403", "Forbidden", HERE), Verdict.OK, "us-east-1"),
        (Answer(301, "301", "Moved", {"x-amz-bucket-region": "eu-west-1"}), Verdict.FAIL, "eu-west-1"),
        (fine(headers={"x-amz-bucket-region": "eu-west-1"}), Verdict.FAIL, "eu-west-1"),
        (Answer(400, "400", "Bad Request", {"x-amz-bucket-region": "eu-west-1"}), Verdict.FAIL, "eu-west-1"),
        (Answer(301, "PermanentRedirect", "other endpoint"), Verdict.FAIL, "region"),
        (Answer(400, "AuthorizationHeaderMalformed", "expecting 'eu-west-1'"), Verdict.FAIL, "eu-west-1"),
        (Answer(404, "404", "Not Found"), Verdict.FAIL, "no such bucket"),
        (Answer(404, "NoSuchBucket", "The specified bucket does not exist"), Verdict.FAIL, "no such bucket"),
        (Answer(403, "403", "Forbidden"), Verdict.SKIPPED, "does not tell"),
        (Answer(0, "EndpointConnectionError", "Could not connect to https://s3.x"), Verdict.FAIL, "no answer"),
        (Answer(403, "RequestTimeTooSkewed", "The difference is too large"), Verdict.FAIL, "RequestTimeTooSkewed"),
        (Answer(400, "ExpiredToken", "expired"), Verdict.FAIL, "ExpiredToken"),
    ],
)
def test_a_bucket_is_there_elsewhere_or_nowhere(answer: Answer, verdict: Verdict, words: str) -> None:
    connection, _ = ward()
    finding = buckets.bucket(connection, BUCKET, answer)
    assert (finding.verdict, words in finding.evidence + finding.advice) == (verdict, True)


def test_a_wrong_region_comes_with_the_command_that_corrects_it() -> None:
    connection, _ = ward()
    finding = buckets.bucket(connection, BUCKET, Answer(301, "301", "", {"x-amz-bucket-region": "eu-west-1"}))
    assert finding.advice == "tidegate connection edit acme --region eu-west-1"


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        (denied(implicit("s3:ListBucket", ARN, "identity-based policy")), "ListBucket"),
        (denied(), "ListBucket"),
        (denied(implicit("s3:ListBucket", ARN, "resource-based policy")), "TidegateListBucketAcme"),
    ],
)
def test_a_listing_that_is_denied_names_the_statement_likeliest_to_be_missing(answer: Answer, first: str) -> None:
    connection, printed = ward()
    finding = buckets.listing(connection, BUCKET, "in/", answer, printed)
    assert finding.verdict is Verdict.FAIL
    assert finding.missing[0].sid == first
    assert {each.sid for each in finding.missing} == {"ListBucket", "TidegateListBucketAcme"}
    assert "s3:prefix" in finding.advice
    assert "must hold for 'in/'" in finding.advice


def test_a_bucket_that_can_be_listed_without_the_prefix_has_a_wrong_condition() -> None:
    connection, printed = ward()
    answer = denied(implicit("s3:ListBucket", ARN, "identity-based policy"))
    finding = buckets.listing(connection, BUCKET, "in/", answer, printed, whole=True)
    assert "it is the condition" in finding.advice
    assert "it is the condition" not in buckets.listing(connection, BUCKET, "in/", answer, printed).advice


def test_of_several_statements_the_one_for_this_bucket_is_named() -> None:
    connection, printed = ward(Read("acme-logs", "logs/"), Read(BUCKET, "in/"))
    finding = buckets.listing(
        connection, "acme-logs", "logs/", denied(implicit("s3:ListBucket", ARN, "identity-based policy")), printed
    )
    resources = finding.missing[0].statement["Resource"]
    assert "arn:aws:s3:::acme-logs" in resources


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (denied(explicit("s3:ListBucket", ARN, "resource-based policy")), "Deny"),
        (denied(explicit("s3:ListBucket", ARN, "service control policy")), "organization of account 222222222222"),
        (denied(explicit("s3:ListBucket", ARN, "resource control policy")), "resource control policy"),
        (denied(implicit("s3:ListBucket", ARN, "permissions boundary")), "permissions boundary"),
        (denied(implicit("s3:ListBucket", ARN, "VPC endpoint policy")), "VPC endpoint"),
        (denied(implicit("s3:ListBucket", ARN, "session policy")), "session policy"),
    ],
)
def test_what_no_statement_of_ours_mends_says_who_must_act(answer: Answer, words: str) -> None:
    connection, printed = ward()
    finding = buckets.listing(connection, BUCKET, "in/", answer, printed)
    assert (finding.verdict, finding.missing) == (Verdict.FAIL, ())
    assert words in finding.advice


def test_a_connection_that_may_not_list_is_not_blamed_for_it() -> None:
    connection, printed = ward(can_list=False)
    finding = buckets.listing(connection, BUCKET, "in/", denied(), printed)
    assert (finding.verdict, finding.missing) == (Verdict.SKIPPED, ())


@pytest.mark.parametrize(
    ("changes", "answer", "paid", "verdict", "words"),
    [
        ({}, fine(), None, Verdict.OK, "does not demand"),
        ({}, denied(), fine(), Verdict.FAIL, "unless we pay"),
        ({}, denied(), denied(), Verdict.SKIPPED, "either way"),
        ({"requester_pays": True}, fine(), None, Verdict.OK, "we pay"),
    ],
)
def test_a_bucket_whose_readers_pay_is_told_from_a_closed_one(
    changes: dict[str, Any], answer: Answer, paid: Answer | None, verdict: Verdict, words: str
) -> None:
    connection, printed = ward(**changes)
    finding = buckets.payer(connection, BUCKET, answer, paid)
    assert (finding.verdict, words in finding.evidence) == (verdict, True)
    if verdict is Verdict.FAIL:
        assert "--requester-pays" in finding.advice
        assert buckets.listing(connection, BUCKET, "in/", answer, printed, paid).verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("expected", "without", "with_it", "verdict"),
    [
        ("222222222222", fine(), fine(), Verdict.OK),
        ("222222222222", fine(), denied(), Verdict.FAIL),
        ("222222222222", denied(), denied(), Verdict.SKIPPED),
        (None, fine(), None, Verdict.SKIPPED),
    ],
)
def test_only_another_owner_makes_a_difference(
    expected: str | None, without: Answer, with_it: Answer | None, verdict: Verdict
) -> None:
    connection, _ = ward()
    assert buckets.owner(connection, BUCKET, expected, without, with_it).verdict is verdict


def test_a_check_of_the_owner_that_is_switched_off_is_said_to_be() -> None:
    connection, _ = ward(bucket_owner="any")
    assert "switches the check off" in buckets.owner(connection, BUCKET, None, fine(), None).evidence


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (listed("STANDARD", "GLACIER", "DEEP_ARCHIVE"), Verdict.OK, "2 of the first 3"),
        (listed("GLACIER_IR"), Verdict.OK, "0 of the first 1"),
        (listed("GLACIER", "GLACIER"), Verdict.WARN, "2 of the first 2"),
        (listed("GLACIER", restored=True), Verdict.OK, "1 have a restored copy"),
        (fine(), Verdict.SKIPPED, "no object"),
        (denied(), Verdict.SKIPPED, "no object"),
    ],
)
def test_the_archived_share_is_counted(answer: Answer, verdict: Verdict, words: str) -> None:
    finding = buckets.archive(BUCKET, "in/", answer)
    assert (finding.verdict, words in finding.evidence) == (verdict, True)


def test_pasted_keys_that_have_ended_are_pasted_again() -> None:
    finding = buckets.bucket(Session(name="acme"), BUCKET, Answer(400, "ExpiredToken"))
    assert "tidegate connection edit acme" in finding.advice

"""Whether one statement allows what another asks for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.diagnosis.coverage import covered, covers, matches
from chalicelib.core.policies.statements import literal

QUEUE = "arn:aws:sqs:us-east-1:111111111111:tidegate-arrivals"
WANTED: dict[str, Any] = {
    "Sid": "ours",
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": QUEUE,
    "Condition": {
        "StringEquals": {"aws:SourceAccount": "222222222222"},
        "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::acme-exports"},
    },
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Sid": "theirs"},
        {"Action": ["sqs:SendMessage", "sqs:GetQueueUrl"]},
        {"Action": "SQS:SendMessage"},
        {"Resource": "*"},
        {"Principal": "*"},
        {"Principal": {"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}},
        {"Condition": {}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": ["333333333333", "222222222222"]}}},
        {"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::acme-*"}}},
    ],
)
def test_what_is_wider_covers(change: dict[str, Any]) -> None:
    assert covers(WANTED | change, WANTED)


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Deny"},
        {"Action": "sqs:ReceiveMessage"},
        {"Resource": QUEUE + "-dead"},
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Principal": {"AWS": "222222222222"}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "333333333333"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::beta-*"}}},
        {"Condition": {"StringEquals": {"aws:SourceOrgID": "o-1"}}},
        {"Condition": {"StringNotEquals": {"aws:SourceAccount": "222222222222"}}},
    ],
)
def test_what_is_narrower_or_cannot_be_compared_does_not_cover(change: dict[str, Any]) -> None:
    assert not covers(WANTED | change, WANTED)


def test_an_account_stands_for_its_root() -> None:
    root, digits = {"AWS": "arn:aws:iam::222222222222:root"}, {"AWS": "222222222222"}
    assert covers(WANTED | {"Principal": digits}, WANTED | {"Principal": root})


def test_one_of_several_statements_is_enough() -> None:
    assert covered([WANTED | {"Effect": "Deny"}, WANTED], WANTED)
    assert not covered([], WANTED)


@given(st.text(alphabet="ab*?${}/", max_size=8), st.text(alphabet="ab*?${}/", max_size=8))
def test_a_literal_pattern_matches_itself_and_nothing_else(one: str, other: str) -> None:
    assert matches(literal(one), other) == (one == other)

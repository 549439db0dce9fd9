"""Somebody else's word on every policy that is printed."""

import pytest

from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.session import passage, session
from tests.core.policies.examples import EXAMPLES, ROLE
from tests.core.policies.validator import objections, of_sheet


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_outside_validator_has_nothing_against_any_policy(name: str) -> None:
    judged = [sheet for sheet in sheets(EXAMPLES[name]) if "Statement" in sheet.document]
    assert judged or name == "public-bucket"
    for sheet in judged:
        assert of_sheet(sheet) == [], f"{sheet.place} {sheet.target}"


def test_of_session_policies_it_minds_that_any_key_may_decrypt_and_nothing_else() -> None:
    """A session only loses permissions: which keys may be used is the role's and the keys' policies' affair."""
    narrowed = session("acme-exports", "flights/", tags=True, owner="222222222222")
    assert objections(narrowed) == ["RESOURCE_STAR: ['kms:Decrypt']"]
    assert objections(passage(ROLE)) == []


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ({"Action": "s3:GetObjekt"}, "UNKNOWN_ACTION"),
        ({"Resource": "arn:aws:s3:::acme-exports"}, "RESOURCE_MISMATCH"),
        ({"Resource": "acme-exports/*"}, "INVALID_ARN"),
        ({"Condition": {"StringLike": {"s3:prefix": ["flights/*"]}}}, "UNKNOWN_CONDITION_FOR_ACTION"),
        ({"Condition": {"StringLik": {"aws:ResourceAccount": "222222222222"}}}, "UNKNOWN_OPERATOR"),
        ({"Condition": {"NumericEquals": {"s3:ExistingObjectTag/stage": "prod"}}}, "MISMATCHED_TYPE"),
    ],
)
def test_it_finds_a_planted_mistake(planted: dict[str, object], said: str) -> None:
    right = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-exports/*"}
    assert objections({"Version": "2012-10-17", "Statement": [right]}) == []
    [objection] = objections({"Version": "2012-10-17", "Statement": [right | planted]})
    assert objection.startswith(f"{said}:")

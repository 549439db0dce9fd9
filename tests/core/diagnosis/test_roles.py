"""Why a role is refused, from what STS says and what it says to less."""

from typing import Any

import pytest

from chalicelib.core.diagnosis import roles
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.diagnosis.roles import Narrowed
from chalicelib.core.findings import Verdict
from chalicelib.core.policies.sheets import Seat
from tests.core.diagnosis.wards import OURS, role
from tests.core.diagnosis.words import ROLE, US, denied, explicit, fine, implicit, unauthorized

PLAIN = denied(unauthorized("sts:AssumeRole", ROLE, who=US))
TAGGED = {"session_tags": {"team": "ingest"}, "source_identity": "tidegate"}
BETWEEN = {"type": "role", "role_arn": f"arn:aws:iam::{OURS}:role/gate", "session_name": "gate-1"}
USER = {"type": "user", "user_arn": "arn:aws:iam::333333333333:user/gate"}


def test_a_role_that_lets_us_in_is_fine() -> None:
    connection, printed = role()
    assert roles.assumed(connection, fine(), printed).verdict is Verdict.OK


def test_a_plain_refusal_names_the_trust_policy_and_what_else_gives_the_same_answer() -> None:
    connection, printed = role()
    finding = roles.assumed(connection, PLAIN, printed)
    assert finding.verdict is Verdict.FAIL
    assert [(each.sid, each.seat, each.account, each.target) for each in finding.missing] == [
        ("TidegateAssumeRoleAcme", Seat.CUSTOMER, "222222222222", ROLE)
    ]
    for word in ("does not exist", "principal", "external id", "session name", "sts:ExternalId"):
        assert word in finding.advice


def test_where_aws_says_that_it_is_our_side_the_customer_is_not_asked() -> None:
    connection, printed = role()
    finding = roles.assumed(connection, denied(implicit("sts:AssumeRole", ROLE, "identity-based policy", US)), printed)
    assert finding.missing == ()
    assert "our own side" in finding.advice
    assert ROLE in finding.advice


def test_our_own_side_of_a_user_or_role_in_between_is_a_statement() -> None:
    for through in (USER, BETWEEN):
        connection, printed = role(through=through)
        finding = roles.assumed(connection, denied(implicit("sts:AssumeRole", ROLE, "identity-based policy")), printed)
        [missing] = finding.missing
        assert missing.place in ("a policy of the user", "a policy of the role")
        assert missing.target in (USER["user_arn"], BETWEEN["role_arn"])


def test_both_sides_are_named_where_sts_tells_nothing() -> None:
    connection, printed = role(through=BETWEEN)
    targets = [each.target for each in roles.assumed(connection, PLAIN, printed).missing]
    assert targets == [ROLE, BETWEEN["role_arn"]]


@pytest.mark.parametrize(
    ("narrowed", "sids"),
    [
        (Narrowed(PLAIN), ["TidegateAssumeRoleAcme"]),
        (Narrowed(fine(), tagged=PLAIN, identified=fine()), ["TidegateTagSessionAcme"]),
        (Narrowed(fine(), tagged=fine(), identified=PLAIN), ["TidegateSetSourceIdentityAcme"]),
        (Narrowed(fine(), tagged=PLAIN, identified=PLAIN), ["TidegateTagSessionAcme", "TidegateSetSourceIdentityAcme"]),
    ],
)
def test_asking_for_less_tells_what_was_too_much(narrowed: Narrowed, sids: list[str]) -> None:
    connection, printed = role(**TAGGED)
    assert [each.sid for each in roles.assumed(connection, PLAIN, printed, narrowed).missing] == sids


def test_the_action_that_sts_names_goes_first() -> None:
    connection, printed = role(**TAGGED)
    answer = denied(unauthorized("sts:TagSession", ROLE, who=US))
    assert next(each.sid for each in roles.assumed(connection, answer, printed).missing) == "TidegateTagSessionAcme"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (denied(explicit("sts:AssumeRole", ROLE, "service control policy", US)), "service control policy"),
        (denied(implicit("sts:AssumeRole", ROLE, "permissions boundary", US)), "permissions boundary"),
        (denied(explicit("sts:AssumeRole", ROLE, "role trust policy", US)), "Deny"),
        (Answer(403, "RegionDisabledException", "STS is not activated in this region for account:1."), "sts_region"),
        (Answer(403, "ExpiredToken", "The security token included in the request is expired"), "Sign in again"),
        (Answer(403, "InvalidClientTokenId", "The security token included in the request is invalid."), "access key"),
        (Answer(403, "SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2"), "clock"),
        (Answer(0, "EndpointConnectionError", "Could not connect"), "network"),
        (Answer(400, "ValidationError", "1 validation error detected: roleSessionName"), "session_name"),
    ],
)
def test_what_no_statement_of_ours_mends_says_who_must_act(answer: Answer, words: str) -> None:
    connection, printed = role()
    finding = roles.assumed(connection, answer, printed)
    assert (finding.verdict, finding.missing) == (Verdict.FAIL, ())
    assert words in finding.advice


def test_keys_of_a_user_that_do_not_hold_are_pasted_again() -> None:
    connection, printed = role(through=USER)
    finding = roles.assumed(connection, Answer(403, "InvalidClientTokenId"), printed)
    assert "tidegate connection edit acme" in finding.advice
    assert USER["user_arn"] in finding.advice


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            "--max-session-duration 3600",
        ),
        (
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            "duration_in_seconds to 3600",
        ),
    ],
)
def test_a_session_that_is_too_long_says_whose_limit_it_is(message: str, words: str) -> None:
    connection, _ = role()
    finding = roles.session_length(connection, Answer(400, "ValidationError", message))
    assert finding.verdict is Verdict.FAIL
    assert words in finding.advice
    assert roles.session_length(connection, fine()).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("without", "wrong", "verdict", "words"),
    [
        (PLAIN, PLAIN, Verdict.OK, "refuses"),
        (fine(), fine(), Verdict.WARN, "without any and with a wrong one"),
        (fine(), PLAIN, Verdict.WARN, "without any"),
        (PLAIN, fine(), Verdict.WARN, "with a wrong one"),
        (Answer(400, "Throttling", "Rate exceeded"), PLAIN, Verdict.SKIPPED, "Rate exceeded"),
    ],
)
def test_the_external_id_must_be_demanded(without: Answer, wrong: Answer, verdict: Verdict, words: str) -> None:
    connection, printed = role()
    finding = roles.external_id(connection, without, wrong, printed)
    assert (finding.verdict, words in finding.evidence) == (verdict, True)
    assert [each.sid for each in finding.missing] == (["TidegateAssumeRoleAcme"] if verdict is Verdict.WARN else [])


def test_the_role_in_between_is_ours_to_mend() -> None:
    connection, printed = role(through=BETWEEN)
    assert roles.between(connection, fine(), printed).verdict is Verdict.OK
    finding = roles.between(connection, PLAIN, printed)
    assert [(each.sid, each.seat, each.target) for each in finding.missing] == [
        ("AssumeRole", Seat.OPERATOR, BETWEEN["role_arn"])
    ]
    own: Any = denied(implicit("sts:AssumeRole", str(BETWEEN["role_arn"]), "identity-based policy", US))
    assert "our own side" in roles.between(connection, own, printed).advice


def test_no_finding_repeats_an_external_id_but_in_the_statement_to_paste() -> None:
    connection, printed = role()
    for finding in (
        roles.assumed(connection, PLAIN, printed),
        roles.external_id(connection, fine(), fine(), printed),
    ):
        assert "ab" * 32 not in finding.evidence + finding.advice


def test_a_user_of_the_roles_own_account_is_let_in_by_the_trust_policy_alone() -> None:
    account = ROLE.split(":")[4]
    connection, printed = role(through={"type": "user", "user_arn": f"arn:aws:iam::{account}:user/gate"})
    finding = roles.assumed(connection, denied(implicit("sts:AssumeRole", ROLE, "identity-based policy")), printed)
    [missing] = finding.missing
    assert (missing.place, missing.target, missing.account) == ("the role's trust policy", ROLE, account)

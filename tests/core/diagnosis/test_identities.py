"""Who we are, and whether pasted keys still hold."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.config.access.keys import Anonymous, Basic, Session
from chalicelib.core.diagnosis import identities
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.findings import Finding, Missing, Verdict
from chalicelib.core.health import Health, failed
from chalicelib.core.keys import Keys
from chalicelib.core.policies.sheets import Kind, Seat
from tests.core.diagnosis.words import US, denied, fine
from tests.examples import START

LOAD = "arn:aws:iam::111111111111:role/stack/tidegate-load"
KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "planted-secret", "planted-token")


def ends_in(**left: int) -> Keys:
    return Keys("ASIAIOSFODNN7EXAMPLE", "planted-secret", "planted-token", START + timedelta(**left))


def test_whoever_is_not_a_function_is_told_so_where_it_matters() -> None:
    me = fine(said={"arn": "arn:aws:iam::111111111111:user/me", "account": "111111111111"})
    assert identities.ourselves(me, [LOAD], matters=False).verdict is Verdict.OK
    assert identities.ourselves(fine(said={"arn": US}), [LOAD], matters=True).verdict is Verdict.OK
    finding = identities.ourselves(me, [LOAD], matters=True)
    assert (finding.verdict, LOAD in finding.advice) == (Verdict.WARN, True)


def test_what_was_refused_to_somebody_else_than_the_functions_may_be_there_already() -> None:
    statement = {"Sid": "AssumeRole", "Action": "sts:AssumeRole"}
    missing = Missing(
        Kind.TRUST, "AssumeRole", Seat.OPERATOR, "111111111111", LOAD, statement, "the role's trust policy"
    )
    refused = Finding("assume role", Verdict.FAIL, "AccessDenied", "Add statement AssumeRole", (missing,))
    doubted = identities.doubted(refused)
    assert doubted.advice.startswith("Add statement AssumeRole. If it is there already: ")
    assert replace(doubted, advice=refused.advice) == refused
    for finding in (replace(refused, missing=()), replace(refused, verdict=Verdict.WARN)):
        assert identities.doubted(finding) == finding


@pytest.mark.parametrize("answer", [denied(), Answer(403, "ExpiredToken"), Answer(0, "NoCredentialsError", "none")])
def test_without_an_identity_nothing_goes_on(answer: Answer) -> None:
    assert identities.ourselves(answer, [], matters=False).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("code", "looked_for"),
    [("CredentialsRefused", "profile"), ("NoCredentialsError", "profile"), ("EndpointConnectionError", "endpoint")],
)
def test_without_keys_nobody_is_sent_to_look_at_the_network(code: str, looked_for: str) -> None:
    advice = identities.ourselves(Answer(0, code, "none"), [], matters=False).advice
    assert {word for word in ("profile", "endpoint") if word in advice} == {looked_for}


@pytest.mark.parametrize(
    ("kept", "verdict", "words"),
    [
        (None, Verdict.FAIL, "nothing is kept"),
        (KEYS, Verdict.OK, "nobody said that they end"),
        (ends_in(hours=3), Verdict.OK, "they end at 2026-11-22 15:00:00 UTC"),
        (ends_in(hours=1), Verdict.WARN, "they end at"),
        (ends_in(hours=0), Verdict.FAIL, "they ended at"),
        (ends_in(hours=-1), Verdict.FAIL, "they ended at 2026-11-22 11:00:00 UTC"),
    ],
)
def test_keys_are_there_end_soon_or_have_ended(kept: Keys | None, verdict: Verdict, words: str) -> None:
    finding = identities.keys(Session(name="acme"), kept, START)
    assert finding is not None
    assert (finding.verdict, words in finding.evidence) == (verdict, True)
    assert ("tidegate connection edit acme" in finding.advice) == (verdict is not Verdict.OK)
    assert "planted" not in repr(finding)


def test_a_method_without_keys_is_not_asked_for_them() -> None:
    assert identities.keys(Anonymous(name="acme"), None, START) is None


def test_the_holder_of_keys_is_named_and_bad_keys_are_pasted_again() -> None:
    known = identities.holder(Basic(name="acme"), fine(said={"arn": "arn:aws:iam::2:user/x"}))
    assert (known.verdict, "user/x" in known.evidence) == (Verdict.OK, True)
    for code in ("InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "AccessDenied"):
        finding = identities.holder(Basic(name="acme"), Answer(403, code))
        assert finding.verdict is Verdict.FAIL
        assert "tidegate connection edit acme" in finding.advice


def test_access_that_was_lost_is_said_with_its_reason() -> None:
    lost = failed(Health("acme"), "j1", "AccessDenied: \x1b[31mno", now=START)
    assert lost is not None
    finding = identities.access(lost)
    assert finding.verdict is Verdict.WARN
    assert "2026-11-22 12:00:00" in finding.evidence
    assert "\x1b" not in finding.evidence
    assert identities.access(Health("acme")).verdict is Verdict.OK

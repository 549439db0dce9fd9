"""Each auth method against a server that looks at the keys of every request."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from chalicelib.aws.customers.buckets import Buckets
from chalicelib.aws.customers.network import Network
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.keys import Keys
from chalicelib.errors import (
    ConfigError,
    CredentialsExpired,
    CredentialsRefused,
    RoleNotAssumable,
    SourceUnavailable,
)
from tests.examples import grant
from tests.fakes.gate import OURS, START, Gate, ref

ROLE = "arn:aws:iam::222222222222:role/reader"
USER = {"type": "user", "user_arn": "arn:aws:iam::999999999999:user/tidegate"}
BETWEEN = {"type": "role", "role_arn": "arn:aws:iam::999999999999:role/ingest", "session_name": "fixed"}


@pytest.fixture
def sessions(gate: Gate) -> Sessions:
    return gate.sessions()


def way(method: str, **changes: Any) -> Grant:
    """A connection that is no role's."""
    document = {"name": "acme", "auth_method": method} | changes
    return replace(grant(), connection=parse_connection(document, where="test"))


def signs(sessions: Sessions, given: Grant, prefix: str = "in/") -> str | None:
    found = sessions.credentials(given, "acme-exports", prefix)
    assert found is not None
    return found.get_frozen_credentials().access_key


def reads(gate: Gate, sessions: Sessions, given: Grant) -> str:
    """The key that S3 was shown."""
    with Buckets(sessions, gate.url).open(given, ref(), prefix="in/") as body:
        body.read()
    return gate.used[-1]


def test_a_role_is_told_everything_the_connection_says(gate: Gate, sessions: Sessions) -> None:
    given = grant(
        session_name="gate",
        session_tags={"team": "lake"},
        source_identity="tidegate-prod",
        sts_region="ap-southeast-2",
        duration_in_seconds=900,
    )
    assert signs(sessions, given) == "KEY1"
    [asked] = gate.asked
    assert (asked["by"], asked["region"]) == (OURS, "ap-southeast-2")
    assert asked["RoleArn"] == ROLE
    assert asked["RoleSessionName"] == "gate"
    assert asked["ExternalId"] == given.external_id
    assert asked["SourceIdentity"] == "tidegate-prod"
    assert (asked["Tags.member.1.Key"], asked["Tags.member.1.Value"]) == ("team", "lake")
    assert asked["DurationSeconds"] == "900"


def test_a_connection_without_tags_and_identity_says_nothing_of_them(gate: Gate, sessions: Sessions) -> None:
    signs(sessions, grant())
    assert not [name for name in gate.asked[0] if name.startswith(("Tags", "SourceIdentity"))]
    assert gate.asked[0]["region"] == "eu-central-1"


@pytest.mark.parametrize(
    ("ours", "document", "owner"),
    [
        ("999999999999", {}, "222222222222"),
        ("222222222222", {}, None),  # our own role, which a customer's bucket may name
        ("222222222222", {"bucket_owner": "333333333333"}, "333333333333"),
        ("999999999999", {"bucket_owner": "any"}, None),
    ],
)
def test_a_session_reads_only_buckets_of_whom_they_must_belong_to(
    gate: Gate, ours: str, document: dict[str, Any], owner: str | None
) -> None:
    signs(gate.sessions(network=Network(ours=lambda: ours)), grant(**document))
    statements = json.loads(gate.asked[0]["Policy"])["Statement"]
    owners = [one.get("Condition", {}).get("StringEquals", {}).get("aws:ResourceAccount") for one in statements]
    assert owners == [owner, owner, None]  # the last is kms:Decrypt, on a key that may be another account's


def test_a_user_assumes_the_role_with_its_own_keys_and_for_longer_than_an_hour(gate: Gate, sessions: Sessions) -> None:
    gate.paste("USERKEY")
    given = grant(through=USER, duration_in_seconds=43200)
    assert signs(sessions, given) == "KEY1"
    [asked] = gate.asked
    assert (asked["by"], asked["DurationSeconds"], asked["RoleArn"]) == ("USERKEY", "43200", ROLE)
    assert asked["ExternalId"] == given.external_id


def test_new_keys_of_the_user_are_taken_up(gate: Gate, sessions: Sessions) -> None:
    gate.paste("USERKEY")
    signs(sessions, grant(through=USER))
    gate.passes(11)
    gate.paste("NEWKEY")
    signs(sessions, grant(through=USER))
    assert [asked["by"] for asked in gate.asked] == ["USERKEY", "NEWKEY"]


def test_keys_of_the_user_that_aws_does_not_know_are_not_blamed_on_the_role(gate: Gate, sessions: Sessions) -> None:
    gate.paste("USERKEY")
    del gate.ends["USERKEY"]
    with pytest.raises(CredentialsRefused, match="user's keys") as caught:
        signs(sessions, grant(through=USER))
    assert "tidegate connection edit acme" in caught.value.remedy


def test_a_role_in_between_is_assumed_first_and_may_only_go_on(gate: Gate, sessions: Sessions) -> None:
    given = grant(through=BETWEEN, session_name="gate", session_tags={"team": "lake"})
    assert signs(sessions, given) == "KEY2"
    first, second = gate.asked
    assert (first["by"], first["RoleArn"], first["RoleSessionName"]) == (OURS, BETWEEN["role_arn"], "fixed")
    assert (second["by"], second["RoleArn"], second["RoleSessionName"]) == ("KEY1", ROLE, "gate")
    assert json.loads(first["Policy"])["Statement"][0]["Resource"] == ROLE
    assert second["ExternalId"] == given.external_id
    assert "ExternalId" not in first
    assert "Tags.member.1.Key" not in first


def test_one_session_of_the_role_in_between_serves_all_pipelines_and_both_renew(gate: Gate, sessions: Sessions) -> None:
    given = grant(through=BETWEEN)
    assert [signs(sessions, given, prefix) for prefix in ("a/", "b/")] == ["KEY2", "KEY3"]
    gate.passes(11)
    assert signs(sessions, given, "a/") == "KEY5"
    assert [asked["by"] for asked in gate.asked] == [OURS, "KEY1", "KEY1", OURS, "KEY4"]


def test_a_refusal_of_the_role_in_between_says_which_role(gate: Gate, sessions: Sessions) -> None:
    gate.refuses[BETWEEN["role_arn"]] = (403, "AccessDenied")
    with pytest.raises(RoleNotAssumable, match="role/ingest in between"):
        signs(sessions, grant(through=BETWEEN))
    gate.refuses = {ROLE: (403, "AccessDenied")}
    with pytest.raises(RoleNotAssumable, match="role/reader") as caught:
        signs(sessions, grant(through=BETWEEN))
    assert "in between" not in caught.value.where


@pytest.mark.parametrize("method", ["session", "basic"])
def test_pasted_keys_sign_and_need_no_sts(gate: Gate, sessions: Sessions, method: str) -> None:
    gate.paste("PASTED", START + timedelta(hours=1) if method == "session" else None)
    assert reads(gate, sessions, way(method)) == "PASTED"
    assert not gate.asked


@pytest.mark.parametrize("method", ["session", "basic"])
def test_keys_that_nobody_gave_are_asked_for_by_command(sessions: Sessions, method: str) -> None:
    for _ in range(2):
        with pytest.raises(CredentialsRefused, match="tidegate connection edit acme"):
            signs(sessions, way(method))


def test_session_keys_are_refused_after_their_end_and_new_ones_are_taken_up(gate: Gate, sessions: Sessions) -> None:
    gate.paste("FIRST", START + timedelta(minutes=5))
    given = way("session")
    assert signs(sessions, given) == "FIRST"
    gate.passes(5)
    with pytest.raises(CredentialsExpired, match=r"ended at 2026-11-22 12:05:00 UTC.*tidegate connection edit acme"):
        signs(sessions, given)
    gate.paste("SECOND", gate.now + timedelta(hours=1))
    assert signs(sessions, given) == "SECOND"


@pytest.mark.parametrize("method", ["session", "basic"])
def test_keys_that_were_changed_are_taken_up_within_ten_minutes(gate: Gate, sessions: Sessions, method: str) -> None:
    end = START + timedelta(days=1) if method == "session" else None
    gate.paste("FIRST", end)
    given = way(method)
    assert signs(sessions, given) == "FIRST"
    gate.paste("SECOND", end)
    gate.passes(9)
    assert signs(sessions, given) == "FIRST"
    gate.passes(1)
    assert signs(sessions, given) == "SECOND"


def test_keys_that_aws_takes_no_longer_are_looked_for_at_once(gate: Gate, sessions: Sessions) -> None:
    gate.paste("FIRST")
    assert reads(gate, sessions, way("basic")) == "FIRST"
    del gate.ends["FIRST"]
    gate.paste("SECOND")
    assert reads(gate, sessions, way("basic")) == "SECOND"


@pytest.mark.parametrize(
    ("method", "end", "expected", "said"),
    [
        ("session", START - timedelta(minutes=1), CredentialsExpired, "the session keys have ended"),
        ("basic", None, CredentialsRefused, "AWS does not take the access key"),
    ],
)
def test_keys_that_aws_refuses_are_reported_as_whose_they_are(
    gate: Gate, sessions: Sessions, method: str, end: Any, expected: type[Exception], said: str
) -> None:
    gate.paste("PASTED", START + timedelta(hours=1) if end else None)  # nobody told us the right end
    gate.ends["PASTED"] = end
    if end is None:
        del gate.ends["PASTED"]
    with pytest.raises(expected, match=said) as caught:
        reads(gate, sessions, way(method))
    assert "tidegate connection edit acme" in str(caught.value)
    assert not [word for word in ("PASTED", "secret", "token") if word in str(caught.value)]


def test_a_vault_that_is_out_for_a_while_does_not_stop_good_keys(gate: Gate) -> None:
    out = False

    def keys(_: Any) -> Keys:
        if out:
            raise SourceUnavailable("no answer")
        return Keys("FIRST", "secret")

    sessions = gate.sessions(keys=keys)
    assert signs(sessions, way("basic")) == "FIRST"
    out = True
    gate.passes(30)
    assert signs(sessions, way("basic")) == "FIRST"
    gate.passes(31)
    with pytest.raises(SourceUnavailable):
        signs(sessions, way("basic"))


def test_keys_that_were_taken_back_are_not_used_after_ten_minutes(gate: Gate, sessions: Sessions) -> None:
    gate.paste("FIRST")
    signs(sessions, way("basic"))
    gate.vault.clear()
    gate.passes(10)
    with pytest.raises(CredentialsRefused, match="no keys are kept"):
        signs(sessions, way("basic"))


def test_anonymous_requests_are_not_signed(gate: Gate, sessions: Sessions) -> None:
    assert sessions.credentials(way("anonymous"), "acme-exports", "in/") is None
    client = sessions.customer(way("anonymous"), "acme-exports", "in/")
    client.head_object(Bucket="acme-exports", Key="in/a.bin")
    assert gate.used == [""]
    assert not gate.asked


def test_the_default_is_what_tidegate_runs_as(gate: Gate, sessions: Sessions) -> None:
    assert reads(gate, sessions, way("default")) == OURS
    assert not gate.asked


def test_the_environment_is_read_on_a_laptop(gate: Gate) -> None:
    environ = {"AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "secret"}
    gate.ends["ENVKEY"] = None
    assert reads(gate, gate.sessions(environ=environ), way("env")) == "ENVKEY"


def test_a_profile_is_read_on_a_laptop(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    file.write_text("[acme]\naws_access_key_id = PROFILEKEY\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    gate.ends["PROFILEKEY"] = None
    assert reads(gate, gate.sessions(), way("profile", profile_name="acme")) == "PROFILEKEY"
    with pytest.raises(CredentialsRefused, match="connection acme"):
        signs(gate.sessions(), way("profile", profile_name="nobody"))


def test_a_profile_that_was_signed_in_again_is_taken_up(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    text = "[acme]\naws_access_key_id = {}\naws_secret_access_key = secret\n"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    gate.ends |= dict.fromkeys(("FIRST", "SECOND", "THIRD"))
    sessions, given = gate.sessions(), way("profile", profile_name="acme")
    file.write_text(text.format("FIRST"))
    assert reads(gate, sessions, given) == "FIRST"
    file.write_text(text.format("SECOND"))
    gate.passes(5)
    assert reads(gate, sessions, given) == "SECOND"
    gate.ends["SECOND"] = gate.now
    with pytest.raises(CredentialsExpired, match="Sign in again"):
        reads(gate, sessions, given)
    file.write_text(text.format("THIRD"))
    assert reads(gate, sessions, given) == "THIRD"


@pytest.mark.parametrize("through", [USER, BETWEEN])
def test_whoever_is_in_between_gets_new_keys_too_when_aws_takes_the_old_ones_no_longer(
    gate: Gate, sessions: Sessions, through: dict[str, str]
) -> None:
    gate.paste("USERKEY")
    given = grant(through=through)
    signs(sessions, given, "a/")
    gate.ends["USERKEY"] = gate.ends["KEY1"] = gate.now
    gate.paste("NEWKEY")
    assert signs(sessions, given, "b/")
    assert gate.asked[-1]["by"] in ("NEWKEY", "KEY4")


@pytest.mark.parametrize("environ", [{}, {"AWS_ACCESS_KEY_ID": "ENVKEY"}])
def test_an_environment_without_keys_is_an_error_of_whoever_runs_it(gate: Gate, environ: dict[str, str]) -> None:
    with pytest.raises(CredentialsRefused, match="connection acme"):
        signs(gate.sessions(environ=environ), way("env"))


@pytest.mark.parametrize("odd", ["planted\n", "planted\r\nx: y", "planted\x00", "planted\u2028"])
def test_keys_that_no_request_can_hold_are_not_sent_and_not_repeated(gate: Gate, odd: str) -> None:
    environ = {"AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": odd}
    with pytest.raises(CredentialsRefused, match="no key has") as caught:
        reads(gate, gate.sessions(environ=environ), way("env"))
    assert "planted" not in str(caught.value)


def test_pasted_keys_that_no_request_can_hold_are_not_sent_either(gate: Gate) -> None:
    pasted = Keys("ASIAKEY", "secret", "planted\nx: y")
    with pytest.raises(CredentialsRefused, match="no key has"):
        reads(gate, gate.sessions(keys=lambda _: pasted), way("session"))


@pytest.mark.parametrize("method", ["profile", "env"])
def test_what_lies_on_a_laptop_is_not_looked_for_in_a_function(gate: Gate, method: str) -> None:
    environ = {"AWS_LAMBDA_FUNCTION_NAME": "load", "AWS_ACCESS_KEY_ID": "OWNROLE", "AWS_SECRET_ACCESS_KEY": "s"}
    with pytest.raises(ConfigError, match="laptop") as caught:
        signs(gate.sessions(environ=environ), way(method))
    assert "default" in caught.value.remedy


@pytest.mark.parametrize(
    "changed",
    [
        {"role_arn": "arn:aws:iam::333333333333:role/other"},
        {"session_tags": {"team": "other"}},
        {"through": BETWEEN},
        {"external_id": "cd" * 32},
    ],
)
def test_an_edited_connection_never_gets_the_old_credentials(
    gate: Gate, sessions: Sessions, changed: dict[str, Any]
) -> None:
    before, after = grant(), grant(**changed)
    first = sessions.credentials(before, "acme-exports", "in/")
    assert sessions.credentials(after, "acme-exports", "in/") is not first
    assert sessions.credentials(before, "acme-exports", "in/") is first
    assert sessions.customer(after, "acme-exports", "in/") is not sessions.customer(before, "acme-exports", "in/")


def test_an_edited_user_never_signs_with_the_old_keys(gate: Gate, sessions: Sessions) -> None:
    gate.paste("USERKEY")
    signs(sessions, grant(through=USER))
    signs(sessions, grant(through=BETWEEN))
    assert [asked["by"] for asked in gate.asked] == ["USERKEY", OURS, "KEY2"]


def test_credentials_are_bounded_and_the_ones_in_use_stay(
    gate: Gate, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(sessions, "_credentials", type(sessions._credentials)(3))
    used = sessions.credentials(grant(), "acme-exports", "used/")
    for number in range(9):
        sessions.credentials(grant(), "acme-exports", f"{number}/")
        assert sessions.credentials(grant(), "acme-exports", "used/") is used
    assert len(sessions._credentials) == 3


def test_nothing_that_is_shown_of_credentials_has_a_secret(gate: Gate, sessions: Sessions) -> None:
    gate.paste("PASTED", START + timedelta(hours=1))
    found = sessions.credentials(way("session"), "acme-exports", "in/")
    assert isinstance(found, Credentials)
    shown = f"{found!r} {sessions!r} {vars(found).get('_held')!r}"
    assert not [word for word in ("PASTED", "secret", "token'") if word in shown]

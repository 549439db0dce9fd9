"""`doctor` and `connection test`, for people and for programs."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from boto3 import Session as Boto

from chalicelib.cli.doctor import show_findings
from chalicelib.core.findings import Finding, Missing, Verdict
from chalicelib.core.policies.sheets import Kind, Seat
from tests.cli.conftest import Run

BUCKET = "acme-exports"
SECRET = "planted-secret-0123456789"


@pytest.fixture
def open_bucket(dynamo: Any, boto: Boto) -> Any:
    """A bucket of our own account with one object; moto lets everybody in."""
    s3 = boto.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="in/a.csv", Body=b"a,b\n")
    return s3


@pytest.fixture
def own(open_bucket: Any, tidegate: Run) -> Run:
    """The command, with a connection to our own buckets."""
    made = tidegate("connection", "create", "own", "--auth-method", "default", "--notify-by", "none")
    assert made.code == 0, made
    return tidegate


def findings(text: str) -> dict[str, Any]:
    return {each["step"]: each for each in map(json.loads, text.splitlines())}


def test_a_connection_that_works_is_examined_to_the_end(own: Run) -> None:
    ran = own("doctor", "own", "--bucket", BUCKET, "--json")
    found = findings(ran.out)
    assert ran.code == 0, ran
    steps = ("bucket", "list", "head", "get", "requester pays", "bucket owner")
    assert {step: found[step]["verdict"] for step in steps} == dict.fromkeys(steps, "ok") | {"bucket owner": "skipped"}
    assert found["get"]["subject"] == f"s3://{BUCKET}/in/a.csv"
    assert "user" in found["identity"]["evidence"] or "assumed-role" in found["identity"]["evidence"]


def test_a_connection_that_fails_ends_with_1_and_says_what_to_do(own: Run) -> None:
    ran = own("doctor", "own", "--bucket", "acme-nowhere")
    assert ran.code == 1
    assert "fail     bucket s3://acme-nowhere: there is no such bucket" in ran.out
    assert "Check the name." in ran.out


def test_a_test_shows_each_step_and_its_end(own: Run) -> None:
    good, bad = (
        own("connection", "test", "own", "--bucket", BUCKET),
        own("connection", "test", "own", "--bucket", "acme-no"),
    )
    assert (good.code, bad.code) == (0, 1)
    for line in ("identity", "list", "get"):
        assert line in good.out
    rows = findings(own("connection", "test", "own", "--bucket", BUCKET, "--json").out)
    assert set(rows["get"]) == {"step", "of", "verdict"}


def test_a_test_says_what_to_do_about_what_failed_and_nothing_about_the_rest(own: Run) -> None:
    good = own("connection", "test", "own", "--bucket", BUCKET).out
    bad = own("connection", "test", "own", "--bucket", "acme-no").out
    assert "fail     bucket s3://acme-no: there is no such bucket" in bad
    assert "Check the name." in bad
    assert "ok       get s3://acme-exports/in/a.csv\n" in good
    assert "one byte was read" not in good


def test_a_statement_that_several_steps_miss_is_printed_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    statement = {"Sid": "ReadObjects", "Action": "s3:GetObject"}
    role = Missing(Kind.ROLE, "ReadObjects", Seat.CUSTOMER, "222222222222", "arn", statement, "a policy of the role")
    also = statement | {"Sid": "TidegateReadObjects"}
    bucket = replace(role, kind=Kind.BUCKET, sid=also["Sid"], place="the bucket's policy", statement=also)
    steps = [Finding(step, Verdict.FAIL, "no", missing=(role, bucket)) for step in ("head", "get")]
    show_findings("acme", steps)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert len([line for line in lines if "s3:GetObject" in line]) == 2
    assert len([line for line in lines if line.endswith("it stands above")]) == 2
    assert [line[:14] for line in lines if ", into " in line] == ["- ReadObjects,", "or TidegateRea"] * 2


def test_the_statement_to_add_is_machine_readable(acme: Run, document: Callable[..., str], open_bucket: Any) -> None:
    """moto gives every role to everybody: a confused deputy."""
    acme("apply", document())
    ran = acme("doctor", "acme", "--json")
    missing = findings(ran.out)["external id"]["missing"]
    assert [(each["kind"], each["sid"], each["seat"], each["account"]) for each in missing] == [
        ("trust", "TidegateAssumeRoleAcme", "customer", "222222222222")
    ]
    assert missing[0]["statement"]["Action"] == "sts:AssumeRole"
    assert missing[0]["place"] == "the role's trust policy"


def test_the_statement_to_add_is_printed_with_its_place_and_whose_it_is(
    acme: Run, document: Callable[..., str], open_bucket: Any
) -> None:
    acme("apply", document())
    out = acme("doctor", "acme").out
    where = "into the role's trust policy (arn:aws:iam::222222222222:role/reader) in account 222222222222"
    assert f"- TidegateAssumeRoleAcme, {where}" in out
    assert "by the customer's admin; `tidegate policy acme trust` prints it all" in out
    assert '"sts:ExternalId"' in out


def test_hostile_keys_do_nothing_to_the_terminal(own: Run, open_bucket: Any) -> None:
    open_bucket.put_object(Bucket=BUCKET, Key="in/\x1b[2Jx", Body=b"x")
    for command in (("doctor", "own", "--bucket", BUCKET), ("connection", "test", "own", "--bucket", BUCKET)):
        assert "\x1b" not in own(*command).out
    out = own("doctor", "own", "--bucket", BUCKET, "--key", "in/\x1b[2Jx").out
    assert "\\x1b[2Jx" in out


def test_what_is_not_there_is_said_in_a_sentence(own: Run) -> None:
    for command in (("doctor", "nobody"), ("connection", "test", "nobody")):
        ran = own(*command)
        assert (ran.code, ran.out) == (2, "")
        assert "there is no connection of this name" in ran.err


def test_without_a_bucket_it_says_what_it_needs(own: Run) -> None:
    ran = own("doctor", "own")
    assert ran.code == 0
    assert "--bucket BUCKET" in ran.out


def test_pasted_keys_are_shown_by_whose_they_are_and_never_themselves(
    own: Run, open_bucket: Any, tmp_path: Any
) -> None:
    file = tmp_path / "keys.json"
    given = {"AccessKeyId": "AKIAPLANTEDKEY000001", "SecretAccessKey": SECRET}
    file.write_text(json.dumps({"Credentials": given}))
    made = own("connection", "create", "pasted", "--auth-method", "basic", "--keys-file", str(file))
    assert made.code == 0, made
    ran = own("doctor", "pasted", "--bucket", BUCKET)
    assert "keys' holder" in ran.out
    assert SECRET not in ran.out + ran.err
    assert "AKIAPLANTEDKEY000001" not in ran.out + ran.err

"""Connections: both spellings of a role, and what STS would refuse, refused before it is asked (F1-F4, F17)."""

from typing import Any

import pytest

from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.connection import parse_connection
from chalicelib.errors import ConfigError

ARN = "arn:aws:iam::111122223333:role/tidegate"


def connection(**changes: Any) -> AssumeRole:
    fields = {"name": "acme", "role_arn": ARN} | changes
    given = {name: value for name, value in fields.items() if value is not None}
    spec = parse_connection(given, where="c.yml")
    assert isinstance(spec, AssumeRole)
    return spec


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        connection(**changes)
    assert caught.value.where == "c.yml"
    return caught.value.what


@pytest.mark.parametrize(
    ("changes", "arn"),
    [
        ({}, ARN),
        ({"role_arn": "arn:aws-cn:iam::111122223333:role/a/b/c"}, "arn:aws-cn:iam::111122223333:role/a/b/c"),
        ({"role_arn": None, "account_id": "111122223333", "role_name": "tidegate"}, ARN),
        ({"role_arn": None, "account_id": "111122223333", "role_name": "/a/b"}, "arn:aws:iam::111122223333:role/a/b"),
        (
            {"role_arn": None, "account_id": "111122223333", "role_name": "r", "arn_partition": "aws-us-gov"},
            "arn:aws-us-gov:iam::111122223333:role/r",
        ),
    ],
)
def test_either_spelling_names_the_role(changes: dict[str, Any], arn: str) -> None:
    spec = connection(**changes)
    assert (spec.role, spec.account) == (arn, "111122223333")
    assert parse_connection(spec.document(), where="again") == spec


@pytest.mark.parametrize(
    "changes",
    [
        {"role_arn": None},
        {"role_arn": None, "account_id": "111122223333"},
        {"role_arn": None, "role_name": "r"},
        {"account_id": "111122223333", "role_name": "r"},
        {"role_name": "r"},
    ],
    ids=["none", "no name", "no account", "both", "both by half"],
)
def test_exactly_one_spelling_is_given(changes: dict[str, Any]) -> None:
    said = refusal(**changes)
    assert "role_arn" in said
    assert "account_id and role_name" in said


@pytest.mark.parametrize(
    "arn",
    [
        "tidegate",
        "arn:aws:iam::111122223333:user/x",
        "arn:aws:iam::11112222333:role/x",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role/a b",
        "arn:aws:sts::111122223333:assumed-role/x/y",
        "arn:gcp:iam::111122223333:role/x",
        f"{ARN}\n",
        f" {ARN}",
        "arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/x",
        "arn:aws:iam::111122223333:role/é",
    ],
)
def test_what_is_no_arn_of_a_role_is_refused(arn: str) -> None:
    assert refusal(role_arn=arn).startswith("role_arn")


@pytest.mark.parametrize("account", ["1", "1111222233334", "11112222333a", "١١١١٢٢٢٢٣٣٣٣"])
def test_what_is_no_account_id_is_refused(account: str) -> None:
    assert "account_id" in refusal(role_arn=None, account_id=account, role_name="r")


@pytest.mark.parametrize("seconds", [900, 3600])
def test_a_session_lasts_a_quarter_of_an_hour_to_an_hour(seconds: int) -> None:
    assert connection(duration_in_seconds=seconds).duration_in_seconds == seconds


@pytest.mark.parametrize("seconds", [0, 899, 3601, 43_200, "long"])
def test_any_other_duration_is_refused(seconds: Any) -> None:
    assert "duration_in_seconds" in refusal(duration_in_seconds=seconds)


@pytest.mark.parametrize("name", ["ab", "a" * 64, "a=b,c.d@e-f+g_h"])
def test_a_session_may_have_any_name_that_sts_takes(name: str) -> None:
    assert connection(session_name=name).session_name == name


@pytest.mark.parametrize("name", ["a", "a" * 65, "a b", "a/b", "", "ab\n", "a:b", "セッション", "é" * 3])
def test_any_other_session_name_is_refused(name: str) -> None:
    assert refusal(session_name=name).startswith("session_name")


@pytest.mark.parametrize("name", ["-acme", "a b", "", "a/b", "x" * 101])
def test_a_connection_has_a_plain_name(name: str) -> None:
    assert refusal(name=name).startswith("name")


@pytest.mark.parametrize("region", ["us-east-1", "ap-northeast-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1"])
def test_a_region_is_a_regions_name(region: str) -> None:
    assert connection(region=region).region == region


@pytest.mark.parametrize("region", ["Tokyo", "us-east", "us east 1", "us-east-1a", ""])
def test_any_other_region_is_refused(region: str) -> None:
    assert refusal(region=region).startswith("region")


@pytest.mark.parametrize(
    ("key", "hint"), [("role_anr", "did you mean role_arn?"), ("external_id", "known here: account_id")]
)
def test_an_unknown_key_is_refused(key: str, hint: str) -> None:
    said = refusal(**{key: "x"})
    assert f"{key} is not a known key" in said
    assert hint in said


@pytest.mark.parametrize(
    ("limits", "bucket", "prefix", "refused"),
    [
        ({}, "any", "", False),
        ({"buckets": ["acme"]}, "acme", "", False),
        ({"buckets": ["acme"]}, "acme2", "", True),
        ({"prefixes": ["in/"]}, "acme", "in/", False),
        ({"prefixes": ["in/"]}, "acme", "in/deep/", False),
        ({"prefixes": ["in/"]}, "acme", "in", True),
        ({"prefixes": ["in/"]}, "acme", "", True),
        ({"prefixes": ["in/", "out/"]}, "acme", "out/x", False),
        ({"buckets": ["acme"], "prefixes": ["in/"]}, "acme", "out/", True),
    ],
)
def test_a_pipeline_stays_within_what_the_connection_declares(
    limits: dict[str, Any], bucket: str, prefix: str, refused: bool
) -> None:
    said = connection(**limits).refusal(bucket, prefix)
    assert (said is not None) is refused
    if said:
        assert "acme" in said

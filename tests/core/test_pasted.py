"""What AWS's tools print of keys is understood in all its forms, and never repeated (F9, P9)."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.keys import Keys
from chalicelib.core.pasted import LONGEST, moment, pasted
from chalicelib.errors import ConfigError

ID, SECRET, TOKEN = "ASIAEXAMPLEEXAMPLE12", "s3cr3t/+planted=" * 2 + "12345678", "t0ken/planted+" * 20 + "=="
ENDS = datetime(2026, 11, 22, 18, tzinfo=UTC)
WHOLE = Keys(ID, SECRET, TOKEN, ENDS)
FIELDS = {"AccessKeyId": ID, "SecretAccessKey": SECRET, "SessionToken": TOKEN, "Expiration": "2026-11-22T18:00:00Z"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"Credentials": FIELDS}),
        json.dumps({"Credentials": FIELDS, "AssumedRoleUser": {"Arn": "arn:aws:sts::1:assumed-role/r/s"}}, indent=4),
        json.dumps({"Version": 1, **FIELDS}),
        "\ufeff" + json.dumps({"Credentials": {**FIELDS, "Expiration": "2026-11-22T19:00:00+01:00"}}),
        f"export AWS_ACCESS_KEY_ID={ID}\nexport AWS_SECRET_ACCESS_KEY={SECRET}\nexport AWS_SESSION_TOKEN={TOKEN}\n"
        "export AWS_CREDENTIAL_EXPIRATION=2026-11-22T18:00:00+00:00\n",
        f"set AWS_ACCESS_KEY_ID={ID}\r\nset AWS_SECRET_ACCESS_KEY={SECRET}\r\nset AWS_SESSION_TOKEN={TOKEN}\r\n"
        "set AWS_CREDENTIAL_EXPIRATION=2026-11-22T18:00:00+00:00\r\n",
        f'$Env:AWS_ACCESS_KEY_ID="{ID}"\n$Env:AWS_SECRET_ACCESS_KEY="{SECRET}"\n$Env:AWS_SESSION_TOKEN="{TOKEN}"\n'
        '$Env:AWS_CREDENTIAL_EXPIRATION="2026-11-22T18:00:00Z"\n',
        f"[acme]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n"
        "# a remark\nregion = eu-west-1\nexpiration = 2026-11-22 18:00:00\n",
        f"access_key_id: {ID}\nsecret_access_key: {SECRET}\nsession_token: {TOKEN}\nexpires_at: 2026-11-22T18:00Z",
    ],
    ids=["sts", "assume-role", "process", "bom", "shell", "cmd", "powershell", "ini", "yaml"],
)
def test_the_forms_of_awss_tools_are_understood(text: str) -> None:
    assert pasted(text, where="x") == WHOLE


def test_a_new_users_access_key_has_no_end() -> None:
    made = {"AccessKey": {"UserName": "u", "Status": "Active", "AccessKeyId": ID, "SecretAccessKey": SECRET}}
    assert pasted(json.dumps(made), where="x") == Keys(ID, SECRET)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no keys"),
        ("{}", "no keys"),
        ("nothing to see", "no keys"),
        (f'{{"AccessKeyId": "{SECRET}"', "begins like JSON"),
        ("{" * 100_000, "longer than"),
        ('{"a":' * 10_000, "begins like JSON"),
        (f"aws_access_key_id={ID}\naws_access_key_id={ID[::-1]}", "more than one access_key_id"),
        (f"aws_secret_access_key={SECRET} {SECRET}", "secret_access_key holds"),
        (f"aws_secret_access_key={SECRET}\x1b[2J", "secret_access_key holds"),
        (f"aws_secret_access_key={SECRET}é", "secret_access_key holds"),
        (f"aws_access_key_id={ID}\nexpiration={SECRET}", "no time like"),
        (json.dumps({"Credentials": {**FIELDS, "Expiration": "99999999999-01-01"}}), "no time like"),
        ("x" * (LONGEST + 1), "longer than"),
    ],
)
def test_what_holds_no_keys_is_refused_and_not_repeated(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        pasted(text, where="standard input")
    assert "planted" not in str(caught.value)
    assert ID not in str(caught.value)
    assert caught.value.__cause__ is None


@settings(max_examples=100)
@given(st.text(max_size=200))
def test_any_text_is_keys_or_a_clear_refusal(text: str) -> None:
    try:
        found = pasted(text, where="x")
    except ConfigError as error:
        assert error.remedy
    else:
        assert found != Keys()


def test_a_time_without_a_zone_is_utc() -> None:
    assert moment("2026-11-22T18:00:00", "x") == ENDS
    assert moment(" ", "x") is None

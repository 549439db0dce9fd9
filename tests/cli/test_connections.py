"""`connection …`, for people and for programs."""

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Run

ARN = "arn:aws:iam::222222222222:role/reader"


def test_a_connection_is_made_with_an_external_id(tidegate: Run) -> None:
    made = tidegate("connection", "create", "acme", "--role-arn", ARN, "--json")
    assert (made.code, made.err) == (0, "")
    shown = json.loads(made.out)
    assert (shown["name"], shown["role_arn"], len(shown["external_id"])) == ("acme", ARN, 64)
    assert json.loads(tidegate("connection", "show", "acme", "--json").out) == shown


def test_people_are_told_what_comes_next(tidegate: Run) -> None:
    made = tidegate("connection", "create", "acme", "--role-arn", ARN)
    assert "tidegate policy acme" in made.out
    assert f"role_arn: {ARN}" in made.out


def test_a_role_may_be_named_by_account_and_name(tidegate: Run) -> None:
    tidegate(
        "connection", "create", "cn", "--account-id", "222222222222", "--role-name", "a/b", "--arn-partition", "aws-cn"
    )
    shown = json.loads(tidegate("connection", "show", "cn", "--json").out)
    assert shown["role_arn"] == "arn:aws-cn:iam::222222222222:role/a/b"


def test_a_connection_may_come_from_a_file_whose_values_options_replace(tidegate: Run, tmp_path: Path) -> None:
    file = tmp_path / "acme.yml"
    file.write_text(yaml.safe_dump({"role_arn": ARN, "region": "eu-west-1", "buckets": ["a-bucket"]}))
    made = tidegate(
        "connection", "create", "acme", "-f", str(file), "--region", "us-west-2", "--prefix", "in/", "--json"
    )
    shown = json.loads(made.out)
    assert (shown["region"], shown["buckets"], shown["prefixes"]) == ("us-west-2", ["a-bucket"], ["in/"])


def test_connections_are_listed(acme: Run) -> None:
    acme("connection", "create", "beta", "--role-arn", ARN)
    lines = acme("connection", "list", "--json").out.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["acme", "beta"]
    table = acme("connection", "list").out
    assert all(word in table for word in ("acme", "beta", "assume_role"))


def test_an_empty_list_says_what_to_do(tidegate: Run) -> None:
    assert "connection create" in tidegate("connection", "list").out
    assert tidegate("connection", "list", "--json").out == ""


def test_a_connection_is_deleted_once(acme: Run) -> None:
    assert acme("connection", "delete", "acme").code == 0
    again = acme("connection", "delete", "acme")
    assert (again.code, again.out) == (2, "")
    assert "there is no connection of this name" in again.err


def test_a_connection_in_use_is_kept(flights: Run) -> None:
    refused = flights("connection", "delete", "acme")
    assert refused.code == 2
    assert "used by flights" in refused.err
    assert flights("connection", "show", "acme").code == 0


def test_a_name_is_taken_once(acme: Run) -> None:
    again = acme("connection", "create", "acme", "--role-arn", ARN)
    assert again.code == 2
    assert "taken" in again.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "role_arn is required"),
        (["--role-arn", "nonsense"], "role_arn"),
        (["--role-arn", ARN, "--account-id", "222222222222", "--role-name", "r"], "not both"),
        (["--role-arn", ARN, "--duration-in-seconds", "100"], "900"),
        (["--role-arn", ARN, "--session-name", "a b"], "session_name"),
        (["--role-arn", ARN, "--duration-in-seconds", "long"], "not a valid integer"),
        (["-f", "/does/not/exist.yml"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_stored(tidegate: Run, arguments: list[str], words: str) -> None:
    refused = tidegate("connection", "create", "acme", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert words in refused.err
    assert tidegate("connection", "list", "--json").out == ""

"""Exit codes and errors: what, where, what to do, and never a traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.cli.main import tidegate as group
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]


def outside(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with an environment that names no AWS."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_"))}
    alone = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    command = [sys.executable, "-m", "chalicelib.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=clean | alone | environ, check=False)


def test_errors_leave_a_process_as_one_sentence_and_a_code(tmp_path: Path) -> None:
    refused = outside("apply", str(tmp_path / "none.yml"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert (
        refused.stderr
        == f"Error: {tmp_path}/none.yml: it cannot be read (No such file or directory). Give a YAML document\n"
    )


def test_no_credentials_are_a_sentence() -> None:
    refused = outside("list", AWS_DEFAULT_REGION="us-east-1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "There are no AWS credentials" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_no_region_is_a_sentence() -> None:
    refused = outside("connection", "list", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "No AWS region is chosen" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_the_region_may_be_where_the_error_says() -> None:
    refused = outside("connection", "list", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    (named,) = re.findall(r"Set (\w+),", refused.stderr)
    assert "There are no AWS credentials" in outside("connection", "list", **{named: "us-east-1"}).stderr


def test_an_unknown_profile_is_a_sentence() -> None:
    refused = outside("list", AWS_PROFILE="nobody", AWS_DEFAULT_REGION="us-east-1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1


def test_settings_that_cannot_be_are_a_sentence() -> None:
    refused = outside("list", TIDEGATE_CATALOG="excel", AWS_DEFAULT_REGION="us-east-1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "TIDEGATE_CATALOG" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "flights"],
        ["connection", "list"],
        ["connection", "show", "acme"],
        ["policy", "acme"],
        ["history", "flights"],
        ["job", "j1"],
        ["objects", "flights"],
        ["delete", "flights"],
        ["connection", "delete", "acme"],
        ["connection", "create", "acme", "--role-arn", "arn:aws:iam::222222222222:role/r"],
    ],
    ids=" ".join,
)
def test_tables_that_were_never_deployed_are_a_sentence(aws: None, run: Run, arguments: list[str]) -> None:
    refused = run(*arguments)
    assert (refused.code, refused.out) == (2, "")
    assert "does not exist" in refused.err
    assert "deployed" in refused.err
    assert refused.err.count("\n") == 1


def test_what_may_pass_is_another_code_than_what_must_be_changed() -> None:
    """Nothing listens there; 1 tells a script to try again, 2 to give up."""
    refused = outside(
        "list",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_MAX_ATTEMPTS="1",
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "could not be reached" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["connection"], ["show"], ["objects", "p", "--state", "lost"], ["history", "p", "--limit", "0"]],
    ids=" ".join,
)
def test_bad_usage_is_code_two(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


def test_help_and_version_need_no_aws(run: Run) -> None:
    assert "Data flows one way" in run("--help").out
    assert run("--version").out.startswith("tidegate")


def test_every_command_says_what_it_does() -> None:
    def commands(parent: object, path: str) -> list[tuple[str, object]]:
        inner = getattr(parent, "commands", None)
        if inner is None:
            return [(path, parent)]
        return [found for name, command in inner.items() for found in commands(command, f"{path} {name}")]

    named = commands(group, "tidegate")
    assert len(named) > 12
    assert [path for path, command in named if not getattr(command, "help", None)] == []

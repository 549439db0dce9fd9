"""`policy`, for people and for programs."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run

ARN = "arn:aws:iam::222222222222:role/reader"
OURS = "123456789012"
KEY = "arn:aws:kms:us-east-1:333333333333:key/0b1c"


@pytest.fixture
def connected(tidegate: Run, tmp_path: Path) -> Callable[..., Run]:
    """The command, with a connection `acme` of the given document."""

    def made(**document: Any) -> Run:
        file = tmp_path / "acme.yml"
        file.write_text(yaml.safe_dump({"buckets": ["acme-exports"], "prefixes": ["in/"]} | document))
        created = tidegate("connection", "create", "acme", "-f", str(file))
        assert created.code == 0, created
        return tidegate

    return made


def test_the_policies_let_this_connection_in_and_no_further(flights: Run) -> None:
    external_id = json.loads(flights("connection", "show", "acme", "--json").out)["external_id"]
    kinds = json.loads(flights("policy", "acme", "--json").out)
    (statement,) = kinds["trust"]["Statement"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{OURS}:root"}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": external_id}}
    assert kinds["role"]["Statement"][1]["Resource"] == ["arn:aws:s3:::acme-exports/in/*"]
    assert kinds["queue"]["Statement"][0]["Resource"] == f"arn:aws:sqs:us-east-1:{OURS}:tidegate-arrivals"
    assert list(kinds) == ["trust", "role", "bucket", "queue", "notification"]


def test_one_policy_is_printed_ready_to_paste(flights: Run) -> None:
    for kind in ("trust", "role", "queue", "notification"):
        printed = flights("policy", "acme", kind).out
        assert json.loads(printed) == json.loads(flights("policy", "acme", "--json").out)[kind]
        assert json.loads(flights("policy", "acme", kind, "--json").out) == json.loads(printed)
        assert printed.count("\n") > 5


def test_all_of_them_are_told_apart(flights: Run) -> None:
    whole = flights("policy", "acme").out
    assert whole.startswith(f"# The role's trust policy: {ARN} (for the customer, in account 222222222222)\n")
    assert f"# The queue's policy: arn:aws:sqs:us-east-1:{OURS}:tidegate-arrivals (for the operator, in" in whole


def test_one_side_may_be_chosen(flights: Run) -> None:
    assert list(json.loads(flights("policy", "acme", "--for", "operator", "--json").out)) == ["queue"]
    assert "queue" not in json.loads(flights("policy", "acme", "--for", "customer", "--json").out)


def test_what_the_connection_declares_is_what_its_role_may_read(connected: Callable[..., Run]) -> None:
    tidegate = connected(role_arn=ARN, buckets=["one-bucket", "two-bucket"])
    listing, reading = json.loads(tidegate("policy", "acme", "role", "--json").out)["Statement"]
    assert listing["Resource"] == ["arn:aws:s3:::one-bucket", "arn:aws:s3:::two-bucket"]
    assert reading["Resource"] == ["arn:aws:s3:::one-bucket/in/*", "arn:aws:s3:::two-bucket/in/*"]


def test_a_pipeline_for_a_whole_bucket_widens_the_role(acme: Run, document: Callable[..., str]) -> None:
    acme("apply", document(**{"in": {"bucket": "acme-exports", "parser": {"type": "csv"}}}))
    _, reading = json.loads(acme("policy", "acme", "role", "--json").out)["Statement"]
    assert reading["Resource"] == ["arn:aws:s3:::acme-exports/*"]


def test_a_pipeline_that_reads_tags_widens_the_role(acme: Run, document: Callable[..., str]) -> None:
    acme("apply", document(**{"in": {"bucket": "acme-exports", "parser": {"type": "objects", "tags": True}}}))
    assert "s3:GetObjectTagging" in acme("policy", "acme", "role").out


def test_a_pipeline_that_withdraws_rows_hears_of_deletions(acme: Run, document: Callable[..., str]) -> None:
    acme("apply", document())
    assert "ObjectRemoved" not in acme("policy", "acme", "notification").out
    out = {"type": "iceberg", "database": "travel", "table": "flights", "on_delete": "delete_rows"}
    assert acme("apply", document(out=out)).code == 0
    assert "ObjectRemoved" in acme("policy", "acme", "notification").out


def test_pipelines_of_other_connections_do_not_count(flights: Run) -> None:
    flights("connection", "create", "beta", "--role-arn", ARN, "--bucket", "beta-bucket")
    assert "acme-exports" not in flights("policy", "beta").out


def test_templates_and_commands_are_for_the_customer_unless_told(flights: Run) -> None:
    template = flights("policy", "acme", "--format", "cloudformation")
    assert template.code == 0, template
    assert list(yaml.safe_load(template.out)["Resources"]) == ["Role"]
    assert 'resource "aws_iam_role" "tidegate_acme"' in flights("policy", "acme", "--format", "terraform").out
    script = flights("policy", "acme", "--format", "cli").out
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    assert "aws iam create-role" in script
    assert "aws sqs" not in script
    ours = flights("policy", "acme", "--format", "cli", "--for", "operator").out
    assert "aws sqs set-queue-attributes" in ours
    assert "aws iam" not in ours


@pytest.mark.parametrize("form", ["cloudformation", "terraform", "cli"])
def test_what_works_without_is_printed_by_its_kind_only(flights: Run, form: str) -> None:
    assert "acme-exports/in/*" in flights("policy", "acme", "bucket", "--format", form).out
    assert "TidegateReadObjectsAcme" not in flights("policy", "acme", "--format", form).out


def test_one_account_at_a_time(connected: Callable[..., Run]) -> None:
    tidegate = connected(role_arn=ARN, kms_keys=[KEY])
    refused = tidegate("policy", "acme", "--format", "terraform")
    assert (refused.code, refused.out) == (2, "")
    assert "222222222222 (for the customer), 333333333333 (for the customer)" in refused.err
    assert "--account" in refused.err
    assert "aws_kms_key_policy" in tidegate("policy", "acme", "--format", "terraform", "--account", "333333333333").out
    assert "aws_kms_key_policy" in tidegate("policy", "acme", "kms", "--format", "terraform").out


@pytest.mark.parametrize(
    ("document", "kind", "why"),
    [
        ({"role_arn": ARN}, "kms", "names no key"),
        ({"role_arn": ARN, "notify_by": "none"}, "queue", "notify_by: none"),
        ({"auth_method": "default"}, "trust", "assumes no role"),
        ({"auth_method": "anonymous", "notify_by": "none"}, "role", "public"),
        ({"auth_method": "anonymous", "notify_by": "none"}, "all", "nothing has to be pasted"),
    ],
)
def test_a_kind_that_does_not_apply_says_why(
    connected: Callable[..., Run], document: dict[str, Any], kind: str, why: str
) -> None:
    refused = connected(**document)("policy", "acme", kind)
    assert (refused.code, refused.out) == (2, "")
    assert why in refused.err


def test_a_side_that_has_nothing_to_do_says_who_has(flights: Run) -> None:
    refused = flights("policy", "acme", "trust", "--for", "operator")
    assert (refused.code, refused.out) == (2, "")
    assert "the customer's in account 222222222222" in refused.err


def test_a_policy_needs_its_connection(tidegate: Run) -> None:
    refused = tidegate("policy", "acme")
    assert refused.code == 2
    assert "There are none yet" in refused.err


def test_our_own_region_must_be_known(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    refused = run("policy", "acme")
    assert (refused.code, "AWS_REGION" in refused.err) == (2, True)

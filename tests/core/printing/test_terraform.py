"""Configurations: read back by another parser, laid out as `terraform fmt` does, and evaluated where there is one."""

import base64
import json
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.policies.sheets import Place, Read
from chalicelib.core.printing import Bundle, terraform
from chalicelib.core.printing.hcl import expression
from chalicelib.errors import ConfigError
from tests.core.printing.customers import DOCUMENTS, KEY, customers, facts, printed

read = lru_cache(maxsize=8)(hcl2.loads)  # one reading for all questions about a configuration
ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([nrt"\\]))')
HOSTILE = [
    '${file("/etc/passwd")}',
    "$${x}",
    "%{ if true }x%{ endif }",
    'a"b\\c',
    "line\nbreak\r\t",
    "EOT\n",
    "# no comment */ //",
    "é日本😀\x00\x7f\u2028",
    "$",
    "%",
    "${",
]


def text(literal: str) -> str:
    """What a quoted literal stands for; one with a template in it fails."""
    assert literal[0] == literal[-1] == '"', literal
    assert not re.search(r"[$%]\{", literal), literal
    return ESCAPE.sub(
        lambda f: chr(int(f[1] or f[2], 16)) if f[1] or f[2] else {"n": "\n", "r": "\r", "t": "\t"}.get(f[3], f[3]),
        literal[1:-1],
    )


def plain(value: Any) -> Any:
    """What another parser read, as the value that was meant."""
    if isinstance(value, dict):
        return {text(k) if k[0] == '"' else k: plain(v) for k, v in value.items() if not k.startswith("__")}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str) and value.startswith("${jsonencode("):
        return plain(hcl2.loads(f"x = {value.removeprefix('${jsonencode(').removesuffix(')}')}")["x"])
    return text(value) if isinstance(value, str) and value.startswith('"') else value


def blocks(configuration: str, kind: str) -> list[dict[str, Any]]:
    """The bodies of all resources (or data) of a kind."""
    found: list[dict[str, Any]] = []
    parsed = read(configuration)
    for block in (*parsed.get("resource", ()), *parsed.get("data", ())):
        for label, inner in block.items():
            if label == f'"{kind}"':
                found += [plain(body) for body in inner.values()]
    return found


def everything() -> list[Any]:
    return [
        pytest.param(bundle, id=f"{name}, {bundle.seat} {bundle.account}")
        for name in DOCUMENTS
        for bundle in printed(facts(name))
    ]


@pytest.mark.parametrize("bundle", everything())
def test_the_documents_are_in_it_word_for_word(bundle: Bundle) -> None:
    written = terraform(bundle)
    for kind, attribute, place in (
        ("aws_iam_role", "assume_role_policy", Place.ROLE_TRUST),
        ("aws_iam_role_policy", "policy", Place.ROLE_POLICY),
        ("aws_iam_user_policy", "policy", Place.USER_POLICY),
        ("aws_sns_topic_policy", "policy", Place.TOPIC_POLICY),
    ):
        found = [body[attribute] for body in blocks(written, kind)]
        assert found == [sheet.document for sheet in bundle.at(place)]
    added = [body["override_policy_documents"] for body in blocks(written, "aws_iam_policy_document")]
    shared = bundle.at(Place.BUCKET_POLICY, Place.KEY_POLICY, Place.QUEUE_POLICY)
    assert [inner for (inner,) in added] == [sheet.document for sheet in shared]
    for sheet, rule in zip(bundle.at(Place.RULE), blocks(written, "aws_cloudwatch_event_rule"), strict=True):
        assert (rule["name"], rule["event_pattern"]) == (sheet.document["Name"], sheet.document["EventPattern"])
    assert written.startswith("# For ")
    assert re.search(r"[^\n]\n\Z", written)


@pytest.mark.parametrize("name", ["SNS", "EventBridge", "cross-account role"])
def test_the_bucket_s_notifications_are_those_of_the_sheet(name: str) -> None:
    bundle = customers(facts(name))
    (sheet,) = bundle.at(Place.BUCKET_NOTIFICATION)
    (body,) = blocks(terraform(bundle), "aws_s3_bucket_notification")
    assert body["bucket"] == sheet.target
    assert body.get("eventbridge", False) == ("EventBridgeConfiguration" in sheet.document)
    for kind in ("queue", "topic"):
        meant = sheet.document.get(f"{kind.title()}Configurations", [])
        assert [block["id"] for block in body.get(kind, [])] == [each["Id"] for each in meant]
        assert [block[f"{kind}_arn"] for block in body.get(kind, [])] == [each[f"{kind.title()}Arn"] for each in meant]
        assert [block["events"] for block in body.get(kind, [])] == [each["Events"] for each in meant]
        rules = [each["Filter"]["Key"]["FilterRules"] for each in meant]
        assert [block["filter_prefix"] for block in body.get(kind, [])] == [
            value for ((_, value),) in map(_pairs, rules)
        ]


def _pairs(rules: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(rule["Name"], rule["Value"]) for rule in rules]


def test_the_statements_of_others_stay() -> None:
    """Ours lie over what is there, Sid by Sid; and `destroy` does not take theirs along."""
    bundle = next(b for b in printed(facts("bucket policy only")) if b.at(Place.BUCKET_POLICY))
    written = terraform(bundle)
    (merged,) = blocks(written, "aws_iam_policy_document")
    (policy,) = blocks(written, "aws_s3_bucket_policy")
    asked = next(iter(plain(hcl2.loads(written)["variable"][0])))
    assert f"var.{asked}" in merged["source_policy_documents"]
    assert policy["policy"] == f"${{data.aws_iam_policy_document.{asked}.json}}"
    assert policy["lifecycle"] == [{"prevent_destroy": True}]


def test_a_key_s_policy_is_added_to_as_well() -> None:
    bundle = next(b for b in printed(facts("KMS")) if b.at(Place.KEY_POLICY))
    assert [body["key_id"] for body in blocks(terraform(bundle), "aws_kms_key_policy")] == [KEY]


def test_a_role_gives_sessions_as_long_as_they_are_asked_for() -> None:
    def longest(name: str) -> list[object]:
        roles = blocks(terraform(customers(facts(name))), "aws_iam_role")
        return [role.get("max_session_duration") for role in roles]

    assert longest("user, then role, for long") == [7200]
    assert longest("user, then role") == [None]


def test_a_subscription_is_that_of_the_sheet() -> None:
    bundle = next(b for b in printed(facts("SNS")) if b.at(Place.SUBSCRIPTION))
    (sheet,) = bundle.at(Place.SUBSCRIPTION)
    (body,) = blocks(terraform(bundle), "aws_sns_topic_subscription")
    meant = sheet.document
    assert (body["topic_arn"], body["protocol"], body["endpoint"]) == (meant["TopicArn"], "sqs", meant["Endpoint"])
    assert body["raw_message_delivery"] is True


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_names_are_data(value: str) -> None:
    assert plain(hcl2.loads(f"x = {expression({'key': [value], value: 1})}")["x"]) == {"key": [value], value: 1}


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.text('a${%}"\\\n', max_size=12))
def test_any_name_is_data_or_refused(prefix: str, odd: str) -> None:
    bundle = customers(facts("cross-account role", Read("acme-exports", prefix + odd)))
    try:
        written = terraform(bundle)
    except ConfigError:
        return
    found = [body["policy"] for body in blocks(written, "aws_iam_role_policy")]
    assert found == [sheet.document for sheet in bundle.at(Place.ROLE_POLICY)]


def test_what_terraform_would_compose_is_refused() -> None:
    hostile = customers(facts("cross-account role", Read("acme-exports", "cafe\u0301/")))
    with pytest.raises(ConfigError, match="decomposed"):
        terraform(hostile)


def test_the_names_of_connections_make_labels() -> None:
    assert 'resource "aws_iam_role" "tidegate_a_b_c"' in terraform(
        Bundle("a.b-c", printed(facts())[0].seat, None, printed(facts())[0].sheets)
    )


TERRAFORM = shutil.which("terraform")


@pytest.mark.skipif(TERRAFORM is None, reason="there is no terraform here; the tests above stand without it")
def test_terraform_itself_reads_the_same(tmp_path: Path) -> None:
    written = "".join(terraform(bundle) for name in ("SNS", "KMS", "EventBridge") for bundle in printed(facts(name)))
    values = {f"k{number}": value for number, value in enumerate(HOSTILE)}
    (tmp_path / "main.tf").write_text(f"locals {{\n  x = jsonencode({expression(values, 1)})\n}}\n")
    environment = {"PATH": "/usr/bin:/bin", "TF_CLI_CONFIG_FILE": "/dev/null", "CHECKPOINT_DISABLE": "1"}

    def run(*arguments: str, given: str) -> str:
        found = subprocess.run(
            [str(TERRAFORM), *arguments],
            input=given,
            text=True,
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    assert run("fmt", "-", given=written) == written
    told = run("console", given="base64encode(local.x)\n")
    assert json.loads(base64.b64decode(told.strip().strip('"'))) == values

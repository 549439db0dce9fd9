"""Templates: read back, judged by cfn-lint. That they work is shown in tests/local/test_printed.py."""

from typing import Any

import cfnlint.api
import pytest
import yaml
from cfnlint.config import ManualArgs
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.policies.sheets import Place, Read
from chalicelib.core.printing import Bundle, cloudformation
from chalicelib.errors import ConfigError
from tests.core.printing.customers import DOCUMENTS, customers, facts, printed


def resources(bundle: Bundle) -> list[dict[str, Any]]:
    return list(yaml.safe_load(cloudformation(bundle))["Resources"].values())


def documents(of: str, found: list[dict[str, Any]]) -> list[Any]:
    """The policies in resources of a kind."""
    bodies = [each["Properties"] for each in found if each["Type"] == f"AWS::{of}"]
    inline = [inner["PolicyDocument"] for body in bodies for inner in body.get("Policies", ())]
    return inline + [body["PolicyDocument"] for body in bodies if "PolicyDocument" in body]


def lint(template: str) -> list[str]:
    return [str(found) for found in cfnlint.api.lint(template, ManualArgs(regions=["us-east-1"]))]


def possible() -> list[Any]:
    """Every bundle that CloudFormation can be of use for."""
    outside = {Place.KEY_POLICY, Place.QUEUE_POLICY, Place.BUCKET_NOTIFICATION}
    return [
        pytest.param(bundle, id=f"{name}, {bundle.seat} {bundle.account}")
        for name in DOCUMENTS
        for bundle in printed(facts(name))
        if {sheet.place for sheet in bundle.sheets} - outside
    ]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SNS", 0),
        ("SNS", 1),
        ("EventBridge", 0),
        ("bucket policy only", 1),
        ("pasted keys", 0),
    ],
)
def test_cfn_lint_has_nothing_to_say(name: str, number: int) -> None:
    """These have every kind of resource."""
    assert lint(cloudformation(printed(facts(name))[number])) == []


def test_cfn_lint_would_say_something() -> None:
    text = cloudformation(customers(facts()))
    assert lint(text.replace("Path:", "Pfad:"))


@pytest.mark.parametrize("bundle", possible())
def test_the_documents_are_in_it_word_for_word(bundle: Bundle) -> None:
    found = resources(bundle)
    trusts = [each["Properties"]["AssumeRolePolicyDocument"] for each in found if each["Type"] == "AWS::IAM::Role"]
    assert trusts == [sheet.document for sheet in bundle.at(Place.ROLE_TRUST)]
    roles = [*documents("IAM::Role", found), *documents("IAM::Policy", found)]
    assert roles == [sheet.document for sheet in bundle.at(Place.ROLE_POLICY, Place.USER_POLICY)]
    assert documents("S3::BucketPolicy", found) == [sheet.document for sheet in bundle.at(Place.BUCKET_POLICY)]
    assert documents("SNS::TopicPolicy", found) == [sheet.document for sheet in bundle.at(Place.TOPIC_POLICY)]
    rules = [each["Properties"] for each in found if each["Type"] == "AWS::Events::Rule"]
    assert rules == [sheet.document for sheet in bundle.at(Place.RULE)]


@pytest.mark.parametrize("bundle", possible())
def test_what_it_cannot_do_is_said(bundle: Bundle) -> None:
    text = cloudformation(bundle)
    for sheet in bundle.at(Place.KEY_POLICY, Place.QUEUE_POLICY, Place.BUCKET_NOTIFICATION):
        assert f"# Not in here, since CloudFormation could only replace it: {sheet.place}, {sheet.target}.\n" in text
        assert f"`tidegate policy acme {sheet.kind} --for {bundle.seat} --format cli`" in text


def test_it_begins_with_comments_and_ends_in_one_newline() -> None:
    text = cloudformation(customers(facts()))
    assert text.startswith("# For the customer's admin, in account 222222222222: ")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert text.isascii()


def test_where_it_can_do_nothing_it_refuses() -> None:
    operator = next(bundle for bundle in printed(facts()) if bundle.at(Place.QUEUE_POLICY))
    with pytest.raises(ConfigError, match=r"cannot add to the queue's policy.*--format cli"):
        cloudformation(operator)


def test_a_role_has_its_path() -> None:
    role = resources(customers(facts("role with a path")))[0]["Properties"]
    assert (role["RoleName"], role["Path"]) == ("reader", "/partners/eu/")


def test_whose_keys_were_pasted_is_asked() -> None:
    (bundle,) = (b for b in printed(facts("pasted keys")) if b.at(Place.USER_POLICY))
    template = yaml.safe_load(cloudformation(bundle))
    assert list(template["Parameters"]) == ["ReaderName"]
    assert next(iter(template["Resources"].values()))["Properties"]["Users"] == [{"Ref": "ReaderName"}]


def test_who_is_named_is_made_first() -> None:
    template = yaml.safe_load(cloudformation(customers(facts("EventBridge"))))
    (rule,) = (each for each in template["Resources"].values() if each["Type"] == "AWS::Events::Rule")
    waits = [template["Resources"][name]["Properties"]["RoleName"] for name in rule["DependsOn"]]
    assert "tidegate-acme-events" in waits


def test_a_secret_is_never_put_in_the_place_of_a_name() -> None:
    hostile = customers(facts("cross-account role", Read("acme-exports", "{{resolve:secretsmanager:prod/db}}")))
    with pytest.raises(ConfigError, match="resolve"):
        cloudformation(hostile)


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(lambda text: "{{resolve:" not in text))
def test_names_are_data(prefix: str) -> None:
    bundle = customers(facts("cross-account role", Read("acme-exports", prefix)))
    assert documents("IAM::Role", resources(bundle)) == [s.document for s in bundle.at(Place.ROLE_POLICY)]


@pytest.mark.parametrize("word", ["yes", "No", "on", "1e3", "0o17", "1_000", "null", "2026-11-22"])
def test_a_name_stays_a_text_whatever_reads_it(word: str) -> None:
    assert f"'{word}'" in cloudformation(customers(facts("cross-account role", source_identity=word)))


def test_a_role_gives_sessions_as_long_as_they_are_asked_for() -> None:
    def longest(name: str) -> list[object]:
        found = resources(customers(facts(name)))
        return [each["Properties"].get("MaxSessionDuration") for each in found if each["Type"] == "AWS::IAM::Role"]

    assert longest("user, then role, for long") == [7200]
    assert longest("user, then role") == [None]

"""Mistakes in `.chalice/` that cfn-lint lets pass."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from chalicelib.settings import Settings
from scripts.package import RUNTIME

FOLDER = Path(__file__).resolve().parents[2] / ".chalice"
CONFIG: dict[str, Any] = json.loads((FOLDER / "config.json").read_text())
TEMPLATE: dict[str, Any] = json.loads((FOLDER / "resources.json").read_text())
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FUNCTIONS: dict[str, Any] = CONFIG["lambda_functions"]


def of_type(name: str) -> dict[str, Any]:
    return {key: one["Properties"] for key, one in RESOURCES.items() if one["Type"] == name}


def sources() -> dict[str, Any]:
    """Event source properties by function name."""
    return {
        function.lower(): event["Properties"]
        for function, properties in of_type("AWS::Serverless::Function").items()
        for event in properties.get("Events", {}).values()
    }


def queue_of(source: dict[str, Any]) -> dict[str, Any]:
    logical = source["Queue"]["Fn::Sub"].removeprefix("${").removesuffix(".Arn}")
    properties: dict[str, Any] = RESOURCES[logical]["Properties"]
    return properties


@pytest.mark.parametrize("function", sources())
def test_a_queue_hides_a_message_for_six_timeouts_of_its_function(function: str) -> None:
    assert queue_of(sources()[function])["VisibilityTimeout"] >= 6 * FUNCTIONS[function]["lambda_timeout"]


@pytest.mark.parametrize("function", sources())
def test_a_message_that_fails_fails_alone(function: str) -> None:
    assert sources()[function]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("function", sources())
def test_a_message_that_fails_for_ever_is_set_aside(function: str) -> None:
    assert queue_of(sources()[function])["RedrivePolicy"]["maxReceiveCount"] >= 5  # AWS's advice with Lambda


def test_each_function_has_a_policy_of_its_own() -> None:
    files = [function["iam_policy_file"] for function in FUNCTIONS.values()]
    assert files == [f"policy-{name}.json" for name in FUNCTIONS]
    assert sorted(files) == sorted(path.name for path in FOLDER.glob("policy-*.json"))
    assert CONFIG["autogen_policy"] is False


def statements(name: str) -> list[dict[str, Any]]:
    document = json.loads((FOLDER / FUNCTIONS[name]["iam_policy_file"]).read_text())
    found: list[dict[str, Any]] = document["Statement"]
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_policy_says_everything(name: str) -> None:
    for statement in statements(name):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action]
        assert statement["Resource"] != "*"
        assert statement["Effect"] == "Allow" or statement["Sid"].startswith("ButNo")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_write_its_own_log_only(name: str) -> None:
    (log,) = [one for one in statements(name) if "logs:PutLogEvents" in one["Action"]]
    own = RESOURCES[name.capitalize()]["Properties"]["FunctionName"]["Fn::Sub"]
    assert own == "${AWS::StackName}-" + name
    assert log["Resource"]["Fn::Sub"].endswith(f":log-group:/aws/lambda/{own}:*")


@pytest.mark.parametrize("name", sources())
def test_a_function_may_take_messages_from_its_own_queue_only(name: str) -> None:
    (take,) = [one for one in statements(name) if "sqs:ReceiveMessage" in one["Action"]]
    assert take["Resource"] == sources()[name]["Queue"]


def test_only_what_reads_or_lists_enters_customers_accounts() -> None:
    assert [name for name in FUNCTIONS if any("sts:AssumeRole" in one["Action"] for one in statements(name))] == [
        "load",
        "sweep",
        "tick",
    ]


def test_what_enters_customers_accounts_may_tag_its_sessions_and_say_who_it_is() -> None:
    for name in ("load", "sweep", "tick"):
        (enter,) = [one for one in statements(name) if "sts:AssumeRole" in one["Action"]]
        assert set(enter["Action"]) == {"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}


KEYS = {
    "secretsmanager:GetSecretValue": ":secret:ours/connections/acme-AbCdEf",
    "ssm:GetParameter": ":parameter/ours/connections/acme",
}


def may(name: str, action: str, arn: str) -> bool:
    """True if the function may do this with the resource whose ARN ends so."""
    mine = [one for one in statements(name) if action in one["Action"]]
    effects = {one["Effect"] for one in mine for end in ends(one) if fnmatchcase(arn, end)}
    return effects == {"Allow"}


def ends(statement: dict[str, Any]) -> list[str]:
    """What follows the account in the statement's resources, for a stack called `ours`."""
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    texts = [each.get("Fn::Sub", "").replace("${AWS::StackName}", "ours") for each in resources]
    return [f"*{text.partition('AccountId}')[2]}" for text in texts if "AccountId}" in text]


@pytest.mark.parametrize("action", KEYS)
def test_only_what_enters_customers_accounts_may_read_connections_keys(action: str) -> None:
    assert [name for name in FUNCTIONS if may(name, action, KEYS[action])] == ["load", "sweep", "tick"]


def test_a_stack_reads_no_keys_of_another_one() -> None:
    action = "secretsmanager:GetSecretValue"
    assert not [name for name in FUNCTIONS if may(name, action, ":secret:tidegate/connections/acme-AbCdEf")]
    (but,) = [one for one in statements("load") if one["Effect"] == "Deny"]
    excepted = but["Condition"]["ArnNotLike"]["aws:PrincipalArn"]["Fn::Sub"]
    assert excepted.endswith(":role/tidegate-load"), "the role of the stack whose keys they are"


def test_what_enters_customers_accounts_reads_no_table() -> None:
    for name in ("load", "sweep", "tick"):
        lake = [one for one in statements(name) if "LakeBucket" in json.dumps(one["Resource"])]
        actions = {action for one in lake for action in one["Action"]}
        assert not {action for action in actions if action.startswith("s3:Get")}, "auth_method default could read it"


def test_secrets_of_filters_and_of_the_catalogue_are_read_by_those_that_need_them() -> None:
    action = "secretsmanager:GetSecretValue"
    assert [name for name in FUNCTIONS if may(name, action, ":secret:tidegate/salt-AbCdEf")] == [
        "load",
        "commit",
        "maintain",
    ]
    assert not [name for name in FUNCTIONS if may(name, action, ":secret:other/salt-AbCdEf")]
    assert not [name for name in FUNCTIONS if may(name, action, ":secret:other/connections/acme-AbCdEf")]
    assert not [name for name in FUNCTIONS if may(name, "ssm:GetParameter", ":parameter/other")]


def test_only_commit_and_maintain_may_delete_and_only_in_our_own_bucket() -> None:
    """The commit deletes metadata that fell out of the table's log, maintenance what is proven to be of no use."""
    may = {name: one for name in FUNCTIONS for one in statements(name) if "s3:DeleteObject" in one["Action"]}
    assert {name: one["Resource"] for name, one in may.items()} == {
        "commit": {"Fn::Sub": "${LakeBucket.Arn}/*"},
        "maintain": {"Fn::Sub": "${LakeBucket.Arn}/warehouse/*"},
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    [("AWS::SQS::Queue", "QueueName"), ("AWS::DynamoDB::Table", "TableName"), ("AWS::SNS::Topic", "TopicName")],
)
def test_two_stacks_can_live_in_one_account(kind: str, name: str) -> None:
    for properties in of_type(kind).values():
        assert properties[name]["Fn::Sub"].startswith("${AWS::StackName}-")


def test_functions_run_on_the_packaged_runtime() -> None:
    functions = of_type("AWS::Serverless::Function")
    assert {name.lower() for name in functions} == set(FUNCTIONS)
    assert {properties["Runtime"] for properties in functions.values()} == {f"python{RUNTIME}"}


def test_a_claim_outlives_the_function_that_makes_it() -> None:
    assert Settings.read({}).claim_lease >= FUNCTIONS["arrive"]["lambda_timeout"] + 60


def test_each_dead_letter_queue_and_each_function_has_an_alarm_that_reaches_somebody() -> None:
    alarms = list(of_type("AWS::CloudWatch::Alarm").values())
    watched = [alarm["Dimensions"][0]["Value"] for alarm in alarms]
    for logical in of_type("AWS::SQS::Queue"):
        assert {"Fn::GetAtt": [logical, "QueueName"]} in watched
    for logical in of_type("AWS::Serverless::Function"):
        assert {"Ref": logical} in watched
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms)

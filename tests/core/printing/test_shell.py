"""Scripts: run by real shells with an `aws` that writes down what it is given; judged by the services' own models."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.core.policies.sheets import Place, Read
from chalicelib.core.printing import Bundle, shell
from chalicelib.errors import ConfigError
from tests.core.printing.customers import DOCUMENTS, OURS, THEIRS, customers, facts, printed

# Writes down how many words it was given, and the words; answers from the file named `service operation`, or from the
# one that says for which of its words.
STUB = """#!/bin/sh
printf '%s\\0' "$#" "$@" >> "$STUB/calls"
[ ! -f "$STUB/$1 $2 fails" ] || { cat "$STUB/$1 $2 fails" >&2; exit 254; }
for word in "$@"; do [ ! -f "$STUB/$1 $2 $word" ] || { cat "$STUB/$1 $2 $word"; exit; }; done
[ ! -f "$STUB/$1 $2" ] || cat "$STUB/$1 $2"
"""
NONE = {
    "iam get-role": "!An error occurred (NoSuchEntity) when calling the GetRole operation",
    "s3api get-bucket-policy": "!An error occurred (NoSuchBucketPolicy) when calling the GetBucketPolicy operation",
    "s3api get-bucket-notification-configuration": "",
    "sqs get-queue-url": f"https://sqs.us-east-1.amazonaws.com/{OURS}/tidegate-arrivals",
    "sqs get-queue-attributes": "None",
    "sns get-topic-attributes": '{"Version": "2012-10-17", "Statement": []}',
    "events put-targets": "0",
    "kms get-key-policy": '{"Version": "2012-10-17", "Statement": []}',
}
OTHERS = {"Sid": "Others", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
HOSTILE = [
    "'; touch owned; '",
    "$(touch owned)",
    "`touch owned`",
    "a\nEOF\n",
    '"; exit; "',
    "\\",
    "!!",
    "-x",
    "#",
    "é\u2028",
]
ALIASES = {("sns", "subscribe", "--notification-endpoint"): "Endpoint"}
GLOBAL = {"--query", "--output", "--region"}

models = botocore.session.Session()


@dataclass(frozen=True)
class Aws:
    """An `aws` of ours, first on the path."""

    place: Path

    def start(self, answers: Mapping[str, str], *, sh: str = "bash", **more: str) -> subprocess.Popen[str]:
        """A shell that waits for a script; what `aws` answers begins with `!` where it fails."""
        for path in self.place.iterdir():
            if path.name != "aws":
                path.unlink()
        (self.place / "calls").write_text("")
        for name, answer in answers.items():
            failing = answer.startswith("!")
            (self.place / (f"{name} fails" if failing else name)).write_text(answer[1:] if failing else answer)
        environment = {"PATH": f"{self.place}:{Path(sys.executable).parent}:/usr/bin:/bin", "STUB": str(self.place)}
        return subprocess.Popen(
            [sh],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | {"TMPDIR": str(self.place), "HOME": str(self.place)} | more,
            cwd=self.place,
        )

    def calls(self) -> list[list[str]]:
        words, found = (self.place / "calls").read_bytes().decode().split("\0")[:-1], list[list[str]]()
        while words:
            count = int(words.pop(0))
            found.append(words[:count])
            del words[:count]
        return found


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Aws:
    place = tmp_path_factory.mktemp("aws")
    (place / "aws").write_text(STUB)
    (place / "aws").chmod(0o755)
    return Aws(place)


@dataclass(frozen=True)
class Call:
    """One command, as the service would get it."""

    operation: OperationModel
    options: dict[str, Any]  # by the names of the API


def run(aws: Aws, bundle: Bundle, answers: Mapping[str, str] = NONE, *, sh: str = "bash", **more: str) -> list[Call]:
    """What a script does; it must succeed and print nothing."""
    asked = {"sts get-caller-identity": bundle.account or ""}
    script = shell(bundle)
    running = aws.start({**asked, **answers}, sh=sh, **more)
    out, err = running.communicate(script, timeout=30)
    assert running.returncode == 0, err
    assert out == ""
    assert not (aws.place / "owned").exists()
    return [call(argv) for argv in aws.calls()]


def call(argv: list[str]) -> Call:
    """A command line as an operation's input, which its service's model finds right."""
    service, command, *words = argv
    model = models.get_service_model("s3" if service == "s3api" else service)
    operation = next(model.operation_model(n) for n in model.operation_names if xform_name(n, "-") == command)
    shape = operation.input_shape
    assert shape is not None
    members = {f"--{xform_name(member, '-')}": member for member in shape.members}
    found, given = {}, {}
    while words:
        option, equals, value = words.pop(0).partition("=")
        value = value if equals else words.pop(0)
        if option in GLOBAL:
            continue
        member = ALIASES.get((service, command, option)) or members[option]
        kind = shape.members[member].type_name
        parsed = kind in ("structure", "map", "integer") or value.startswith("[")
        given[member] = json.loads(value) if parsed else value
        found[member] = [value] if kind == "list" and not parsed else given[member]
    report = ParamValidator().validate(found, shape)
    assert not report.has_errors(), report.generate_report()
    return Call(operation, found)


def one(calls: list[Call], name: str) -> dict[str, Any]:
    """The arguments of the only call of an operation."""
    (found,) = (each.options for each in calls if each.operation.name == name)
    return found


def everything() -> list[Any]:
    return [
        pytest.param(bundle, id=f"{name}, {bundle.seat} {bundle.account}")
        for name in DOCUMENTS
        if name not in ("role with tags", "user, then role")  # as the first
        for bundle in printed(facts(name))
    ]


WRITES = {  # operation: the argument that holds the document
    Place.ROLE_TRUST: ("CreateRole", "AssumeRolePolicyDocument"),
    Place.ROLE_POLICY: ("PutRolePolicy", "PolicyDocument"),
    Place.USER_POLICY: ("PutUserPolicy", "PolicyDocument"),
    Place.BUCKET_POLICY: ("PutBucketPolicy", "Policy"),
    Place.KEY_POLICY: ("PutKeyPolicy", "Policy"),
    Place.TOPIC_POLICY: ("SetTopicAttributes", "AttributeValue"),
}


@pytest.mark.parametrize("bundle", everything())
def test_each_document_is_given_word_for_word(aws: Aws, bundle: Bundle) -> None:
    calls = run(aws, bundle, READER="pasted")
    for place, (operation, argument) in WRITES.items():
        written = [each.options[argument] for each in calls if each.operation.name == operation]
        assert [json.loads(document) for document in written] == [sheet.document for sheet in bundle.at(place)]
    for sheet in bundle.at(Place.QUEUE_POLICY):
        assert json.loads(one(calls, "SetQueueAttributes")["Attributes"]["Policy"]) == sheet.document
    for sheet in bundle.at(Place.BUCKET_NOTIFICATION):
        put = one(calls, "PutBucketNotificationConfiguration")
        assert (put["Bucket"], put["NotificationConfiguration"]) == (sheet.target, sheet.document)
    for sheet in bundle.at(Place.SUBSCRIPTION):
        assert one(calls, "Subscribe") == sheet.document
    for sheet in bundle.at(Place.RULE):
        rule = one(calls, "PutRule")
        assert (rule["Name"], json.loads(rule["EventPattern"])) == (
            sheet.document["Name"],
            sheet.document["EventPattern"],
        )
        assert one(calls, "PutTargets")["Targets"] == sheet.document["Targets"]


@pytest.mark.parametrize("name", ["SNS", "bucket policy only"])
def test_any_posix_shell_will_do(aws: Aws, name: str) -> None:
    for bundle in printed(facts(name)):
        assert [c.options for c in run(aws, bundle, sh="dash")] == [c.options for c in run(aws, bundle)]


def test_it_is_for_one_account_and_stops_in_another(aws: Aws) -> None:
    script = shell(customers(facts()))
    running = aws.start({"sts get-caller-identity": OURS})
    _, err = running.communicate(script, timeout=30)
    assert (running.returncode, err) == (1, f"these commands are for account {THEIRS}\n")
    assert len(aws.calls()) == 1


def test_a_shell_that_it_is_pasted_into_stays_open(aws: Aws) -> None:
    script = shell(customers(facts())) + "echo still here\n"
    running = aws.start({"sts get-caller-identity": OURS})
    assert running.communicate(script, timeout=30)[0] == "still here\n"


def test_what_others_wrote_stays(aws: Aws) -> None:
    there = json.dumps({"Version": "2012-10-17", "Id": "theirs", "Statement": [OTHERS]})
    (bundle,) = (b for b in printed(facts("bucket policy only")) if b.at(Place.BUCKET_POLICY))
    (sheet,) = bundle.at(Place.BUCKET_POLICY)
    written = json.loads(one(run(aws, bundle, NONE | {"s3api get-bucket-policy": there}), "PutBucketPolicy")["Policy"])
    assert written == {"Version": "2012-10-17", "Id": "theirs", "Statement": [OTHERS, *sheet.document["Statement"]]}
    (kept,) = {path.read_text() for path in aws.place.glob("tidegate-before.*") if "theirs" in path.read_text()}
    assert json.loads(kept) == json.loads(there)


def test_a_second_time_changes_nothing(aws: Aws) -> None:
    (bundle,) = (b for b in printed(facts("bucket policy only")) if b.at(Place.BUCKET_POLICY))
    once = one(run(aws, bundle), "PutBucketPolicy")["Policy"]
    assert json.loads(one(run(aws, bundle, NONE | {"s3api get-bucket-policy": once}), "PutBucketPolicy")["Policy"]) == (
        json.loads(once)
    )


def test_a_single_statement_that_is_no_list_stays_too(aws: Aws) -> None:
    there = json.dumps({"Version": "2012-10-17", "Statement": OTHERS})
    bundle = next(b for b in printed(facts()) if b.at(Place.QUEUE_POLICY))
    calls = run(aws, bundle, NONE | {"sqs get-queue-attributes": there})
    assert json.loads(one(calls, "SetQueueAttributes")["Attributes"]["Policy"])["Statement"][0] == OTHERS


def test_the_bucket_s_other_notifications_stay(aws: Aws) -> None:
    other = {"Id": "theirs", "QueueArn": "arn:aws:sqs:us-east-1:222222222222:q", "Events": ["s3:ObjectRemoved:*"]}
    there = json.dumps({"QueueConfigurations": [other], "EventBridgeConfiguration": {}})
    calls = run(aws, customers(facts()), NONE | {"s3api get-bucket-notification-configuration": there})
    written = one(calls, "PutBucketNotificationConfiguration")["NotificationConfiguration"]
    (sheet,) = customers(facts()).at(Place.BUCKET_NOTIFICATION)
    assert written["QueueConfigurations"] == [other, *sheet.document["QueueConfigurations"]]
    assert written["EventBridgeConfiguration"] == {}


@pytest.mark.parametrize("name", ["SNS", "EventBridge", "cross-account role"])
def test_what_we_added_before_goes_when_the_route_changes(aws: Aws, name: str) -> None:
    """S3 would refuse the configuration, once the queue no longer lets the bucket itself send."""
    old = [{"Id": each, "QueueArn": "q", "Events": []} for each in ("tidegate-acme", "tidegate-acme-2")]
    other = {"Id": "tidegate-acme-eu", "QueueArn": "q", "Events": ["s3:ObjectRemoved:*"]}
    there = json.dumps({"QueueConfigurations": [*old, other]})
    calls = run(aws, customers(facts(name)), NONE | {"s3api get-bucket-notification-configuration": there})
    written = one(calls, "PutBucketNotificationConfiguration")["NotificationConfiguration"]
    (sheet,) = customers(facts(name)).at(Place.BUCKET_NOTIFICATION)
    assert written["QueueConfigurations"] == [other, *sheet.document.get("QueueConfigurations", [])]
    assert written.get("TopicConfigurations") == sheet.document.get("TopicConfigurations")


def test_a_role_that_is_there_keeps_whom_it_trusts(aws: Aws) -> None:
    there = json.dumps({"Version": "2012-10-17", "Statement": [OTHERS]})
    bundle = customers(facts())
    calls = run(aws, bundle, NONE | {"iam get-role": there})
    (trust,) = bundle.at(Place.ROLE_TRUST)
    written = json.loads(one(calls, "UpdateAssumeRolePolicy")["PolicyDocument"])
    assert written["Statement"] == [OTHERS, *trust.document["Statement"]]
    assert "CreateRole" not in [each.operation.name for each in calls]


def test_a_role_that_is_made_gives_sessions_as_long_as_they_are_asked_for(aws: Aws) -> None:
    assert one(run(aws, customers(facts("user, then role, for long"))), "CreateRole")["MaxSessionDuration"] == 7200
    assert "MaxSessionDuration" not in one(run(aws, customers(facts())), "CreateRole")


@pytest.mark.parametrize(("longest", "written"), [("3600", [7200]), ("7200", []), ("43200", [])])
def test_a_role_that_is_there_comes_to_give_longer_sessions_and_never_shorter_ones(
    aws: Aws, longest: str, written: list[int]
) -> None:
    there = json.dumps({"Version": "2012-10-17", "Statement": [OTHERS]})
    answers = {"iam get-role": there, "iam get-role Role.MaxSessionDuration": longest}
    calls = run(aws, customers(facts("user, then role, for long")), NONE | answers)
    assert [c.options["MaxSessionDuration"] for c in calls if c.operation.name == "UpdateRole"] == written


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("!An error occurred (AccessDenied)", "AccessDenied"),
        ('{"Version": "2008-10-17", "Statement": []}', "another Version"),
        ("a warning\n{}", "JSONDecodeError"),
    ],
)
def test_where_it_cannot_tell_what_is_there_it_writes_nothing(aws: Aws, answer: str, said: str) -> None:
    reads = Read("acme-exports", "what$/")
    bundle = next(b for b in printed(facts("bucket policy only", reads)) if b.at(Place.BUCKET_POLICY))
    script = shell(bundle)
    running = aws.start(NONE | {"sts get-caller-identity": THEIRS, "s3api get-bucket-policy": answer})
    _, err = running.communicate(script, timeout=30)
    assert running.returncode != 0
    assert said in err
    assert "put-bucket-policy" not in [argv[1] for argv in aws.calls()]


def test_a_target_that_is_not_taken_is_a_failure(aws: Aws) -> None:
    script = shell(customers(facts("EventBridge")))
    running = aws.start(NONE | {"sts get-caller-identity": THEIRS, "events put-targets": "1"})
    assert "did not take the queue" in running.communicate(script, timeout=30)[1]
    assert "put-bucket-notification-configuration" not in [argv[1] for argv in aws.calls()]


def test_whose_keys_were_pasted_is_asked(aws: Aws) -> None:
    bundle = next(b for b in printed(facts("pasted keys")) if b.at(Place.USER_POLICY))
    script = shell(bundle)
    running = aws.start({"sts get-caller-identity": bundle.account or ""})
    assert "set READER to its name first" in running.communicate(script, timeout=30)[1]
    assert one(run(aws, bundle, READER="a'b"), "PutUserPolicy")["UserName"] == "a'b"


def test_hostile_names_are_data(aws: Aws) -> None:
    bundle = customers(facts("cross-account role", *(Read(f"acme{value}", value) for value in HOSTILE)))
    calls = run(aws, bundle)
    puts = [each.options for each in calls if each.operation.name == "PutBucketNotificationConfiguration"]
    assert [put["Bucket"] for put in puts] == [f"acme{value}" for value in HOSTILE]
    (role,) = bundle.at(Place.ROLE_POLICY)
    assert json.loads(one(calls, "PutRolePolicy")["PolicyDocument"]) == role.document


def test_a_name_that_begins_with_a_dash_is_no_option(aws: Aws) -> None:
    role = "arn:aws:iam::222222222222:role/--debug"
    assert one(run(aws, customers(facts(role_arn=role))), "CreateRole")["RoleName"] == "--debug"


@pytest.mark.parametrize("bucket", ["nul\0", "file:///etc/passwd", "fileb://x"])
def test_a_name_that_no_command_can_be_given_is_refused(bucket: str) -> None:
    with pytest.raises(ConfigError, match="cannot be given to a command"):
        shell(customers(facts("cross-account role", Read(bucket, "in/"))))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.text("'\"`$(){};&|<>\\\n\r\t!#~*? -", max_size=20),
)
def test_any_name_is_data(aws: Aws, prefix: str, odd: str) -> None:
    bundle = customers(facts("cross-account role", Read("acme-exports", prefix + odd)))
    (role,) = bundle.at(Place.ROLE_POLICY)
    assert json.loads(one(run(aws, bundle), "PutRolePolicy")["PolicyDocument"]) == role.document


def test_nothing_of_a_document_stands_outside_of_quotes() -> None:
    """Beside the fixed parts a script has only words between single quotes, or none that a shell would look into."""
    script = shell(customers(facts("cross-account role", Read("acme-exports", "$(x)`y`${z}"))))
    code = "".join(line for line in script.splitlines(keepends=True) if not line.startswith("#"))
    outside = re.sub(r"'[^']*'", "''", code)
    assert not re.search(r"\$\(x\)|`y`|\$\{z", outside)

"""The doctor against the embedded AWS: policies are enforced, so that each one that is taken away is missed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.aws.customers.probes import AwsProbes
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.connection import parse_connection
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.findings import Finding, Verdict
from chalicelib.core.health import Health
from chalicelib.core.keys import Keys
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Place, Sheet
from chalicelib.flows.doctor import Doctor
from chalicelib.flows.facts import Home, gathered
from chalicelib.local.account import Account
from chalicelib.local.customer import make_bucket
from chalicelib.local.emulator import Emulator
from tests.fakes.stores import FakeJobs, FakeLedger, FakePipelines
from tests.local.conftest import fresh_account
from tests.wired import from_environment

EXTERNAL_ID = "ab" * 32
ROLE = "tidegate-reader"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class NoVault:
    def get(self, connection: Any) -> Keys | None:
        return None

    def put(self, connection: Any, keys: Keys) -> None:
        raise AssertionError("a doctor writes nothing")

    def forget(self, connection: Any) -> None:
        raise AssertionError("a doctor writes nothing")


class SoundHealth:
    def get(self, connection: str) -> Health:
        return Health(connection)

    def swap(self, health: Health) -> bool:
        raise AssertionError("a doctor writes nothing")


@dataclass
class Ward:
    """A customer with one bucket, and our connection to it."""

    ours: Account
    theirs: Account
    changes: dict[str, Any] = field(default_factory=dict)
    tags: bool = False

    @property
    def bucket(self) -> str:
        return f"acme-{self.theirs.number}"

    @property
    def grant(self) -> Grant:
        fields = {
            "name": "acme",
            "role_arn": f"arn:aws:iam::{self.theirs.number}:role/{ROLE}",
            "notify_by": "none",
        } | self.changes
        return Grant(parse_connection(fields, where="test"), EXTERNAL_ID, NOW)

    @property
    def pipelines(self) -> FakePipelines:
        parser = {"type": "objects", "tags": True} if self.tags else {"type": "csv"}
        document = {
            "name": "flights",
            "connection": "acme",
            "in": {"bucket": self.bucket, "path_prefix": "in/", "parser": parser},
            "out": {"type": "iceberg", "database": "travel", "table": "flights", "on_overwrite": "append"},
        }
        return FakePipelines({"flights": Pipeline.parse(document, where="test")})

    @property
    def home(self) -> Home:
        return Home(self.ours.number, "us-east-1", "tidegate")

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        return sheets(gathered(self.grant, self.pipelines.all(), self.home))

    def document(self, place: Place) -> dict[str, Any]:
        [found] = [sheet for sheet in self.sheets if sheet.place is place]
        return json.loads(json.dumps(found.document))  # type: ignore[no-any-return]

    def open(
        self,
        *,
        trust: Callable[[dict[str, Any]], dict[str, Any]] = lambda same: same,
        role: Callable[[dict[str, Any]], dict[str, Any]] = lambda same: same,
    ) -> None:
        """Bucket and role, whose policies are as printed but for what is done to them."""
        make_bucket(self.theirs, self.bucket)
        iam = self.theirs.client("iam")
        document = json.dumps(trust(self.document(Place.ROLE_TRUST)))
        try:
            iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=document)
        except iam.exceptions.EntityAlreadyExistsException:
            iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=document)
        permissions = json.dumps(role(self.document(Place.ROLE_POLICY)))
        iam.put_role_policy(RoleName=ROLE, PolicyName="tidegate", PolicyDocument=permissions)

    def put(self, key: str, body: bytes = b"a,b\n", **more: Any) -> None:
        self.theirs.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def examine(self, **asked: Any) -> dict[str, Finding]:
        probes = AwsProbes(Sessions(from_environment()), lambda connection: None)
        doctor = Doctor(
            lambda name: self.grant,
            self.pipelines,
            NoVault(),
            SoundHealth(),
            FakeLedger(),
            FakeJobs(),
            probes,
            lambda account: self.home,
            lambda: NOW,
        )
        return {finding.step: finding for finding in doctor.examine("acme", **asked)}


def without(sid: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def changed(document: dict[str, Any]) -> dict[str, Any]:
        kept = [each for each in document["Statement"] if each["Sid"] != sid]
        assert len(kept) < len(document["Statement"]), document
        kept = kept or [{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}]
        return {**document, "Statement": kept}

    return changed


@pytest.fixture
def ward(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    ours, theirs = fresh_account(emulator), fresh_account(emulator)
    for name, value in ours.env().items():
        monkeypatch.setenv(name, value)
    yield Ward(ours, theirs)


def failed(findings: dict[str, Finding]) -> dict[str, list[str]]:
    return {
        step: [each.sid for each in finding.missing]
        for step, finding in findings.items()
        if finding.verdict in (Verdict.FAIL, Verdict.WARN)
    }


def unconditional(document: dict[str, Any]) -> dict[str, Any]:
    return {
        **document,
        "Statement": [{k: v for k, v in each.items() if k != "Condition"} for each in document["Statement"]],
    }


def test_policies_as_they_are_printed_pass_every_probe(ward: Ward) -> None:
    ward.changes = {"session_tags": {"team": "ingest"}, "duration_in_seconds": 900}
    ward.tags = True
    ward.open()
    ward.theirs.client("s3").put_bucket_versioning(Bucket=ward.bucket, VersioningConfiguration={"Status": "Enabled"})
    ward.put("in/a.csv")
    findings = ward.examine()
    assert failed(findings) == {}
    right = ("assume role", "external id", "bucket", "list", "head", "get", "get a version", "tags", "bucket owner")
    assert {step: findings[step].verdict.value for step in right} == dict.fromkeys(right, "ok")


def test_a_trust_policy_without_the_external_id_is_a_confused_deputy(ward: Ward) -> None:
    ward.open(trust=unconditional)
    ward.put("in/a.csv")
    finding = ward.examine()["external id"]
    assert finding.verdict is Verdict.WARN
    assert "without any and with a wrong one" in finding.evidence
    assert [each.sid for each in finding.missing] == ["TidegateAssumeRoleAcme"]
    assert finding.missing[0].statement["Condition"] == {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}
    assert "onfused deputy" in finding.advice


def test_an_external_id_of_somebody_else_shuts_the_door(ward: Ward) -> None:
    ward.open(trust=lambda document: json.loads(json.dumps(document).replace(EXTERNAL_ID, "cd" * 32)))
    findings = ward.examine()
    assert failed(findings) == {"assume role": ["TidegateAssumeRoleAcme"]}
    assert "external id" in findings["assume role"].advice
    assert findings["external id"].verdict is Verdict.SKIPPED
    assert findings["bucket"].verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("place", "sid", "step"),
    [
        (Place.ROLE_TRUST, "TidegateTagSessionAcme", "assume role"),
        (Place.ROLE_POLICY, "ReadObjects", "get"),
        (Place.ROLE_POLICY, "ReadObjectTags", "tags"),
    ],
)
def test_a_statement_that_is_not_there_is_named_first(ward: Ward, place: Place, sid: str, step: str) -> None:
    ward.changes, ward.tags = {"session_tags": {"team": "ingest"}}, True
    ward.open(**{"trust" if place is Place.ROLE_TRUST else "role": without(sid)})
    ward.put("in/a.csv")
    finding = ward.examine(key="in/a.csv")[step]
    assert finding.verdict is Verdict.FAIL
    assert finding.missing[0].sid == sid
    [sheet] = [sheet for sheet in ward.sheets if sheet.place is place]
    assert finding.missing[0].statement in sheet.document["Statement"]
    assert (finding.missing[0].account, finding.missing[0].place) == (ward.theirs.number, place.value)


def test_an_empty_prefix_shows_whether_it_could_be_read(ward: Ward) -> None:
    ward.open()
    assert failed(ward.examine()) == {}
    ward.open(role=without("ReadObjects"))
    assert failed(ward.examine())["get"][0] == "ReadObjects"


def test_a_prefix_that_the_role_is_not_for_is_told_from_a_missing_statement(ward: Ward) -> None:
    ward.open(role=lambda document: json.loads(json.dumps(document).replace("in/*", "out/*")))
    ward.put("in/a.csv")
    finding = ward.examine()["list"]
    assert "must hold for 'in/'" in finding.advice
    assert finding.missing[0].sid == "ListBucket"


def test_a_deny_in_the_buckets_policy_is_said_to_be_one(ward: Ward) -> None:
    ward.open()
    ward.put("in/a.csv")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{ward.bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    ward.theirs.client("s3").put_bucket_policy(Bucket=ward.bucket, Policy=policy)
    finding = ward.examine()["get"]
    assert (finding.verdict, finding.missing) == (Verdict.FAIL, ())
    assert "Deny" in finding.advice


def test_a_bucket_that_is_not_there_and_a_pipeline_that_is_not_there_are_told(ward: Ward) -> None:
    ward.open()
    findings = ward.examine(bucket="acme-nowhere-to-be-found")
    assert findings["bucket"].verdict is Verdict.FAIL
    assert "list" not in findings


def test_the_doctor_leaves_the_customers_bucket_as_it_was(ward: Ward) -> None:
    ward.open(
        role=lambda document: {
            **document,
            "Statement": [{"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
        }
    )
    ward.put("in/a.csv")
    before = ward.theirs.client("s3").list_objects_v2(Bucket=ward.bucket)["Contents"]
    ward.changes = {"notify_by": "sqs"}
    findings = ward.examine()
    assert ward.theirs.client("s3").list_objects_v2(Bucket=ward.bucket)["Contents"] == before
    assert findings["notification"].verdict is Verdict.FAIL
    assert findings["queue policy"].verdict is Verdict.WARN  # there is no such queue here


def test_a_notification_to_our_queue_is_found_and_another_prefix_is_missed(ward: Ward) -> None:
    ward.changes = {"notify_by": "sqs", "bucket_owner": ward.theirs.number}
    ward.open(
        role=lambda document: {
            **document,
            "Statement": [
                *document["Statement"],
                {"Effect": "Allow", "Action": "s3:GetBucketNotification", "Resource": f"arn:aws:s3:::{ward.bucket}"},
            ],
        }
    )
    ward.put("in/a.csv")
    sqs = ward.ours.client("sqs")
    url = sqs.create_queue(QueueName="tidegate-arrivals")["QueueUrl"]
    assert ward.examine()["queue policy"].verdict is Verdict.FAIL
    [wanted] = [sheet for sheet in ward.sheets if sheet.place is Place.QUEUE_POLICY]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(wanted.document)})
    [printed] = [sheet for sheet in ward.sheets if sheet.place is Place.BUCKET_NOTIFICATION]
    findings = ward.examine()
    assert findings["queue policy"].verdict is Verdict.OK
    assert findings["notification"].verdict is Verdict.FAIL
    assert [each.kind.value for each in findings["notification"].missing] == ["notification"]
    ward.theirs.client("s3").put_bucket_notification_configuration(
        Bucket=ward.bucket, NotificationConfiguration=printed.document
    )
    assert ward.examine()["notification"].verdict is Verdict.OK

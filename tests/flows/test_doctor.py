"""The doctor's steps: what is asked, in which order, and what is left out because something before it failed."""

import json
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.diagnosis.objects import KEY, SSE
from chalicelib.core.diagnosis.roles import Attempt, ExternalId
from chalicelib.core.findings import Finding, Verdict
from chalicelib.core.health import Health, failed
from chalicelib.core.jobs import Job, JobKind
from chalicelib.core.keys import Keys
from chalicelib.core.ledger import Entry, State
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Place
from chalicelib.errors import AccessDenied, ConfigError
from chalicelib.flows.doctor import NOTHING, Doctor
from chalicelib.flows.facts import Home, gathered
from tests import examples
from tests.core.diagnosis.words import denied, implicit
from tests.examples import BUCKET, START
from tests.fakes.probes import DENIED, FakeProbes
from tests.fakes.stores import FakeJobs, FakeLedger, FakePipelines
from tests.fakes.sweeps import FakeHealth
from tests.fakes.vault import FakeVault

HOME = Home("123456789012", "us-east-1", "tidegate")
KMS = "arn:aws:kms:us-east-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRETS = ("planted-secret", "planted-token", "planted-password", "AKIAPLANTEDKEY000001")
KEYS = Keys("AKIAPLANTEDKEY000001", "planted-secret", "planted-token", START + timedelta(hours=1), "planted-password")
USER = {"type": "user", "user_arn": "arn:aws:iam::333333333333:user/gate"}
BETWEEN = {"type": "role", "role_arn": "arn:aws:iam::123456789012:role/gate"}


def listed(key: str, *, size: int = 10, storage: str = "STANDARD", minutes: int = 60) -> Listed:
    ref = ObjectRef(BUCKET, key, "e", size, START - timedelta(minutes=minutes))
    return Listed(ref, storage, False)


class Clinic:
    """A doctor and all that it looks at."""

    def __init__(self, *pipelines: Any, **changes: Any) -> None:
        document = {"name": "acme", "role_arn": "arn:aws:iam::222222222222:role/reader"} | changes
        if document.get("auth_method", "assume_role") != "assume_role":
            del document["role_arn"]
        self.grant = Grant(parse_connection(document, where="test"), "ab" * 32, START)
        self.pipelines = FakePipelines({each.name: each for each in pipelines or (examples.pipeline(),)})
        found = {each.ref.key: each for each in (listed("in/a.csv"), listed("in/b.csv", minutes=30))}
        facts = gathered(self.grant, self.pipelines.all(), HOME)
        [queue] = [each for each in sheets(facts) if each.place is Place.QUEUE_POLICY] or [None]
        policies = {HOME.queue: queue.document} if queue is not None else {}
        self.probes = FakeProbes({BUCKET: found}, policies=policies)
        self.vault, self.health = FakeVault(), FakeHealth()
        self.ledger, self.jobs = FakeLedger(), FakeJobs()
        self.hear(START - timedelta(minutes=29))

    def hear(self, at: Any) -> None:
        self.jobs.jobs["a1"] = Job("a1", JobKind.ARRIVAL, "flights", at, 1, 0, 0)

    @property
    def doctor(self) -> Doctor:
        return Doctor(
            lambda name: self.grant,
            self.pipelines,
            self.vault,
            self.health,
            self.ledger,
            self.jobs,
            self.probes,
            lambda account: HOME,
            lambda: START,
        )

    def examine(self, **asked: Any) -> tuple[Finding, ...]:
        return self.doctor.examine("acme", **asked)

    def verdicts(self, **asked: Any) -> dict[str, str]:
        return {each.step: each.verdict.value for each in self.examine(**asked)}


def test_a_sound_connection_passes_every_step_in_order() -> None:
    assert Clinic().verdicts() == {
        "identity": "ok",
        "access at rest": "ok",
        "assume role": "ok",
        "session length": "ok",
        "external id": "ok",
        "bucket": "ok",
        "list": "ok",
        "archive": "ok",
        "head": "ok",
        "get": "ok",
        "get a version": "skipped",
        "decrypt": "skipped",
        "requester pays": "ok",
        "bucket owner": "ok",
        "notification": "fail",  # the bucket tells nobody
        "arrivals": "ok",
        "queue policy": "ok",
    }


def test_few_calls_are_made() -> None:
    clinic = Clinic()
    clinic.verdicts()
    assert len(clinic.probes.asked) <= 12
    assert not [name for name in clinic.probes.asked if "paid" in name], "nothing is paid for without need"


def test_the_negative_probes_are_made_only_where_the_right_one_passes() -> None:
    clinic = Clinic()
    clinic.verdicts()
    assert {each.external_id for each in clinic.probes.attempts} == set(ExternalId)
    shut = Clinic()
    shut.probes.refused["assume right"] = DENIED
    found = shut.verdicts()
    assert (found["assume role"], found["external id"], found["bucket"]) == ("fail", "skipped", "skipped")
    assert {each.external_id for each in shut.probes.attempts} == {ExternalId.RIGHT}
    assert "list" not in shut.probes.asked


def test_a_role_that_anybody_gets_is_a_warning_and_the_rest_goes_on() -> None:
    clinic = Clinic()
    clinic.probes.refused["assume none"] = clinic.probes.refused["assume wrong"] = Answer(200)
    found = clinic.verdicts()
    assert (found["external id"], found["get"]) == ("warn", "ok")


def test_a_session_that_is_too_long_is_said_and_the_rest_is_probed_with_a_shorter_one() -> None:
    class Strict(FakeProbes):
        def assume(self, grant: Grant, attempt: Attempt) -> Answer:
            answer = super().assume(grant, attempt)
            if attempt.seconds is None:
                message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                return Answer(400, "ValidationError", message)
            return answer

    clinic = Clinic(through=USER, duration_in_seconds=43200)
    clinic.vault.put(clinic.grant.connection, KEYS)
    clinic.probes = Strict(clinic.probes.buckets)
    found = clinic.verdicts()
    assert (found["session length"], found["assume role"], found["get"]) == ("fail", "ok", "ok")
    assert clinic.probes.attempts[1].seconds == 3600


def test_tags_and_source_identity_are_taken_away_to_tell_what_was_too_much() -> None:
    class NoTags(FakeProbes):
        def assume(self, grant: Grant, attempt: Attempt) -> Answer:
            super().assume(grant, attempt)
            return DENIED if attempt.tags else Answer(200)

    clinic = Clinic(session_tags={"team": "x"}, source_identity="tidegate")
    clinic.probes = NoTags(clinic.probes.buckets)
    [finding] = [each for each in clinic.examine() if each.step == "assume role"]
    assert [each.sid for each in finding.missing] == ["TidegateTagSessionAcme"]
    asked = [(each.tags, each.source_identity) for each in clinic.probes.attempts]
    assert asked == [(True, True), (False, False), (True, False), (False, True)]


def test_the_role_in_between_comes_first() -> None:
    clinic = Clinic(through=BETWEEN)
    assert clinic.verdicts()["role in between"] == "ok"
    clinic.probes.refused["between"] = DENIED
    found = clinic.verdicts()
    assert (found["role in between"], "assume role" in found, found["bucket"]) == ("fail", False, "skipped")


@pytest.mark.parametrize("changes", [{"auth_method": "session"}, {"auth_method": "basic"}, {"through": USER}])
def test_without_keys_that_hold_nothing_is_asked(changes: dict[str, Any]) -> None:
    clinic = Clinic(**changes)
    assert clinic.verdicts()["keys"] == "fail"
    clinic.vault.put(clinic.grant.connection, replace(KEYS, expires_at=START - timedelta(minutes=1)))
    assert clinic.verdicts()["keys"] == "fail"
    assert set(clinic.probes.asked) <= {"ourselves", "queue_policy"}
    clinic.vault.put(clinic.grant.connection, replace(KEYS, expires_at=None))
    clinic.probes.refused["holder"] = Answer(403, "InvalidClientTokenId", "invalid")
    assert clinic.verdicts()["keys' holder"] == "fail"
    assert "list" not in clinic.probes.asked
    del clinic.probes.refused["holder"]
    assert clinic.verdicts()["get"] == "ok"


def test_a_vault_that_we_may_not_read_is_a_finding() -> None:
    class Shut(FakeVault):
        def get(self, connection: Any) -> Keys | None:
            raise AccessDenied("AWS refused the call", where="secret tidegate/connections/acme")

    clinic = Clinic(auth_method="basic")
    clinic.vault = Shut()
    [finding] = [each for each in clinic.examine() if each.step == "keys"]
    assert (finding.verdict, "tidegate/connections/acme" in finding.evidence) == (Verdict.FAIL, True)


def test_without_our_own_identity_nothing_goes_on() -> None:
    clinic = Clinic()
    clinic.probes.refused["ourselves"] = Answer(403, "ExpiredToken", "")
    assert clinic.verdicts() == {"identity": "fail", "access at rest": "ok"}


def test_a_connection_that_fails_at_rest_says_since_when_and_why() -> None:
    clinic = Clinic()
    lost = failed(Health("acme"), "j1", "S3 refused to list", now=START - timedelta(hours=2))
    assert lost is not None
    clinic.health.swap(lost)
    [finding] = [each for each in clinic.examine() if each.step == "access at rest"]
    assert (finding.verdict, "2026-11-22 10:00:00" in finding.evidence) == (Verdict.WARN, True)


def test_a_bucket_that_lies_elsewhere_ends_its_examination() -> None:
    clinic = Clinic()
    clinic.probes.region = "eu-west-1"
    found = clinic.verdicts()
    assert (found["bucket"], "get" in found, found["queue policy"]) == ("fail", False, "ok")


def test_without_a_pipeline_or_bucket_it_says_what_it_needs() -> None:
    clinic = Clinic()
    clinic.pipelines.stored.clear()
    [finding] = [each for each in clinic.examine() if each.step == "bucket"]
    assert (finding.verdict, "--bucket" in finding.advice) == (Verdict.SKIPPED, True)
    assert clinic.verdicts(bucket=BUCKET)["get"] == "ok"


def test_buckets_and_prefixes_of_the_connection_stand_in_for_pipelines() -> None:
    clinic = Clinic(buckets=[BUCKET], prefixes=["in/", "out/"])
    clinic.pipelines.stored.clear()
    subjects = [each.subject for each in clinic.examine() if each.step == "list"]
    assert subjects == [f"s3://{BUCKET}/in/", f"s3://{BUCKET}/out/"]


def test_what_the_connection_is_not_for_is_refused_before_anything_is_asked_of_the_customer() -> None:
    clinic = Clinic(buckets=[BUCKET], prefixes=["in/"])
    for asked in ({"bucket": "acme-logs"}, {"key": "out/x"}):
        with pytest.raises(ConfigError, match="connection acme: it is for"):
            clinic.examine(**asked)
    assert set(clinic.probes.asked) == {"ourselves"}


def test_a_key_needs_one_bucket() -> None:
    other = examples.pipeline("logs", bucket="acme-logs")
    clinic = Clinic(examples.pipeline(), other)
    with pytest.raises(ConfigError, match="where it lies"):
        clinic.examine(key="in/a.csv")
    assert clinic.verdicts(bucket=BUCKET, key="in/a.csv")["get"] == "ok"


def test_the_newest_object_that_can_be_read_is_probed_and_else_a_key_that_nobody_claims() -> None:
    def probed(*objects: Listed) -> str:
        clinic = Clinic()
        clinic.probes.buckets = {BUCKET: {each.ref.key: each for each in objects}}
        [finding] = [each for each in clinic.examine() if each.step == "get"]
        assert finding.verdict is Verdict.OK
        return finding.subject

    objects = (listed("in/a"), listed("in/b", minutes=30), listed("in/c", minutes=1, storage="GLACIER"))
    assert probed(*objects, listed("in/d", size=0, minutes=1)) == f"s3://{BUCKET}/in/b"
    assert probed(listed("in/c", storage="GLACIER")) == f"s3://{BUCKET}/in/{NOTHING}"
    assert probed() == f"s3://{BUCKET}/in/{NOTHING}"


def test_where_nothing_may_be_listed_a_key_comes_from_the_ledger_or_has_to_be_named() -> None:
    clinic = Clinic(can_list=False)
    clinic.probes.refused["list"] = DENIED
    [finding] = [each for each in clinic.examine() if each.step == "get"]
    assert (finding.verdict, "--key" in finding.advice) == (Verdict.SKIPPED, True)
    assert clinic.verdicts(key="in/a.csv")["get"] == "ok"
    ref = ObjectRef(BUCKET, "in/b.csv", "e", 10, START)
    clinic.ledger.stored["flights", "in/b.csv"] = Entry("flights", ref, State.COMMITTED, START, revision=1)
    [finding] = [each for each in clinic.examine() if each.step == "get"]
    assert (finding.verdict, finding.subject) == (Verdict.OK, f"s3://{BUCKET}/in/b.csv")


def test_a_bucket_whose_readers_pay_is_found_by_offering_to() -> None:
    clinic = Clinic()
    clinic.probes.refused["list"] = DENIED
    findings = {each.step: each for each in clinic.examine()}
    assert findings["requester pays"].verdict is Verdict.FAIL
    assert findings["list"].verdict is Verdict.SKIPPED


def test_a_refusal_that_names_a_policy_is_not_paid_against() -> None:
    clinic = Clinic()
    clinic.probes.refused["list"] = denied(implicit("s3:ListBucket", "y", "identity-based policy"))
    findings = {each.step: each for each in clinic.examine()}
    assert "list paid" not in clinic.probes.asked
    assert findings["list"].missing[0].sid == "ListBucket"


def test_another_owner_shows_by_the_call_that_names_one() -> None:
    clinic = Clinic()
    clinic.probes.refused["list owned"] = DENIED
    assert clinic.verdicts()["bucket owner"] == "fail"
    silent = Clinic(can_list=False)
    silent.probes.refused |= {"list": DENIED, "get owned": DENIED}
    assert silent.verdicts(key="in/a.csv")["bucket owner"] == "fail"


def test_the_key_that_really_encrypts_is_put_into_the_statements_to_add() -> None:
    clinic = Clinic()
    clinic.probes.refused["head"] = Answer(200, headers={SSE: "aws:kms", KEY: KMS})
    clinic.probes.refused["get"] = Answer(403, "AccessDenied", "not authorized to perform: kms:Decrypt on resource: x")
    [finding] = [each for each in clinic.examine() if each.step == "decrypt"]
    assert finding.verdict is Verdict.FAIL
    assert {each.sid for each in finding.missing} == {"DecryptObjects", "TidegateDecryptObjectsAcme"}
    assert KMS in json.dumps([each.statement for each in finding.missing])


def test_a_named_version_is_read_where_the_bucket_keeps_them() -> None:
    clinic = Clinic()
    clinic.probes.refused["head"] = Answer(200, headers={"x-amz-version-id": "v1"})
    clinic.probes.refused["get version"] = DENIED
    [finding] = [each for each in clinic.examine() if each.step == "get a version"]
    assert (finding.verdict, finding.missing[0].sid) == (Verdict.FAIL, "ReadObjects")


def test_tags_are_read_only_where_a_pipeline_wants_them() -> None:
    assert "tags" not in Clinic().verdicts()
    assert Clinic(examples.pipeline(parser={"type": "objects", "tags": True})).verdicts()["tags"] == "ok"


def test_an_object_that_nobody_told_us_of_is_noticed() -> None:
    clinic = Clinic()
    clinic.jobs.jobs.clear()
    [finding] = [each for each in clinic.examine() if each.step == "arrivals"]
    assert finding.verdict is Verdict.WARN
    assert [each.kind.value for each in finding.missing] == ["notification"], "the queue's policy was looked at"


def test_of_our_own_functions_the_one_that_was_refused_is_named_first() -> None:
    clinic = Clinic(auth_method="default", bucket_owner="222222222222")
    sweep = "arn:aws:sts::123456789012:assumed-role/tidegate-sweep/x"
    clinic.probes.refused["list"] = denied(implicit("s3:ListBucket", "x", "identity-based policy", sweep))
    [finding] = [each for each in clinic.examine() if each.step == "list"]
    assert finding.missing[0].target == HOME.functions[1]
    assert len(finding.missing) == 4


@pytest.mark.parametrize("changes", [{}, {"auth_method": "basic"}, {"auth_method": "session"}, {"through": USER}])
@pytest.mark.parametrize("step", ["", "assume right", "list", "get", "holder"])
def test_no_finding_holds_a_secret(changes: dict[str, Any], step: str) -> None:
    clinic = Clinic(**changes)
    clinic.vault.put(clinic.grant.connection, KEYS)
    clinic.probes.refused[step] = Answer(403, "InvalidAccessKeyId", f"{KEYS.access_key_id} is not known")
    text = json.dumps([asdict(each) for each in clinic.examine()], default=str)
    assert not [secret for secret in SECRETS if secret in text]
    sentences = "".join(each.evidence + each.advice for each in clinic.examine())
    assert clinic.grant.external_id not in sentences


def test_who_is_no_function_is_not_told_to_add_what_may_be_there_already() -> None:
    clinic = Clinic(through=BETWEEN)
    clinic.probes.refused["between"] = denied(implicit("sts:AssumeRole", "x", "resource-based policy"))
    [refused] = [each for each in clinic.examine() if each.step == "role in between"]
    assert "If it is there already" in refused.advice
    plain = Clinic()
    plain.probes.refused["assume"] = denied(implicit("sts:AssumeRole", "x", "resource-based policy"))
    [refused] = [each for each in plain.examine() if each.step == "assume role"]
    assert "If it is there already" not in refused.advice

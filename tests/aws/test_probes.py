"""What probes say to STS, and what they keep of its answers."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, HTTPClientError

from chalicelib.aws.customers.probes import HARMLESS, AwsProbes
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.diagnosis.roles import Attempt, ExternalId
from chalicelib.core.diagnosis.spots import Spot
from chalicelib.core.keys import Keys
from chalicelib.errors import AccessDenied
from tests.wired import session

SECRETS = ("planted-secret", "planted-token", "planted-given")
Asked = list[dict[str, Any]]


def grant(**changes: Any) -> Grant:
    document = {"name": "acme", "role_arn": "arn:aws:iam::222222222222:role/reader"} | changes
    return Grant(parse_connection(document, where="test"), "ab" * 32, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def asked() -> Asked:
    return []


@pytest.fixture
def probes(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> AwsProbes:
    """Probes whose STS gives every role, with the parameters it was asked with kept in `asked`."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def keep(params: dict[str, Any], **_: Any) -> None:
        asked.append(dict(params))

    def give(**_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        keys = {"AccessKeyId": "ASIAGIVEN", "SecretAccessKey": "planted-given", "SessionToken": "planted-given"}
        said = {
            "Credentials": keys | {"Expiration": datetime(2030, 1, 1, tzinfo=UTC)},
            "AssumedRoleUser": {"Arn": "arn:aws:sts::222222222222:assumed-role/reader/tidegate"},
            "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}},
        }
        return AWSResponse("https://sts", 200, HTTPHeaders(), None), said

    base = session(region="eu-central-1")
    base.register("provide-client-params.sts.AssumeRole", keep)
    base.register("before-call.sts.AssumeRole", give)
    return AwsProbes(Sessions(base), lambda connection: None)


def test_the_right_external_id_the_wrong_one_and_none_are_three_questions(probes: AwsProbes, asked: Asked) -> None:
    for which in ExternalId:
        assert probes.assume(grant(), Attempt(which)).ok
    right, wrong, none = (each.get("ExternalId") for each in asked)
    assert right == "ab" * 32
    assert wrong not in (right, None)
    assert len(str(wrong)) == 64
    assert none is None
    assert {each["Policy"] for each in asked} == {HARMLESS}, "what should have been refused may do nothing"
    assert [each["DurationSeconds"] for each in asked] == [3600, 900, 900]


def test_tags_and_source_identity_are_sent_unless_less_is_asked_for(probes: AwsProbes, asked: Asked) -> None:
    whole = grant(session_tags={"team": "ingest"}, source_identity="tidegate")
    probes.assume(whole, Attempt())
    probes.assume(whole, Attempt(tags=False))
    probes.assume(whole, Attempt(source_identity=False, seconds=1200))
    assert [("Tags" in each, "SourceIdentity" in each) for each in asked] == [
        (True, True),
        (False, True),
        (True, False),
    ]
    assert asked[0]["Tags"] == [{"Key": "team", "Value": "ingest"}]
    assert asked[2]["DurationSeconds"] == 1200


def test_a_session_for_a_prefix_reads_and_writes_nothing(probes: AwsProbes, asked: Asked) -> None:
    spot = Spot(grant(), "acme-exports", "in/")
    probes._client(spot)
    probes._client(spot)
    [policy] = [json.loads(each["Policy"]) for each in asked]
    actions = {
        action
        for each in policy["Statement"]
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert not [action for action in actions if not action.split(":")[1].startswith(("Get", "List", "Decrypt"))]


def test_a_refusal_is_an_answer_without_what_repeats_the_request(probes: AwsProbes) -> None:
    repeated = "Credential=AKIAPLANTED, X-Amz-Security-Token=planted-token"

    said: dict[str, str] = {}

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": said, "ResponseMetadata": {}}, "AssumeRole")  # type: ignore[typeddict-item]

    probes.sessions.base.get_component("event_emitter").register_first("before-call.sts.AssumeRole", refuse)

    def answer(code: str, message: str) -> Any:
        said.update(Code=code, Message=message)
        return probes.assume(grant(), Attempt())

    late = answer("SignatureDoesNotMatch", f"Signature expired: 1 is now earlier than 2. {repeated}")
    assert (late.ok, late.message, late.skewed) == (False, "Signature expired", True)
    assert answer("IncompleteSignature", repeated).message == ""
    assert answer("AccessDenied", "not authorized to perform: sts:AssumeRole").message.startswith("not authorized")


def test_a_user_in_between_needs_keys_and_says_so(probes: AwsProbes, asked: Asked) -> None:
    through = grant(through={"type": "user", "user_arn": "arn:aws:iam::333333333333:user/gate"})
    answer = probes.assume(through, Attempt())
    assert (answer.silent, "no keys are kept" in answer.message) == (True, True)
    assert probes.holder(through.connection).silent
    assert asked == []


def test_what_the_vault_raises_is_an_answer_where_keys_are_needed_for_a_call(probes: AwsProbes) -> None:
    def shut(connection: Any) -> Keys | None:
        raise AccessDenied("AWS refused the call", where="secret tidegate/connections/acme")

    locked = AwsProbes(probes.sessions, shut)
    connection = parse_connection({"name": "acme", "auth_method": "basic"}, where="test")
    spot = Spot(Grant(connection, "ab" * 32, datetime(2026, 1, 1, tzinfo=UTC)), "acme-exports", "in/")
    assert locked.list(spot).silent
    assert locked.holder(connection).silent


def test_nothing_that_is_held_shows(probes: AwsProbes) -> None:
    probes._client(Spot(grant(), "acme-exports", "in/"))
    answer = probes.assume(grant(), Attempt())
    assert not [secret for secret in SECRETS if secret in repr(probes) + repr(answer) + repr(probes._between)]


def test_what_could_not_be_sent_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def fail(**_: Any) -> None:
        raise HTTPClientError(error=ValueError("Invalid header value b'planted-token'"))

    base = session()
    base.register("before-send.sts.AssumeRole", fail)
    answer = AwsProbes(Sessions(base), lambda connection: None).assume(grant(), Attempt())
    assert (answer.silent, answer.code) == (True, "HTTPClientError")
    assert "planted" not in str(answer)

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.connections import Grant, new_external_id
from chalicelib.errors import ConfigError, RoleNotAssumable, Throttled
from tests import planted
from tests.wired import session

CONNECTION = AssumeRole(
    name="acme", role_arn="arn:aws:iam::111122223333:role/tidegate", session_name="gate", duration_in_seconds=900
)
GRANT = Grant(CONNECTION, "e" * 64, datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Sts:
    """Answers for STS before anything leaves the process."""

    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # host, parameters
    lifetime: timedelta = timedelta(hours=1)
    refusal: tuple[int, str, str] | None = None  # status, code, message

    def answer(self, **event: Any) -> Any:
        request = event["request"]
        parameters = {name: values[0] for name, values in parse_qs(request.body).items()}
        self.requests.append((urlsplit(request.url).netloc, parameters))
        status, text = self.refused() if self.refusal else (200, self.granted())
        raw = type("Raw", (), {"stream": lambda *_, **__: iter([text.encode()]), "read": lambda *_: text.encode()})()
        return AWSResponse(request.url, status, HTTPHeaders(), raw)

    def refused(self) -> tuple[int, str]:
        assert self.refusal is not None
        status, code, message = self.refusal
        return status, f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"

    def granted(self) -> str:
        end = (datetime.now(UTC) + self.lifetime).isoformat()  # noqa: TID251 - botocore compares with the true time
        secret = f"<SecretAccessKey>{planted.SECRET_ACCESS_KEY}</SecretAccessKey>"
        token = f"<SessionToken>{planted.SESSION_TOKEN}</SessionToken>"
        key = f"<AccessKeyId>KEY{len(self.requests)}</AccessKeyId>{secret}"
        given = f"<Credentials>{key}{token}<Expiration>{end}</Expiration></Credentials>"
        return f"<AssumeRoleResponse><AssumeRoleResult>{given}</AssumeRoleResult></AssumeRoleResponse>"


@pytest.fixture
def sts() -> Sts:
    return Sts()


@pytest.fixture
def sessions(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> Sessions:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    base = session(region="eu-central-1")
    base.register("before-send.sts.AssumeRole", sts.answer)
    return Sessions(base)


def test_tags_may_be_read_in_a_session_of_their_own(sessions: Sessions, sts: Sts) -> None:
    plain = sessions.credentials(GRANT, "acme-exports", "in/")
    assert sessions.credentials(GRANT, "acme-exports", "in/", tags=True) is not plain
    assert sessions.customer(GRANT, "acme-exports", "in/", tags=True) is not sessions.customer(
        GRANT, "acme-exports", "in/"
    )
    policies = [asked["Policy"] for _, asked in sts.requests]
    assert ["s3:GetObjectVersionTagging" in policy for policy in policies] == [False, True]


def test_a_role_is_assumed_with_everything_the_connection_says(sessions: Sessions, sts: Sts) -> None:
    sessions.credentials(GRANT, "acme-exports", "in/")
    [(host, asked)] = sts.requests
    assert host == "sts.eu-central-1.amazonaws.com"
    assert asked["RoleArn"] == CONNECTION.role
    assert asked["RoleSessionName"] == "gate"
    assert asked["ExternalId"] == GRANT.external_id
    assert asked["DurationSeconds"] == "900"
    statements = json.loads(asked["Policy"])["Statement"]
    assert statements[1]["Resource"] == ["arn:aws:s3:::acme-exports/in/*"]


def test_another_partition_is_kept_in_the_session_policy(sessions: Sessions, sts: Sts) -> None:
    china = AssumeRole(name="acme", role_arn="arn:aws-cn:iam::111122223333:role/tidegate")
    sessions.credentials(Grant(china, "e" * 64, GRANT.created_at), "acme-exports", "")
    assert "arn:aws-cn:s3:::acme-exports/*" in sts.requests[0][1]["Policy"]


def test_credentials_are_shared_by_connection_bucket_and_prefix(sessions: Sessions, sts: Sts) -> None:
    first = sessions.credentials(GRANT, "acme-exports", "in/")
    assert sessions.credentials(GRANT, "acme-exports", "in/") is first
    assert sessions.credentials(GRANT, "acme-exports", "out/") is not first
    assert sessions.credentials(GRANT, "acme-logs", "in/") is not first
    assert len(sts.requests) == 3


@pytest.mark.parametrize(("left", "calls"), [(timedelta(minutes=11), 1), (timedelta(minutes=4), 2)])
def test_credentials_renew_themselves_before_they_end(
    sessions: Sessions, sts: Sts, left: timedelta, calls: int
) -> None:
    sts.lifetime = left
    credentials = sessions.credentials(GRANT, "acme-exports", "")
    sts.lifetime = timedelta(hours=1)
    for _ in range(3):
        credentials.get_frozen_credentials()
    assert len(sts.requests) == calls
    assert credentials.get_frozen_credentials().access_key == f"KEY{calls}"


def test_a_refusal_to_renew_is_ours_too(sessions: Sessions, sts: Sts) -> None:
    sts.lifetime = timedelta(minutes=4)
    credentials = sessions.credentials(GRANT, "acme-exports", "")
    sts.refusal = (403, "AccessDenied", "not authorized to perform: sts:AssumeRole")
    with pytest.raises(RoleNotAssumable):
        credentials.get_frozen_credentials()


def test_a_refused_role_says_everything_that_may_be_wrong(sessions: Sessions, sts: Sts) -> None:
    sts.refusal = (403, "AccessDenied", "User: x is not authorized to perform: sts:AssumeRole")
    with pytest.raises(RoleNotAssumable) as caught:
        sessions.credentials(GRANT, "acme-exports", "")
    for word in ("trust policy", "external id", "session name", "sts:AssumeRole", "tidegate policy acme"):
        assert word in caught.value.remedy
    assert CONNECTION.role in caught.value.where
    assert GRANT.external_id not in str(caught.value)


def test_a_refused_role_is_asked_for_again_the_next_time(sessions: Sessions, sts: Sts) -> None:
    sts.refusal = (403, "AccessDenied", "no")
    with pytest.raises(RoleNotAssumable):
        sessions.credentials(GRANT, "acme-exports", "")
    sts.refusal = None
    assert sessions.credentials(GRANT, "acme-exports", "").get_frozen_credentials().access_key == "KEY2"


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [((400, "ValidationError", "too long"), ConfigError), ((403, "ExpiredToken", "over"), ConfigError)],
)
def test_other_failures_are_not_blamed_on_the_role(
    sessions: Sessions, sts: Sts, refusal: tuple[int, str, str], expected: type[Exception]
) -> None:
    sts.refusal = refusal
    with pytest.raises(expected) as caught:
        sessions.credentials(GRANT, "acme-exports", "")
    assert not isinstance(caught.value, RoleNotAssumable | Throttled)


def test_a_customers_client_signs_as_the_customer(sessions: Sessions) -> None:
    client = sessions.customer(GRANT, "acme-exports", "in/")
    signed: Callable[..., str] = client.generate_presigned_url
    url = signed("get_object", Params={"Bucket": "acme-exports", "Key": "in/a"})
    assert "KEY1" in url
    assert sessions.customer(GRANT, "acme-exports", "in/") is client


def test_clients_are_made_once_and_never_before_they_are_asked_for(sessions: Sessions) -> None:
    assert sessions.client("sqs") is sessions.client("sqs")
    assert sessions.client("sqs", region="us-west-2").meta.region_name == "us-west-2"
    assert sessions.client("sqs").meta.region_name == "eu-central-1"


def test_the_standard_environment_decides_where_aws_is(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert sessions.client("dynamodb").meta.endpoint_url == "http://127.0.0.1:4566"


def test_external_ids_are_64_hexadecimal_characters_and_differ() -> None:
    assert new_external_id(bytes) == "0" * 64
    assert len({new_external_id() for _ in range(9)}) == 9

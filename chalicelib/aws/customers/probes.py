"""Probes: single read-only calls over a connection, whose refusals are answers (F12, F95).

They go their own way to the customer's account, past what Sessions keeps: a doctor who is let in by credentials of an
hour ago sees nothing. Every session is cut down to what is read; those that should have been refused may do nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from chalicelib.aws.customers.network import CONFIG
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.aws.errors import words_of
from chalicelib.aws.refusals import CASES
from chalicelib.config.access.keys import Basic
from chalicelib.config.access.keys import Session as SessionKeys
from chalicelib.config.access.roles import AssumeRole, ThroughRole, ThroughUser
from chalicelib.config.connection import Connection
from chalicelib.core.connections import Grant, new_external_id
from chalicelib.core.diagnosis.answers import CLOCK, Answer
from chalicelib.core.diagnosis.roles import Attempt, ExternalId
from chalicelib.core.diagnosis.spots import Spot
from chalicelib.core.keys import Keys
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef
from chalicelib.core.policies.session import SESSION_POLICY_LIMIT, passage, session
from chalicelib.core.policies.statements import compact, literal
from chalicelib.errors import TidegateError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sts.client import STSClient

PAGE = 1000  # keys
SHORTEST = 900  # seconds of a session that is only asked for to see whether it is given
HEADERS = frozenset(
    {
        "content-length",
        "last-modified",
        "x-amz-archive-status",
        "x-amz-bucket-region",
        "x-amz-request-charged",
        "x-amz-restore",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-storage-class",
        "x-amz-version-id",
    }
)
HARMLESS = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]}
)


@dataclass(frozen=True, slots=True)
class _Held:
    """Credentials that are held for one examination; `repr` shows none of them."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AwsProbes:
    """flows.probes.Probes over botocore. Make one for each examination: it keeps the sessions that it was given."""

    sessions: Sessions
    keys: Callable[[Connection], Keys | None]  # from the vault
    _between: dict[Grant, _Held | Answer] = field(default_factory=dict, repr=False, compare=False)
    _clients: dict[tuple[Grant, str, str, Attempt], Any] = field(default_factory=dict, repr=False, compare=False)

    def ourselves(self) -> Answer:
        """Whom AWS takes us for."""
        return _identity(lambda: self.sessions.client("sts").get_caller_identity())

    def holder(self, connection: Connection) -> Answer:
        """Whom AWS takes the connection's pasted keys for."""
        held = self._pasted(connection)
        if isinstance(held, Answer):
            return held
        return _identity(lambda: self._sts(connection, held).get_caller_identity())

    def between(self, grant: Grant) -> Answer:
        """The role in between, assumed."""
        answer, held = self._assume_between(grant)
        if held is not None:
            self._between[grant] = held
        return answer

    def assume(self, grant: Grant, attempt: Attempt) -> Answer:
        """The role, with a session that may do nothing."""
        answer, _ = self._assume(grant, attempt, HARMLESS)
        return answer

    def bucket(self, spot: Spot) -> Answer:
        """HeadBucket."""
        return self._s3(spot, lambda s3: s3.head_bucket(Bucket=spot.bucket))

    def list(self, spot: Spot, *, owner: str | None = None, pays: bool = False) -> Answer:
        """One page of keys. `owner`: the account that must own the bucket; `pays`: we offer to pay."""
        asked = {"Bucket": spot.bucket, "Prefix": spot.prefix, "MaxKeys": PAGE, **_besides(spot, owner, pays=pays)}
        attributes: Any = ["RestoreStatus"]
        return self._s3(spot, lambda s3: s3.list_objects_v2(OptionalObjectAttributes=attributes, **asked))

    def head(self, spot: Spot, key: str) -> Answer:
        """HeadObject."""
        return self._s3(spot, lambda s3: s3.head_object(Bucket=spot.bucket, Key=key, **_besides(spot)))

    def get(
        self, spot: Spot, key: str, *, version: str | None = None, owner: str | None = None, pays: bool = False
    ) -> Answer:
        """The object's first byte."""
        asked: dict[str, Any] = {"Bucket": spot.bucket, "Key": key, "Range": "bytes=0-0"}
        asked |= _besides(spot, owner, pays=pays) | ({"VersionId": version} if version else {})

        def read(s3: "S3Client") -> Any:
            answer = s3.get_object(**asked)
            answer["Body"].read(1)
            answer["Body"].close()
            return answer

        return self._s3(spot, read)

    def tags(self, spot: Spot, key: str) -> Answer:
        """GetObjectTagging."""
        return self._s3(spot, lambda s3: s3.get_object_tagging(Bucket=spot.bucket, Key=key, **_besides(spot)))

    def notification(self, spot: Spot) -> Answer:
        """The bucket's notification configuration, if we may see it."""
        return self._s3(spot, lambda s3: s3.get_bucket_notification_configuration(Bucket=spot.bucket), whole=True)

    def queue_policy(self, queue: str) -> Answer:
        """The policy of one of our own queues, by its ARN; empty if it has none."""
        region, _, name = queue.split(":")[3:6]

        def read() -> Mapping[str, Any]:
            sqs = self.sessions.client("sqs", region=region)
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])

        answer, said = _answered(read)
        text = said.get("Attributes", {}).get("Policy") if said else None
        return answer if said is None else Answer(answer.status, document=json.loads(text) if text else {})

    def _s3(self, spot: Spot, call: "Callable[[S3Client], Any]", *, whole: bool = False) -> Answer:
        found = self._client(spot)
        if isinstance(found, Answer):
            return found
        answer, said = _answered(lambda: call(found))
        if said is None:
            return answer
        more = {"more": "true"} if said.get("IsTruncated") else {}
        document = {name: value for name, value in said.items() if name != "ResponseMetadata"} if whole else None
        return Answer(answer.status, "", "", answer.headers, more, tuple(_listed(spot.bucket, said)), document)

    def _client(self, spot: Spot) -> "S3Client | Answer":
        key = (spot.grant, spot.bucket, spot.prefix, spot.attempt)
        if key not in self._clients:
            held = self._held(spot)
            if isinstance(held, Answer):
                return held
            try:
                self._clients[key] = self._made(spot.grant.connection, held)
            except (BotoCoreError, TidegateError) as error:
                return _unanswered(error)
        return cast("S3Client", self._clients[key])

    def _made(self, connection: Connection, held: _Held | None) -> "S3Client":
        # whose the bucket is, is asked for by itself: a client that always asks would not tell it from other refusals
        unbound = connection.model_copy(update={"bucket_owner": "any"})
        return self.sessions.network.client(self._session(held), unbound, signed=held is not None)

    def _held(self, spot: Spot) -> _Held | Answer | None:
        """The credentials for one prefix; None: requests are not signed."""
        connection = spot.grant.connection
        if isinstance(connection, AssumeRole):
            answer, held = self._assume(spot.grant, spot.attempt, _narrow(spot))
            return held or answer
        if isinstance(connection, SessionKeys | Basic):
            return self._pasted(connection)
        try:
            own: Any = self.sessions.credentials(spot.grant, spot.bucket, spot.prefix)
            frozen = own.get_frozen_credentials() if own is not None else None
        except (BotoCoreError, TidegateError) as error:
            return _unanswered(error)
        return None if frozen is None else _Held(frozen.access_key, frozen.secret_key, frozen.token)

    def _assume(self, grant: Grant, attempt: Attempt, policy: str) -> tuple[Answer, _Held | None]:
        connection = grant.connection
        assert isinstance(connection, AssumeRole), "only roles are assumed"
        caller = self._caller(grant, connection)
        if isinstance(caller, Answer):
            return caller, None
        asked: dict[str, Any] = {
            "RoleArn": connection.role,
            "RoleSessionName": connection.session_name,
            "DurationSeconds": attempt.seconds or connection.duration_in_seconds,
            "Policy": policy,
        }
        if attempt.external_id is not ExternalId.RIGHT:
            asked["DurationSeconds"] = SHORTEST
        if attempt.external_id is not ExternalId.NONE:
            right = attempt.external_id is ExternalId.RIGHT
            asked["ExternalId"] = grant.external_id if right else new_external_id()
        if connection.session_tags and attempt.tags:
            asked["Tags"] = [{"Key": key, "Value": value} for key, value in connection.session_tags.items()]
        if connection.source_identity is not None and attempt.source_identity:
            asked["SourceIdentity"] = connection.source_identity
        return _given(lambda: self._sts(connection, caller).assume_role(**asked))

    def _caller(self, grant: Grant, connection: AssumeRole) -> _Held | Answer | None:
        """Who asks for the role; None: we do."""
        if isinstance(connection.through, ThroughUser):
            return self._pasted(connection)
        if isinstance(connection.through, ThroughRole):
            if grant not in self._between:
                answer, held = self._assume_between(grant)
                self._between[grant] = held or answer
            return self._between[grant]
        return None

    def _assume_between(self, grant: Grant) -> tuple[Answer, _Held | None]:
        connection = grant.connection
        assert isinstance(connection, AssumeRole)
        assert isinstance(connection.through, ThroughRole)
        name, role = connection.through.session_name or connection.session_name, connection.through.role_arn
        policy = compact(passage(connection.role))
        return _given(
            lambda: self._sts(connection, None).assume_role(RoleArn=role, RoleSessionName=name, Policy=policy)
        )

    def _pasted(self, connection: Connection) -> _Held | Answer:
        try:
            kept = self.keys(connection)
        except TidegateError as error:
            return _unanswered(error)
        if kept is None:
            return Answer(0, "NoCredentials", "no keys are kept for this connection")
        return _Held(kept.access_key_id, kept.secret_access_key, kept.session_token)

    def _sts(self, connection: Connection, held: _Held | None) -> "STSClient":
        chosen = connection.sts_region if isinstance(connection, AssumeRole) else None
        region = chosen or self.sessions.base.get_config_variable("region") or connection.region
        config = CONFIG.merge(Config(use_fips_endpoint=connection.use_fips_endpoint))
        session = self.sessions.base if held is None else self._session(held)
        return cast("STSClient", session.create_client("sts", region_name=region, config=config))

    def _session(self, held: _Held | None) -> Session:
        session = Session()
        session.register_component("data_loader", self.sessions.base.get_component("data_loader"))
        if held is not None:
            session.set_credentials(held.access_key, held.secret_key, held.token)
        return session


def _narrow(spot: Spot) -> str:
    """What a load's session may do, and look at the bucket's notifications; both only if the role may."""
    partition = spot.grant.connection.partition
    policy = session(spot.bucket, spot.prefix, tags=True, partition=partition)
    look = {
        "Effect": "Allow",
        "Action": ["s3:GetBucketNotification", "s3:ListBucket"],
        "Resource": f"arn:{partition}:s3:::{literal(spot.bucket)}",
    }
    wider = compact({**policy, "Statement": [*policy["Statement"], look]})
    return wider if len(wider) <= SESSION_POLICY_LIMIT else compact(policy)


def _besides(spot: Spot, owner: str | None = None, *, pays: bool = False) -> dict[str, Any]:
    paying = pays or spot.grant.connection.requester_pays
    return ({"RequestPayer": "requester"} if paying else {}) | ({"ExpectedBucketOwner": owner} if owner else {})


def _answered(call: Callable[[], Any]) -> tuple[Answer, Mapping[str, Any] | None]:
    """What was said, and all of it if it was no refusal."""
    try:
        said = call()
    except ClientError as error:
        return _refused(error), None
    except (BotoCoreError, TidegateError) as error:
        return _unanswered(error), None
    meta = said["ResponseMetadata"]
    return Answer(int(meta["HTTPStatusCode"]), headers=_of_interest(meta)), said


def _unanswered(error: BotoCoreError | TidegateError) -> Answer:
    words = words_of(error) if isinstance(error, BotoCoreError) else str(error)
    return Answer(0, type(error).__name__, words or "the request could not be sent")


def _refused(error: ClientError) -> Answer:
    said, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code = str(said.get("Code", ""))
    case, message = CASES.get(code), str(said.get("Message", ""))
    if case is not None and not case.quotes:  # some repeat the request
        message = next((words for words in CLOCK if words in message), "")
    return Answer(int(meta.get("HTTPStatusCode") or 400), code or "Unknown", message, _of_interest(meta))


def _of_interest(meta: Mapping[str, Any]) -> dict[str, str]:
    found = {name.lower(): str(value) for name, value in meta.get("HTTPHeaders", {}).items()}
    return {name: value for name, value in found.items() if name in HEADERS}


def _identity(call: Callable[[], Any]) -> Answer:
    answer, said = _answered(call)
    if said is None:
        return answer
    return Answer(answer.status, said={"arn": str(said["Arn"]), "account": str(said["Account"])})


def _given(call: Callable[[], Any]) -> tuple[Answer, _Held | None]:
    """STS's answer without the credentials, and these by themselves."""
    answer, said = _answered(call)
    if said is None:
        return answer, None
    given = said["Credentials"]
    held = _Held(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return Answer(answer.status, said={"arn": str(said["AssumedRoleUser"]["Arn"])}), held


def _listed(bucket: str, said: Mapping[str, Any]) -> list[Listed]:
    return [
        Listed(
            ObjectRef(bucket, each["Key"], each["ETag"].strip('"'), each["Size"], _utc(each["LastModified"])),
            each.get("StorageClass", ""),
            "RestoreExpiryDate" in each.get("RestoreStatus", {}),
        )
        for each in said.get("Contents", ())
    ]


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)

"""Sessions: clients for Tidegate's own account, and credentials for the customers'.

The only place where clients are made; nothing is made before it is asked for.
"""

from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.session import Session

from chalicelib.aws.errors import translated
from chalicelib.aws.network import CONFIG, client_arguments
from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.connection import Connection
from chalicelib.core import policies
from chalicelib.core.connections import Grant
from chalicelib.errors import AccessDenied, RoleNotAssumable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_glue.client import GlueClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sts.client import STSClient

Service = Literal["dynamodb", "glue", "iam", "s3", "secretsmanager", "sqs", "sts"]

RENEW_IF_POSSIBLE = 600  # seconds before the end; the shortest session has 900 (F3)
RENEW_OR_FAIL = 300  # seconds before the end; longer than any one request takes

NOT_ASSUMABLE = (
    "STS does not say which of these is wrong: the trust policy must name us as principal and hold this connection's "
    "external id, whatever session name it demands must be the connection's, role and account must exist, and our own "
    "policy must allow sts:AssumeRole on the role. `tidegate policy {name}` prints the trust policy to paste"
)  # E27


@dataclass(frozen=True, slots=True)
class Sessions:
    """What `base` may do, and what it may become.

    Endpoints, region and own credentials are botocore's affair: AWS_ENDPOINT_URL, AWS_REGION, profiles, roles.
    """

    base: Session
    _clients: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False, compare=False)
    _assumed: dict[tuple[Grant, str, str, bool], RefreshableCredentials] = field(
        default_factory=dict, repr=False, compare=False
    )
    _lock: Any = field(default_factory=RLock, repr=False, compare=False)  # botocore's sessions are not thread-safe

    if TYPE_CHECKING:

        @overload
        def client(self, service: Literal["dynamodb"], *, region: str | None = None) -> DynamoDBClient: ...
        @overload
        def client(self, service: Literal["glue"], *, region: str | None = None) -> GlueClient: ...
        @overload
        def client(self, service: Literal["iam"], *, region: str | None = None) -> IAMClient: ...
        @overload
        def client(self, service: Literal["s3"], *, region: str | None = None) -> S3Client: ...
        @overload
        def client(self, service: Literal["secretsmanager"], *, region: str | None = None) -> SecretsManagerClient: ...
        @overload
        def client(self, service: Literal["sqs"], *, region: str | None = None) -> SQSClient: ...
        @overload
        def client(self, service: Literal["sts"], *, region: str | None = None) -> STSClient: ...

    def client(self, service: Service, *, region: str | None = None) -> Any:
        """A client for Tidegate's own account, made once and shared by all threads."""
        with self._lock, translated(f"client for {service}"):
            if (service, region) not in self._clients:
                self._clients[service, region] = self.base.create_client(service, region_name=region, config=CONFIG)
            return self._clients[service, region]

    def credentials(
        self, grant: Grant, bucket: str, prefix: str, *, tags: bool = False
    ) -> RefreshableCredentials | None:
        """The customer's role, cut down to one bucket and prefix; the credentials renew themselves (E53, F10).

        `tags`: objects' tags may be read too. None: the connection is anonymous.

        Raises RoleNotAssumable if STS refuses, now or when they are renewed.
        """
        key = (grant, bucket, prefix, tags)
        if key not in self._assumed:
            self._assumed.setdefault(key, self._assume(grant, bucket, prefix, tags=tags))
        return self._assumed[key]

    def customer(self, grant: Grant, bucket: str, prefix: str, *, tags: bool = False) -> "S3Client":
        """S3 as the customer's role sees it, in the connection's region; for calls that are few."""
        key = (grant, bucket, prefix, tags)
        credentials = self.credentials(grant, bucket, prefix, tags=tags)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._customer(grant.connection, credentials)
            return cast("S3Client", self._clients[key])

    def _customer(self, connection: Connection, credentials: RefreshableCredentials | None) -> Any:
        session = Session()
        session.register_component("data_loader", self.base.get_component("data_loader"))
        if credentials is not None:
            session.register_component("credential_provider", CredentialResolver([_Given(credentials)]))
        return session.create_client("s3", **client_arguments(connection))

    def _assume(self, grant: Grant, bucket: str, prefix: str, *, tags: bool) -> RefreshableCredentials:
        connection = grant.connection
        assert isinstance(connection, AssumeRole)
        partition = connection.partition
        policy = policies.compact(policies.session(bucket, prefix, tags=tags, partition=partition))

        def renew() -> dict[str, Any]:
            return self._call_sts(grant, connection, policy)

        return RefreshableCredentials.create_from_metadata(
            metadata=renew(),
            refresh_using=renew,
            method="assume-role",
            advisory_timeout=RENEW_IF_POSSIBLE,
            mandatory_timeout=RENEW_OR_FAIL,
        )

    def _call_sts(self, grant: Grant, connection: AssumeRole, policy: str) -> dict[str, Any]:
        where = f"connection {connection.name}, role {connection.role}"
        # Our own region's STS: its tokens hold in every region, while the customer's region may be off in our account.
        sts = self.client("sts", region=self.base.get_config_variable("region") or connection.region)
        try:
            with translated(where):
                answer = sts.assume_role(
                    RoleArn=connection.role,
                    RoleSessionName=connection.session_name,
                    ExternalId=grant.external_id,
                    DurationSeconds=connection.duration_in_seconds,
                    Policy=policy,
                )
        except AccessDenied as error:
            remedy = NOT_ASSUMABLE.format(name=connection.name)
            raise RoleNotAssumable(error.what, where=where, remedy=remedy) from error
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


class _Given(CredentialProvider):
    """Credentials that are there already, as botocore wants them offered."""

    METHOD = CANONICAL_NAME = "assume-role"

    def __init__(self, credentials: RefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> RefreshableCredentials:
        return self._credentials

"""Sessions: clients for Tidegate's own account, and clients and credentials for the customers'.

The only place where clients are made; nothing is made before it is asked for.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from botocore.compat import get_current_datetime
from botocore.config import Config
from botocore.credentials import CredentialResolver, Credentials, EnvProvider
from botocore.exceptions import NoCredentialsError
from botocore.session import Session

from chalicelib.aws.answers import taken_whole
from chalicelib.aws.customers.credentials import Given, Held, Renewing, from_vault, sendable, worded
from chalicelib.aws.customers.network import CONFIG, Network
from chalicelib.aws.customers.recent import Recent
from chalicelib.aws.customers.roles import assumed, entry, passage
from chalicelib.aws.errors import translated
from chalicelib.config.access.keys import Anonymous, Basic
from chalicelib.config.access.keys import Session as SessionKeys
from chalicelib.config.access.own import Default, Env, Profile
from chalicelib.config.access.roles import AssumeRole, ThroughRole, ThroughUser
from chalicelib.config.connection import Connection
from chalicelib.core.connections import Grant
from chalicelib.core.keys import Keys
from chalicelib.core.policies.session import session as narrowed
from chalicelib.errors import ConfigError, CredentialsRefused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_glue.client import GlueClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_ssm.client import SSMClient
    from mypy_boto3_sts.client import STSClient

Service = Literal["dynamodb", "glue", "iam", "s3", "secretsmanager", "sqs", "ssm", "sts"]
Answer = TypeVar("Answer")
NOW = partial(get_current_datetime, remove_tzinfo=False)

CREDENTIALS = 256  # sets of them that are kept, each for one connection, bucket and prefix
CLIENTS = 32  # of customers' S3 that are kept; each takes some hundred KB
PROFILE_FOR = timedelta(minutes=5)  # botocore gives no keys that end before
ASSUMERS = 32  # clients of STS that are kept for connections with somebody in between


def _nothing(_: Connection) -> Keys | None:
    """The vault of whoever has none."""
    return None


@dataclass(frozen=True, slots=True)
class Sessions:
    """What `base` may do, and what it may become.

    Endpoints, region and own credentials are botocore's affair: AWS_ENDPOINT_URL, AWS_REGION, profiles, roles.
    `keys`: the vault's `get`. Threads may share one.
    """

    base: Session
    network: Network = field(default_factory=Network)
    keys: Callable[[Connection], Keys | None] = field(default=_nothing, repr=False)
    now: Callable[[], datetime] = NOW
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    _clients: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)
    _credentials: Recent[tuple[Any, ...], Credentials] = field(default_factory=partial(Recent, CREDENTIALS), repr=False)
    _customers: Recent[tuple[Any, ...], "S3Client"] = field(default_factory=partial(Recent, CLIENTS), repr=False)
    _assumers: Recent[Grant, tuple["STSClient", Renewing | None]] = field(
        default_factory=partial(Recent, ASSUMERS), repr=False
    )
    _lock: Any = field(default_factory=RLock, repr=False)  # botocore's sessions are not thread-safe

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
        def client(self, service: Literal["ssm"], *, region: str | None = None) -> SSMClient: ...
        @overload
        def client(self, service: Literal["sts"], *, region: str | None = None) -> STSClient: ...

    def client(self, service: Service, *, region: str | None = None) -> Any:
        """A client for Tidegate's own account, made once and shared by all threads."""
        with self._lock, translated(f"client for {service}"):
            if (service, region) not in self._clients:
                made: Any = self.base.create_client(service, region_name=region, config=CONFIG)
                self._clients[service, region] = taken_whole(made) if service == "dynamodb" else made
            return self._clients[service, region]

    def credentials(self, grant: Grant, bucket: str, prefix: str, *, tags: bool = False) -> Credentials | None:
        """What requests over the connection are signed with; it renews itself (F10, E53). None: they are not signed.

        A role is cut down to one bucket and prefix; `tags`: objects' tags may be read too.

        Raises RoleNotAssumable if STS refuses, CredentialsRefused if there are no keys or they have ended; both now
        or when the credentials are renewed.
        """
        connection = grant.connection
        if isinstance(connection, Anonymous):
            return None
        key = (grant, bucket, prefix, tags) if isinstance(connection, AssumeRole) else (grant,)
        return self._credentials.get(key, lambda: self._enter(grant, bucket, prefix, tags=tags))

    def customer(self, grant: Grant, bucket: str, prefix: str, *, tags: bool = False) -> "S3Client":
        """S3 as the connection sees it, in its region; for calls that are few."""
        credentials = self.credentials(grant, bucket, prefix, tags=tags)
        with self._lock:
            return self._customers.get((grant, bucket, prefix, tags), lambda: self._customer(grant, credentials))

    def attempt(
        self, grant: Grant, bucket: str, prefix: str, call: Callable[[], Answer], *, tags: bool = False
    ) -> Answer:
        """What `call` gives; if AWS does not take the credentials, once more with others, if there are any.

        So a role's session that ended early is renewed, and keys that were pasted a moment ago are taken up.
        Raises CredentialsRefused that says whose keys they are, and what `call` raises.
        """
        credentials = self.credentials(grant, bucket, prefix, tags=tags)
        used = credentials.current if isinstance(credentials, Renewing) else None
        try:
            return call()
        except CredentialsRefused as error:
            refused = error
        if not isinstance(credentials, Renewing) or not credentials.renew(used):
            raise _worded(grant.connection, refused)
        try:
            return call()
        except CredentialsRefused as error:
            raise _worded(grant.connection, error) from None

    def _enter(self, grant: Grant, bucket: str, prefix: str, *, tags: bool) -> Credentials:
        connection = grant.connection
        if isinstance(connection, AssumeRole):
            return self._role(grant, connection, bucket, prefix, tags=tags)
        if isinstance(connection, SessionKeys | Basic):
            return self._pasted(connection)
        assert isinstance(connection, Default | Profile | Env)
        return self._own(connection)

    def _role(self, grant: Grant, connection: AssumeRole, bucket: str, prefix: str, *, tags: bool) -> Renewing:
        owner, partition = self.network.owner(connection), connection.partition
        asked = entry(grant, narrowed(bucket, prefix, tags=tags, partition=partition, owner=owner))

        def get() -> Held:
            sts, own = self._assumer(grant)
            try:
                return assumed(sts, grant, asked, self.now)
            except CredentialsRefused:  # of whoever is in between
                if own is None or not own.renew():
                    raise
                return assumed(sts, grant, asked, self.now)

        return Renewing(get, self.now)

    def _pasted(self, connection: Connection) -> Renewing:
        return Renewing(lambda: from_vault(connection, self.keys(connection), self.now()), self.now)

    def _own(self, connection: Default | Profile | Env) -> Credentials:
        """What is there where Tidegate runs. In a function, only its own role is meant to be there."""
        where = f"connection {connection.name}"
        if not isinstance(connection, Default) and "AWS_LAMBDA_FUNCTION_NAME" in self.environ:
            what = f"auth_method {connection.auth_method} works on a laptop only: functions run as their own roles"
            raise ConfigError(what, where=where, remedy="Take assume_role, or default for the functions' own roles")
        if isinstance(connection, Profile):
            return Renewing(lambda: self._profile(connection), self.now)
        with self._lock, translated(where):
            found = (
                EnvProvider(dict(self.environ)).load() if isinstance(connection, Env) else self.base.get_credentials()
            )
            if found is None:
                raise NoCredentialsError()
        sendable(connection, found.get_frozen_credentials())
        return found

    def _profile(self, connection: Profile) -> Held:
        """What the profile gives now: tools that sign people in write new keys into it (E53)."""
        with translated(f"connection {connection.name}, profile {connection.profile_name}"):
            found = Session(profile=connection.profile_name).get_credentials()
            if found is None:
                raise NoCredentialsError()
            now = self.now()
            return Held(sendable(connection, found.get_frozen_credentials()), now + PROFILE_FOR, now + PROFILE_FOR)

    def _customer(self, grant: Grant, credentials: Credentials | None) -> "S3Client":
        signed = credentials is not None
        return self.network.client(self._session(credentials), grant.connection, signed=signed)

    def _assumer(self, grant: Grant) -> tuple["STSClient", Renewing | None]:
        """STS as whoever assumes the role, and with which credentials if they are not our own."""
        connection = grant.connection
        assert isinstance(connection, AssumeRole)
        if connection.through is None and not connection.use_fips_endpoint:
            return self.client("sts", region=self._sts_region(connection)), None
        with self._lock:
            return self._assumers.get(grant, lambda: self._between(grant, connection))

    def _between(self, grant: Grant, connection: AssumeRole) -> tuple["STSClient", Renewing | None]:
        through, region, own = connection.through, self._sts_region(connection), None
        if isinstance(through, ThroughUser):
            own = self._pasted(connection)
        elif isinstance(through, ThroughRole):
            asked, sts = passage(grant, through), self.client("sts", region=region)
            own = Renewing(lambda: assumed(sts, grant, asked, self.now), self.now)
        session = self.base if own is None else self._session(own)
        config = CONFIG.merge(Config(use_fips_endpoint=connection.use_fips_endpoint))
        return cast("STSClient", session.create_client("sts", region_name=region, config=config)), own

    def _session(self, credentials: Credentials | None) -> Session:
        session = Session()
        session.register_component("data_loader", self.base.get_component("data_loader"))
        if credentials is not None:
            session.register_component("credential_provider", CredentialResolver([Given(credentials)]))
        return session

    def _sts_region(self, connection: AssumeRole) -> str:
        """The connection's, else ours: what STS gives holds anywhere, and the customer's may be off for us (E30)."""
        return connection.sts_region or self.base.get_config_variable("region") or connection.region


def _worded(connection: Connection, error: CredentialsRefused) -> CredentialsRefused:
    whose = {"session": "session keys", "basic": "access key"}.get(connection.auth_method)
    return error if whose is None else worded(connection, error, whose)

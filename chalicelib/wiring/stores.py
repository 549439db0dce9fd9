"""What flows are made of: clients, stores, the catalogue of settings. Each is made when it is first asked for."""

import os
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

from chalicelib.settings import Settings

if TYPE_CHECKING:
    from chalicelib.aws.connections import DynamoConnections
    from chalicelib.aws.cursors import DynamoCursors
    from chalicelib.aws.customers.listing import Listing
    from chalicelib.aws.customers.sessions import Sessions
    from chalicelib.aws.health import DynamoHealth
    from chalicelib.aws.jobs import DynamoJobs
    from chalicelib.aws.lake import S3Lake
    from chalicelib.aws.ledger import DynamoLedger
    from chalicelib.aws.metrics import EmfMetrics
    from chalicelib.aws.pipelines import DynamoPipelines
    from chalicelib.aws.queues import SqsQueue
    from chalicelib.aws.secrets import Secrets
    from chalicelib.aws.sweeps import DynamoSweeps
    from chalicelib.aws.vault import AwsVault
    from chalicelib.config.connection import Connection
    from chalicelib.core.keys import Keys

now = partial(datetime.now, UTC)


@cache
def settings() -> Settings:
    """The operator's environment."""
    return Settings.read(os.environ)


@cache
def sessions() -> "Sessions":
    """Clients, from the standard AWS environment."""
    from botocore.session import Session

    from chalicelib.aws.customers.network import Network
    from chalicelib.aws.customers.sessions import Sessions

    def keys(connection: "Connection") -> "Keys | None":
        return vault().get(connection)

    session = Session()
    if chosen := os.environ.get("AWS_REGION"):  # botocore reads only AWS_DEFAULT_REGION; Lambda and people set this
        session.set_config_variable("region", chosen)
    return Sessions(session, Network(settings().allowed_hosts, keys=keys, ours=account), keys)


@cache
def metrics() -> "EmfMetrics":
    """Counters of this process."""
    from chalicelib.aws.metrics import EmfMetrics

    return EmfMetrics()


@cache
def pipelines() -> "DynamoPipelines":
    """Pipeline documents."""
    from chalicelib.aws.pipelines import DynamoPipelines

    return DynamoPipelines(sessions().client("dynamodb"), f"{settings().stack}-pipelines")


@cache
def connections() -> "DynamoConnections":
    """Ways into customers' accounts."""
    from chalicelib.aws.connections import DynamoConnections

    return DynamoConnections(sessions().client("dynamodb"), f"{settings().stack}-connections")


@cache
def ledger() -> "DynamoLedger":
    """What happened to each object."""
    from chalicelib.aws.ledger import DynamoLedger

    return DynamoLedger(sessions().client("dynamodb"), f"{settings().stack}-ledger")


@cache
def jobs() -> "DynamoJobs":
    """Jobs and tasks."""
    from chalicelib.aws.jobs import DynamoJobs

    stack = settings().stack
    return DynamoJobs(sessions().client("dynamodb"), f"{stack}-jobs", f"{stack}-tasks")


@cache
def queue() -> "SqsQueue":
    """The queues behind discovery."""
    from chalicelib.aws.queues import SqsQueue

    stack = settings().stack
    names = (f"{stack}-{queue}" for queue in ("tasks", "commits.fifo", "sweeps", "maintenance"))
    return SqsQueue(sessions().client("sqs"), *names)


@cache
def lake() -> "S3Lake":
    """Tidegate's own bucket."""
    from chalicelib.aws.lake import S3Lake

    return S3Lake(sessions().client("s3"))


@cache
def secrets() -> "Secrets":
    """Secrets that filters need."""
    from chalicelib.aws.secrets import Secrets

    return Secrets(sessions().client("secretsmanager"))


@cache
def vault() -> "AwsVault":
    """Keys of connections."""
    from chalicelib.aws.vault import AwsVault

    return AwsVault(lambda: sessions().client("secretsmanager"), lambda: sessions().client("ssm"), settings().stack)


@cache
def cursors() -> "DynamoCursors":
    """Where listings start."""
    from chalicelib.aws.cursors import DynamoCursors

    return DynamoCursors(sessions().client("dynamodb"), f"{settings().stack}-pipelines")


@cache
def health() -> "DynamoHealth":
    """Whether connections let us in."""
    from chalicelib.aws.health import DynamoHealth

    return DynamoHealth(sessions().client("dynamodb"), f"{settings().stack}-pipelines")


@cache
def sweeps() -> "DynamoSweeps":
    """Sweeps in progress."""
    from chalicelib.aws.sweeps import DynamoSweeps

    return DynamoSweeps(sessions().client("dynamodb"), f"{settings().stack}-sweeps", jobs())


@cache
def listing() -> "Listing":
    """What customers' buckets hold."""
    from chalicelib.aws.customers.listing import Listing

    return Listing(sessions(), endpoint("S3"))


def hand_over_at(milliseconds: int) -> datetime:
    """When a loading task hands over, if its function has so many left."""
    left = timedelta(milliseconds=milliseconds)
    return now() + left - min(timedelta(seconds=settings().hand_over_seconds), left / 2)


@cache
def account() -> str:
    """The twelve digits of Tidegate's own account."""
    from chalicelib.aws.errors import translated

    with translated("our own account"):
        return sessions().client("sts").get_caller_identity()["Account"]


def region() -> str | None:
    """The region of Tidegate's own account."""
    found: str | None = sessions().base.get_config_variable("region")
    return found


def endpoint(service: str) -> str | None:
    """Where a library that does not read the standard environment by itself has to go."""
    return os.environ.get(f"AWS_ENDPOINT_URL_{service}") or os.environ.get("AWS_ENDPOINT_URL")

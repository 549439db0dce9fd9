"""The one place that joins parts. Each flow is made when a door first asks for it, with its imports inside.

All functions share one package: without this, a door that only discovers would load Arrow and Iceberg too.
"""

import os
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

from chalicelib.settings import Settings

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem
    from pyiceberg.catalog import Catalog

    from chalicelib.aws.connections import DynamoConnections
    from chalicelib.aws.cursors import DynamoCursors
    from chalicelib.aws.health import DynamoHealth
    from chalicelib.aws.jobs import DynamoJobs
    from chalicelib.aws.lake import S3Lake
    from chalicelib.aws.ledger import DynamoLedger
    from chalicelib.aws.listing import Listing
    from chalicelib.aws.metrics import EmfMetrics
    from chalicelib.aws.pipelines import DynamoPipelines
    from chalicelib.aws.queues import SqsQueue
    from chalicelib.aws.secrets import Secrets
    from chalicelib.aws.sessions import Sessions
    from chalicelib.aws.sweeps import DynamoSweeps
    from chalicelib.config.destination import Iceberg, Parquet
    from chalicelib.destinations.iceberg.tables import IcebergTables
    from chalicelib.destinations.parquet import ParquetDatasets
    from chalicelib.flows.admin import Admin
    from chalicelib.flows.audit import Auditing
    from chalicelib.flows.commit import Commit
    from chalicelib.flows.discover import Discover
    from chalicelib.flows.estimate import Estimating
    from chalicelib.flows.explain import Explaining
    from chalicelib.flows.guess import Guessing
    from chalicelib.flows.load import Load
    from chalicelib.flows.preview import Previewing
    from chalicelib.flows.recover import Recover
    from chalicelib.flows.replay import Replaying
    from chalicelib.flows.revalidate import Revalidate
    from chalicelib.flows.schedules import Schedules
    from chalicelib.flows.sweep import Sweeping

now = partial(datetime.now, UTC)


@cache
def settings() -> Settings:
    """The operator's environment."""
    return Settings.read(os.environ)


@cache
def sessions() -> "Sessions":
    """Clients, from the standard AWS environment."""
    from botocore.session import Session

    from chalicelib.aws.sessions import Sessions

    session = Session()
    if chosen := os.environ.get("AWS_REGION"):  # botocore reads only AWS_DEFAULT_REGION; Lambda and people set this
        session.set_config_variable("region", chosen)
    return Sessions(session)


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
    return SqsQueue(sessions().client("sqs"), f"{stack}-tasks", f"{stack}-commits.fifo", f"{stack}-sweeps")


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
def revalidate() -> "Revalidate":
    """Access that was lost and comes back."""
    from chalicelib.flows.revalidate import Revalidate

    return Revalidate(connections(), pipelines(), ledger(), health(), listing(), discover(), metrics(), now)


@cache
def sweeps() -> "DynamoSweeps":
    """Sweeps in progress."""
    from chalicelib.aws.sweeps import DynamoSweeps

    return DynamoSweeps(sessions().client("dynamodb"), f"{settings().stack}-sweeps", jobs())


@cache
def listing() -> "Listing":
    """What customers' buckets hold."""
    from chalicelib.aws.listing import Listing

    return Listing(sessions(), _endpoint("S3"))


@cache
def sweeping() -> "Sweeping":
    """Listings to tasks."""
    from chalicelib.flows.sweep import Sweeping

    return Sweeping(
        pipelines=pipelines(),
        connections=connections(),
        listing=listing(),
        ledger=ledger(),
        jobs=jobs(),
        sweeps=sweeps(),
        cursors=cursors(),
        queue=queue(),
        metrics=metrics(),
        now=now,
        lease=timedelta(seconds=settings().claim_lease),
        budget=timedelta(seconds=settings().sweep_seconds),
    )


@cache
def schedules() -> "Schedules":
    """When pipelines sweep on their own."""
    from chalicelib.aws.schedules import DynamoSchedules
    from chalicelib.core.sweeps import SCHEDULED
    from chalicelib.flows.schedules import Schedules

    states = DynamoSchedules(sessions().client("dynamodb"), f"{settings().stack}-pipelines")
    return Schedules(
        pipelines(), states, sweeping().trigger, lambda name: sweeps().get(name, SCHEDULED), metrics(), now
    )


@cache
def auditing() -> "Auditing":
    """The proof that nothing is missing."""
    from chalicelib.flows.audit import Auditing

    return Auditing(admin(), listing(), ledger(), jobs(), table, now)


@cache
def explaining() -> "Explaining":
    """Why a key is loaded, or is not."""
    from chalicelib.flows.explain import Explaining

    return Explaining(admin(), listing(), ledger(), cursors())


@cache
def guessing() -> "Guessing":
    """What a parser should say."""
    from chalicelib.aws.buckets import Buckets
    from chalicelib.flows.guess import Guessing

    return Guessing(admin(), listing(), Buckets(sessions(), endpoint=_endpoint("S3")))


@cache
def previewing() -> "Previewing":
    """What a load would begin with."""
    from chalicelib.aws.buckets import Buckets
    from chalicelib.flows.preview import Previewing

    return Previewing(admin(), listing(), Buckets(sessions(), endpoint=_endpoint("S3")), secrets(), now)


@cache
def estimating() -> "Estimating":
    """What a backfill would do."""
    from chalicelib.flows.estimate import Estimating

    return Estimating(admin(), listing(), ledger(), now)


@cache
def replaying() -> "Replaying":
    """Objects loaded once more."""
    from chalicelib.flows.replay import Replaying

    return Replaying(admin(), ledger(), discover(), now)


def tick() -> None:
    """Everything that has to happen every minute."""
    from chalicelib.flows.troubles import try_all

    try_all((recover().tick, sweeping().tick, schedules().tick, revalidate().tick), metrics())


@cache
def admin() -> "Admin":
    """What operators declare."""
    from chalicelib.flows.admin import Admin

    return Admin(connections(), pipelines(), now, schedules().applied, schedules().removed)


@cache
def account() -> str:
    """The twelve digits of Tidegate's own account."""
    from chalicelib.aws.errors import translated

    with translated("our own account"):
        return sessions().client("sts").get_caller_identity()["Account"]


@cache
def discover() -> "Discover":
    """Notifications to tasks."""
    from chalicelib.flows.discover import Discover

    lease = timedelta(seconds=settings().claim_lease)
    return Discover(pipelines(), ledger(), jobs(), queue(), metrics(), now, lease)


@cache
def load() -> "Load":
    """Tasks to staged files."""
    from chalicelib.aws.buckets import Buckets
    from chalicelib.destinations.staging import Stage
    from chalicelib.flows.load import Load

    return Load(
        pipelines=pipelines(),
        connections=connections(),
        health=health(),
        buckets=Buckets(sessions(), endpoint=_endpoint("S3")),
        ledger=ledger(),
        jobs=jobs(),
        queue=queue(),
        stage=Stage(lake(), settings().warehouse),
        secret=secrets(),
        metrics=metrics(),
        now=now,
        lease=timedelta(seconds=settings().task_lease),
        nudge_after=timedelta(seconds=settings().nudge_after),
    )


@cache
def commit() -> "Commit":
    """Staged files to rows that count."""
    from chalicelib.flows.commit import Commit

    return Commit(ledger(), jobs(), queue(), table, metrics(), now)


@cache
def recover() -> "Recover":
    """What the tick does."""
    from chalicelib.flows.recover import Recover

    patience = timedelta(seconds=settings().resend_after)
    return Recover(
        pipelines(), ledger(), jobs(), queue(), metrics(), now, patience, discover(), lambda task: load().split(task)
    )


def table(out: "Iceberg | Parquet") -> "IcebergTables | ParquetDatasets":
    """The kind of destination that `out` asks for."""
    return iceberg() if out.type == "iceberg" else parquet()


@cache
def iceberg() -> "IcebergTables":
    """Iceberg tables of the operator's catalogue."""
    from chalicelib.aws.errors import translated
    from chalicelib.destinations.iceberg.tables import IcebergTables

    return IcebergTables(catalog, settings().warehouse, translated)


@cache
def parquet() -> "ParquetDatasets":
    """Parquet datasets in Tidegate's own bucket."""
    from chalicelib.destinations.parquet import ParquetDatasets

    return ParquetDatasets(lake(), settings().warehouse, _files)


def _files() -> "FileSystem":
    from pyarrow.fs import S3FileSystem

    return S3FileSystem(region=region(), endpoint_override=_endpoint("S3"))


@cache
def catalog() -> "Catalog":
    """The Iceberg catalogue, with file access of its own."""
    from pyiceberg.catalog import load_catalog

    settings_ = settings()
    properties = {"type": settings_.catalog, "warehouse": settings_.warehouse, "uri": settings_.catalog_uri}
    properties |= {"glue.endpoint": _endpoint("GLUE"), "s3.endpoint": _endpoint("S3")}
    properties |= {"glue.region": region(), "s3.region": region()}
    return load_catalog("tidegate", **{name: value for name, value in properties.items() if value is not None})


def region() -> str | None:
    """The region of Tidegate's own account."""
    found: str | None = sessions().base.get_config_variable("region")
    return found


def _endpoint(service: str) -> str | None:
    """Where a library that does not read the standard environment by itself has to go."""
    return os.environ.get(f"AWS_ENDPOINT_URL_{service}") or os.environ.get("AWS_ENDPOINT_URL")

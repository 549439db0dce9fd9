"""The verbs, joined from their parts; each is made when a door first asks for it, with its imports inside."""

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.errors import ConfigError
from chalicelib.wiring.stores import (
    account,
    connections,
    cursors,
    endpoint,
    health,
    jobs,
    lake,
    ledger,
    listing,
    metrics,
    now,
    pipelines,
    queue,
    region,
    secrets,
    sessions,
    settings,
    sweeps,
    vault,
)
from chalicelib.wiring.tables import catalog, iceberg, parquet, table

if TYPE_CHECKING:
    from chalicelib.config.destination import Iceberg, Parquet
    from chalicelib.core.policies.sheets import Facts
    from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
    from chalicelib.flows.admin import Admin
    from chalicelib.flows.audit import Auditing
    from chalicelib.flows.commit import Commit
    from chalicelib.flows.confirm import Confirm
    from chalicelib.flows.connecting import Connecting
    from chalicelib.flows.discover import Discover
    from chalicelib.flows.doctor import Doctor
    from chalicelib.flows.estimate import Estimating
    from chalicelib.flows.explain import Explaining
    from chalicelib.flows.guess import Guessing
    from chalicelib.flows.load import Load
    from chalicelib.flows.maintain import Maintain
    from chalicelib.flows.preview import Previewing
    from chalicelib.flows.recover import Recover
    from chalicelib.flows.remind import Reminding
    from chalicelib.flows.replay import Replaying
    from chalicelib.flows.revalidate import Revalidate
    from chalicelib.flows.schedules import Schedules
    from chalicelib.flows.sweep import Sweeping
    from chalicelib.flows.undo import Undoing
    from chalicelib.flows.withdraw import Withdraw


@cache
def revalidate() -> "Revalidate":
    """Access that was lost and comes back."""
    from chalicelib.flows.revalidate import Revalidate

    return Revalidate(connections(), pipelines(), ledger(), health(), listing(), discover(), metrics(), now)


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
    from chalicelib.aws.customers.buckets import Buckets
    from chalicelib.flows.guess import Guessing

    return Guessing(admin(), listing(), Buckets(sessions(), endpoint=endpoint("S3")))


@cache
def previewing() -> "Previewing":
    """What a load would begin with."""
    from chalicelib.aws.customers.buckets import Buckets
    from chalicelib.flows.preview import Previewing

    return Previewing(admin(), listing(), Buckets(sessions(), endpoint=endpoint("S3")), secrets(), now)


@cache
def estimating() -> "Estimating":
    """What a backfill would do."""
    from chalicelib.flows.estimate import Estimating

    return Estimating(admin(), listing(), ledger(), now)


@cache
def replaying() -> "Replaying":
    """Objects loaded once more."""
    from chalicelib.aws.customers.buckets import Buckets
    from chalicelib.flows.rehearse import Rehearsing
    from chalicelib.flows.replay import Replaying

    rehearsing = Rehearsing(pipelines(), Buckets(sessions(), endpoint=endpoint("S3")), secrets(), now)
    return Replaying(admin(), ledger(), jobs(), discover(), rehearsing, now)


def doctor() -> "Doctor":
    """What keeps a connection from working; a fresh one each time, since it keeps the sessions that it is given."""
    from chalicelib.aws.customers.probes import AwsProbes
    from chalicelib.flows.doctor import Doctor
    from chalicelib.flows.facts import Home

    def home(account: str) -> Home:
        return Home(account, region() or "us-east-1", settings().stack)

    probes = AwsProbes(sessions(), lambda connection: vault().get(connection))
    return Doctor(admin().connection, pipelines(), vault(), health(), ledger(), jobs(), probes, home, now)


@cache
def undoing() -> "Undoing":
    """A job's rows taken out again."""
    from chalicelib.flows.undo import Undoing

    return Undoing(admin(), ledger(), jobs(), withdraw(), now)


def tick() -> None:
    """Everything that has to happen every minute."""
    from chalicelib.flows.troubles import try_all

    steps = (recover().tick, sweeping().tick, schedules().tick, revalidate().tick, maintaining().tick)
    try_all((*steps, reminding().tick), metrics())


@cache
def maintaining() -> "Maintain":
    """Tables that stay cheap to query. The tick, which only asks for runs, does not load Iceberg."""
    from chalicelib.aws.errors import translated
    from chalicelib.aws.leftovers import S3Leftovers
    from chalicelib.aws.upkeep import DynamoUpkeep
    from chalicelib.flows.maintain import Maintain

    def keeper() -> "IcebergUpkeep":
        from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep

        return IcebergUpkeep(catalog, translated)

    def folder(out: "Iceberg | Parquet") -> str:
        from chalicelib.destinations.paths import root

        return root(settings().warehouse, out.type, out.database, out.table)

    def replaced(out: "Parquet", before: datetime) -> list[str]:
        return parquet().stale(out.database, out.table, before)

    return Maintain(
        pipelines=pipelines(),
        jobs=jobs(),
        states=DynamoUpkeep(sessions().client("dynamodb"), f"{settings().stack}-pipelines"),
        queue=queue(),
        keeper=keeper,
        leftovers=S3Leftovers(sessions().client("s3"), settings().warehouse),
        folder=folder,
        replaced=replaced,
        metrics=metrics(),
        now=now,
        budget=timedelta(seconds=settings().maintenance_seconds),
    )


@cache
def admin() -> "Admin":
    """What operators declare."""
    from chalicelib.flows.admin import Admin

    def lacks(out: "Iceberg | Parquet") -> str | None:
        made = out.auto_create_table and out.auto_create_database  # then no catalogue is needed here
        return iceberg().lacks(out) if out.type == "iceberg" and not made else None

    def runs(name: str) -> bool:
        return any(not sweep.is_over for sweep in sweeps().all(name))

    return Admin(connections(), pipelines(), schedules().applied, schedules().removed, lacks, runs)


@cache
def connecting() -> "Connecting":
    """Connections and their keys."""
    from chalicelib.core.endpoints import check
    from chalicelib.flows.connecting import Connecting

    return Connecting(admin(), vault(), health(), now, lambda connection: check(connection, settings().allowed_hosts))


@cache
def reminding() -> "Reminding":
    """Pasted keys that end soon."""
    from aws_lambda_powertools import Logger

    from chalicelib.flows.remind import Reminding

    return Reminding(connections(), metrics(), now, Logger(service="tidegate").warning)


def facts(name: str) -> "Facts":
    """What the policies of a connection follow from, as of now."""
    from chalicelib.flows.facts import Home, gathered

    place = region()
    if place is None:
        raise ConfigError("no region is set", where="environment", remedy="Set AWS_REGION to the region of your stack")
    grant = admin().connection(name)
    return gathered(grant, pipelines().all(), Home(account(), place, settings().stack))


@cache
def discover() -> "Discover":
    """Notifications to tasks."""
    from chalicelib.flows.discover import Discover

    lease = timedelta(seconds=settings().claim_lease)
    return Discover(pipelines(), ledger(), jobs(), queue(), metrics(), now, lease)


@cache
def load() -> "Load":
    """Tasks to staged files."""
    from chalicelib.aws.customers.ahead import ahead
    from chalicelib.aws.customers.buckets import Buckets
    from chalicelib.destinations.staging import Stage
    from chalicelib.flows.load import Load

    return Load(
        pipelines=pipelines(),
        connections=connections(),
        health=health(),
        buckets=Buckets(sessions(), endpoint=endpoint("S3")),
        ledger=ledger(),
        jobs=jobs(),
        queue=queue(),
        stage=Stage(lake(), settings().warehouse, agreed=pipelines(), now=now),
        secret=secrets(),
        metrics=metrics(),
        now=now,
        lease=timedelta(seconds=settings().task_lease),
        nudge_after=timedelta(seconds=settings().commit_seconds or settings().nudge_after),
        ahead=ahead,
    )


@cache
def commit() -> "Commit":
    """Staged files to rows that count."""
    from chalicelib.flows.commit import Commit
    from chalicelib.flows.pace import Pace

    pace = Pace(settings().commit_tasks, timedelta(seconds=settings().commit_seconds))
    return Commit(ledger(), jobs(), queue(), table, metrics(), now, pace)


@cache
def recover() -> "Recover":
    """What the tick does."""
    from chalicelib.flows.recover import Recover

    patience = timedelta(seconds=settings().resend_after)
    return Recover(
        pipelines(),
        ledger(),
        jobs(),
        queue(),
        metrics(),
        now,
        patience,
        discover(),
        withdraw(),
        lambda task: load().split(task),
        confirm(),
    )


@cache
def confirm() -> "Confirm":
    """The look before rows leave."""
    from chalicelib.flows.confirm import Confirm

    return Confirm(connections(), ledger(), listing(), metrics(), now)


@cache
def withdraw() -> "Withdraw":
    """Rows out of a table again."""
    from chalicelib.flows.withdraw import Withdraw

    lease, nudge_after = (timedelta(seconds=s) for s in (settings().claim_lease, settings().nudge_after))
    return Withdraw(ledger(), jobs(), queue(), now, lease, nudge_after)

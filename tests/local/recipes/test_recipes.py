"""Printed policies, pasted as they are: objects come in; and whatever is taken away, the doctor names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.session import Session

from chalicelib import wiring
from chalicelib.aws.connections import DynamoConnections
from chalicelib.aws.cursors import DynamoCursors
from chalicelib.aws.customers.listing import Listing
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.aws.jobs import DynamoJobs
from chalicelib.aws.ledger import DynamoLedger
from chalicelib.aws.pipelines import DynamoPipelines
from chalicelib.aws.queues import SqsQueue
from chalicelib.aws.sweeps import DynamoSweeps
from chalicelib.aws.vault import AwsVault
from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.findings import Verdict
from chalicelib.core.ledger import Entry, State
from chalicelib.core.policies.sheets import Place, Sheet
from chalicelib.flows.sweep import Sweeping
from chalicelib.local.project import Project
from chalicelib.local.runtime import Runtime
from chalicelib.local.stack import Stack
from tests.fakes.queue import FakeMetrics
from tests.local.recipes.examining import Surgery
from tests.local.recipes.matrix import Row, table, taken_away, within
from tests.local.recipes.scenes import RECIPES, Scene
from tests.local.waiting import soon

pytestmark = pytest.mark.local

PAGE = Path(__file__).parents[3] / "docs" / "recipes.md"
NEVER = 3600.0
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="package")
def rows(customers: tuple[Scene, ...], surgery: Surgery) -> dict[str, list[Row]]:
    """What the doctor said, by recipe."""
    return {scene.recipe.title: list(taken_away(scene, surgery)) for scene in customers}


@pytest.mark.parametrize("recipe", [recipe.title for recipe in RECIPES])
def test_whatever_statement_is_taken_away_is_felt_and_named(rows: dict[str, list[Row]], recipe: str) -> None:
    assert rows[recipe]
    assert [row for row in rows[recipe] if not row.felt] == []
    assert [row for row in rows[recipe] if not row.step] == []


def test_the_table_in_the_documentation_is_what_the_doctor_said(rows: dict[str, list[Row]]) -> None:
    page = PAGE.read_text()
    assert within(page, table(row for found in rows.values() for row in found)) == page, "run scripts/recipes.py"


def test_a_trust_policy_without_the_external_id_is_named_whatever_the_recipe(
    customers: tuple[Scene, ...], surgery: Surgery
) -> None:
    found = {scene.recipe.title: warned(scene, surgery) for scene in customers if trust(scene)}
    assert len(found) >= 8
    assert set(found.values()) == {Verdict.WARN}


def trust(scene: Scene) -> Sheet | None:
    """The trust policy of the role that reads, if a role does."""
    connection = scene.grant.connection
    if not isinstance(connection, AssumeRole):
        return None
    return next(s for s in scene.pasted if s.place is Place.ROLE_TRUST and s.target == connection.role)


def warned(scene: Scene, surgery: Surgery) -> Verdict:
    """The verdict on the external id if the trust policy has no condition at all."""
    sheet = trust(scene)
    assert sheet is not None
    open_to_all = [{k: v for k, v in each.items() if k != "Condition"} for each in sheet.document["Statement"]]
    scene.admins.paste(replace(sheet, document={**sheet.document, "Statement": open_to_all}))
    try:
        [finding] = [each for each in surgery.examine(scene) if each.step == "external id"]
    finally:
        scene.admins.paste(sheet)
    return finding.verdict


@dataclass(frozen=True)
class Deployed:
    """What is asked of our side."""

    ledger: DynamoLedger
    sweeping: Sweeping

    def told(self, customers: Iterable[Scene], key: str) -> dict[str, tuple[object, ...] | None]:
        """What became of an object of each customer, once it is decided."""
        entries: dict[str, Entry | None] = {}

        def decided() -> bool:
            entries.update({each.recipe.title: self.ledger.get(each.name, [key]).get(key) for each in customers})
            return all(each and each.state in (State.COMMITTED, State.REFUSED) for each in entries.values())

        soon(decided, 90)
        return {title: (each.state, each.rows, each.error) if each else None for title, each in entries.items()}


@pytest.fixture
def deployed(ours: Stack, customers: tuple[Scene, ...]) -> Iterator[Deployed]:
    """Every customer is connected and read by a pipeline; the functions run, each as its own role."""
    client, tables = ours.account.client("dynamodb"), ours.resources
    vault = AwsVault(lambda: ours.account.client("secretsmanager"), lambda: ours.account.client("ssm"))
    connections = DynamoConnections(client, tables["ConnectionsTable"])
    pipelines = DynamoPipelines(client, tables["PipelinesTable"])
    for scene in customers:
        assert connections.add(scene.grant)
        if scene.keys:
            vault.put(scene.grant.connection, scene.keys)
        pipelines.put(scene.pipeline)
    ours.account.client("sqs").purge_queue(QueueUrl=ours.queue_url("arrivals"))
    ledger, jobs = (
        DynamoLedger(client, tables["LedgerTable"]),
        DynamoJobs(client, tables["JobsTable"], tables["TasksTable"]),
    )
    names = (ours.queue(short) for short in ("tasks", "commits.fifo", "sweeps", "maintenance"))
    sweeping = Sweeping(
        pipelines=pipelines,
        connections=connections,
        listing=Listing(Sessions(Session())),
        ledger=ledger,
        jobs=jobs,
        sweeps=DynamoSweeps(client, tables["SweepsTable"], jobs),
        cursors=DynamoCursors(client, tables["PipelinesTable"]),
        queue=SqsQueue(ours.account.client("sqs"), *names),
        metrics=FakeMetrics(),
        now=wiring.now,
        lease=MINUTE,
        budget=MINUTE,
    )
    with Runtime(Project(), ours, tick=NEVER, workers=1):
        yield Deployed(ledger, sweeping)


def test_objects_of_every_recipe_become_rows(customers: tuple[Scene, ...], deployed: Deployed) -> None:
    """By their notifications; and, where we may list, those that nobody told of by a sweep."""
    for scene in customers:
        scene.put("in/told.csv")
    told = deployed.told(customers, "in/told.csv")
    assert told == dict.fromkeys(told, (State.COMMITTED, 2, None))
    listing = [scene for scene in customers if scene.grant.connection.can_list]
    assert len(listing) == len(customers) - 1
    for scene in listing:
        deployed.sweeping.trigger(scene.pipeline, wiring.now(), full=True)
    swept = deployed.told(listing, "in/first.csv")
    assert swept == dict.fromkeys(swept, (State.COMMITTED, 2, None))

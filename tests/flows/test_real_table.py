"""The commit flow over a real Iceberg table: at whichever call it dies or fails, table, ledger and jobs agree."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.jobs import JobState
from chalicelib.core.ledger import State
from chalicelib.core.tasks import Former, Run, Task
from chalicelib.errors import CommitConflict, SourceUnavailable, TidegateError
from tests.destinations.staged import Place, place, sql_catalog
from tests.examples import pipeline
from tests.flows.world import Crash, Faults, World

EARLY = datetime(2026, 3, 1, tzinfo=UTC)  # before any test runs: snapshots are stamped by the real clock
CSV = b"id,name\n1,a\n2,b\n3,c\n"
LATER = b"id,name\n4,d\n5,e\n"


@dataclass
class RealTable:
    """Fits `Stage` and `Table`, and tells its rows as the fake does."""

    there: Place

    def __call__(self, out: Iceberg | Parquet, task_id: str, attempt: int) -> Any:
        return self.there.stage(out, task_id, attempt)

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> Mapping[str, str | None]:
        return self.there.tables.committed(out, tasks)

    def commit(
        self,
        out: Iceberg | Parquet,
        tasks: Sequence[Task],
        formers: Mapping[str, Sequence[Former]] | None = None,
        run: Run | None = None,
    ) -> str | None:
        return self.there.tables.commit(out, tasks, formers, run)

    @property
    def rows(self) -> list[dict[str, Any]]:
        if not self.there.tables.exists("travel", "flights"):
            return []
        return list(self.there.tables.rows("travel", "flights", 1000).to_pylist())


@dataclass
class Failing(Faults):
    """Raises an error of ours instead of dying."""

    error: Callable[[], TidegateError] = lambda: SourceUnavailable("not now")

    def call(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super().call(action, *args, **kwargs)
        except Crash:
            raise self.error() from None


@pytest.fixture
def table(tmp_path: Path) -> Iterator[RealTable]:
    with sql_catalog(tmp_path) as catalog:
        yield RealTable(place("iceberg", tmp_path, catalog))


def begun(table: RealTable, faults: Faults) -> World:
    """A new table with one object's rows, and a world where its next content and another object are staged."""
    if table.there.tables.exists("travel", "flights"):
        table.there.catalog().drop_table(("travel", "flights"))
    world = World(now=EARLY, table=table)  # type: ignore[arg-type]
    plain = pipeline().document()
    out = plain["out"] | {"on_overwrite": "replace"}
    world.pipelines.put(Pipeline.parse(plain | {"out": out}, where="test"))
    world.put("in/a.csv", CSV)
    world.run()
    world.put("in/a.csv", LATER)
    world.put("in/b.csv", CSV)
    world.discover_all()
    for hint in world.queue.loads:
        world.load.task(*hint)
    world.queue.loads.clear()
    world.faults = faults
    return world


FAULTS: dict[str, Callable[[int], Faults]] = {
    "dies": lambda at: Faults(frozenset({at})),
    "fails": lambda at: Failing(frozenset({at})),
    "fails after it took effect": lambda at: Failing(frozenset({at}), after=True),
    "meets itself": lambda at: Failing(frozenset({at}), after=True, error=lambda: CommitConflict("somebody else")),
}


@pytest.mark.parametrize("what", FAULTS)
def test_whichever_call_goes_wrong_table_ledger_and_jobs_agree(table: RealTable, what: str) -> None:
    for at in count():
        world = begun(table, FAULTS[what](at))
        hints = list(world.queue.commits)
        world._survives(lambda world=world, hints=hints: world.commit.tasks(hints))  # type: ignore[misc]
        met = world.faults.calls > at
        world.faults = Faults()
        seen = world.loaded()
        assert seen in ({"in/a.csv": 3}, {"in/a.csv": 2, "in/b.csv": 3}), (at, seen)
        world.queue.commits += hints
        world.run()
        assert Counter((row["_key"], row["id"]) for row in table.rows) == Counter(
            [("in/a.csv", 4), ("in/a.csv", 5), ("in/b.csv", 1), ("in/b.csv", 2), ("in/b.csv", 3)]
        ), at
        assert {entry.state for entry in world.ledger.stored.values()} == {State.COMMITTED}
        assert {key: entry.rows for (_, key), entry in world.ledger.stored.items()} == {"in/a.csv": 2, "in/b.csv": 3}
        assert {job.state for job in world.jobs.jobs.values()} == {JobState.DONE}
        assert sum(job.counts["rows"] for job in world.jobs.jobs.values()) == 3 + 2 + 3
        if not met:
            assert at > 8, "there are so many calls at least"
            return

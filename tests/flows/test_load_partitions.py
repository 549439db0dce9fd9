"""A pipeline that names no time column, from its objects to an Iceberg table (F83)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chalicelib.config.destination import Iceberg
from chalicelib.core.tasks import Task
from chalicelib.destinations.staging import Stage
from tests.destinations.staged import place, sql_catalog
from tests.examples import pipeline
from tests.fakes.lake import FakeLake
from tests.flows.world import World


def loaded(world: World, content: bytes) -> Task:
    world.notify(world.put(f"in/{len(world.jobs.stored)}.csv", content, notify=0))
    world.discover_all()
    job, number = world.queue.loads.pop()
    world.load.task(job, number)
    task = world.jobs.task(job, number)
    assert task is not None
    assert task.staged is not None
    return task


@pytest.mark.parametrize(
    ("first", "name", "folders"),
    [
        (b"note,score\na,1.5\n", "upload_time", ["upload_time_day=", "upload_time_day="]),
        (b"id,note\n86400,a\n", "id", ["id_day=1970-01-02", "id_day=1970-01-03"]),
    ],
    ids=["upload_time", "first long"],
)
def test_the_first_object_decides_and_the_table_is_made_by_it(
    tmp_path: Path, first: bytes, name: str, folders: list[str]
) -> None:
    world: Any = World()
    out = Iceberg.model_validate({"type": "iceberg", "database": "db", "table": "t", "transform": "day"})
    named = pipeline()
    world.pipelines.put(named.model_copy(update={"out": out}))
    with sql_catalog(tmp_path) as catalog:
        there = place("iceberg", tmp_path, catalog)
        world.table = Stage(there.lake, there.stage.warehouse, agreed=world.pipelines, now=world.clock)
        tasks = [loaded(world, content) for content in (first, b"id,at,note\n172800,2026-03-01 00:00:00,b\n")]
        for task in tasks:
            assert task.staged is not None
            assert task.staged.out == out.model_copy(update={"time_column": name})
            there.tables.commit(task.staged.out, [task])
        table = catalog.load_table(("db", "t"))
        assert [field.name for field in table.spec().fields] == [f"{name}_day"]
        parts = sorted(path.split("/")[-2] for path in there.files())
        assert all(part.startswith(folder) for part, folder in zip(parts, folders, strict=True))
        assert sorted(table.scan().to_arrow()["note"].to_pylist()) == ["a", "b"]


def test_all_attempts_at_an_object_give_its_rows_one_upload_time(tmp_path: Path) -> None:
    world: Any = World(small=0, in_haste=True)
    out = Iceberg.model_validate({"type": "iceberg", "table": "t", "transform": "hour", "origin_columns": False})
    world.pipelines.put(pipeline().model_copy(update={"out": out}))
    lake = FakeLake(tmp_path)
    world.table = Stage(lake, "s3://lake/warehouse", agreed=world.pipelines, now=world.clock)
    world.notify(world.put("in/a.csv", b"note\n" + b"abcdefgh\n" * 800_000, notify=0))
    world.discover_all()
    (hint,) = world.queue.loads
    while world.queue.loads:
        world.load_task(world.queue.loads.pop())
        world.now += timedelta(hours=1)
    task = world.jobs.task(*hint)
    assert task.attempt > 1, "it was handed over"
    tables = [pq.read_table(lake.file(file.path)) for file in task.staged.files]
    assert sum(table.num_rows for table in tables) == 800_000
    assert len({time for table in tables for time in table["upload_time"].unique().to_pylist()}) == 1

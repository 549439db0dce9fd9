"""The flow of maintenance: what is deleted and what never is, who runs when, and whom a trouble stops."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from chalicelib.config.destination import Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.maintenance import Cleaned, Compacted, Expired, Part, Report
from chalicelib.core.orphans import OpenUpload
from chalicelib.core.tasks import Run, Task, TaskState
from chalicelib.core.upkeep import LEASE, Phase, UpkeepState, targets
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from chalicelib.destinations.parquet.datasets import ParquetDatasets
from chalicelib.destinations.paths import data_root, file_name, root
from chalicelib.errors import ConfigError, SourceUnavailable
from chalicelib.flows.maintain import Maintain
from tests.destinations.runs import replace as run_of
from tests.destinations.staged import STAGED_AT, Place, place, sql_catalog
from tests.examples import pipeline
from tests.fakes.leftovers import FakeLeftovers
from tests.fakes.queue import FakeMetrics, FakeQueue
from tests.fakes.stores import FakeJobs, FakePipelines
from tests.fakes.upkeep import FakeUpkeep


def clock() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


ADDRESS, REJECTS = "iceberg:db.t", "iceberg:db.t_rejects"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
JOB = "a0123456789abcdef0123"


def written_to(table: str, name: str = "p", kind: str = "iceberg", **out: Any) -> Pipeline:
    document = pipeline(name).document()
    return Pipeline.parse({**document, "out": {"type": kind, "database": "db", "table": table, **out}}, where="test")


@dataclass
class House:
    """A table in a folder, and maintenance around it; `now` is days later than the files."""

    there: Place
    leftovers: FakeLeftovers
    keeper: Any
    now: datetime = field(default_factory=lambda: clock() + 4 * DAY)
    pipelines: FakePipelines = field(default_factory=FakePipelines)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    states: FakeUpkeep = field(default_factory=FakeUpkeep)
    queue: FakeQueue = field(default_factory=FakeQueue)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    budget: timedelta = timedelta(minutes=5)

    @property
    def maintain(self) -> Maintain:
        warehouse = self.leftovers.warehouse
        return Maintain(
            pipelines=self.pipelines,
            jobs=self.jobs,
            states=self.states,
            queue=self.queue,
            keeper=lambda: self.keeper,
            leftovers=self.leftovers,
            folder=lambda out: root(warehouse, out.type, out.database, out.table),
            replaced=self.stale,
            metrics=self.metrics,
            now=lambda: self.now,
            budget=self.budget,
        )

    def stale(self, out: Parquet, before: datetime) -> list[str]:
        tables = self.there.tables
        return tables.stale(out.database, out.table, before) if isinstance(tables, ParquetDatasets) else []

    def clean(self, **how: Any) -> Cleaned:
        """The orphans of the table, and nothing else."""
        target = targets(self.pipelines.all())[ADDRESS]
        return self.maintain.table(target, {Part.ORPHANS}, **how).cleaned

    def committed(self, number: int) -> Task:
        """A commit of one row, and its task as the store has it."""
        staged = self.there.staged(number, (number,))
        self.there.tables.commit(self.there.out(), [staged])
        return staged

    def lying(self, name: str, *, age: timedelta = timedelta(0)) -> str:
        """A file in the table's folder that nobody names."""
        path = f"{root(self.leftovers.warehouse, 'iceberg', 'db', 't')}/{name}"
        self.leftovers.lake.put(path, b"xyz")
        seconds = (clock() + age).timestamp()
        os.utime(self.leftovers.lake.file(path), (seconds, seconds))
        return path

    def task(self, state: TaskState, attempt: int = 1) -> None:
        self.jobs.stored[JOB, 5] = Task(JOB, 5, "p", ADDRESS, (), state, self.now, attempt=attempt)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with sql_catalog(tmp_path, SqlCatalog) as catalog:
        there = place("iceberg", tmp_path, catalog)
        made = House(there, FakeLeftovers(there.lake, f"file://{tmp_path}/warehouse"), IcebergUpkeep(lambda: catalog))
        made.pipelines.put(written_to("t"))
        yield made


def test_files_that_any_readable_snapshot_names_are_never_orphans(house: House) -> None:
    for number in range(10):
        house.committed(number)
    target = targets(house.pipelines.all())[ADDRESS]
    report = house.maintain.table(target, {Part.COMPACT})
    assert (report.compacted.read, report.files_after) == (10, 1)
    assert house.clean() == Cleaned()
    assert house.there.ids() == list(range(10))


def test_files_of_forgotten_snapshots_are_deleted_once_their_task_is_over(house: House) -> None:
    tasks = [house.committed(number) for number in range(10)]
    for each in tasks:
        house.jobs.stored[each.job, each.number] = replace(each, state=TaskState.COMMITTED)
    house.pipelines.put(written_to("t", maintenance={"keep_snapshots": 1, "snapshot_age": 3600}))
    report = house.maintain.table(targets(house.pipelines.all())[ADDRESS])
    assert (report.expired.snapshots, report.expired.expired) == (11, 10)
    left = list((house.there.folder / "warehouse").rglob("*.parquet"))
    assert [path.name for path in left] == [house.there.files()[0].rpartition("/")[2]]
    assert house.there.ids() == list(range(10))
    assert report.cleaned.orphans == len(house.leftovers.deleted) >= 10 + 10 + 9
    assert report.bytes_saved == report.cleaned.orphan_bytes > 0
    assert house.metrics.totals["OrphansDeleted"] == report.cleaned.orphans
    assert house.metrics.totals["FilesCompacted"] == 10
    assert house.metrics.totals["SnapshotsExpired"] == 10


@pytest.mark.parametrize(
    ("state", "attempt", "deleted"),
    [
        (None, 1, False),
        (TaskState.LOADING, 1, False),
        (TaskState.STAGED, 1, False),
        (TaskState.LOADING, 2, True),
        (TaskState.STAGED, 2, True),
        (TaskState.PLANNED, 1, True),
        (TaskState.FAILED, 1, True),
        (TaskState.COMMITTED, 1, True),
        (TaskState.COMMITTED, 2, True),
    ],
)
def test_a_file_that_nobody_names_goes_if_its_task_proves_that_nobody_will(
    house: House, state: TaskState | None, attempt: int, deleted: bool
) -> None:
    house.committed(1)
    path = house.lying(f"data/{file_name(f'{JOB}/5', 1)}")
    if state is not None:
        house.task(state, attempt)
    done = house.clean()
    assert house.leftovers.deleted == ([path] if deleted else [])
    assert (done.orphans, done.orphan_bytes) == ((1, 3) if deleted else (0, 0))
    assert sum(done.left.values()) == (0 if deleted else 1)


@pytest.mark.parametrize(
    ("name", "deleted"),
    [
        ("data/0123456789abcdef-compacted.parquet", True),
        ("metadata/00001-0f5b2bb0-6f70-4a11-9a52-0a3d3c1e8a77.metadata.json", True),
        ("metadata/0f5b2bb0-6f70-4a11-9a52-0a3d3c1e8a77-m3.avro", True),
        ("data/part-00000-of-spark.parquet", False),
        ("notes.txt", False),
    ],
)
def test_what_others_left_there_is_counted_and_left_alone(house: House, name: str, deleted: bool) -> None:
    house.committed(1)
    path = house.lying(name)
    done = house.clean()
    assert house.leftovers.deleted == ([path] if deleted else [])
    assert done.left == ({} if deleted else {"not of our making": 1})


def test_what_is_young_is_not_looked_at(house: House) -> None:
    house.committed(1)
    house.lying("data/0123456789abcdef-compacted.parquet", age=DAY + HOUR)
    assert house.clean() == Cleaned()


def test_a_dry_run_deletes_nothing(house: House) -> None:
    house.committed(1)
    house.lying("data/0123456789abcdef-compacted.parquet")
    house.leftovers.open = [OpenUpload(house.lying(f"data/{file_name(f'{JOB}/5', 1)}"), "u", house.now - 9 * DAY)]
    house.task(TaskState.COMMITTED)
    done = house.clean(dry_run=True)
    assert (done.orphans, done.uploads) == (2, 1)
    assert (house.leftovers.deleted, len(house.leftovers.open)) == ([], 1)
    assert house.metrics.totals == {}


def test_a_task_that_is_committed_while_we_look_keeps_its_files(house: House) -> None:
    """The table is read; then the task commits and is over; then we ask for the task."""
    house.committed(1)
    late = house.there.staged(2, (2,))

    class Jobs(FakeJobs):
        def task(self, job: str, number: int) -> Task | None:
            house.there.tables.commit(house.there.out(), [late])
            return replace(late, state=TaskState.COMMITTED)

    house.jobs = Jobs()
    assert house.clean() == Cleaned()
    assert house.there.ids() == [1, 2]


def test_a_file_that_cannot_be_deleted_is_told_and_stops_nothing(house: House) -> None:
    house.committed(1)
    held, gone = (house.lying(f"data/{n}123456789abcdef-compacted.parquet") for n in "01")
    house.leftovers.held = {held}
    done = house.clean()
    assert (done.orphans, done.left) == (1, {"S3 does not delete it (AccessDenied)": 1})
    assert house.leftovers.deleted == [gone]


def test_a_table_that_lies_elsewhere_is_never_swept(house: House) -> None:
    """Its folder may hold other tables, whose files it does not name."""
    house.committed(1)
    path = house.lying("data/0123456789abcdef-compacted.parquet")
    found = house.there.catalog().load_table(("db", "t"))
    moved = root(house.leftovers.warehouse, "iceberg", "db", "other")
    with found.transaction() as change:
        change._apply((_location(moved),))
    assert house.clean().left == {"the table lies where another hand put it": 1}
    assert house.leftovers.lake.file(path).exists()


def _location(where: str) -> Any:
    from pyiceberg.table.update import SetLocationUpdate

    return SetLocationUpdate(location=where)


def test_uploads_that_nobody_will_complete_are_aborted(house: House) -> None:
    old, young = house.now - 9 * DAY, house.now - HOUR
    out = written_to("plain", kind="parquet").out
    house.pipelines.put(written_to("plain", "q", kind="parquet"))
    folder = data_root(house.leftovers.warehouse, out, f"{JOB}/5")
    names = [f"{folder}/{file_name(f'{JOB}/5', attempt)}" for attempt in (1, 2, 3)]
    unknown = f"{folder}/by-somebody.parquet"
    uploads = [OpenUpload(name, "u", old) for name in (*names, unknown)] + [OpenUpload(names[0], "v", young)]
    house.leftovers.open = list(uploads)
    house.task(TaskState.STAGED, 2)
    report = house.maintain.table(targets(house.pipelines.all())["parquet:db.plain"])
    assert (report.cleaned.uploads, report.error) == (1, None)
    assert house.leftovers.open == uploads[1:]


@dataclass
class Scripted:
    """A keeper that does what a test says."""

    staged: list[datetime | None] = field(default_factory=list)
    error: Exception | None = None
    more: bool = False
    seconds: float = 0
    house: Any = None

    def compact(self, out: Any, rules: Any, *, in_time: Any, dry_run: bool = False) -> Compacted:
        if self.error is not None and out.table == "t":
            raise self.error
        self.house.now += timedelta(seconds=self.seconds)
        return Compacted(more=self.more or not in_time())

    def expire(self, out: Any, rules: Any, *, now: datetime, oldest_staged: Any, dry_run: bool = False) -> Expired:
        self.staged.append(oldest_staged)
        return Expired()

    def names(self, out: Any) -> None:
        return None


@pytest.fixture
def scripted(house: House) -> House:
    house.keeper = Scripted(house=house)
    return house


def test_the_history_is_kept_back_to_the_oldest_staged_task_of_either_table(scripted: House) -> None:
    staged = scripted.there.staged(1, (1,))
    assert staged.staged is not None
    oldest = replace(staged, table=ADDRESS, staged=replace(staged.staged, at=scripted.now - 9 * DAY))
    closing = replace(staged.staged, at=scripted.now, closes=Run("a02", scripted.now - 10 * DAY))
    scripted.jobs.stored["a01", 1] = oldest
    scripted.maintain.pipeline("p", {Part.EXPIRE})
    assert scripted.keeper.staged == [scripted.now - 9 * DAY] * 2, "bad rows bear the same tags"
    scripted.jobs.stored["a01", 2] = replace(oldest, number=2, staged=closing)
    scripted.maintain.pipeline("p", {Part.EXPIRE})
    assert scripted.keeper.staged[-1] == scripted.now - 10 * DAY
    scripted.jobs.stored.clear()
    scripted.maintain.pipeline("p", {Part.EXPIRE})
    assert scripted.keeper.staged[-1] is None


def test_one_tables_trouble_does_not_stop_the_other(scripted: House) -> None:
    scripted.keeper.error = SourceUnavailable("the catalogue is away", where="catalogue")
    first, second = scripted.maintain.pipeline("p")
    assert first.error is not None
    assert "the catalogue is away" in first.error
    assert (second.table, second.error) == (REJECTS, None)


def test_a_pipeline_that_is_not_there_is_an_error(scripted: House) -> None:
    with pytest.raises(ConfigError, match="no pipeline"):
        scripted.maintain.pipeline("nobody")


def test_a_new_table_has_its_first_run_after_one_period(scripted: House) -> None:
    scripted.maintain.tick()
    assert scripted.queue.maintenance == []
    assert {state.next_at for state in scripted.states.stored.values()} == {scripted.now + HOUR}
    scripted.now += HOUR
    scripted.maintain.tick()
    assert sorted(scripted.queue.maintenance) == [ADDRESS, REJECTS]


def due(house: House) -> None:
    house.states.stored[ADDRESS] = UpkeepState(ADDRESS, house.now)
    house.states.stored[REJECTS] = UpkeepState(REJECTS, house.now + 9 * DAY)


def test_two_ticks_start_one_run_and_two_messages_too(scripted: House) -> None:
    due(scripted)
    scripted.maintain.tick()
    scripted.maintain.tick()
    assert scripted.queue.maintenance == [ADDRESS]
    assert scripted.maintain.run(ADDRESS) is not None
    assert scripted.maintain.run(ADDRESS) is None, "a second delivery"
    state = scripted.states.stored[ADDRESS]
    assert (state.phase, state.next_at, state.last) == (Phase.IDLE, scripted.now + HOUR, Report(ADDRESS))


def test_a_run_that_is_at_work_is_not_joined(scripted: House) -> None:
    due(scripted)
    scripted.maintain.tick()
    asked = scripted.states.stored[ADDRESS]
    scripted.states.stored[ADDRESS] = replace(asked, phase=Phase.RUNNING, until=scripted.now + LEASE)
    assert scripted.maintain.run(ADDRESS) is None
    scripted.maintain.tick()
    assert scripted.queue.maintenance == [ADDRESS]


def test_a_run_that_died_is_asked_for_again_when_its_lease_is_over(scripted: House) -> None:
    due(scripted)
    scripted.maintain.tick()
    scripted.now += LEASE
    scripted.maintain.tick()
    assert scripted.queue.maintenance == [ADDRESS] * 2
    assert scripted.maintain.run(ADDRESS) is not None


def test_what_a_run_leaves_is_taken_up_by_the_next_minute(scripted: House) -> None:
    due(scripted)
    scripted.keeper.more = True
    scripted.maintain.tick()
    scripted.maintain.run(ADDRESS)
    scripted.maintain.tick()
    assert scripted.queue.maintenance == [ADDRESS] * 2


def test_a_run_that_takes_too_long_hands_on(scripted: House) -> None:
    due(scripted)
    scripted.keeper.seconds = 301
    scripted.maintain.tick()
    report = scripted.maintain.run(ADDRESS)
    assert report is not None
    assert report.more


def test_an_error_is_set_down_and_the_next_run_waits_its_time(scripted: House) -> None:
    due(scripted)
    scripted.keeper.error = SourceUnavailable("the catalogue is away", where="catalogue")
    scripted.maintain.tick()
    with pytest.raises(SourceUnavailable):
        scripted.maintain.run(ADDRESS)
    state = scripted.states.stored[ADDRESS]
    assert state.last is not None
    assert state.last.error is not None
    assert (state.phase, state.next_at) == (Phase.IDLE, scripted.now + HOUR)


def test_maintenance_that_is_off_is_never_asked_for_but_can_be_run_by_hand(scripted: House) -> None:
    scripted.pipelines.put(written_to("t", maintenance={"enabled": False}))
    due(scripted)
    scripted.maintain.tick()
    assert scripted.queue.maintenance == []
    assert len(scripted.maintain.pipeline("p")) == 2


def test_a_table_that_nobody_writes_any_more_is_left_alone(scripted: House) -> None:
    due(scripted)
    scripted.maintain.tick()
    scripted.pipelines.remove("p")
    assert scripted.maintain.run(ADDRESS) is None
    scripted.maintain.tick()


def test_of_pipelines_with_one_table_the_first_by_name_says_how() -> None:
    pipelines = [
        written_to("t", "z", maintenance={"every": 60}),
        written_to("t", "a", maintenance={"every": 120}),
        written_to("u", "b", rejects_table="t_rejects"),
        written_to("plain", "c", kind="parquet"),
    ]
    found = targets(pipelines)
    assert set(found) == {
        ADDRESS,
        REJECTS,
        "iceberg:db.u",
        "parquet:db.plain",
        "parquet:db.plain_rejects",
    }
    assert (found[ADDRESS].rules.every, found[REJECTS].rules.every) == (120, 120)
    assert found[ADDRESS].feeders == (ADDRESS,)
    assert found[REJECTS].feeders == (ADDRESS, "iceberg:db.u")


@pytest.mark.parametrize(("days", "left"), [(1, 3), (4, 2)], ids=["readers may be at it", "nobody is"])
def test_what_a_run_of_a_plain_dataset_replaced_is_deleted_in_time(tmp_path: Path, days: int, left: int) -> None:
    with sql_catalog(tmp_path, SqlCatalog) as catalog:
        there = place("parquet", tmp_path, catalog)
        house = House(there, FakeLeftovers(there.lake, f"file://{tmp_path}/warehouse"), None, STAGED_AT + days * DAY)
        house.pipelines.put(written_to("t", kind="parquet", mode="replace"))
        run_of(there, 1, (1,))
        run_of(there, 2, (2,), (3,))
        assert len(there.files()) == 3
        target = targets(house.pipelines.all())["parquet:db.t"]
        would = house.maintain.table(target, {Part.ORPHANS}, dry_run=True)
        assert len(there.files()) == 3
        done = house.maintain.table(target, {Part.ORPHANS})
        assert (done.error, done.cleaned) == (None, would.cleaned)
        assert done.cleaned.orphans == 3 - left
        assert len(there.files()) == left
        assert sorted(there.tables.rows("db", "t", 9)["id"].to_pylist()) == [2, 3]

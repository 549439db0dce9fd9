"""Every catalogue keeps the promises of an Iceberg table: SQL, Glue, and REST as S3 Tables speak it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread

import pytest
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.maintenance import Maintenance
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Former, Run, Task
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from chalicelib.errors import ConfigError, RunSuperseded, SchemaConflict
from chalicelib.local import emulator as embedded
from chalicelib.local.emulator import Emulator
from chalicelib.records.origin import with_origin
from tests.contracts import seaweed
from tests.contracts.catalogues import Ground, in_glue, in_rest, in_sql
from tests.contracts.seaweed import Seaweed
from tests.contracts.wire import FAULTS, Wire, wire
from tests.destinations.scripted import fail
from tests.destinations.staged import AT, ID, LOADED_AT, NOTE, batch, task


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with embedded.running(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed.running(tmp_path_factory.mktemp("seaweed")) as running:
        yield running


@pytest.fixture(params=["sql", "glue", "rest"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    match request.param:
        case "sql":
            yield from in_sql(tmp_path)
        case "glue":
            yield in_glue(request.getfixturevalue("emulator"), tmp_path)
        case _:
            yield in_rest(request.getfixturevalue("rest"), tmp_path)


DAY = timedelta(days=1)
A1, A2, B1 = ("a", "e:1"), ("a", "e:2"), ("b", "e:1")


def objects(ground: Ground, number: int, contents: dict[tuple[str, str], Sequence[int]]) -> Task:
    """A task with these objects' rows in one file."""
    staging = ground.stage(ground.out(), f"a01/{number}", 1)
    for (key, identity), ids in contents.items():
        rows = batch((ID,), *((i,) for i in ids), origin=False)
        staging.write(with_origin(rows, ObjectRef("bucket", key, identity[2:], 1, LOADED_AT), LOADED_AT), (ID,))
        staging.keep()
    return task(number, staging.finish())


def test_a_table_and_its_database_are_made_with_the_first_rows(ground: Ground) -> None:
    assert not ground.tables.exists("db", ground.name)
    with pytest.raises(ConfigError, match="no such table"):
        ground.tables.count("db", ground.name)
    ground.commit(ground.staged(0, (1,), (2,)))
    assert ground.tables.exists("db", ground.name)
    assert ground.tables.count("db", ground.name) == 2
    assert ground.ids() == [1, 2]


def test_committing_twice_is_committing_once_and_committed_tasks_are_found(ground: Ground) -> None:
    tasks = [ground.staged(number, (number,)) for number in range(3)]
    snapshot = ground.commit(*tasks[:2])
    assert ground.commit(*tasks[:2]) == snapshot
    assert ground.tables.committed(ground.out(), tasks) == dict.fromkeys([tasks[0].id, tasks[1].id], snapshot)
    ground.commit(*tasks)
    assert ground.ids() == [0, 1, 2]


def test_the_tags_are_on_the_snapshot_that_the_catalogue_gives_back(ground: Ground) -> None:
    ground.commit(*(ground.staged(number, (number,)) for number in range(3)))
    newest = ground.loaded().current_snapshot()
    assert newest is not None
    assert newest.summary is not None
    assert newest.summary.additional_properties["tidegate.tasks"] == '{"a01":"0-2"}'


def test_columns_grow_and_widen_in_the_commit_that_brings_their_rows(ground: Ground) -> None:
    narrow, wide = (Column(name="n", type=ColumnType.DECIMAL, precision=digits, scale=2) for digits in (9, 20))
    ground.commit(ground.staged(0, (1, None), columns=(ID, narrow)))
    before = ground.catalog.commits
    ground.commit(ground.staged(1, (2, None, "new"), columns=(ID, wide, NOTE)))
    assert ground.catalog.commits == before + 1
    schema = ground.loaded().schema()
    assert str(schema.find_type("n")) == "decimal(20, 2)"
    assert sorted(ground.read("(id, note)"), key=str) == [(1, None), (2, "new")]
    text = Column(name="id", type=ColumnType.STRING)
    with pytest.raises(SchemaConflict, match="'id' is string"):
        ground.commit(ground.staged(2, ("x",), columns=(text,)))


def test_partitions_prune(ground: Ground) -> None:
    options = {"time_column": "at", "transform": "day"}
    days = [LOADED_AT.replace(day=day) for day in (1, 2, 3)]
    ground.commit(ground.staged(0, *enumerate(days), columns=(ID, AT), **options), **options)
    assert [field.name for field in ground.loaded().spec().fields] == ["at_day"]
    assert len(list(ground.loaded().scan("at >= '2026-03-03T00:00:00+00:00'").plan_files())) == 1
    assert ground.ids() == [0, 1, 2]


def test_former_rows_go_as_new_ones_come(ground: Ground) -> None:
    first = objects(ground, 0, {A1: [1, 2], B1: [3]})
    ground.tables.commit(ground.out(), [first])
    before = ground.catalog.commits
    again = objects(ground, 1, {A2: [4]})
    ground.tables.commit(ground.out(), [again], {again.id: [Former("bucket", *A1)]})
    assert ground.catalog.commits == before + 1
    assert sorted(ground.read("(_key, _identity, id)")) == [(*A2, 4), (*B1, 3)]
    assert ground.tables.rows_by_key("db", ground.name, bucket="bucket") == {A2: 1, B1: 1}


def test_a_run_is_the_whole_content_in_one_change_and_a_late_one_is_refused(ground: Ground) -> None:
    ground.commit(ground.staged(0, (1,), (2,)))
    before, out = ground.catalog.commits, ground.out(mode="replace")
    first, late = Run("r1", LOADED_AT + DAY), Run("r0", LOADED_AT)
    tasks = [ground.staged(number, (number,)) for number in (5, 6)]
    snapshot = ground.tables.commit(out, tasks, run=first)
    assert ground.tables.commit(out, tasks, run=first) == snapshot, "twice is the same as once"
    assert ground.catalog.commits == before + 1
    assert ground.ids() == [5, 6]
    with pytest.raises(RunSuperseded):
        ground.tables.commit(out, [ground.staged(7, (7,))], run=late)
    ground.tables.commit(out, [task(8, ())], run=Run("r2", LOADED_AT + 2 * DAY))
    assert ground.ids() == []


def test_merged_rows_take_the_place_of_those_with_their_keys(ground: Ground) -> None:
    options = {"mode": "merge", "merge_keys": ["id"]}
    ground.commit(ground.staged(0, (1, "old"), (2, "old"), columns=(ID, NOTE)), **options)
    before = ground.catalog.commits
    ground.commit(ground.staged(1, (2, "new"), (3, "new"), columns=(ID, NOTE)), **options)
    assert ground.catalog.commits == before + 1
    assert ground.read("(id, note)", "order by id") == [(1, "old"), (2, "new"), (3, "new")]


def test_maintenance_makes_one_file_and_forgets_old_snapshots_but_no_row(ground: Ground) -> None:
    tasks = [ground.staged(number, (number,)) for number in range(9)]
    for each in tasks:
        ground.commit(each)
    upkeep, rules = IcebergUpkeep(lambda: ground.catalog), Maintenance(keep_snapshots=1, max_snapshots=1)
    done = upkeep.compact(ground.out(), rules, in_time=lambda: True)
    assert (done.read, done.written) == (9, 1)
    assert ground.tables.committed(ground.out(), tasks).keys() == {each.id for each in tasks}
    newest = ground.loaded().metadata.last_updated_ms / 1000
    later = datetime.fromtimestamp(newest, UTC) + DAY
    assert upkeep.expire(ground.out(), rules, now=later, oldest_staged=None).expired == 9
    assert len(ground.loaded().metadata.snapshots) == 1
    assert ground.ids() == list(range(9))


LOST = [
    CommitStateUnknownException("gateway timeout"),
    ConnectionError("connection reset"),
    CommitFailedException("the client sent it again and met itself"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_an_error_around_the_commit_costs_no_row_and_doubles_none(ground: Ground, when: str, error: Exception) -> None:
    ground.commit(ground.staged(0, (1,)))
    second = ground.staged(1, (2,))
    getattr(ground.catalog, when).append(fail(error))
    snapshot = ground.commit(second)
    assert ground.tables.committed(ground.out(), [second]) == {second.id: snapshot}
    assert ground.ids() == [1, 2]
    assert ground.catalog.commits == 2


def test_another_writer_in_between_is_no_harm(ground: Ground) -> None:
    ground.commit(ground.staged(0, (1,)))

    def elsewhere() -> None:
        table = ground.loaded()
        table.append(table.scan().to_arrow())
        table.transaction().set_properties({"owner": "somebody"}).commit_transaction()

    ground.catalog.before.append(elsewhere)
    ground.commit(ground.staged(1, (2,)))
    assert ground.ids() == [1, 1, 2]
    assert ground.loaded().properties["owner"] == "somebody"


@pytest.mark.parametrize("table_exists", [True, False])
def test_two_committers_of_the_same_tasks_add_the_rows_once(ground: Ground, table_exists: bool) -> None:
    meet = Barrier(2)

    def wait() -> None:
        try:
            meet.wait(30)
        except BrokenBarrierError:
            return

    if table_exists:
        ground.commit(ground.staged(9, (9,)))
    tasks = [ground.staged(number, (number,)) for number in range(3)]
    ground.catalog.before = [wait, wait]
    snapshots: list[str | None] = []
    threads = [Thread(target=lambda: snapshots.append(ground.commit(*tasks))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not meet.broken, "both looked before either committed"
    assert len(snapshots) == 2
    assert len(set(snapshots)) == 1
    assert ground.ids() == [0, 1, 2, *([9] if table_exists else [])]


@pytest.fixture(scope="module")
def faulty(rest: Seaweed) -> Iterator[Wire]:
    with wire(rest.catalogue) as made:
        yield made


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("what", ["append", "former"])
def test_a_wire_that_fails_costs_no_row_and_doubles_none(
    rest: Seaweed, faulty: Wire, tmp_path: Path, fault: str, what: str
) -> None:
    ground = in_rest(rest, tmp_path, uri=faulty.uri)
    ground.tables.commit(ground.out(), [objects(ground, 0, {A1: [1, 2], B1: [3]})])
    second = objects(ground, 1, {A2: [4]})
    formers = {second.id: [Former("bucket", *A1)]} if what == "former" else {}
    faulty.faults, faulty.happened = [fault], []
    snapshot = ground.tables.commit(ground.out(), [second], formers)
    assert faulty.happened == [fault]
    assert ground.tables.committed(ground.out(), [second]) == {second.id: snapshot}
    assert ground.ids() == ([3, 4] if what == "former" else [1, 2, 3, 4])
    assert ground.tables.rows_by_key("db", ground.name, bucket="bucket")[A2] == 1


def test_a_wire_that_never_answers_ends_as_a_sentence_and_the_next_time_finds_the_rows(
    rest: Seaweed, faulty: Wire, tmp_path: Path
) -> None:
    from chalicelib.destinations.iceberg.troubles import TRIES
    from chalicelib.errors import TransientError

    ground = in_rest(rest, tmp_path, uri=faulty.uri)
    ground.commit(ground.staged(0, (1,)))
    second = ground.staged(1, (2,))
    faulty.faults, faulty.happened = ["refused"] * TRIES, []
    with pytest.raises(TransientError, match="tried again"):
        ground.commit(second)
    assert ground.ids() == [1]
    faulty.faults = []
    ground.commit(second)
    assert ground.ids() == [1, 2]

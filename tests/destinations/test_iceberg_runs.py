"""A run's rows become the whole content of its table, in one change and once."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.table.snapshots import Operation
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.tasks import Run, Task
from chalicelib.errors import RunSuperseded, SchemaConflict
from tests.destinations.scripted import ScriptedCatalog, fail
from tests.destinations.staged import AT, ID, NOTE, Place, load, task

TABLE = ("db", "t")
MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
TEXT_ID = Column(name="id", type=ColumnType.STRING)


def run(job: str = "r1", hours: int = 0) -> Run:
    return Run(job, MORNING + timedelta(hours=hours))


def staged(there: Place, job: str, number: int, *rows: tuple[Any, ...], columns: tuple[Column, ...] = (ID,)) -> Task:
    staging = there.stage(there.out(), f"{job}/{number}", 1)
    load(staging, columns, *rows)
    return task(number, staging.finish(), job)


def replace(there: Place, which: Run, *tasks: Task, **options: Any) -> str | None:
    return there.tables.commit(there.out(mode="replace", **options), tasks, run=which)


def rows(there: Place, *names: str) -> list[dict[str, Any]]:
    return there.tables.rows("db", "t", 99).select(list(names)).to_pylist()


def test_the_rows_of_a_run_are_all_there_is(there: Place) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,), (2,)), there.staged(1, (3,))])
    replace(there, run(), staged(there, "r1", 0, (4,)), staged(there, "r1", 1, (5,)))
    assert there.ids() == [4, 5]
    assert there.tables.count("db", "t") == 2
    replace(there, run("r2", 1), staged(there, "r2", 0, (6,)))
    assert there.ids() == [6]


def test_a_run_may_be_the_first_there_is(there: Place) -> None:
    replace(there, run(), staged(there, "r1", 0, (4,)))
    assert there.ids() == [4]


def test_a_replacement_is_one_snapshot_with_the_tags_of_its_tasks(there: Place, catalog: ScriptedCatalog) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,), (2,))])
    before = catalog.commits
    tasks = [staged(there, "r1", 0, (4,)), task(1, (), "r1")]
    name = replace(there, run(), *tasks)
    table = catalog.load_table(TABLE)
    assert catalog.commits == before + 1
    assert [each.summary.operation for each in table.snapshots() if each.summary] == [
        Operation.APPEND,
        Operation.OVERWRITE,
    ]
    newest = table.current_snapshot()
    assert newest is not None
    assert str(newest.snapshot_id) == name
    assert newest.summary is not None
    summary = newest.summary.additional_properties
    assert summary["tidegate.tasks"] == '{"r1":"0-1"}'
    assert (summary["deleted-data-files"], summary["added-data-files"]) == ("1", "1")
    assert (summary["total-data-files"], summary["total-records"]) == ("1", "1")
    assert there.tables.committed(there.out(), tasks) == {tasks[0].id: name}


def test_what_was_there_can_still_be_read_as_of_then(there: Place, catalog: ScriptedCatalog) -> None:
    first = there.tables.commit(there.out(), [there.staged(0, (1,), (2,))])
    replace(there, run(), staged(there, "r1", 0, (4,)))
    assert first is not None
    then = catalog.load_table(TABLE).scan(snapshot_id=int(first)).to_arrow()
    assert sorted(then["id"].to_pylist()) == [1, 2]


def test_a_run_that_found_nothing_empties_the_table(there: Place, catalog: ScriptedCatalog) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    assert replace(there, run()) is not None
    assert there.files() == []
    assert there.tables.count("db", "t") == 0
    assert catalog.load_table(TABLE).schema().column_names[0] == "id"
    there.tables.commit(there.out(), [there.staged(1, (2,))])
    assert there.ids() == [2]


def test_a_run_that_found_nothing_makes_no_table(there: Place) -> None:
    assert replace(there, run()) is None
    assert replace(there, run(), task(0, (), "r1")) is None
    with pytest.raises(NoSuchTableError):
        there.catalog().load_table(TABLE)


def test_a_run_replaces_the_content_once(there: Place) -> None:
    mine = staged(there, "r1", 0, (4,))
    first = replace(there, run(), mine)
    assert replace(there, run(), mine) == first
    there.tables.commit(there.out(), [there.staged(1, (5,))])
    assert replace(there, run(), mine) is not None
    assert there.ids() == [4, 5]


@pytest.mark.parametrize("found", [(4,), ()])
def test_a_run_is_remembered_when_its_snapshot_is_not(
    there: Place, catalog: ScriptedCatalog, found: tuple[int, ...]
) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    mine = [staged(there, "r1", 0, (number,)) for number in found]
    name = replace(there, run(), *mine)
    latest = there.tables.commit(there.out(), [there.staged(1, (5,))])
    assert name is not None
    table = catalog.load_table(TABLE)
    table.maintenance.expire_snapshots().by_ids([each.snapshot_id for each in table.snapshots()][:2]).commit()
    assert there.tables.committed(there.out(), mine) == {}
    assert replace(there, run(), *mine) == latest
    assert there.ids() == [*found, 5]


LOST = [CommitStateUnknownException("gateway timeout"), ConnectionError("reset"), CommitFailedException("met itself")]


@pytest.mark.parametrize("found", [(4,), ()])
@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_or_a_conflict_replaces_once(
    there: Place, catalog: ScriptedCatalog, when: str, error: Exception, found: tuple[int, ...]
) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    mine = [staged(there, "r1", 0, (number,)) for number in found]
    commits = catalog.commits
    getattr(catalog, when).append(fail(error))
    replace(there, run(), *mine)
    assert catalog.commits == commits + 1
    assert there.ids() == list(found)


def test_rows_that_came_in_between_are_replaced_too(there: Place, catalog: ScriptedCatalog) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    late = there.staged(1, (2,))
    catalog.before.append(lambda: catalog.load_table(TABLE).add_files([late.staged.files[0].path]))  # type: ignore[union-attr]
    replace(there, run(), staged(there, "r1", 0, (4,)))
    assert there.ids() == [4]


def test_a_run_that_started_earlier_is_superseded(there: Place, catalog: ScriptedCatalog) -> None:
    replace(there, run("late", 2), staged(there, "late", 0, (2,)))
    before = catalog.commits
    with pytest.raises(RunSuperseded, match="late"):
        replace(there, run("early", 1), staged(there, "early", 0, (1,)))
    assert there.ids() == [2]
    assert catalog.commits == before


@pytest.mark.parametrize("first, second, wins", [("a", "b", 2), ("b", "a", 1)])
def test_of_two_runs_of_one_instant_the_name_decides(there: Place, first: str, second: str, wins: int) -> None:
    replace(there, run(first), staged(there, first, 0, (1,)))
    if wins == 1:
        with pytest.raises(RunSuperseded):
            replace(there, run(second), staged(there, second, 0, (2,)))
    else:
        replace(there, run(second), staged(there, second, 0, (2,)))
    assert there.ids() == [wins]


def test_a_superseded_run_that_was_committed_is_known_by_its_tags(there: Place) -> None:
    early = staged(there, "early", 0, (1,))
    name = replace(there, run("early", 1), early)
    replace(there, run("late", 2), staged(there, "late", 0, (2,)))
    assert replace(there, run("early", 1), early) == name
    assert there.ids() == [2]


def test_new_columns_come_with_the_run_that_has_them(there: Place, catalog: ScriptedCatalog) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    before = catalog.commits
    replace(there, run(), staged(there, "r1", 0, (4, "x"), columns=(ID, NOTE)))
    assert rows(there, "id", "note") == [{"id": 4, "note": "x"}]
    assert catalog.commits == before + 1


def test_columns_that_new_rows_lack_stay_unless_told(there: Place) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1, "x"), columns=(ID, NOTE))])
    replace(there, run(), staged(there, "r1", 0, (4,)))
    assert rows(there, "id", "note") == [{"id": 4, "note": None}]
    replace(there, run("r2", 1), staged(there, "r2", 0, (5,)), keep_schema=False)
    assert there.tables.rows("db", "t", 9).column_names == ["id", "_bucket", "_key", "_identity", "_loaded_at"]
    assert there.ids() == [5]


def test_a_column_that_went_may_come_again(there: Place) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1, "x"), columns=(ID, NOTE))])
    replace(there, run(), staged(there, "r1", 0, (4,)), keep_schema=False)
    assert "note" not in there.tables.rows("db", "t", 9).column_names
    replace(there, run("r2", 1), staged(there, "r2", 0, (5, "y"), columns=(ID, NOTE)), keep_schema=False)
    assert rows(there, "id", "note") == [{"id": 5, "note": "y"}]


def test_a_column_of_another_type_is_a_conflict_that_changes_nothing(there: Place, catalog: ScriptedCatalog) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    before = catalog.commits
    with pytest.raises(SchemaConflict, match="'id' is string"):
        replace(there, run(), staged(there, "r1", 0, ("one",), columns=(TEXT_ID,)))
    assert (there.ids(), catalog.commits) == ([1], before)


def test_unless_the_schema_is_not_kept(there: Place, catalog: ScriptedCatalog) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    replace(there, run(), staged(there, "r1", 0, ("one",), columns=(TEXT_ID,)), keep_schema=False)
    table = catalog.load_table(TABLE)
    assert table.schema().find_type("id") == StringType()
    assert rows(there, "id") == [{"id": "one"}]
    assert table.scan("id = 'one'").to_arrow().num_rows == 1
    there.tables.commit(there.out(), [there.staged(1, ("two",), columns=(TEXT_ID,))])
    assert sorted(row["id"] for row in rows(there, "id")) == ["one", "two"]
    replace(there, run("r2", 1), staged(there, "r2", 0, (3,)), keep_schema=False)
    assert rows(there, "id") == [{"id": 3}]


def test_an_empty_run_keeps_the_columns(there: Place, catalog: ScriptedCatalog) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1, "x"), columns=(ID, NOTE))])
    replace(there, run(), keep_schema=False)
    assert "note" in catalog.load_table(TABLE).schema().column_names


DAYS = {"time_column": "at", "transform": "day"}


def test_all_partitions_are_replaced(there: Place) -> None:
    march = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3)]
    there.tables.commit(
        there.out(**DAYS), [there.staged(0, *((1, day) for day in march), (2, None), columns=(ID, AT), **DAYS)]
    )
    assert len(there.files()) == 4
    replace(there, run(), there.staged(1, (9, march[1]), columns=(ID, AT), **DAYS), **DAYS)
    assert there.ids() == [9]
    assert len(there.files()) == 1


def test_files_of_earlier_partition_specs_go_as_well(there: Place, catalog: ScriptedCatalog) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    there.tables.commit(there.out(), [there.staged(0, (1, at), columns=(ID, AT))])
    with catalog.load_table(TABLE).update_spec() as spec:
        spec.add_field("at", DayTransform(), "at_day")
    there.tables.commit(there.out(**DAYS), [there.staged(1, (2, at), columns=(ID, AT), **DAYS)])
    assert there.ids() == [1, 2]
    replace(there, run(), there.staged(2, (3, at), columns=(ID, AT), **DAYS), **DAYS)
    assert there.ids() == [3]
    deleted = [entry for entry in catalog.load_table(TABLE).inspect.entries().to_pylist() if entry["status"] == 2]
    assert len(deleted) == 2


def test_a_column_that_partitions_need_cannot_go(there: Place) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    there.tables.commit(there.out(**DAYS), [there.staged(0, (1, at), columns=(ID, AT), **DAYS)])
    with pytest.raises(SchemaConflict, match="no column 'at'"):
        replace(there, run(), staged(there, "r1", 0, (4,)), keep_schema=False)
    text = Column(name="at", type=ColumnType.STRING)
    with pytest.raises(SchemaConflict, match="partitioned"):
        replace(there, run(), staged(there, "r1", 1, (4, "x"), columns=(ID, text)), keep_schema=False)
    assert there.ids() == [1]


def test_a_column_of_earlier_partitions_stays_as_null(there: Place, catalog: ScriptedCatalog) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1, "x"), columns=(ID, NOTE))])
    with catalog.load_table(TABLE).update_spec() as spec:
        spec.add_field("note", IdentityTransform(), "note_part")
    with catalog.load_table(TABLE).update_spec() as spec:
        spec.remove_field("note_part")
    replace(there, run(), staged(there, "r1", 0, (4,)), keep_schema=False)
    assert rows(there, "id", "note") == [{"id": 4, "note": None}]


def test_somebody_elses_properties_stay_and_ours_says_which_run_it_was(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.create_namespace("db")
    schema = Schema(NestedField(1, "id", LongType()))
    theirs = catalog.create_table(TABLE, schema, f"{there.stage.warehouse}/db/t", properties={"owner": "somebody"})
    theirs.append(pa.table({"id": [1]}))
    replace(there, run(), staged(there, "r1", 0, (4,)))
    properties = catalog.load_table(TABLE).properties
    assert properties["owner"] == "somebody"
    assert json.loads(properties["tidegate.run"]) == {"job": "r1", "started_at": "2026-03-02T08:00:00+00:00"}
    assert there.ids() == [4]


def test_a_run_that_emptied_the_table_is_known_by_the_task_that_ended_it(there: Place) -> None:
    """Else a crash before the marks would have it given up: by then its claims may have moved on."""
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    last, out = task(1, (), "r1"), there.out(mode="replace")
    assert last.staged is not None
    last = dataclasses.replace(last, staged=dataclasses.replace(last.staged, out=out, closes=run()))
    assert there.tables.committed(out, [last]) == {}
    snapshot = replace(there, run(), last)
    assert there.ids() == []
    assert there.tables.committed(out, [last]) == {last.id: snapshot}

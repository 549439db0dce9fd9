"""What Iceberg adds to the promises of all destinations: atomicity, tags, races, lost answers, schemas."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.types import DecimalType, DoubleType, FloatType, IntegerType, LongType, NestedField, StringType

from chalicelib.aws.errors import translated
from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.tasks import Task
from chalicelib.destinations.iceberg.tables import IcebergTables
from chalicelib.destinations.iceberg.troubles import TRIES
from chalicelib.errors import (
    AccessDenied,
    CommitConflict,
    PipelineMismatch,
    SchemaConflict,
    SourceUnavailable,
    StagedFileMissing,
)
from tests.destinations.scripted import ScriptedCatalog, fail
from tests.destinations.staged import AT, ID, NOTE, Place, load, place, restaged, sql_catalog, task

TABLE = ("db", "t")


def commit(there: Place, *tasks: Task, **options: Any) -> str | None:
    return there.tables.commit(there.out(**options), tasks)


def scanned(there: Place, row_filter: str) -> list[int]:
    return sorted(there.catalog().load_table(TABLE).scan(row_filter).to_arrow()["id"].to_pylist())


def test_a_commit_begins_with_what_was_seen_when_the_tags_were_looked_for(there: Place) -> None:
    commit(there, there.staged(0, (1,)))
    opened: list[int] = []
    tables = IcebergTables(lambda: opened.append(1) or there.catalog(), there.tables.warehouse)
    second = there.staged(1, (2,))
    assert tables.committed(there.out(), [second]) == {}
    tables.commit(there.out(), [second])
    assert len(opened) == 1
    tables.commit(there.out(), [there.staged(2, (3,))])
    assert len(opened) == 2, "what was seen counts once"
    assert there.ids() == [1, 2, 3]


def test_what_was_committed_since_the_tags_were_looked_for_is_not_committed_again(there: Place) -> None:
    commit(there, there.staged(0, (1,)))
    second, third = there.staged(1, (2,)), there.staged(2, (3,))
    assert there.tables.committed(there.out(), [second, third]) == {}
    other = IcebergTables(there.catalog, there.tables.warehouse)
    snapshot = other.commit(there.out(), [second])
    assert commit(there, second) == snapshot
    assert there.tables.committed(there.out(), [third]) == {}
    other.commit(there.out(), [there.staged(3, (4,))])
    commit(there, third)
    assert there.ids() == [1, 2, 3, 4]


LOST = [
    CommitStateUnknownException("gateway timeout"),
    ConnectionError("connection reset"),
    CommitFailedException("the client sent it again and met itself"),
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_lost_answer_doubles_no_row_and_loses_none(there: Place, catalog: ScriptedCatalog, error: Exception) -> None:
    commit(there, there.staged(0, (1,)))
    second = there.staged(1, (2,))
    catalog.after = [fail(error)]
    snapshot = commit(there, second)
    assert there.tables.committed(there.out(), [second]) == {second.id: snapshot}
    assert there.ids() == [1, 2]
    assert there.tables.rows("db", "t", 9).num_rows == 2
    assert catalog.commits == 2


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_commit_that_did_not_happen_is_repeated(there: Place, catalog: ScriptedCatalog, error: Exception) -> None:
    catalog.before = [fail(error)]
    commit(there, there.staged(0, (1,)))
    assert there.ids() == [1]
    assert catalog.commits == 1


def test_a_crash_after_the_commit_is_found_by_the_next_one(there: Place, catalog: ScriptedCatalog) -> None:
    first, second = there.staged(0, (1,)), there.staged(1, (2,))
    catalog.after = [fail(KeyboardInterrupt())]  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        commit(there, first)
    assert list(there.tables.committed(there.out(), [first, second])) == [first.id]
    commit(there, first, second)
    assert there.ids() == [1, 2]


def test_another_attempt_of_a_committed_task_adds_nothing(there: Place) -> None:
    first = there.staged(0, (1,))
    commit(there, first)
    staging = there.stage(there.out(), first.id, 2)
    load(staging, (ID,), (1,))
    commit(there, restaged(first, staging.finish()))
    assert there.ids() == [1]


def test_conflicts_end_as_a_conflict(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.before = [fail(CommitFailedException("taken")) for _ in range(TRIES)]
    with pytest.raises(CommitConflict, match=f"{TRIES} times"):
        commit(there, there.staged(0, (1,)))
    assert catalog.commits == 0


def test_a_catalogue_that_never_answers_ends_as_unavailable(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.before = [fail(TimeoutError("no answer")) for _ in range(TRIES)]
    with pytest.raises(SourceUnavailable, match="no answer"):
        commit(there, there.staged(0, (1,)))


def test_a_refusal_is_not_repeated(there: Place, catalog: ScriptedCatalog) -> None:
    denied = ClientError({"Error": {"Code": "AccessDeniedException"}}, "UpdateTable")
    catalog.before = [fail(denied)]
    tables = IcebergTables(lambda: catalog, there.stage.warehouse, translated)
    with pytest.raises(AccessDenied, match=r"db\.t"):
        tables.commit(there.out(), [there.staged(0, (1,))])
    assert catalog.commits == 0


def test_another_engine_in_between_is_no_harm(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, there.staged(0, (1,)))
    catalog.before = [lambda: commit_elsewhere(there)]
    commit(there, there.staged(1, (2,)))
    assert there.ids() == [1, 2]
    assert there.catalog().load_table(TABLE).properties["owner"] == "somebody"


def commit_elsewhere(there: Place) -> None:
    table = there.catalog().load_table(TABLE)
    table.append(table.scan(limit=0).to_arrow())
    table.transaction().set_properties({"owner": "somebody"}).commit_transaction()


@pytest.mark.parametrize("table_exists", [True, False])
def test_two_committers_of_the_same_tasks_add_the_rows_once(tmp_path: Path, table_exists: bool) -> None:
    meet = Barrier(2)

    def wait() -> None:
        try:
            meet.wait(60)
        except BrokenBarrierError:
            return

    with sql_catalog(tmp_path, ScriptedCatalog) as one, sql_catalog(tmp_path, ScriptedCatalog) as two:
        places = [place("iceberg", tmp_path, each) for each in (one, two)]
        if table_exists:
            commit(places[0], places[0].staged(9, (9,)))
        tasks = [places[0].staged(number, (number,)) for number in range(3)]
        snapshots: list[str | None] = []
        for each in (one, two):
            each.before = [wait]  # type: ignore[attr-defined]
        threads = [Thread(target=lambda there=there: snapshots.append(commit(there, *tasks))) for there in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not meet.broken, "both looked before either committed"
        assert len(snapshots) == 2
        assert len(set(snapshots)) == 1
        assert places[0].ids() == [0, 1, 2, *([9] if table_exists else [])]


def test_a_commit_is_one_snapshot_and_one_change(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, there.staged(0, (1,)))
    commit(there, *(there.staged(number, (number, "x"), columns=(ID, NOTE)) for number in range(1, 4)))
    assert catalog.commits == 2
    table = catalog.load_table(TABLE)
    assert len(table.snapshots()) == 2
    newest = table.current_snapshot()
    assert newest is not None
    assert newest.summary is not None
    assert newest.summary.additional_properties["tidegate.tasks"] == '{"a01":"1-3"}'
    assert newest.summary.additional_properties["added-data-files"] == "3"


def test_tags_are_looked_for_since_the_oldest_task_was_staged(there: Place) -> None:
    old = there.staged(0, (1,))
    snapshot = commit(there, old)
    assert old.staged is not None
    later = task(0, old.staged.files, at=datetime(2999, 1, 1, tzinfo=UTC))
    assert there.tables.committed(there.out(), [later]) == {}
    assert there.tables.committed(there.out(), [later, task(1, old.staged.files)]) == {later.id: snapshot}


def test_rows_that_were_rolled_back_are_not_in_the_table(there: Place) -> None:
    first, second = there.staged(0, (1,)), there.staged(1, (2,))
    kept = commit(there, first)
    commit(there, second)
    assert kept is not None
    there.catalog().load_table(TABLE).manage_snapshots().rollback_to_snapshot(int(kept)).commit()
    assert list(there.tables.committed(there.out(), [first, second])) == [first.id]


def test_partitions_are_pruned_rightly(there: Place) -> None:
    options = {"time_column": "at", "transform": "day"}
    rows = [(0, None), (1, datetime(2026, 3, 1, 23, tzinfo=UTC)), (2, datetime(2026, 3, 2, tzinfo=UTC))]
    commit(there, there.staged(0, *rows, columns=(ID, AT), **options), **options)
    assert [field.name for field in there.catalog().load_table(TABLE).spec().fields] == ["at_day"]
    assert scanned(there, "at is null") == [0]
    assert scanned(there, "at >= '2026-03-02T00:00:00+00:00'") == [2]
    assert len(list(there.catalog().load_table(TABLE).scan("at is null").plan_files())) == 1


def test_files_of_two_days_do_not_enter_a_table_by_day(there: Place) -> None:
    by_day = {"time_column": "at", "transform": "day"}
    first = datetime(2026, 3, 1, tzinfo=UTC)
    commit(there, there.staged(0, (1, first), columns=(ID, AT), **by_day), **by_day)
    mixed = there.staged(1, (2, first), (3, datetime(2026, 3, 2, tzinfo=UTC)), columns=(ID, AT))
    with pytest.raises(SchemaConflict, match="at_day") as caught:
        commit(there, mixed)
    assert "transform" in caught.value.remedy
    assert there.ids() == [1]


def test_a_time_column_without_statistics_is_refused_instead_of_hidden(there: Place) -> None:
    dotted = Column(name="event.at", type=ColumnType.TIMESTAMP)  # pyiceberg keeps no bounds of dotted names
    options = {"time_column": "event.at", "transform": "day"}
    staged = there.staged(0, (1, datetime(2026, 3, 1, tzinfo=UTC)), columns=(ID, dotted), **options)
    with pytest.raises(SchemaConflict, match="event_at_day"):
        commit(there, staged, **options)


def test_a_partition_that_takes_a_columns_name_is_refused(there: Place) -> None:
    options = {"time_column": "at", "transform": "day"}
    taken = Column(name="at_day", type=ColumnType.STRING)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with pytest.raises(PipelineMismatch, match="at_day"):
        there.staged(0, (1, at, "x"), columns=(ID, AT, taken), **options)


def test_a_column_of_another_type_names_column_types_and_remedy(there: Place) -> None:
    commit(there, there.staged(0, (1,)))
    text = Column(name="id", type=ColumnType.STRING)
    with pytest.raises(SchemaConflict) as caught:
        commit(there, there.staged(1, ("one",), columns=(text,)))
    assert str(caught.value) == (
        "iceberg:db.t: column 'id' is string in the new rows, but the table has long. "
        "Declare 'id' as long in the parser's columns, rename it, or choose another table"
    )
    assert there.ids() == [1]


def test_staged_rows_that_disagree_on_a_new_column_are_a_conflict(there: Place) -> None:
    text = Column(name="id", type=ColumnType.STRING)
    with pytest.raises(SchemaConflict, match="other staged rows have long"):
        commit(there, there.staged(0, (1,)), there.staged(1, ("one",), columns=(text,)))


def test_narrow_columns_of_somebody_elses_table_are_widened(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.create_namespace("db")
    schema = Schema(NestedField(1, "id", IntegerType()), NestedField(2, "x", FloatType()))
    catalog.create_table(TABLE, schema, f"{there.stage.warehouse}/db/t")
    x = Column(name="x", type=ColumnType.DOUBLE)
    commit(there, there.staged(0, (2**40, 0.1), columns=(ID, x)))
    after = catalog.load_table(TABLE).schema()
    assert (after.find_type("id"), after.find_type("x")) == (LongType(), DoubleType())
    assert scanned(there, "id > 0") == [2**40]


def decimal(precision: int, scale: int = 2) -> Column:
    return Column(name="n", type=ColumnType.DECIMAL, precision=precision, scale=scale)


@pytest.mark.parametrize("first, second", [(9, 20), (20, 9)])
def test_decimals_of_one_scale_meet_in_the_greater_precision(
    there: Place, catalog: ScriptedCatalog, first: int, second: int
) -> None:
    commit(there, there.staged(0, (1, Decimal("1.50")), columns=(ID, decimal(first))))
    commit(there, there.staged(1, (2, Decimal("2.50")), columns=(ID, decimal(second))))
    table = catalog.load_table(TABLE)
    assert table.schema().find_type("n") == DecimalType(20, 2)
    assert sorted(table.scan().to_arrow()["n"].to_pylist()) == [Decimal("1.50"), Decimal("2.50")]
    assert scanned(there, "n > 2") == [2]


def test_decimals_of_one_commit_meet_too(there: Place, catalog: ScriptedCatalog) -> None:
    narrow, wide = (
        there.staged(number, (number, Decimal("1.50")), columns=(ID, decimal(digits)))
        for number, digits in enumerate((9, 20))
    )
    commit(there, narrow, wide)
    table = catalog.load_table(TABLE)
    assert table.schema().find_type("n") == DecimalType(20, 2)
    assert table.scan().to_arrow()["n"].to_pylist() == [Decimal("1.50")] * 2


@pytest.mark.parametrize(
    "before, after, remedy",
    [
        (decimal(9), decimal(20, 3), "Declare 'n' as decimal(9, 2)"),
        (Column(name="n", type=ColumnType.DATE), Column(name="n", type=ColumnType.TIMESTAMP), "Declare 'n' as date"),
        (Column(name="n", type=ColumnType.TIMESTAMP), Column(name="n", type=ColumnType.DATE), "as timestamp"),
        (Column(name="n", type=ColumnType.TIME), Column(name="n", type=ColumnType.STRING), "Declare 'n' as time"),
        (Column(name="n", type=ColumnType.BINARY), Column(name="n", type=ColumnType.STRING), "Declare 'n' as binary"),
    ],
)
def test_a_column_never_becomes_what_does_not_hold_its_values(
    there: Place, before: Column, after: Column, remedy: str
) -> None:
    commit(there, there.staged(0, (1, None), columns=(ID, before)))
    with pytest.raises(SchemaConflict) as caught:
        commit(there, there.staged(1, (2, None), columns=(ID, after)))
    assert remedy in caught.value.remedy


def test_narrow_columns_of_somebody_elses_table_are_named_in_our_words(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.create_namespace("db")
    schema = Schema(NestedField(1, "id", IntegerType()))
    catalog.create_table(TABLE, schema, f"{there.stage.warehouse}/db/t")
    text = Column(name="id", type=ColumnType.STRING)
    with pytest.raises(SchemaConflict) as caught:
        commit(there, there.staged(1, ("one",), columns=(text,)))
    assert "Declare 'id' as long" in caught.value.remedy


def test_a_date_prunes_files_by_its_partition(there: Place, catalog: ScriptedCatalog) -> None:
    on = Column(name="on", type=ColumnType.DATE)
    options = {"time_column": "on", "transform": "month"}
    rows = enumerate([date(2026, 3, 1), date(2026, 4, 30)])
    there.tables.commit(there.out(**options), [there.staged(0, *rows, columns=(ID, on), **options)])
    scan = catalog.load_table(TABLE).scan("on > '2026-04-01'")
    assert len(list(scan.plan_files())) == 1
    assert scan.to_arrow()["id"].to_pylist() == [1]


def test_a_column_that_somebody_requires_must_be_there(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.create_namespace("db")
    required = Schema(NestedField(1, "id", LongType()), NestedField(2, "must", StringType(), required=True))
    catalog.create_table(TABLE, required, f"{there.stage.warehouse}/db/t")
    with pytest.raises(SchemaConflict, match="must"):
        commit(there, there.staged(0, (1,)))


def test_a_staged_file_that_is_gone_says_so(there: Place) -> None:
    staged = there.staged(0, (1,))
    assert staged.staged is not None
    there.lake.file(staged.staged.files[0].path).unlink()
    with pytest.raises(StagedFileMissing, match="gone"):
        commit(there, staged)


def test_columns_of_a_table_keep_their_order_and_new_ones_come_last(there: Place) -> None:
    commit(there, there.staged(0, (1,)))
    commit(there, there.staged(1, ("x", 2), columns=(NOTE, ID)))
    names = [field.name for field in there.catalog().load_table(TABLE).schema().fields]
    assert names == ["id", "_bucket", "_key", "_identity", "_loaded_at", "note"]
    assert sorted(there.read("id, note")) == [(1, None), (2, "x")]


def test_nothing_is_created_for_tasks_without_rows(there: Place) -> None:
    assert commit(there, task(0, ())) is None
    with pytest.raises(NoSuchTableError):
        there.catalog().load_table(TABLE)

"""How files are found that have rows to go, and written again without them: cheaply, and as they were."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.expressions import EqualTo
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from pyiceberg.schema import Schema
from pyiceberg.table.snapshots import Operation
from pyiceberg.transforms import DayTransform
from pyiceberg.types import LongType, NestedField, StringType

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Task
from chalicelib.destinations.files import MIB, Limits
from chalicelib.errors import SchemaConflict
from chalicelib.records.origin import with_origin
from tests.contracts.test_destinations import VALUES
from tests.destinations.elsewhere import delete_positions, delete_values
from tests.destinations.scripted import ScriptedCatalog
from tests.destinations.staged import AT, ID, LOADED_AT, Place, batch, place, sql_catalog, task
from tests.destinations.test_iceberg_formers import A1, A2, B1, commit, contents, former, staged

TABLE = ("db", "t")
C1, C2 = ("c", "e:1"), ("c", "e:2")
DAY = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = {"time_column": "at", "transform": "day"}


def by_day(
    there: Place, number: int, objects: Mapping[str, Sequence[tuple[Any, ...]]], out: Iceberg | Parquet | None = None
) -> Task:
    """A task with these objects' rows in files by day, or as `out` has it."""
    staging = there.stage(out or there.out(**DAYS), f"a01/{number}", 1)
    for key, rows in objects.items():
        made = batch((ID, AT), *rows, origin=False)
        staging.write(with_origin(made, ObjectRef("bucket", key, "1", 1, LOADED_AT), LOADED_AT), (ID, AT))
        staging.keep()
    return task(number, staging.finish())


def scanned(catalog: ScriptedCatalog) -> list[int]:
    """Ids as pyiceberg sees them, which knows of rows that other engines took out by position."""
    return sorted(catalog.load_table(TABLE).scan().to_arrow()["id"].to_pylist())


class Counting(PyArrowFileIO):
    """Remembers which files are opened to be read."""

    opened: ClassVar[list[str]] = []

    def new_input(self, location: str) -> PyArrowFile:
        self.opened.append(location)
        return super().new_input(location)


def test_of_five_hundred_files_only_the_one_with_the_rows_is_opened(tmp_path: Path) -> None:
    with sql_catalog(tmp_path, **{"py-io-impl": f"{__name__}.Counting"}) as catalog:
        there = place("iceberg", tmp_path, catalog)
        key = "exports/2026/11/22/a/very/long/common/prefix/{:05}".format
        tasks = [
            staged(there, number, {(key(number), "e:1"): [number], (key(number) + "x", "e:1"): [0]})
            for number in range(500)
        ]
        there.tables.commit(there.out(), tasks)
        again = staged(there, 900, {(key(250), "e:2"): [9]})
        Counting.opened.clear()
        commit(there, again, former(key(250), "e:1"))
        data = [path for path in Counting.opened if path.endswith(".parquet")]
        assert again.staged is not None
        (hit,) = tasks[250].staged.files  # type: ignore[union-attr]
        assert set(data) == {hit.path, again.staged.files[0].path}
        assert len(data) == 3, "the hit twice, to look and to copy; the new one's footer"
        assert len(Counting.opened) < 10
        summary = catalog.load_table(TABLE).current_snapshot().summary  # type: ignore[union-attr]
        assert summary is not None
        numbers = ("tidegate.rewritten-files", "deleted-data-files", "added-data-files", "total-data-files")
        assert [summary.additional_properties[name] for name in numbers] == ["1", "1", "2", "501"]
        assert there.tables.count("db", "t") == 1000


def test_a_file_with_nothing_else_goes_without_being_opened(tmp_path: Path) -> None:
    with sql_catalog(tmp_path, **{"py-io-impl": f"{__name__}.Counting"}) as catalog:
        there = place("iceberg", tmp_path, catalog)
        there.tables.commit(there.out(), [staged(there, 0, {A1: [1, 2]}), staged(there, 1, {B1: [3]})])
        again = staged(there, 2, {A2: [4]})
        Counting.opened.clear()
        commit(there, again, former(*A1))
        assert again.staged is not None
        assert [path for path in Counting.opened if path.endswith(".parquet")] == [again.staged.files[0].path]
        assert contents(there) == {A2: [4], B1: [3]}


@pytest.mark.parametrize("metrics", ["truncate(16)", "counts", "none"])
def test_bounds_that_were_cut_or_left_out_only_cost_time(there: Place, catalog: ScriptedCatalog, metrics: str) -> None:
    catalog.create_namespace("db")
    properties = {"write.metadata.metrics.default": metrics}
    schema = Schema(NestedField(1, "id", LongType()))
    catalog.create_table(TABLE, schema, f"{there.stage.warehouse}/db/t", properties=properties)
    long = "a" * 40
    commit(there, staged(there, 0, {(f"{long}1", "e:1"): [1], (f"{long}2", "e:1"): [2]}))
    commit(there, staged(there, 1, {(long[:16], "e:1"): [3]}))
    commit(there, staged(there, 2, {(f"{long}1", "e:2"): [4]}), former(f"{long}1", "e:1"))
    assert there.ids() == [2, 3, 4]
    commit(there, task(3, ()), former(long[:16], "e:1"))
    assert there.ids() == [2, 4]


def test_rows_without_an_origin_are_nobodys(there: Place) -> None:
    staging = there.stage(there.out(), "a01/0", 1)
    for rows in (batch((ID,), (1,), (2,)), with_nothing(batch((ID,), (3,)))):
        staging.write(rows, (ID,))
    staging.keep()
    commit(there, task(0, staging.finish()))
    commit(there, task(1, ()), former("key", "e:1"))
    assert there.ids() == [3]


def with_nothing(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with NULL for their origin."""
    empty = [pa.nulls(len(rows), rows.schema.field(name).type) for name in rows.schema.names[1:]]
    return pa.RecordBatch.from_arrays([rows.column(0), *empty], schema=rows.schema)


def test_the_whole_change_is_one_snapshot_with_the_tasks_tags(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3]}))
    again = staged(there, 1, {A2: [4]})
    name = commit(there, again, former(*A1))
    snapshots = catalog.load_table(TABLE).snapshots()
    assert [each.summary.operation for each in snapshots if each.summary] == [Operation.APPEND, Operation.OVERWRITE]
    assert str(snapshots[-1].snapshot_id) == name
    assert there.tables.committed(there.out(), [again]) == {again.id: name}
    commit(there, task(2, ()), former(*A2))
    newest = catalog.load_table(TABLE).current_snapshot()
    assert newest is not None
    assert newest.summary is not None
    assert newest.summary.operation is Operation.DELETE
    assert newest.summary.additional_properties["tidegate.tasks"] == '{"a01":"2"}'


def test_a_copy_lies_where_the_file_lay_and_is_named_after_the_committing_task(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3]}))
    before = there.files()[0]
    commit(there, task(7, ()), former(*A1))
    (copy,) = there.files()
    assert copy.rpartition("/")[0] == before.rpartition("/")[0]
    assert copy.endswith("-a01_7-a1.parquet")


def test_a_copy_has_the_bounds_that_the_next_replay_needs(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {("a" * 40 + "1", "e:1"): [1], ("a" * 40 + "2", "e:1"): [2], B1: [3]}))
    commit(there, task(1, ()), former(*B1))
    (found,) = catalog.load_table(TABLE).inspect.files().to_pylist()
    key = catalog.load_table(TABLE).schema().find_field("_key").field_id
    assert dict(found["lower_bounds"])[key] == b"a" * 40 + b"1"
    assert dict(found["upper_bounds"])[key] == b"a" * 40 + b"2"
    assert found["record_count"] == 2
    assert found["sort_order_id"] is None


def test_rows_go_from_each_partition_and_stay_in_theirs(there: Place, catalog: ScriptedCatalog) -> None:
    rows = {"a": [(1, DAY), (2, DAY + timedelta(days=1))], "b": [(3, DAY), (4, DAY + timedelta(days=1)), (5, None)]}
    there.tables.commit(there.out(**DAYS), [by_day(there, 0, rows)])
    there.tables.commit(there.out(**DAYS), [task(1, ())], {"a01/1": [former(*A1)]})
    assert there.ids() == [3, 4, 5]
    table = catalog.load_table(TABLE)
    assert table.scan("at < '2026-03-02T00:00:00+00:00'").to_arrow()["id"].to_pylist() == [3]
    assert {path.split("/")[-2] for path in there.files()} == {
        "at_day=2026-03-01",
        "at_day=2026-03-02",
        "at_day=__HIVE_DEFAULT_PARTITION__",
    }


def test_a_file_of_an_earlier_partition_spec_stays_in_it(there: Place, catalog: ScriptedCatalog) -> None:
    out = there.out()
    rows = {"a": [(1, DAY)], "b": [(2, DAY), (3, DAY + timedelta(days=9))]}
    there.tables.commit(out, [by_day(there, 0, rows, out)])
    with catalog.load_table(TABLE).update_spec() as spec:
        spec.add_field("at", DayTransform(), "at_day")
    there.tables.commit(there.out(**DAYS), [by_day(there, 1, {"c": [(4, DAY)]})])
    there.tables.commit(there.out(**DAYS), [task(2, ())], {"a01/2": [former(*A1)]})
    assert there.ids() == [2, 3, 4]
    files = catalog.load_table(TABLE).inspect.files().to_pylist()
    assert sorted((file["spec_id"], file["record_count"]) for file in files) == [(0, 2), (1, 1)]
    assert catalog.load_table(TABLE).scan("at >= '2026-03-05T00:00:00+00:00'").to_arrow()["id"].to_pylist() == [3]


def test_columns_that_came_and_went_and_changed_since_are_right_in_the_copy(
    there: Place, catalog: ScriptedCatalog
) -> None:
    commit(there, staged(there, 0, {A1: [1], B1: [3]}))
    with catalog.load_table(TABLE).update_schema() as update:
        update.add_column("late", StringType())
        update.rename_column("id", "number")
    commit(there, task(1, ()), former(*A1))
    rows = there.tables.rows("db", "t", 9).to_pylist()
    assert [(row["number"], row["late"], row["_key"]) for row in rows] == [(3, None, "b")]


def test_files_that_another_engine_wrote_with_field_ids_are_copied_too(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {A1: [1], B1: [3]}))
    table = catalog.load_table(TABLE)
    table.overwrite(table.scan().to_arrow())  # pyiceberg's own writer
    commit(there, staged(there, 1, {A2: [4]}), former(*A1))
    assert contents(there) == {A2: [4], B1: [3]}


def test_a_file_without_origin_columns_has_no_rows_of_anybody(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.create_namespace("db")
    theirs = catalog.create_table(TABLE, Schema(NestedField(1, "id", LongType())), f"{there.stage.warehouse}/db/t")
    theirs.append(pa.table({"id": [1]}))
    commit(there, staged(there, 0, {A1: [2]}))
    commit(there, staged(there, 1, {A2: [3]}), former(*A1))
    assert there.ids() == [1, 3]


def test_rows_that_another_engine_took_out_do_not_come_back(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3, 4, 5]}))
    (path,) = there.files()
    commit(there, staged(there, 1, {C1: [6, 7]}))
    delete_positions(catalog.load_table(TABLE), path, 0, 3)
    assert scanned(catalog) == [2, 3, 5, 6, 7]
    commit(there, staged(there, 2, {A2: [9]}), former(*A1))
    assert scanned(catalog) == [3, 5, 6, 7, 9]


def test_a_file_whose_rows_are_all_gone_is_not_copied(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3]}))
    delete_positions(catalog.load_table(TABLE), there.files()[0], 2)
    commit(there, task(1, ()), former(*A1))
    assert scanned(catalog) == []
    assert there.files() == []


def test_rows_taken_out_by_value_are_nothing_to_guess_at(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3]}))
    table = catalog.load_table(TABLE)
    field = table.schema().find_field("id").field_id
    delete_values(table, there.files()[0], field, pa.table({"id": [3]}))
    with pytest.raises(SchemaConflict, match="equality deletes"):
        commit(there, staged(there, 1, {A2: [4]}), former(*A1))
    commit(there, staged(there, 2, {C1: [5]}))
    commit(there, staged(there, 3, {C2: [6]}), former(*C1))
    assert sum(file["record_count"] for file in catalog.load_table(TABLE).inspect.data_files().to_pylist()) == 4


def test_what_another_writer_does_in_between_is_seen(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3, 4]}))
    theirs = staged(there, 8, {A1: [5], C1: [6]})
    assert theirs.staged is not None
    path = theirs.staged.files[0].path
    catalog.before += [
        lambda: catalog.load_table(TABLE).delete(EqualTo("id", 3)),
        lambda: None,  # the delete's own commit
        lambda: catalog.load_table(TABLE).add_files([path]),
    ]
    commit(there, staged(there, 1, {A2: [9]}), former(*A1))
    assert contents(there) == {A2: [9], B1: [4], C1: [6]}


def test_a_large_file_is_copied_in_little_memory(tmp_path: Path, catalog: ScriptedCatalog) -> None:
    there = place("iceberg", tmp_path, catalog, Limits(object_bytes=2**30, waiting_bytes=2**30))
    staging = there.stage(there.out(), "a01/0", 1)
    for key, size in (("a", 10), ("b", 2_000_000)):
        rows = pa.record_batch({"id": pa.arange(0, size)})
        staging.write(with_origin(rows, ObjectRef("bucket", key, "1", 1, LOADED_AT), LOADED_AT), (ID,))
        staging.keep()
    commit(there, task(0, staging.finish()))
    (path,) = there.files()
    assert pq.read_table(path.removeprefix("file://")).nbytes > 60 * MIB
    with measured() as bytes_taken:
        commit(there, task(1, ()), former(*A1))
    assert there.tables.count("db", "t") == 2_000_000
    assert len(bytes_taken) > 50, "it was looked at while it happened"
    assert max(bytes_taken) < 24 * MIB


@contextmanager
def measured() -> Iterator[list[int]]:
    """Arrow's bytes beyond those that are there already, every millisecond."""
    before, over, seen = pa.total_allocated_bytes(), Event(), [0]

    def look() -> None:
        while not over.wait(0.001):
            seen.append(pa.total_allocated_bytes() - before)

    thread = Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_every_type_is_copied_as_it_is_under_any_name(there: Place) -> None:
    columns = tuple(
        Column.model_validate({"name": f"{kind} col. {number}", "type": kind})
        for number, (kind, _) in enumerate(VALUES)
    )
    values = tuple(value for _, value in VALUES)
    nothing = (None,) * len(values)
    staging = there.stage(there.out(), "a01/0", 1)
    for key, rows in (("a", [values]), ("b", [values, nothing])):
        made = batch(columns, *rows, origin=False)
        staging.write(with_origin(made, ObjectRef("bucket", key, "1", 1, LOADED_AT), LOADED_AT), columns)
        staging.keep()
    commit(there, task(0, staging.finish()))
    commit(there, task(1, ()), former(*A1))
    names = [column.name for column in columns]
    rows = there.tables.rows("db", "t", 9).select(names).to_pylist()
    assert [tuple(row.values()) for row in rows] == [values, nothing]
    (copy,) = there.files()
    again = pq.read_table(copy.removeprefix("file://")).select(names).to_pylist()
    assert [tuple(row.values()) for row in again] == [values, nothing]


def test_tables_of_the_first_format_are_no_different(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.create_namespace("db")
    schema = Schema(NestedField(1, "id", LongType()))
    location = f"{there.stage.warehouse}/db/t"
    catalog.create_table(TABLE, schema, location, properties={"format-version": "1"})
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3]}))
    commit(there, staged(there, 1, {A2: [4]}), former(*A1))
    assert catalog.load_table(TABLE).format_version == 1
    assert contents(there) == {A2: [4], B1: [3]}


def test_files_that_lie_elsewhere_are_copied_into_the_table(there: Place, catalog: ScriptedCatalog) -> None:
    first = staged(there, 0, {A1: [1], B1: [3]})
    catalog.create_namespace("db")
    schema = Schema(NestedField(1, "id", LongType()))
    catalog.create_table(TABLE, schema, f"{there.stage.warehouse}/somewhere/else")
    commit(there, first)
    commit(there, task(1, ()), former(*A1))
    (copy,) = there.files()
    assert copy.startswith(f"{there.stage.warehouse}/somewhere/else/data/")
    assert contents(there) == {B1: [3]}

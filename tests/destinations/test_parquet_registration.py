"""What the Glue catalogue is told of a Parquet dataset, and when."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config.columns import Column
from chalicelib.config.destination import Parquet
from chalicelib.core.objects import ObjectRef
from chalicelib.core.registered import Registered
from chalicelib.errors import CommitConflict, SchemaConflict
from chalicelib.records.pages import Reject
from chalicelib.records.rejected import REJECTED, rejected
from tests.destinations.runs import content, datasets_of, later, registry_of, replace, run, tasks_of
from tests.destinations.staged import AT, ID, LOADED_AT, NOTE, Place, load, place, sql_catalog, task

TYPES = [
    ("boolean", "boolean"),
    ("long", "bigint"),
    ("double", "double"),
    ("string", "string"),
    ("timestamp", "timestamp"),
    ("json", "string"),
    ("date", "date"),
    ("decimal(9,2)", "decimal(9,2)"),
    ("decimal(38)", "decimal(38,0)"),
    ("binary", "binary"),
]
ORIGIN = (("_bucket", "string"), ("_key", "string"), ("_identity", "string"), ("_loaded_at", "timestamp"))


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    with sql_catalog(tmp_path) as unused:
        yield place("parquet", tmp_path, unused)


def commit(there: Place, number: int, *rows: tuple[Any, ...], columns: tuple[Column, ...] = (ID,), **more: Any) -> None:
    options = {"register_in_glue": True, **more}
    there.tables.commit(there.out(**options), [there.staged(number, *rows, columns=columns, **options)])


def table(there: Place) -> Registered:
    found = registry_of(there).get("db", "t")
    assert found is not None
    return found[0]


def folder(there: Place) -> str:
    return f"file://{there.folder}/warehouse/parquet/db/t"


def decimal(precision: int) -> Column:
    return Column.model_validate({"name": "price", "type": f"decimal({precision},2)"})


def test_the_catalogue_hears_nothing_unless_it_is_asked_for(there: Place) -> None:
    commit(there, 0, (1,), register_in_glue=False)
    assert registry_of(there).tables == {}


def test_bad_rows_are_registered_as_the_good_ones_are(there: Place) -> None:
    out = there.out(register_in_glue=True).rejects
    ref = ObjectRef("bucket", "key", "e", 1, LOADED_AT)
    bad = rejected([Reject(1, "bad", "x", 2, 3)], ref, pipeline="p", job="a01", entry=None, at=LOADED_AT)
    staging = there.stage(out, "a01/0", 1)
    staging.write(bad, REJECTED)
    staging.keep()
    there.tables.commit(out, [task(0, staging.finish())])
    found = registry_of(there).get("db", "t_rejects")
    assert found is not None
    assert ("byte_offset", "bigint") in found[0].columns
    plain = there.out().rejects
    assert isinstance(plain, Parquet)
    assert not plain.register_in_glue


def test_every_type_has_a_name_in_athena(there: Place) -> None:
    columns = tuple(Column.model_validate({"name": f"c{n}", "type": kind}) for n, (kind, _) in enumerate(TYPES))
    commit(there, 0, (None,) * len(columns), columns=columns)
    assert table(there).columns == (*((f"c{n}", kind) for n, (_, kind) in enumerate(TYPES)), *ORIGIN)
    assert table(there).location == folder(there)
    assert table(there).keys == ()


def test_a_time_of_day_is_refused_because_athena_has_no_type_for_it(there: Place) -> None:
    with pytest.raises(SchemaConflict, match="'t' is a time"):
        commit(there, 0, (None,), columns=(Column.model_validate({"name": "t", "type": "time"}),))
    assert there.files() == []


def test_columns_that_differ_in_case_are_refused(there: Place) -> None:
    upper = Column.model_validate({"name": "ID", "type": "long"})
    with pytest.raises(SchemaConflict, match="differ only in case, 'id'"):
        commit(there, 0, (1, 2), columns=(ID, upper))
    assert there.files() == []


def test_names_are_lower_case_as_glue_keeps_them(there: Place) -> None:
    commit(there, 0, (1,), columns=(Column.model_validate({"name": "UserId", "type": "long"}),))
    assert table(there).columns[0] == ("userid", "bigint")


def test_new_columns_come_last_and_the_order_stays(there: Place) -> None:
    commit(there, 0, (1,))
    commit(there, 1, ("x", 2), columns=(NOTE, ID))
    assert table(there).columns == (("id", "bigint"), *ORIGIN, ("note", "string"))


def test_a_decimal_grows(there: Place) -> None:
    commit(there, 0, (None,), columns=(decimal(9),))
    commit(there, 1, (None,), columns=(decimal(18),))
    commit(there, 2, (None,), columns=(decimal(9),))
    assert table(there).columns[0] == ("price", "decimal(18,2)")


def test_committing_again_changes_nothing(there: Place) -> None:
    options = {"time_column": "at", "transform": "day"}
    commit(there, 0, (1, later(0)), columns=(ID, AT), **options)
    changes, partitions = registry_of(there).changes, dict(registry_of(there).partitions)
    commit(there, 1, (2, later(0)), columns=(ID, AT), **options)
    assert registry_of(there).changes == changes
    assert registry_of(there).partitions == partitions


@pytest.mark.parametrize(
    ("transform", "kind", "value"),
    [("day", "date", "2026-03-01"), ("month", "string", "2026-03"), ("hour", "string", "2026-03-01-00")],
)
def test_a_time_partition_is_registered_with_its_folder(there: Place, transform: str, kind: str, value: str) -> None:
    commit(there, 0, (1, later(0)), (2, None), columns=(ID, AT), time_column="at", transform=transform)
    assert table(there).keys == ((f"at_{transform}", kind),)
    nothing = "__HIVE_DEFAULT_PARTITION__"
    assert registry_of(there).partitions["db", "t"] == {
        (value,): f"{folder(there)}/at_{transform}={value}",
        (nothing,): f"{folder(there)}/at_{transform}={nothing}",
    }


def test_a_column_to_partition_by_is_a_key_and_no_column(there: Place) -> None:
    commit(there, 0, (1, "a/b c"), columns=(ID, NOTE), partition_by=["note"])
    assert table(there).keys == (("note", "string"),)
    assert table(there).columns == (("id", "bigint"), *ORIGIN)
    assert registry_of(there).partitions["db", "t"] == {("a/b c",): f"{folder(there)}/note=a%2Fb c"}


def test_a_partition_is_known_before_its_first_file_can_be_seen(there: Place) -> None:
    options = {"register_in_glue": True, "time_column": "at", "transform": "day"}
    staged = there.staged(0, (1, later(0)), columns=(ID, AT), **options)
    there.lake.uploads.clear()  # publishing fails
    with pytest.raises(Exception, match="gone"):
        there.tables.commit(there.out(**options), [staged])
    assert registry_of(there).partitions["db", "t"] != {}


def test_another_type_than_glue_has_is_refused_before_anything_is_published(there: Place) -> None:
    commit(there, 0, (1,))
    theirs = Registered("db", "t", (("id", "bigint"), ("note", "int")), (), folder(there))
    found = registry_of(there).get("db", "t")
    assert found is not None
    registry_of(there).update(theirs, found[1])
    with pytest.raises(SchemaConflict, match="'note' is string in the new rows, but the Glue table has int"):
        commit(there, 1, (2, "x"), columns=(ID, NOTE))
    assert there.ids() == [1]


def test_another_type_than_the_dataset_has_is_refused_without_glue_too(there: Place) -> None:
    commit(there, 0, (1,), register_in_glue=False)
    with pytest.raises(SchemaConflict, match="'id' is string in the new rows, but the dataset has long"):
        commit(there, 1, ("x",), columns=(Column.model_validate({"name": "id", "type": "string"}),))
    assert there.ids() == [1]


def test_a_table_of_somebody_else_is_left_alone(there: Place) -> None:
    theirs = Registered("db", "t", (("a", "int"),), (), "s3://elsewhere/t")
    registry_of(there).create(theirs, database_too=True)
    with pytest.raises(SchemaConflict, match="another one, at s3://elsewhere/t"):
        commit(there, 0, (1,))
    assert table(there) == theirs
    assert there.files() == []


def test_a_table_that_an_operator_made_is_filled(there: Place) -> None:
    made = Registered("db", "t", (("id", "bigint"), ("region", "string")), (), folder(there))
    registry_of(there).create(made, database_too=True)
    commit(there, 0, (1,), auto_create_table=False)
    assert table(there).columns == (("id", "bigint"), ("region", "string"), *ORIGIN)


def test_a_missing_table_is_refused_where_it_may_not_be_made(there: Place) -> None:
    with pytest.raises(SchemaConflict, match="auto_create_table is off"):
        commit(there, 0, (1,), auto_create_table=False)
    with pytest.raises(SchemaConflict, match="no such Glue database"):
        commit(there, 0, (1,), auto_create_database=False)
    assert there.files() == []


def test_other_partitions_than_the_table_has_are_refused(there: Place) -> None:
    commit(there, 0, (1, later(0)), columns=(ID, AT), time_column="at", transform="day")
    with pytest.raises(SchemaConflict, match="partitioned by at_day, the new files by at_month"):
        commit(there, 1, (2, later(0)), columns=(ID, AT), time_column="at", transform="month")
    assert there.ids() == [1]


def test_somebody_who_changes_the_table_meanwhile_is_waited_for(there: Place) -> None:
    registry = registry_of(there)
    theirs = Registered("db", "t", (("id", "bigint"), ("theirs", "int")), (), folder(there))
    registry.before.append(lambda: registry.tables.update({("db", "t"): (theirs, "1")}))
    commit(there, 0, (1,))
    assert table(there).columns == (*theirs.columns, *ORIGIN)
    assert there.ids() == [1]


def test_somebody_who_changes_the_table_all_the_time_is_a_conflict(there: Place) -> None:
    commit(there, 0, (1,))
    registry = registry_of(there)

    def touch() -> None:
        found, version = registry.tables["db", "t"]
        registry.tables["db", "t"] = (found, version + "x")

    registry.before += [touch] * 9
    with pytest.raises(CommitConflict, match="Glue table"):
        commit(there, 1, (2, "x"), columns=(ID, NOTE))
    assert there.ids() == [1]


GLUE = {"register_in_glue": True}


def test_a_run_moves_the_table_to_its_folder(there: Place) -> None:
    replace(there, 1, (1,), **GLUE)
    assert table(there).location == f"{folder(there)}/_runs/r01"
    replace(there, 2, (2,), **GLUE)
    assert table(there).location == f"{folder(there)}/_runs/r02"
    replace(there, 3, **GLUE)
    assert table(there).location == f"{folder(there)}/_runs/r03"


def test_a_run_s_partitions_lie_in_one_folder_that_one_call_can_move_to(there: Place) -> None:
    options = {**GLUE, "time_column": "at", "transform": "day"}
    replace(there, 1, ((1, later(0)), (2, later(30))), columns=(ID, AT), **options)
    assert table(there).keys == ()
    assert registry_of(there).partitions.get(("db", "t"), {}) == {}
    assert {path.rpartition("/")[0] for path in there.files()} == {f"{folder(there)}/_runs/r01"}
    assert len(there.files()) == 2
    assert content(there) == [1, 2]


def test_parts_of_a_run_s_object_lie_in_the_run_s_folder(there: Place) -> None:
    staging = there.stage(there.out(mode="replace", **GLUE), "r01.p0.1/3", 2)
    load(staging, (ID,), (1,), (2,))
    files = staging.finish()
    assert [file.path.rpartition("/")[0] for file in files] == [f"{folder(there)}/_runs/r01"]
    there.tables.commit(there.out(mode="replace", **GLUE), [task(0, files, job="r01")], run=run(1))
    replace(there, 2, (3,), **GLUE)
    stale = datasets_of(there).stale("db", "t", datasets_of(there).now() + timedelta(days=1))
    assert stale == [file.path for file in files], "so maintenance finds them once another run has followed"


def test_a_run_is_not_over_while_the_catalogue_still_leads_to_the_one_before(there: Place) -> None:
    replace(there, 1, (1,), **GLUE)
    before = registry_of(there).tables["db", "t"]
    tasks = replace(there, 2, (2,), **GLUE)
    out = there.out(mode="replace", **GLUE)
    assert there.tables.committed(out, tasks) == {task.id: None for task in tasks}
    registry_of(there).tables["db", "t"] = before  # as a crash between the document and Glue leaves it
    assert there.tables.committed(out, tasks) == {}
    there.tables.commit(out, tasks, run=run(2))
    assert table(there).location == f"{folder(there)}/_runs/r02"


def test_a_run_s_columns_stay_or_go_as_the_schema_is_kept(there: Place) -> None:
    replace(there, 1, ((1, "x"),), columns=(ID, NOTE), **GLUE)
    replace(there, 2, (2,), **GLUE)
    assert ("note", "string") in table(there).columns
    replace(there, 3, (3,), keep_schema=False, **GLUE)
    assert table(there).columns == (("id", "bigint"), *ORIGIN)


def test_a_run_that_does_not_fit_the_table_publishes_nothing(there: Place) -> None:
    theirs = Registered("db", "t", (("a", "int"),), (), "s3://elsewhere/t")
    registry_of(there).create(theirs, database_too=True)
    tasks = tasks_of(there, 1, (1,), **GLUE)
    with pytest.raises(SchemaConflict, match="another one"):
        there.tables.commit(there.out(mode="replace", **GLUE), tasks, run=run(1))
    assert there.files() == []
    assert not there.tables.exists("db", "t")


def test_a_first_run_without_rows_tells_nothing_yet(there: Place) -> None:
    replace(there, 1, **GLUE)
    assert registry_of(there).tables == {}
    replace(there, 2, (2,), **GLUE)
    assert table(there).location == f"{folder(there)}/_runs/r02"

"""Names of columns in Iceberg tables: whatever they are, but never two that differ only in case (F85)."""

import pytest
from pyiceberg.types import LongType, StringType

from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.tasks import Task
from chalicelib.errors import SchemaConflict
from tests.destinations.staged import ID, NOTE, Place, load, task

TABLE = ("db", "t")
NAMES = [
    "a.b",
    " a ",
    "a\nb",
    "é",
    'a"b',
    "a`b",
    "a/b",
    "a=b",
    "a,b",
    "Ab",
    "_x",
    "1a",
    "select",
    "x" * 300,
    "\t",
    "'",
    "%2F",
]


def written(there: Place, number: int, *columns: Column) -> Task:
    staging = there.stage(there.out(), f"a01/{number}", 1)
    load(staging, columns, tuple(number if column.type is ColumnType.LONG else "x" for column in columns))
    return task(number, staging.finish())


@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_back_as_it_was(there: Place, name: str) -> None:
    there.tables.commit(there.out(), [written(there, 1, ID)])
    there.tables.commit(there.out(), [written(there, 2, ID, Column(name=name, type=ColumnType.STRING))])
    rows = there.catalog().load_table(TABLE).scan().to_arrow().to_pylist()
    assert sorted((row["id"], row[name]) for row in rows) == [(1, None), (2, "x")]


def test_a_column_that_differs_only_in_case_from_one_of_the_table_is_not_made(there: Place) -> None:
    there.tables.commit(there.out(), [written(there, 1, ID)])
    with pytest.raises(SchemaConflict, match="'ID' differs only in case from 'id'"):
        there.tables.commit(there.out(), [written(there, 2, Column(name="ID", type=ColumnType.LONG))])
    assert [row["id"] for row in there.catalog().load_table(TABLE).scan().to_arrow().to_pylist()] == [1]


def test_two_that_differ_only_in_case_do_not_make_a_table(there: Place) -> None:
    tasks = [written(there, 1, ID), written(there, 2, Column(name="Id", type=ColumnType.LONG))]
    with pytest.raises(SchemaConflict, match="only in case"):
        there.tables.commit(there.out(), tasks)


def test_a_table_that_has_both_takes_rows_of_both(there: Place) -> None:
    there.tables.commit(there.out(), [written(there, 1, ID)])
    with there.catalog().load_table(TABLE).update_schema() as update:
        update.add_column("ID", LongType())
    there.tables.commit(there.out(), [written(there, 2, Column(name="ID", type=ColumnType.LONG))])
    rows = there.catalog().load_table(TABLE).scan().to_arrow().to_pylist()
    assert sorted((row["id"] or 0, row["ID"] or 0) for row in rows) == [(0, 2), (1, 0)]


def test_a_rescued_column_stands_before_the_origin_columns(there: Place) -> None:
    rescued = Column(name="_rescued", type=ColumnType.JSON)
    there.tables.commit(there.out(), [written(there, 1, ID, rescued)])
    names = [field.name for field in there.catalog().load_table(TABLE).schema().fields]
    assert names == ["id", "_rescued", "_bucket", "_key", "_identity", "_loaded_at"]


def rows_of(there: Place, *names: str) -> list[tuple[object, ...]]:
    rows = there.catalog().load_table(TABLE).scan().to_arrow().to_pylist()
    return sorted((tuple(row[name] for name in names) for row in rows), key=repr)


def test_a_column_that_another_hand_renamed_keeps_its_values_when_rows_come_under_the_old_name(there: Place) -> None:
    there.tables.commit(there.out(), [written(there, 1, ID, NOTE)])
    with there.catalog().load_table(TABLE).update_schema() as update:
        update.rename_column("note", "remark")
    with pytest.raises(SchemaConflict, match="'note', which was renamed to 'remark'"):
        there.tables.commit(there.out(), [written(there, 2, ID, NOTE)])
    there.tables.commit(there.out(), [written(there, 3, ID, Column(name="remark", type=ColumnType.STRING))])
    assert rows_of(there, "id", "remark") == [(1, "x"), (3, "x")]


def test_a_column_that_was_dropped_comes_again_with_its_type_but_with_no_other(there: Place) -> None:
    there.tables.commit(there.out(), [written(there, 1, ID, NOTE)])
    with there.catalog().load_table(TABLE).update_schema() as update:
        update.delete_column("note")
    with pytest.raises(SchemaConflict, match="'note', which was dropped"):
        there.tables.commit(there.out(), [written(there, 2, ID, Column(name="note", type=ColumnType.LONG))])
    assert rows_of(there, "id") == [(1,)]
    there.tables.commit(there.out(), [written(there, 3, ID, NOTE)])
    assert rows_of(there, "id", "note") == [(1, "x"), (3, "x")]


def test_the_name_of_a_dropped_column_is_free_again_once_no_file_has_its_values(there: Place) -> None:
    there.tables.commit(there.out(), [written(there, 1, ID, NOTE)])
    table = there.catalog().load_table(TABLE)
    with table.update_schema() as update:
        update.delete_column("note")
    table.delete()
    there.tables.commit(there.out(), [written(there, 2, ID, Column(name="note", type=ColumnType.LONG))])
    assert rows_of(there, "id", "note") == [(2, 2)]


def test_a_column_that_the_name_mapping_lacks_is_read_by_engines_that_go_by_it(there: Place) -> None:
    """Not every engine keeps the mapping up as it adds or renames columns."""
    there.tables.commit(there.out(), [written(there, 1, ID)])
    table = there.catalog().load_table(TABLE)
    mapping = table.properties["schema.name-mapping.default"]
    with table.update_schema() as update:
        update.add_column("note", StringType())
    with there.catalog().load_table(TABLE).transaction() as change:
        change.set_properties({"schema.name-mapping.default": mapping})
    there.tables.commit(there.out(), [written(there, 2, ID, NOTE)])
    assert rows_of(there, "id", "note") == [(1, None), (2, "x")]

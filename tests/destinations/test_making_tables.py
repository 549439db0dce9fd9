"""Tables and databases are made with the first rows, or only by somebody else (F80)."""

from typing import Any

import pytest

from chalicelib.errors import SchemaConflict
from tests.destinations.scripted import ScriptedCatalog
from tests.destinations.staged import Place

NO_TABLE: dict[str, Any] = {"auto_create_table": False}
NO_DATABASE: dict[str, Any] = {"auto_create_database": False}


def test_both_are_made_unless_told(there: Place) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    assert there.ids() == [1]


@pytest.mark.parametrize(
    ("options", "what"),
    [(NO_TABLE, "table"), (NO_DATABASE, "database"), (NO_TABLE | NO_DATABASE, "table")],
    ids=["table", "database", "both"],
)
def test_what_may_not_be_made_is_named_and_nothing_is_made(
    there: Place, catalog: ScriptedCatalog, options: dict[str, Any], what: str
) -> None:
    with pytest.raises(SchemaConflict, match=f"no such {what}, and auto_create_{what} is false"):
        there.tables.commit(there.out(**options), [there.staged(0, (1,))])
    assert there.tables.lacks(there.out(**options)) == what  # type: ignore[union-attr]
    assert catalog.list_namespaces() == []


def test_the_database_of_somebody_else_gets_a_table(there: Place, catalog: ScriptedCatalog) -> None:
    catalog.create_namespace("db")
    assert there.tables.lacks(there.out(**NO_DATABASE)) is None  # type: ignore[union-attr]
    there.tables.commit(there.out(**NO_DATABASE), [there.staged(0, (1,))])
    assert there.ids() == [1]


def test_a_database_without_the_table_is_not_enough_where_tables_are_not_made(
    there: Place, catalog: ScriptedCatalog
) -> None:
    catalog.create_namespace("db")
    with pytest.raises(SchemaConflict, match="no such table"):
        there.tables.commit(there.out(**NO_TABLE), [there.staged(0, (1,))])
    assert catalog.list_tables("db") == []


def test_a_table_that_is_there_is_enough(there: Place) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    both = NO_TABLE | NO_DATABASE
    assert there.tables.lacks(there.out(**both)) is None  # type: ignore[union-attr]
    there.tables.commit(there.out(**both), [there.staged(1, (2,))])
    assert there.ids() == [1, 2]


def test_the_same_task_is_taken_once_the_table_was_made(there: Place) -> None:
    task = there.staged(0, (1,))
    with pytest.raises(SchemaConflict):
        there.tables.commit(there.out(**NO_TABLE), [task])
    there.tables.commit(there.out(), [there.staged(1, (2,))])
    there.tables.commit(there.out(**NO_TABLE), [task])
    assert there.ids() == [1, 2]


def test_where_both_may_be_made_the_catalogue_is_not_asked(there: Place) -> None:
    def no_catalogue() -> Any:
        raise AssertionError("the catalogue was asked")

    tables = type(there.tables)(no_catalogue, "file:///nowhere")  # type: ignore[call-arg,arg-type]
    assert tables.lacks(there.out()) is None  # type: ignore[union-attr]

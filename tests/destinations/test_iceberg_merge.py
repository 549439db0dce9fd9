"""Mode merge: a row takes the place of the one with the same keys, in one change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from pyiceberg.expressions import EqualTo

from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Former, Task
from chalicelib.destinations.files import Limits
from chalicelib.errors import SchemaConflict
from chalicelib.records.origin import with_origin
from tests.destinations.elsewhere import delete_positions
from tests.destinations.scripted import ScriptedCatalog, fail
from tests.destinations.staged import AT, ID, LOADED_AT, NOTE, STAGED_AT, Place, batch, place, sql_catalog, task

TABLE = ("db", "t")
BY_ID = {"mode": "merge", "merge_keys": ["id"]}
RANK = Column(name="rank", type=ColumnType.LONG)
COLUMNS = (ID, NOTE)


def ref(key: str, minutes: int = 0, identity: str = "1") -> ObjectRef:
    return ObjectRef("bucket", key, identity, 1, LOADED_AT + timedelta(minutes=minutes))


def staged(
    there: Place,
    number: int,
    objects: Mapping[ObjectRef, Sequence[tuple[Any, ...]]],
    columns: tuple[Column, ...] = COLUMNS,
    at: datetime = STAGED_AT,
    **options: Any,
) -> Task:
    """A task with these objects' rows."""
    staging = there.stage(there.out(**BY_ID | options), f"a01/{number}", 1)
    for each, rows in objects.items():
        if rows:
            staging.write(with_origin(batch(columns, *rows, origin=False), each, LOADED_AT), columns)
        staging.keep()
    return replace(task(number, staging.finish(), at=at), members=tuple(objects))


def one(
    there: Place, number: int, *rows: tuple[Any, ...], columns: tuple[Column, ...] = COLUMNS, **options: Any
) -> Task:
    return staged(there, number, {ref(f"k{number}"): rows}, columns, **options)


def merge(
    there: Place, *tasks: Task, formers: Mapping[str, Sequence[Former]] | None = None, **options: Any
) -> str | None:
    return there.tables.commit(there.out(**BY_ID | options), tasks, formers)


def content(there: Place, *names: str) -> list[tuple[Any, ...]]:
    rows = there.tables.rows("db", "t", 9999).select(list(names or ("id", "note"))).to_pylist()
    return sorted((tuple(row.values()) for row in rows), key=repr)


def test_a_row_takes_the_place_of_the_one_with_its_keys(there: Place, catalog: ScriptedCatalog) -> None:
    merge(there, one(there, 0, (1, "a"), (2, "b")))
    before = catalog.commits
    merge(there, one(there, 1, (2, "B"), (3, "C")))
    assert content(there) == [(1, "a"), (2, "B"), (3, "C")]
    assert catalog.commits == before + 1
    assert len(catalog.load_table(TABLE).snapshots()) == 2
    assert content(there, "id", "_key") == [(1, "k0"), (2, "k1"), (3, "k1")]


def test_a_file_without_any_of_the_keys_stays_as_it_is(there: Place, catalog: ScriptedCatalog) -> None:
    merge(there, one(there, 0, (1, "a"), (9, "b")))
    kept = there.files()
    fresh = one(there, 1, (5, "c"))
    merge(there, fresh)
    assert fresh.staged is not None
    assert set(there.files()) == {*kept, fresh.staged.files[0].path}
    summary = catalog.load_table(TABLE).current_snapshot().summary  # type: ignore[union-attr]
    assert summary is not None
    assert "tidegate.rewritten-files" not in summary.additional_properties


def test_rows_of_one_commit_are_made_one_by_the_time_their_object_was_written(there: Place) -> None:
    late = staged(there, 0, {ref("late", 5): [(1, "late")]})
    early = staged(there, 1, {ref("early", 1): [(1, "early"), (2, "only")]})
    merge(there, late, early)
    assert content(there) == [(1, "late"), (2, "only")]


def test_then_by_the_time_their_task_was_staged_and_by_their_place(there: Place) -> None:
    second = staged(there, 0, {ref("b"): [(1, "b")]}, at=STAGED_AT + timedelta(seconds=1))
    first = staged(there, 1, {ref("a"): [(1, "a"), (1, "a2"), (2, "x"), (2, "y")]})
    merge(there, second, first)
    assert content(there) == [(1, "b"), (2, "y")]


def test_a_task_of_which_all_rows_lose_leaves_no_file(there: Place) -> None:
    merge(there, staged(there, 0, {ref("a"): [(1, "a")]}), staged(there, 1, {ref("b", 1): [(1, "b")]}))
    assert content(there) == [(1, "b")]
    assert len(there.files()) == 1


ORDERED = {"merge_order": "rank"}
RANKED = (ID, NOTE, RANK)
WIDE = (ID, NOTE, RANK, AT)


@pytest.mark.parametrize(
    "there_already, new, stays",
    [(1, 2, "new"), (2, 1, "old"), (1, 1, "new"), (None, 1, "new"), (1, None, "old"), (None, None, "new")],
)
def test_the_greater_in_merge_order_stays(there: Place, there_already: int | None, new: int | None, stays: str) -> None:
    merge(there, one(there, 0, (1, "old", there_already), (2, "b", 1), columns=RANKED), **ORDERED)
    merge(there, one(there, 1, (1, "new", new), (3, "c", 1), columns=RANKED), **ORDERED)
    assert content(there) == [(1, stays), (2, "b"), (3, "c")]


def test_among_new_rows_the_greatest_in_merge_order_stays_too(there: Place) -> None:
    rows = [(1, "a", 3), (1, "b", 7), (1, "c", None), (2, "x", None), (2, "y", None), (3, "p", 4), (3, "q", 4)]
    merge(there, one(there, 0, *rows, columns=RANKED), **ORDERED)
    assert content(there) == [(1, "b"), (2, "y"), (3, "q")]


def test_not_a_number_is_less_than_any(there: Place) -> None:
    rank = Column(name="rank", type=ColumnType.DOUBLE)
    nan = float("nan")
    columns = (ID, NOTE, rank)
    merge(there, one(there, 0, (1, "a", -1.0), (1, "b", nan), (2, "c", nan), columns=columns), **ORDERED)
    merge(there, one(there, 1, (1, "d", nan), (2, "e", -5.0), columns=columns), **ORDERED)
    assert content(there) == [(1, "a"), (2, "e")]


def test_a_change_in_which_every_new_row_loses_is_remembered(there: Place) -> None:
    merge(there, one(there, 0, (1, "old", 9), columns=RANKED), **ORDERED)
    late = one(there, 1, (1, "new", 1), columns=RANKED)
    name = merge(there, late, **ORDERED)
    assert name is not None
    assert there.tables.committed(there.out(**BY_ID | ORDERED), [late]) == {late.id: name}
    assert content(there) == [(1, "old")]


def test_null_is_the_same_key_as_null(there: Place) -> None:
    merge(there, one(there, 0, (None, "a"), (1, "b")))
    merge(there, one(there, 1, (None, "c"), (None, "d")))
    assert content(there) == [(1, "b"), (None, "d")]


def test_keys_may_be_of_several_columns(there: Place) -> None:
    keys = {"merge_keys": ["id", "note"]}
    merge(there, one(there, 0, (1, "a", 0), (1, "b", 0), (2, None, 0), columns=RANKED), **keys)
    merge(there, one(there, 1, (1, "b", 1), (2, None, 1), (2, "b", 1), columns=RANKED), **keys)
    assert content(there, "id", "note", "rank") == [(1, "a", 0), (1, "b", 1), (2, "b", 1), (2, None, 1)]


KEYS: list[tuple[str, Any, Any]] = [
    ("string", "a" * 40 + "x", "a" * 40 + "y"),
    ("boolean", True, False),
    ("double", 0.5, float("nan")),
    ("timestamp", datetime(2026, 3, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, tzinfo=UTC)),
    ("date", date(2026, 3, 1), date.min),
    ("decimal(20,2)", Decimal("-1.50"), Decimal("999999999999999999.99")),
    ("binary", b"\xff\x00", b""),
]


@pytest.mark.parametrize("kind, first, second", KEYS, ids=lambda value: value if isinstance(value, str) else "")
def test_keys_may_be_of_any_type(there: Place, kind: str, first: Any, second: Any) -> None:
    key = Column.model_validate({"name": "k", "type": kind})
    options = {"merge_keys": ["k"]}
    for number, value in enumerate((first, second, first, second)):
        merge(there, one(there, number, (number, value), columns=(ID, key)), **options)
    assert content(there, "id") == [(2,), (3,)]


def test_keys_may_have_any_name(there: Place) -> None:
    key = Column(name="the key. 1", type=ColumnType.STRING)
    options = {"merge_keys": [key.name]}
    merge(there, one(there, 0, (1, "a"), (2, "b"), columns=(ID, key)), **options)
    merge(there, one(there, 1, (3, "b"), columns=(ID, key)), **options)
    assert content(there, "id", key.name) == [(1, "a"), (3, "b")]


def test_a_key_column_that_rows_lack_is_a_conflict(there: Place) -> None:
    merge(there, one(there, 0, (1, "a")))
    with pytest.raises(SchemaConflict, match="no column 'id'"):
        merge(there, one(there, 1, ("x",), columns=(NOTE,)))
    with pytest.raises(SchemaConflict, match="no column 'rank'"):
        merge(there, one(there, 2, (1, "x")), **ORDERED)
    assert content(there) == [(1, "a")]


DAYS = {"time_column": "at", "transform": "day"}


def test_a_row_that_moves_to_another_partition_replaces_the_old_one(there: Place) -> None:
    first, second = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)
    merge(there, one(there, 0, (1, first), (2, first), (3, None), columns=(ID, AT), **DAYS), **DAYS)
    merge(there, one(there, 1, (1, second), (3, first), columns=(ID, AT), **DAYS), **DAYS)
    assert content(there, "id", "at") == [(1, second), (2, first), (3, first)]
    table = there.catalog().load_table(TABLE)
    assert table.scan("at >= '2026-04-01T00:00:00+00:00'").to_arrow()["id"].to_pylist() == [1]
    assert sorted(table.scan("at < '2026-04-01T00:00:00+00:00'").to_arrow()["id"].to_pylist()) == [2, 3]


def test_columns_grow_while_rows_are_merged(there: Place) -> None:
    merge(there, one(there, 0, (1,), (2,), columns=(ID,)))
    merge(there, one(there, 1, (2, "b"), columns=COLUMNS))
    assert content(there) == [(1, None), (2, "b")]


@pytest.mark.parametrize("error", [CommitFailedException("met itself"), CommitStateUnknownException("time-out")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_or_a_conflict_merges_once(
    there: Place, catalog: ScriptedCatalog, when: str, error: Exception
) -> None:
    merge(there, one(there, 0, (1, "a"), (2, "b")))
    getattr(catalog, when).append(fail(error))
    merge(there, one(there, 1, (2, "B"), (2, "BB")))
    assert content(there) == [(1, "a"), (2, "BB")]


def test_what_another_writer_added_in_between_is_merged_as_well(there: Place, catalog: ScriptedCatalog) -> None:
    merge(there, one(there, 0, (1, "a", 1), columns=RANKED), **ORDERED)
    theirs = one(there, 7, (2, "theirs", 9), (3, "theirs", 0), columns=RANKED)
    assert theirs.staged is not None
    path = theirs.staged.files[0].path
    catalog.before.append(lambda: catalog.load_table(TABLE).add_files([path]))
    merge(there, one(there, 1, (2, "ours", 5), (3, "ours", 5), columns=RANKED), **ORDERED)
    assert content(there) == [(1, "a"), (2, "theirs"), (3, "ours")]


def test_what_another_writer_deleted_in_between_is_not_brought_back(there: Place, catalog: ScriptedCatalog) -> None:
    merge(there, one(there, 0, (1, "a"), (2, "b"), (3, "c")))
    catalog.before.append(lambda: catalog.load_table(TABLE).delete(EqualTo("id", 3)))
    merge(there, one(there, 1, (2, "B")))
    assert content(there) == [(1, "a"), (2, "B")]


def test_a_row_that_another_engine_took_out_beats_nobody(there: Place, catalog: ScriptedCatalog) -> None:
    merge(there, one(there, 0, (1, "dead", 9), (2, "b", 9), (3, "c", 9), columns=RANKED), **ORDERED)
    delete_positions(catalog.load_table(TABLE), there.files()[0], 0)
    merge(there, one(there, 1, (1, "new", 1), (2, "late", 1), (3, "C", 10), columns=RANKED), **ORDERED)
    assert content(there) == [(1, "new"), (2, "b"), (3, "C")]


def test_former_rows_go_as_others_are_merged(there: Place) -> None:
    merge(
        there, staged(there, 0, {ref("x"): [(1, "x1", 9), (2, "x1", 9)], ref("y"): [(3, "y1", 9)]}, RANKED), **ORDERED
    )
    again = staged(there, 1, {ref("x", 1, "2"): [(1, "x2", 1), (3, "x2", 1)]}, RANKED)
    merge(there, again, formers={again.id: [Former("bucket", "x", "e:1")]}, **ORDERED)
    assert content(there) == [(1, "x2"), (3, "y1")]


def test_large_files_are_written_again_row_group_by_row_group(there: Place, tmp_path: Path) -> None:
    there = place("iceberg", tmp_path, there.catalog(), Limits(row_group_rows=1000))
    merge(there, one(there, 0, *((number, "a") for number in range(5000))))
    merge(there, one(there, 1, *((number, "b") for number in range(0, 5000, 2))))
    notes = there.read("note, count(*)", "group by note order by note")
    assert notes == [("a", 2500), ("b", 2500)]
    assert there.read("count(distinct id)") == [5000]


keys = st.one_of(st.none(), st.integers(0, 5))
ranks = st.one_of(st.none(), st.integers(0, 3))
days = st.sampled_from([None, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)])
changes = st.lists(st.lists(st.lists(st.tuples(keys, ranks, days), max_size=5), min_size=1, max_size=3), max_size=5)


@settings(max_examples=15, deadline=None)
@given(changes=changes, ordered=st.booleans(), partitioned=st.booleans(), lost=st.sets(st.integers(0, 4)))
def test_whatever_comes_the_table_has_what_a_dictionary_has(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[list[list[tuple[Any, ...]]]],
    ordered: bool,
    partitioned: bool,
    lost: set[int],
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    options: dict[str, Any] = (ORDERED if ordered else {}) | (DAYS if partitioned else {})
    expected: dict[Any, tuple[Any, ...]] = {}
    serial = count(1)
    with sql_catalog(folder, ScriptedCatalog) as catalog:
        assert isinstance(catalog, ScriptedCatalog)
        there = place("iceberg", folder, catalog)
        for number, tasks in enumerate(changes):
            group = []
            for index, drawn in enumerate(tasks):
                rows = [(key, str(next(serial)), rank, day) for key, rank, day in drawn]
                for row in rows:
                    take(expected, row, ordered)
                group.append(staged(there, number * 10 + index, objects(rows, partitioned), WIDE, **options))
            if number in lost:
                catalog.after.append(fail(CommitStateUnknownException("lost")))
            merge(there, *group, **options)
            catalog.after.clear()
        found = content(there, *(column.name for column in WIDE)) if expected else []
        assert found == sorted(expected.values(), key=repr)


def objects(rows: list[tuple[Any, ...]], partitioned: bool) -> dict[ObjectRef, list[tuple[Any, ...]]]:
    """Rows of one object; or of one each, since rows of one object have no order among partitions."""
    if partitioned:
        return {ref(f"k{row[1]}", int(row[1])): [row] for row in rows}
    return {ref(f"k{rows[0][1]}", int(rows[0][1])): rows} if rows else {}


def take(expected: dict[Any, tuple[Any, ...]], row: tuple[Any, ...], ordered: bool) -> None:
    """A row of this key comes: keep it unless the one there is greater."""
    current = expected.get(row[0], row)
    greater = (current[2] or 0, current[2] is not None) > (row[2] or 0, row[2] is not None)
    expected[row[0]] = current if ordered and greater else row

"""Iceberg tables and Parquet datasets keep the same promises to the flows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.tasks import Run, Task
from chalicelib.destinations.files import Limits
from chalicelib.errors import ConfigError, RunSuperseded
from tests.destinations.staged import AT, ID, LOADED_AT, NOTE, Place, batch, load, numbers, place, sql_catalog, task


@pytest.fixture(params=["iceberg", "parquet"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with sql_catalog(tmp_path) as catalog:
        yield place(request.param, tmp_path, catalog)


def commit(there: Place, *tasks: Task, **options: object) -> str | None:
    return there.tables.commit(there.out(**options), tasks)


def test_staged_rows_are_in_no_table(there: Place) -> None:
    staged = there.staged(0, (1,))
    with pytest.raises(ConfigError, match="no such"):
        there.tables.count("db", "t")
    assert there.tables.committed(there.out(), [staged]) == {}


def test_committed_rows_are_read_with_their_origin(there: Place) -> None:
    commit(there, there.staged(0, (1,), (2,)), there.staged(1, (3,)))
    assert there.ids() == [1, 2, 3]
    assert there.tables.count("db", "t") == 3
    assert there.tables.rows("db", "t", 2).num_rows == 2
    assert set(there.read("(_bucket, _key, _identity)")) == {("bucket", "key", "e:1")}
    assert set(there.tables.rows("db", "t", 9)["_loaded_at"].to_pylist()) == {LOADED_AT}


def test_origin_columns_can_be_left_out(there: Place) -> None:
    out = there.out(origin_columns=False)
    staging = there.stage(out, "a01/0", 1)
    staging.write(batch((ID,), (1,), origin=False), (ID,))
    staging.keep()
    there.tables.commit(out, [task(0, staging.finish())])
    assert there.tables.rows("db", "t", 9).column_names == ["id"]


def test_committing_twice_is_committing_once(there: Place) -> None:
    tasks = [there.staged(0, (1,)), there.staged(1, (2,))]
    first = commit(there, *tasks)
    assert commit(there, *tasks) == first
    assert there.ids() == [1, 2]


def test_a_commit_takes_up_where_another_ended(there: Place) -> None:
    first, second = there.staged(0, (1,)), there.staged(1, (2,))
    commit(there, first)
    commit(there, first, second)
    assert there.ids() == [1, 2]


def test_committed_tasks_are_found(there: Place) -> None:
    first, second, third = (there.staged(number, (number,)) for number in range(3))
    snapshot = commit(there, first, third)
    assert there.tables.committed(there.out(), [first, second, third]) == {first.id: snapshot, third.id: snapshot}


def test_tasks_without_rows_commit_nothing(there: Place) -> None:
    empty = task(7, ())
    assert commit(there, empty) is None
    assert commit(there) is None
    assert there.tables.committed(there.out(), [empty]) == {}
    commit(there, empty, there.staged(0, (1,)))
    assert there.ids() == [1]


def test_a_hundred_tasks_are_one_commit(there: Place) -> None:
    tasks = [there.staged(number, (number,)) for number in range(100)]
    commit(there, *tasks)
    assert there.ids() == list(range(100))
    assert len(there.tables.committed(there.out(), tasks)) == 100


def test_columns_may_grow(there: Place) -> None:
    commit(there, there.staged(0, (1,)))
    commit(there, there.staged(1, (2, "new"), columns=(ID, NOTE)), there.staged(2, (3,)))
    rows = there.tables.rows("db", "t", 9).select(["id", "note"]).to_pylist()
    assert sorted((row["id"], row["note"]) for row in rows) == [(1, None), (2, "new"), (3, None)]
    assert sorted(there.read("id, note")) == [(1, None), (2, "new"), (3, None)]


def test_columns_may_grow_within_a_task(there: Place) -> None:
    staging = there.stage(there.out(), "a01/0", 1)
    load(staging, (ID,), (1,))
    load(staging, (ID, NOTE), (2, "new"))
    files = staging.finish()
    assert [file.columns for file in files] == [(ID,), (ID, NOTE)]
    commit(there, task(0, files))
    assert sorted(there.read("id, note")) == [(1, None), (2, "new")]
    assert there.tables.rows("db", "t", 9).column_names[:1] == ["id"]
    assert set(there.tables.rows("db", "t", 9).column_names) >= {"id", "note", "_key"}


VALUES: list[tuple[str, Any]] = [
    ("boolean", True),
    ("long", -(2**63)),
    ("double", 0.1),
    ("string", "é\n"),
    ("timestamp", datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("json", '{"a":1}'),
    ("date", date(1969, 12, 31)),
    ("date", date.min),
    ("date", date.max),
    ("time", time(23, 59, 59, 999999)),
    ("decimal(9,2)", Decimal("-1234567.89")),
    ("decimal(18,18)", Decimal("0.123456789012345678")),
    ("decimal(38,10)", Decimal("-9999999999999999999999999999.9999999999")),
    ("decimal(1)", Decimal(7)),
    ("binary", b"\x00\xff"),
]


def test_every_type_comes_back_as_it_went(there: Place) -> None:
    columns = tuple(
        Column.model_validate({"name": f"{kind} col. {number}", "type": kind})
        for number, (kind, _) in enumerate(VALUES)
    )
    values = tuple(value for _, value in VALUES)
    commit(there, there.staged(0, values, (None,) * len(values), columns=columns))
    rows = there.tables.rows("db", "t", 9).select([column.name for column in columns]).to_pylist()
    assert sorted((tuple(row.values()) for row in rows), key=lambda row: row[0] is None) == [
        values,
        (None,) * len(values),
    ]
    names = ", ".join(
        f'epoch_us("{column.name}")' if column.type is ColumnType.TIMESTAMP else f'"{column.name}"'
        for column in columns
    )
    seen = tuple(value if not isinstance(value, datetime) else -1 for value in values)
    assert sorted(there.read(names), key=lambda row: row[0] is None) == [seen, (None,) * len(values)]


@pytest.mark.parametrize("transform", ["day", "month"])
def test_a_date_may_tell_the_partition(there: Place, transform: str) -> None:
    on = Column(name="on", type=ColumnType.DATE)
    options = {"time_column": "on", "transform": transform}
    days = [date(2026, 3, 1), None, date(1969, 12, 31), date(2026, 3, 2), date.min, date.max]
    commit(there, there.staged(0, *enumerate(days), columns=(ID, on), **options), **options)
    length = {"day": 10, "month": 7}[transform]
    labels = {"__HIVE_DEFAULT_PARTITION__", *(str(day)[:length] for day in days if day)}
    assert {path.split("/")[-2] for path in there.files()} == {f"on_{transform}={label}" for label in labels}
    assert there.ids() == [0, 1, 2, 3, 4, 5]
    assert sorted(there.tables.rows("db", "t", 9)["on"].to_pylist(), key=str) == sorted(days, key=str)


@pytest.mark.parametrize("transform", ["hour", "day", "month"])
def test_partitions_are_by_utc_time_and_null_has_its_own(there: Place, transform: str) -> None:
    options = {"time_column": "at", "transform": transform}
    times = [
        datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC),
        None,
        datetime(1969, 12, 31, 23, 0, tzinfo=UTC),
        datetime(2026, 3, 2, 0, 0, tzinfo=UTC),
        datetime(2026, 3, 1, 23, 0, tzinfo=UTC),
    ]
    rows = list(enumerate(times))
    commit(there, there.staged(0, *rows, columns=(ID, AT), **options), **options)
    folders = {path.split("/")[-2] for path in there.files()}
    labels = {
        "hour": {"1969-12-31-23", "2026-03-01-23", "2026-03-02-00"},
        "day": {"1969-12-31", "2026-03-01", "2026-03-02"},
        "month": {"1969-12", "2026-03"},
    }[transform]
    assert folders == {f"at_{transform}={label}" for label in (*labels, "__HIVE_DEFAULT_PARTITION__")}
    assert there.ids() == [0, 1, 2, 3, 4]


def test_an_attempt_that_does_not_count_leaves_no_rows(there: Place) -> None:
    lost = there.stage(there.out(), "a01/0", 1)
    load(lost, (ID,), (1,))
    lost.finish()
    won = there.stage(there.out(), "a01/0", 2)
    load(won, (ID,), (1,))
    commit(there, task(0, won.finish()))
    assert there.ids() == [1]


def test_a_large_object_is_read_back_whole(there: Place) -> None:
    small = Limits(object_bytes=1000, row_group_rows=50, file_bytes=3000)
    there = place(there.kind, there.folder, there.catalog(), small)
    staging = there.stage(there.out(), "a01/0", 1)
    for start in range(0, 1000, 100):
        staging.write(numbers(start, start + 100), (ID,))
    staging.keep()
    files = staging.finish()
    assert len(files) > 1
    assert sum(file.rows for file in files) == 1000
    commit(there, task(0, files))
    assert there.ids() == list(range(1000))


def ids(there: Place) -> list[int]:
    """As Tidegate itself reads them."""
    return sorted(there.tables.rows("db", "t", 99)["id"].to_pylist())


def replace(there: Place, job: str, hour: int, *tasks: Task) -> str | None:
    started_at = datetime(2026, 3, 2, hour, tzinfo=UTC)
    return there.tables.commit(there.out(mode="replace"), tasks, run=Run(job, started_at))


def of_run(there: Place, job: str, number: int, *rows: tuple[Any, ...]) -> Task:
    staging = there.stage(there.out(mode="replace"), f"{job}/{number}", 1)
    load(staging, (ID,), *rows)
    return task(number, staging.finish(), job)


def test_the_rows_of_a_run_are_the_whole_content(there: Place) -> None:
    replace(there, "r1", 1, of_run(there, "r1", 0, (1,), (2,)))
    replace(there, "r2", 2, of_run(there, "r2", 0, (2,)), of_run(there, "r2", 1, (3,)))
    assert ids(there) == [2, 3]
    assert there.tables.count("db", "t") == 2


def test_a_run_is_the_content_once(there: Place) -> None:
    first = of_run(there, "r1", 0, (1,))
    replace(there, "r1", 1, first)
    replace(there, "r1", 1, first)
    assert ids(there) == [1]


def test_a_run_that_found_nothing_leaves_nothing(there: Place) -> None:
    replace(there, "r1", 1, of_run(there, "r1", 0, (1,)))
    replace(there, "r2", 2)
    assert there.tables.count("db", "t") == 0


def test_an_older_run_does_not_replace_a_newer_one(there: Place) -> None:
    replace(there, "late", 2, of_run(there, "late", 0, (2,)))
    with pytest.raises(RunSuperseded):
        replace(there, "early", 1, of_run(there, "early", 0, (1,)))
    assert ids(there) == [2]

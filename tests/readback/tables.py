"""Tables as Tidegate leaves them, with the rows that must be in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.maintenance import Maintenance
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Former, Run, Task
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from chalicelib.records.origin import with_origin
from tests.destinations.staged import AT, ID, LOADED_AT, NOTE, Place, batch, load, place, sql_catalog, task


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader has to find in a table."""

    name: str
    metadata: str  # path of the metadata file
    files: tuple[str, ...]  # paths of the current snapshot's data files
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    since: tuple[str, str] | None = None  # a column, and the time from which on rows are counted
    count: int = -1


Made = tuple[tuple[str, ...], list[tuple[Any, ...]]]

VALUES: list[tuple[str, Any, Any]] = [
    ("boolean", True, False),
    ("long", -(2**63), 2**63 - 1),
    ("double", 0.1, -1.5e300),
    ("string", "é\n\t", ""),
    ("timestamp", datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
    ("json", '{"a":[1,null]}', "null"),
    ("date", date(1969, 12, 31), date(2026, 3, 1)),
    ("decimal(9,2)", Decimal("-1234567.89"), Decimal("0.01")),
    ("decimal(18,18)", Decimal("0.123456789012345678"), Decimal("-0.000000000000000001")),
    ("decimal(38,10)", Decimal("-9999999999999999999999999999.9999999999"), Decimal("1.0000000000")),
    ("binary", b"\x00\xff", b""),
]


def types(there: Place) -> Made:
    """Each type with two values and NULL, those apart that not every tool has."""
    columns = tuple(Column.model_validate({"name": f"c {kind}", "type": kind}) for kind, _, _ in VALUES)
    rows = [tuple(row) for row in zip(*((one, two, None) for _, one, two in VALUES), strict=True)]
    commit(there, there.staged(0, *rows, columns=columns))
    return tuple(column.name for column in columns), rows


def far_dates(there: Place) -> Made:
    """The first day and the last."""
    on = Column(name="on", type=ColumnType.DATE)
    rows = [(0, date.min), (1, date.max), (2, None)]
    commit(there, there.staged(0, *rows, columns=(ID, on)))
    return ("id", "on"), rows


def times(there: Place) -> Made:
    """Times of day."""
    at = Column(name="at", type=ColumnType.TIME)
    rows = [(0, time(0)), (1, time(23, 59, 59, 999999)), (2, None)]
    commit(there, there.staged(0, *rows, columns=(ID, at)))
    return ("id", "at"), rows


def grown(there: Place) -> Made:
    """Columns that came later, and one that became wider."""
    narrow, wide = (Column(name="n", type=ColumnType.DECIMAL, precision=digits, scale=2) for digits in (9, 20))
    commit(there, there.staged(0, (1, Decimal("1.50")), columns=(ID, narrow)))
    large = Decimal("123456789012345678.25")
    commit(there, there.staged(1, ("new", 2, large), columns=(NOTE, ID, wide)), there.staged(2, (3,)))
    return ("id", "n", "note"), [(1, Decimal("1.50"), None), (2, large, "new"), (3, None, None)]


def by_day(there: Place) -> Made:
    """Hidden partitions, NULL in one of its own, and files from before and after a column was added."""
    options = {"time_column": "at", "transform": "day"}
    first = [(0, None), (1, datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC))]
    later = [(2, datetime(2026, 3, 2, tzinfo=UTC), "x"), (3, datetime(2026, 3, 3, 1, tzinfo=UTC), None)]
    commit(there, there.staged(0, *first, columns=(ID, AT), **options), **options)
    commit(there, there.staged(1, *later, columns=(ID, AT, NOTE), **options), **options)
    return ("id", "at", "note"), [(*row, None) for row in first] + later


def overwritten(there: Place) -> Made:
    """An object's rows replaced by those of its next content, one deleted, one untouched."""
    first = objects(there, 0, {("a", "e:1"): [1, 2], ("b", "e:1"): [3], ("c", "e:1"): [4]})
    commit(there, first)
    again = objects(there, 1, {("a", "e:2"): [5]})
    there.tables.commit(there.out(), [again], {again.id: [Former("bucket", "a", "e:1"), Former("bucket", "c", "e:1")]})
    return ("_key", "_identity", "id"), [("a", "e:2", 5), ("b", "e:1", 3)]


def merged(there: Place) -> Made:
    """Rows that took the place of those with the same key."""
    options = {"mode": "merge", "merge_keys": ["id"]}
    commit(there, there.staged(0, (1, "a"), (2, "b"), (None, "c"), columns=(ID, NOTE), **options), **options)
    commit(there, there.staged(1, (2, "B"), (None, None), (3, "d"), columns=(ID, NOTE), **options), **options)
    return ("id", "note"), [(1, "a"), (2, "B"), (None, None), (3, "d")]


def replaced(there: Place) -> Made:
    """The content of a run, after another one's and after rows that arrived."""
    options = {"mode": "replace", "time_column": "at", "transform": "day"}
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3)]
    for number, job in enumerate(("r1", "r2")):
        rows = [(10 * number + each, day) for each, day in enumerate(days[number:])]
        staging = there.stage(there.out(**options), f"{job}/0", 1)
        load(staging, (ID, AT), *rows)
        done = task(0, staging.finish(), job)
        there.tables.commit(there.out(**options), [done], run=Run(job, LOADED_AT + timedelta(hours=number)))
    return ("id", "at"), [(10, days[1]), (11, days[2])]


def emptied(there: Place) -> Made:
    """The content of a run that found nothing."""
    commit(there, there.staged(0, (1,)))
    there.tables.commit(there.out(mode="replace"), [task(0, (), "r1")], run=Run("r1", LOADED_AT))
    return ("id",), []


def compacted(there: Place) -> Made:
    """Many small files put together: of several days, from before and after a column came and a type was widened."""
    options = {"time_column": "at", "transform": "day"}
    narrow, wide = (Column(name="n", type=ColumnType.DECIMAL, precision=digits, scale=2) for digits in (9, 20))
    rows: list[tuple[Any, ...]] = []
    for number in range(12):
        at = datetime(2026, 3, 1 + number % 2, tzinfo=UTC)
        row: tuple[Any, ...] = (number, at, Decimal(number)) if number < 6 else (number, at, Decimal(number), "x")
        columns = (ID, AT, narrow) if number < 6 else (ID, AT, wide, NOTE)
        commit(there, there.staged(number, row, columns=columns, **options), **options)
        rows.append((*row[:2], Decimal(f"{number}.00"), row[3] if number >= 6 else None))
    rules = Maintenance(min_files=2)
    done = IcebergUpkeep(there.catalog).compact(there.out(**options), rules, in_time=lambda: True)
    assert (done.read, done.written) == (12, 2)
    return ("id", "at", "n", "note"), rows


def commit(there: Place, *tasks: Task, **options: Any) -> None:
    there.tables.commit(there.out(**options), tasks)


def objects(there: Place, number: int, contents: dict[tuple[str, str], Sequence[int]], **options: Any) -> Task:
    """A task with these objects' rows in one file."""
    staging = there.stage(there.out(**options), f"a01/{number}", 1)
    for (key, identity), ids in contents.items():
        rows = batch((ID,), *((i,) for i in ids), origin=False)
        staging.write(with_origin(rows, ObjectRef("bucket", key, identity[2:], 1, LOADED_AT), LOADED_AT), (ID,))
        staging.keep()
    return task(number, staging.finish())


STATES = (types, far_dates, times, grown, by_day, overwritten, merged, replaced, emptied, compacted)
SINCE = {
    "by_day": (("at", "2026-03-02T00:00:00+00:00"), 2),
    "replaced": (("at", "2026-03-03T00:00:00+00:00"), 1),
    "compacted": (("at", "2026-03-02T00:00:00+00:00"), 6),
}


def made(folder: Path) -> Iterator[Wanted]:
    """Every table, each in a folder of its own."""
    for state in STATES:
        name = state.__name__
        (folder / name).mkdir()
        with sql_catalog(folder / name) as catalog:
            there = place("iceberg", folder / name, catalog)
            columns, rows = state(there)
            metadata = catalog.load_table(("db", "t")).metadata_location.removeprefix("file://")
            files = tuple(path.removeprefix("file://") for path in there.files())
            since, count = SINCE.get(name, (None, -1))
            yield Wanted(name, metadata, files, columns, tuple(rows), since, count)

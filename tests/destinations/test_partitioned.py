"""Partitioned tables as readers see them: pyiceberg prunes files, DuckDB and pyarrow read Hive folders."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow.dataset as ds
import pytest
from pyiceberg.expressions import BooleanExpression, EqualTo, GreaterThanOrEqual, In, IsNull, LessThan, NotNull
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform, MonthTransform, Transform
from pyiceberg.types import DateType, DoubleType, LongType, NestedField, StringType, TimestamptzType

from chalicelib.config.columns import Column, ColumnType
from chalicelib.errors import SchemaConflict
from tests.destinations.scripted import ScriptedCatalog
from tests.destinations.staged import AT, ID, NOTE, Place, place

TABLE = ("db", "t")
N = Column(name="n", type=ColumnType.LONG)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def column(kind: str, **more: Any) -> Column:
    return Column.model_validate({"name": "c", "type": kind, **more})


def commit(there: Place, rows: list[tuple[Any, ...]], columns: tuple[Column, ...], **options: Any) -> None:
    there.tables.commit(there.out(**options), [there.staged(0, *rows, columns=columns, **options)])


def found(there: Place, wanted: BooleanExpression) -> tuple[list[int], int]:
    """The ids of the wanted rows, and how many files it took to look for them."""
    scan = there.catalog().load_table(TABLE).scan(wanted)
    return sorted(scan.to_arrow()["id"].to_pylist()), len(list(scan.plan_files()))


VALUES = {
    "string": (column("string"), ["DE", "", "a/b=c%", "日本", "x" * 16 + "one", "x" * 16 + "two", "x" * 250, None]),
    "null's name": (column("string"), ["__HIVE_DEFAULT_PARTITION__", None]),
    "long": (column("long"), [0, -1, 2**63 - 1, -(2**63), None]),
    "boolean": (column("boolean"), [True, False, None]),
    "date": (column("date"), [date(2026, 3, 1), date(1969, 12, 31), date.min, date.max, None]),
    "decimal": (column("decimal(9,2)"), [Decimal("1.50"), Decimal("-1.50"), Decimal("0.00"), None]),
    "wide decimal": (column("decimal(38,10)"), [Decimal("1.0000000001"), Decimal(f"{10**27}.0000000000"), None]),
}


@pytest.mark.parametrize(("kind", "values"), VALUES.values(), ids=VALUES)
def test_iceberg_finds_each_value_in_the_one_file_of_its_partition(
    there: Place, kind: Column, values: list[Any]
) -> None:
    rows = [(number, values[number % len(values)]) for number in range(2 * len(values))]
    commit(there, rows, (ID, kind), partition_by=["c"])
    for number, value in enumerate(values):
        wanted = IsNull("c") if value is None else EqualTo("c", value)
        assert found(there, wanted) == ([number, number + len(values)], 1)
    assert found(there, NotNull("c"))[1] == len(values) - 1


def test_time_and_further_columns_prune_together(there: Place) -> None:
    days = [MARCH + timedelta(days=number) for number in range(4)]
    rows = [(number, days[number % 4], "abc"[number // 4]) for number in range(12)]
    commit(there, rows, (ID, AT, NOTE), time_column="at", transform="day", partition_by=["note"])
    table = there.catalog().load_table(TABLE)
    assert [(field.name, str(field.transform)) for field in table.spec().fields] == [
        ("at_day", "day"),
        ("note", "identity"),
    ]
    assert found(there, EqualTo("note", "b")) == ([4, 5, 6, 7], 4)
    assert found(there, LessThan("at", days[1].isoformat())) == ([0, 4, 8], 3)
    assert len(there.files()) == 12


@pytest.mark.parametrize(
    ("transform", "value", "ids"),
    [
        ("hour", datetime(2026, 3, 1, 15, 0, tzinfo=UTC), [2]),
        ("day", date(2026, 3, 1), [0, 1]),
        ("month", date(2026, 3, 1), [0, 1, 2]),
    ],
)
def test_local_partitions_of_iceberg_are_values_of_a_column(
    there: Place, transform: str, value: Any, ids: list[int]
) -> None:
    times = [MARCH, MARCH + timedelta(hours=14, minutes=59), MARCH + timedelta(hours=15), None]
    options = {"time_column": "at", "transform": transform, "storage_timezone": "Asia/Tokyo"}
    commit(there, list(enumerate(times)), (ID, AT), **options)
    name = f"at_{transform}"
    table = there.catalog().load_table(TABLE)
    assert [(field.name, str(field.transform)) for field in table.spec().fields] == [(name, "identity")]
    assert [field.name for field in table.schema().fields][:3] == ["id", "at", name]
    assert found(there, EqualTo(name, value.isoformat())) == (ids, 1)
    assert found(there, IsNull(name)) == ([3], 1)
    assert found(there, GreaterThanOrEqual("at", times[2].isoformat())) == ([2], 1), "bounds of the column prune too"


def test_longs_of_iceberg_are_partitioned_by_their_day(there: Place) -> None:
    second = int(MARCH.timestamp())
    commit(there, [(0, second), (1, second - 1), (2, 2**62), (3, None)], (ID, N), time_column="n", transform="day")
    assert found(there, EqualTo("n_day", "2026-03-01")) == ([0], 1)
    assert found(there, EqualTo("n_day", "2026-02-28")) == ([1], 1)
    assert found(there, IsNull("n_day")) == ([2, 3], 1)
    assert found(there, EqualTo("n", 2**62)) == ([2], 1)


def test_an_hour_that_comes_twice_is_two_partitions_of_iceberg(there: Place) -> None:
    times = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(3)]
    options = {"time_column": "at", "transform": "hour", "storage_timezone": "Europe/Paris"}
    commit(there, list(enumerate(times)), (ID, AT), **options)
    assert [found(there, EqualTo("at_hour", f"2026-10-25T0{hour}:00:00+00:00")) for hour in range(3)] == [
        ([0], 1),
        ([1], 1),
        ([2], 1),
    ]


def others_table(catalog: ScriptedCatalog, there: Place, source: str, transform: Transform[Any, Any]) -> None:
    fields = {"id": LongType(), "at": TimestamptzType(), "on": DateType(), "note": StringType(), "x": DoubleType()}
    schema = Schema(*(NestedField(i, name, kind) for i, (name, kind) in enumerate(fields.items(), start=1)))
    spec = PartitionSpec(PartitionField(schema.find_field(source).field_id, 1000, transform, f"by_{source}"))
    catalog.create_namespace("db")
    catalog.create_table(TABLE, schema, f"{there.stage.warehouse}/elsewhere", spec)


@pytest.mark.parametrize(
    ("source", "transform", "rows", "words"),
    [
        ("at", DayTransform(), [(1, MARCH), (2, MARCH + timedelta(days=1))], "by_at"),
        ("at", DayTransform(), [(1, MARCH), (2, None)], "day of at.*with and without a value"),
        ("note", IdentityTransform(), [(1, "a"), (2, "b")], "by_note"),
        ("note", IdentityTransform(), [(1, "a"), (2, None)], "by note.*with and without a value"),
        ("x", IdentityTransform(), [(1, 1.0)], "by x.*may have NaN"),
        ("id", BucketTransform(4), [(1, "a")], "by_id"),
        ("on", IdentityTransform(), [(1, "a")], "has no column on, or no statistics of it"),
    ],
)
def test_rows_that_do_not_fit_the_partitions_of_somebodys_table_are_refused(
    there: Place,
    catalog: ScriptedCatalog,
    source: str,
    transform: Transform[Any, Any],
    rows: list[tuple[Any, ...]],
    words: str,
) -> None:
    others_table(catalog, there, source, transform)
    second = {"at": AT, "x": Column(name="x", type=ColumnType.DOUBLE)}.get(source, NOTE)
    with pytest.raises(SchemaConflict, match=words) as caught:
        commit(there, rows, (ID, second))
    assert "transform" in caught.value.remedy
    assert there.files() == []


def test_finer_and_no_partitions_fit_a_coarser_table(there: Place, catalog: ScriptedCatalog) -> None:
    others_table(catalog, there, "at", MonthTransform())
    rows = [(number, MARCH + timedelta(days=number)) for number in range(3)]
    commit(there, rows, (ID, AT), time_column="at", transform="day")
    there.tables.commit(there.out(), [there.staged(1, (9, MARCH), columns=(ID, AT))])
    assert found(there, LessThan("at", "2026-03-02T00:00:00+00:00")) == ([0, 9], 2)
    assert found(there, GreaterThanOrEqual("at", "2026-04-01T00:00:00+00:00")) == ([], 0)


def test_a_document_that_changed_its_partitions_does_not_change_the_table(there: Place) -> None:
    commit(there, [(0, MARCH)], (ID, AT), time_column="at", transform="day")
    by_month = {"time_column": "at", "transform": "month"}
    both_days = there.staged(1, (1, MARCH), (2, MARCH + timedelta(days=1)), columns=(ID, AT), **by_month)
    with pytest.raises(SchemaConflict, match="at_day"):
        there.tables.commit(there.out(**by_month), [both_days])
    one_day = there.staged(2, (3, MARCH + timedelta(days=1)), columns=(ID, AT), **by_month)
    there.tables.commit(there.out(**by_month), [one_day])
    assert [field.name for field in there.catalog().load_table(TABLE).spec().fields] == ["at_day"]
    assert found(there, GreaterThanOrEqual("at", "2026-03-02T00:00:00+00:00")) == ([3], 1)


def test_a_table_whose_partitions_were_changed_by_hand_takes_files_of_the_new_ones(there: Place) -> None:
    by_day, by_month = ({"time_column": "at", "transform": transform} for transform in ("day", "month"))
    commit(there, [(0, MARCH)], (ID, AT), **by_day)
    with there.catalog().load_table(TABLE).update_spec() as update:
        update.remove_field("at_day")
        update.add_field("at", MonthTransform(), "at_month")
    late = there.staged(1, (1, MARCH), (2, MARCH + timedelta(days=1)), columns=(ID, AT), **by_month)
    there.tables.commit(there.out(**by_month), [late])
    assert found(there, In("id", [0, 1, 2])) == ([0, 1, 2], 2)
    assert found(there, LessThan("at", MARCH.isoformat())) == ([], 0)


@pytest.fixture
def plain(tmp_path: Path, catalog: ScriptedCatalog) -> Place:
    return place("parquet", tmp_path, catalog)


HIVE = [
    "DE", "a/b", "100%", "a=b", "日本", "x y", "2026-10-25-02+0200", "#?*:'\"\\", "007", "%2F", "[x]^{y}", None,
]  # fmt: skip


def test_duckdb_reads_values_from_hive_folders(plain: Place) -> None:
    commit(plain, list(enumerate(HIVE)), (ID, column("string")), partition_by=["c"])
    options = "hive_partitioning => true, hive_types_autocast => 0"
    source = f"read_parquet('{plain.folder}/warehouse/**/*.parquet', {options})"
    with duckdb.connect() as connection:
        assert connection.execute(f"select id, c from {source} order by id").fetchall() == list(enumerate(HIVE))
        plan = connection.execute(f"explain analyze select id from {source} where c = 'a/b'").fetchall()[0][1]
    assert f"1/{len(HIVE)}" in plan, "DuckDB opens one file of all"


def test_pyarrow_reads_values_from_hive_folders_and_from_the_files(plain: Place) -> None:
    commit(plain, list(enumerate(HIVE)), (ID, column("string")), partition_by=["c"])
    root = f"{plain.folder}/warehouse/parquet/db/t"
    for partitioning in (None, "hive"):
        read = ds.dataset(root, partitioning=partitioning, format="parquet").to_table().sort_by("id")
        values = read["c"].to_pylist()
        assert values == HIVE
    parts = {unquote(path.parent.name) for path in Path(root).glob("*/*.parquet")}
    assert parts == {f"c={value if value is not None else '__HIVE_DEFAULT_PARTITION__'}" for value in HIVE}


def test_duckdb_prunes_by_time_and_further_columns(plain: Place) -> None:
    rows = [(number, MARCH + timedelta(days=number % 4), "abc"[number // 4]) for number in range(12)]
    commit(plain, rows, (ID, AT, NOTE), time_column="at", transform="day", partition_by=["note"])
    source = f"read_parquet('{plain.folder}/warehouse/**/*.parquet', hive_partitioning => true)"
    with duckdb.connect() as connection:
        wanted = f"from {source} where at_day = '2026-03-02' and note = 'b'"
        assert connection.execute(f"select id {wanted}").fetchall() == [(5,)]
        assert "1/12" in connection.execute(f"explain analyze select id {wanted}").fetchall()[0][1]


def test_rows_of_a_partitioned_dataset_are_read_back_whole(plain: Place) -> None:
    values = ["a/b", "", None, "x"]
    commit(plain, list(enumerate(values)), (ID, column("string")), partition_by=["c"])
    assert sorted(plain.tables.rows("db", "t", 9).select(["id", "c"]).to_pylist(), key=lambda row: row["id"]) == [
        {"id": number, "c": value} for number, value in enumerate(values)
    ]
    assert plain.tables.count("db", "t") == 4


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_no_column_takes_the_name_of_a_hidden_partition(there: Place, zone: str) -> None:
    """Spark and Trino refuse to open a table with a column and a partition of one name."""
    by_day = {"time_column": "at", "transform": "day"}
    commit(there, [(0, MARCH)], (ID, AT), **by_day)
    taken = Column(name="At_Day", type=ColumnType.STRING)
    later = {
        "UTC": ([(1, MARCH, "x")], (ID, AT, taken), {}),
        "Asia/Tokyo": ([(1, MARCH)], (ID, AT), by_day | {"storage_timezone": zone}),
    }
    rows, columns, options = later[zone]
    with pytest.raises(SchemaConflict, match=r"'at_day'.*partition") as caught:
        there.tables.commit(there.out(**options), [there.staged(1, *rows, columns=columns, **options)])
    assert "Rename" in caught.value.remedy
    assert "at_day" not in [name.lower() for name in there.catalog().load_table(TABLE).schema().column_names]

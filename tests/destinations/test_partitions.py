"""Which partition a row belongs to, and what its folder is called."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg, Parquet, TimeUnit, Transform
from chalicelib.destinations.moments import ahead, instants
from chalicelib.destinations.partitions import Partitions, Placed
from chalicelib.destinations.paths import NULL, escaped
from chalicelib.errors import PipelineMismatch
from tests.destinations.staged import AT, ID, NOTE, batch

ON = Column(name="on", type=ColumnType.DATE)
N = Column(name="n", type=ColumnType.LONG)


def out(transform: Transform | str = "none", column: str | None = "at", kind: type = Iceberg, **more: Any) -> Any:
    name = "iceberg" if kind is Iceberg else "parquet"
    return kind(type=name, table="t", time_column=column, transform=transform, **more)


def split(rows: pa.RecordBatch, to: Any, *columns: Column) -> dict[str, pa.RecordBatch]:
    partitions = Partitions(to, room=800)
    placed = partitions.place(rows, columns)
    numbers = placed.array.to_pylist()
    return {
        partitions.folders[number]: placed.batch.take([i for i, each in enumerate(numbers) if each == number])
        for number in placed.used
    }


def folders(to: Any, column: Column, *values: Any) -> list[str]:
    """The folder of each value, in their order."""
    partitions = Partitions(to, room=800)
    placed = partitions.place(batch((column,), *((value,) for value in values)), (column,))
    return [partitions.folders[number] for number in placed.array.to_pylist()]


def test_rows_keep_their_order_within_a_partition() -> None:
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in (2, 1, 2, 1, 2)]
    rows = batch((ID, AT), *enumerate(days))
    assert {folder: part["id"].to_pylist() for folder, part in split(rows, out(Transform.DAY), ID, AT).items()} == {
        "at_day=2026-03-01": [1, 3],
        "at_day=2026-03-02": [0, 2, 4],
    }


@pytest.mark.parametrize("transform", [Transform.MONTH, Transform.NONE])
def test_a_batch_of_one_partition_is_not_copied_and_has_one_number(transform: Transform) -> None:
    rows = batch((ID, AT), (1, datetime(2026, 3, 1, tzinfo=UTC)), (2, datetime(2026, 3, 9, tzinfo=UTC)))
    placed = Partitions(out(transform), room=800).place(rows, (ID, AT))
    assert placed == Placed(rows, (ID, AT), 0)
    assert placed.batch is rows


def test_a_partition_keeps_its_number_from_batch_to_batch() -> None:
    partitions = Partitions(out(Transform.MONTH), room=800)
    for months, numbers in (((1, 2), [0, 1]), ((2, 3), [1, 2]), ((1, 1), [0, 0])):
        rows = batch((AT,), *((datetime(2026, month, 1, tzinfo=UTC),) for month in months))
        assert partitions.place(rows, (AT,)).array.to_pylist() == numbers


def test_rows_without_a_time_are_kept_apart() -> None:
    assert folders(out(Transform.HOUR), AT, None, None) == [f"at_hour={NULL}"] * 2


def test_folder_names_are_safe_whatever_the_column_is_called() -> None:
    column = Column(name="é at/../=", type=AT.type)
    to = out(Transform.DAY, column.name)
    assert folders(to, column, datetime(2026, 3, 1, tzinfo=UTC)) == ["__at______day=2026-03-01"]


@pytest.mark.parametrize("column", ["missing", "note"])
def test_rows_without_the_time_column_are_refused(column: str) -> None:
    rows = batch((ID, NOTE), (1, "2026-03-01"))
    with pytest.raises(PipelineMismatch, match=column) as caught:
        split(rows, out(Transform.DAY, column), ID, NOTE)
    assert "timestamp" in caught.value.remedy


def test_a_date_has_no_hour_to_partition_by() -> None:
    assert folders(out(Transform.DAY, "on"), ON, date(2026, 3, 1)) == ["on_day=2026-03-01"]
    with pytest.raises(PipelineMismatch, match="'on' is of type date") as caught:
        folders(out(Transform.HOUR, "on"), ON, date(2026, 3, 1))
    assert "transform: day" in caught.value.remedy


def test_the_first_and_last_moments_of_the_calendar_have_partitions() -> None:
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    assert folders(out(Transform.MONTH), AT, *ends) == ["at_month=0001-01", "at_month=9999-12"]


SECOND = int(datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        ("sec", SECOND),
        ("milli", SECOND * 1000 + 999),
        ("micro", SECOND * 10**6 + 999_999),
        ("nano", SECOND * 10**9 + 999_999_999),
    ],
)
def test_a_long_counts_since_1970_in_its_unit(unit: str, number: int) -> None:
    to = out("hour", "n", unix_timestamp_unit=unit)
    assert folders(to, N, number, -1, None) == ["n_hour=2026-03-01-23", "n_hour=1969-12-31-23", f"n_hour={NULL}"]


@pytest.mark.parametrize("unit", TimeUnit)
@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 253_402_300_800 * 10**6, -62_135_596_801 * 10**6])
def test_a_long_beyond_the_calendar_is_of_no_time(unit: TimeUnit, number: int) -> None:
    folder = folders(out("day", "n", unix_timestamp_unit=unit), N, number)[0].partition("=")[2]
    assert folder == NULL or 1 <= int(folder[:4]) <= 9999
    if unit in (TimeUnit.SEC, TimeUnit.MICRO):
        assert folder == NULL


@given(st.sampled_from(list(TimeUnit)), st.integers(-(2**63), 2**63 - 1))
@settings(max_examples=200)
def test_longs_are_the_seconds_that_python_finds(unit: TimeUnit, number: int) -> None:
    per_second = {"sec": 1, "milli": 10**3, "micro": 10**6, "nano": 10**9}[unit]
    found = instants(pa.array([number]), unit).to_pylist()[0]
    if found is None:
        edge = -(2**63) + per_second
        assert number < edge or not -62_135_596_800 <= number // per_second <= 253_402_300_799
    else:
        assert found == datetime(1970, 1, 1) + timedelta(seconds=number // per_second)  # noqa: DTZ001


def test_days_are_those_of_the_storage_time_zone() -> None:
    at = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert folders(out("day", storage_timezone="Asia/Tokyo"), AT, at) == ["at_day=2026-03-02"]
    assert folders(out("day", storage_timezone="-05:00"), AT, at) == ["at_day=2026-03-01"]
    assert folders(out("month", storage_timezone="+00:45"), AT, at) == ["at_month=2026-03"]
    assert folders(out("day", storage_timezone="+00:00"), AT, at) == ["at_day=2026-03-01"]


def test_a_date_is_a_day_everywhere() -> None:
    to = out("day", "on", storage_timezone="America/New_York")
    (placed,) = split(batch((ON,), (date(2026, 3, 1),)), to, ON).values()
    assert folders(to, ON, date(2026, 3, 1)) == ["on_day=2026-03-01"]
    assert "on_day" not in placed.schema.names, "Iceberg's own transform says it"


def test_an_hour_that_a_clock_shows_twice_is_two_partitions() -> None:
    hours = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    to = out("hour", storage_timezone="Europe/Paris")
    assert folders(to, AT, *hours) == ["at_hour=2026-10-25-02+0200", "at_hour=2026-10-25-02+0100"]
    parts = split(batch((AT,), *((hour,) for hour in hours)), to, AT)
    assert [part["at_hour"].to_pylist() for part in parts.values()] == [
        [datetime(2026, 10, 25, 0, tzinfo=UTC)],
        [datetime(2026, 10, 25, 1, tzinfo=UTC)],
    ]


ZONES = ["Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Monrovia", "+05:30"]


@given(st.sampled_from(ZONES), st.integers(-62_000_000_000, 253_000_000_000))
@settings(max_examples=300)
def test_local_hours_are_those_that_python_shows(zone: str, seconds: int) -> None:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    (offset,) = ahead(pa.array([instant.replace(tzinfo=None)], pa.timestamp("us")), zone).to_pylist()
    place = ZoneInfo(zone) if "/" in zone else ZoneInfo("Asia/Kolkata")
    if "/" in zone or seconds > 0:
        expected = instant.astimezone(place).utcoffset()
        assert expected is not None
        if zone == "+05:30":
            expected = timedelta(hours=5, minutes=30)
        assert timedelta(microseconds=offset) == expected


@pytest.mark.parametrize("zone", ZONES[:3])
def test_the_second_of_a_change_of_clocks_is_exact(zone: str) -> None:
    place, start = ZoneInfo(zone), datetime(2026, 1, 1, tzinfo=UTC)
    minutes = [start + timedelta(minutes=number) for number in range(0, 365 * 24 * 60, 7)]
    found = ahead(pa.array([each.replace(tzinfo=None) for each in minutes], pa.timestamp("us")), zone).to_pylist()
    assert [timedelta(microseconds=each) for each in found] == [each.astimezone(place).utcoffset() for each in minutes]


@pytest.mark.parametrize(
    ("transform", "value"),
    [
        ("hour", datetime(2026, 3, 1, 22, 15, tzinfo=UTC)),
        ("day", date(2026, 3, 2)),
        ("month", date(2026, 3, 1)),
    ],
)
def test_iceberg_gets_a_column_where_its_transforms_cannot_say_the_partition(transform: str, value: object) -> None:
    to = out(transform, storage_timezone="Asia/Kathmandu")  # 5:45 ahead
    rows = batch((ID, AT), (1, datetime(2026, 3, 1, 22, 30, tzinfo=UTC)), (2, None))
    placed = Partitions(to, room=800).place(rows, (ID, AT))
    name = f"at_{transform}"
    assert [column.name for column in placed.columns] == ["id", "at", name]
    assert placed.batch.schema.names == ["id", "at", name, "_bucket", "_key", "_identity", "_loaded_at"]
    assert placed.batch[name].to_pylist() == [value, None]
    plain = Partitions(out(transform, kind=Parquet, storage_timezone="Asia/Kathmandu"), room=800).place(rows, (ID, AT))
    assert plain.batch is rows, "a folder says it for Parquet"


def test_a_long_time_column_gets_iceberg_a_column_too() -> None:
    to = out("day", "n")
    (rows,) = split(batch((N,), (SECOND,)), to, N).values()
    assert rows["n_day"].to_pylist() == [date(2026, 3, 1)]


@pytest.mark.parametrize("kind", [Iceberg, Parquet])
@pytest.mark.parametrize("name", ["at_day", "AT_DAY"])
def test_a_column_with_the_name_of_the_partition_is_refused(kind: type, name: str) -> None:
    taken = Column(name=name, type=ColumnType.STRING)
    with pytest.raises(PipelineMismatch, match="'at_day', which is the name of the partition") as caught:
        split(batch((AT, taken), (None, "x")), out("day", kind=kind), AT, taken)
    assert "Rename" in caught.value.remedy


def column(kind: ColumnType, **more: Any) -> Column:
    return Column(name="c", type=kind, **more)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (column(ColumnType.STRING), "DE", "DE"),
        (column(ColumnType.STRING), "a/b", "a%2Fb"),
        (column(ColumnType.STRING), "100%=#?*", "100%25%3D%23%3F%2A"),
        (column(ColumnType.STRING), "\x00\n\x7f", "%00%0A%7F"),
        (column(ColumnType.STRING), "[{^}]", "%5B%7B%5E}%5D"),
        (column(ColumnType.STRING), "日本 é+&,;~", "日本 é+&,;~"),
        (column(ColumnType.STRING), NULL, f"%5F{NULL[1:]}"),
        (column(ColumnType.STRING), None, NULL),
        (column(ColumnType.LONG), -5, "-5"),
        (column(ColumnType.BOOLEAN), True, "true"),
        (column(ColumnType.BOOLEAN), False, "false"),
        (column(ColumnType.BOOLEAN), None, NULL),
        (column(ColumnType.DATE), date(2026, 3, 1), "2026-03-01"),
        (column(ColumnType.DECIMAL, precision=9, scale=2), Decimal("1.50"), "1.50"),
        (column(ColumnType.DECIMAL, precision=20, scale=10), Decimal("0.0000000001"), "0.0000000001"),
    ],
)
def test_a_value_is_a_folder_as_hive_writes_it(kind: Column, value: Any, text: str) -> None:
    assert folders(out(kind=Parquet, partition_by=["c"]), kind, value) == [f"c={text}"]


def test_empty_text_is_null_for_hive_and_itself_for_iceberg() -> None:
    text = column(ColumnType.STRING)
    assert folders(out(kind=Parquet, partition_by=["c"]), text, "", None) == [f"c={NULL}"] * 2
    assert folders(out(partition_by=["c"]), text, "", None) == ["c=", f"c={NULL}"]


@given(st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=200)
def test_folders_of_two_values_never_meet_and_have_no_slash(one: str, other: str) -> None:
    assert (escaped(one) == escaped(other)) == (one == other)
    assert "/" not in escaped(one)
    assert escaped(one) != NULL


def test_partitions_of_several_columns_are_folders_in_folders() -> None:
    rows = batch((ID, AT, NOTE), *((i, datetime(2026, 3, 1 + i % 2, tzinfo=UTC), "ab"[i // 2]) for i in range(4)))
    parts = split(rows, out("day", partition_by=["note", "id"]), ID, AT, NOTE)
    assert {folder: part["id"].to_pylist() for folder, part in parts.items()} == {
        "at_day=2026-03-01/note=a/id=0": [0],
        "at_day=2026-03-02/note=a/id=1": [1],
        "at_day=2026-03-01/note=b/id=2": [2],
        "at_day=2026-03-02/note=b/id=3": [3],
    }


@given(st.lists(st.tuples(*(st.integers(0, 3) for _ in range(5))), min_size=1, max_size=60))
@settings(max_examples=50)
def test_every_row_is_in_the_partition_of_its_values(rows: list[tuple[int, ...]]) -> None:
    columns = tuple(Column(name=f"c{i}", type=ColumnType.LONG) for i in range(5))
    parts = split(batch(columns, *rows), out(partition_by=[column.name for column in columns]), *columns)
    assert sum(part.num_rows for part in parts.values()) == len(rows)
    for folder, part in parts.items():
        for row in part.to_pylist():
            assert folder == "/".join(f"c{i}={row[f'c{i}']}" for i in range(5))


def test_an_origin_column_may_be_a_partition() -> None:
    assert folders(out(partition_by=["_bucket"]), ID, 1) == ["_bucket=bucket"]
    assert folders(out("day", "_loaded_at"), ID, 1) == ["_loaded_at_day=2026-03-01"]


@pytest.mark.parametrize("kind", ["double", "timestamp", "json", "binary", "time"])
def test_columns_whose_values_make_no_partitions_are_refused_with_the_reason(kind: str) -> None:
    with pytest.raises(PipelineMismatch, match=f"'c', a {kind}: ") as caught:
        folders(out(partition_by=["c"]), column(ColumnType(kind)), None)
    assert "strings, longs, booleans, dates or decimals" in caught.value.remedy


def test_a_partition_column_that_the_rows_lack_is_refused() -> None:
    with pytest.raises(PipelineMismatch, match="'missing': they have no such column"):
        folders(out(partition_by=["missing"]), ID, 1)


@pytest.mark.parametrize("value", ["x" * 254, "é" * 127, "/" * 90])
def test_a_value_too_long_for_a_folder_is_refused(value: str) -> None:
    with pytest.raises(PipelineMismatch, match="too long to name a partition") as caught:
        folders(out(partition_by=["c"]), column(ColumnType.STRING), value)
    assert len(str(caught.value)) < 500


def test_folders_in_folders_are_no_longer_than_a_key() -> None:
    columns = tuple(Column(name=f"c{i}", type=ColumnType.STRING) for i in range(5))
    rows = batch(columns, tuple("x" * 200 for _ in columns))
    with pytest.raises(PipelineMismatch, match="too long"):
        split(rows, out(partition_by=[each.name for each in columns]), *columns)
    assert split(rows, out(partition_by=["c0", "c1", "c2"]), *columns), "800 bytes are room for three"

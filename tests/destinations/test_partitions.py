from datetime import UTC, date, datetime

import pytest

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg, Transform
from chalicelib.destinations.partitions import NULL, split
from chalicelib.errors import DataError
from tests.destinations.staged import AT, ID, NOTE, batch

ON = Column(name="on", type=ColumnType.DATE)


def out(transform: Transform, column: str = "at") -> Iceberg:
    return Iceberg(type="iceberg", table="t", time_column=column, transform=transform)


def test_rows_keep_their_order_within_a_partition() -> None:
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in (2, 1, 2, 1, 2)]
    rows = batch((ID, AT), *enumerate(days))
    assert {folder: part["id"].to_pylist() for folder, part in split(rows, out(Transform.DAY))} == {
        "at_day=2026-03-01": [1, 3],
        "at_day=2026-03-02": [0, 2, 4],
    }


def test_a_batch_of_one_partition_is_not_copied() -> None:
    rows = batch((ID, AT), (1, datetime(2026, 3, 1, tzinfo=UTC)), (2, datetime(2026, 3, 9, tzinfo=UTC)))
    assert [part is rows for _, part in split(rows, out(Transform.MONTH))] == [True]
    assert [part is rows for _, part in split(rows, out(Transform.NONE))] == [True]


def test_rows_without_a_time_are_kept_apart() -> None:
    rows = batch((ID, AT), (1, None), (2, None))
    assert [folder for folder, _ in split(rows, out(Transform.HOUR))] == [f"at_hour={NULL}"]


def test_folder_names_are_safe_whatever_the_column_is_called() -> None:
    column = Column(name="é at/../=", type=AT.type)
    rows = batch((column,), (datetime(2026, 3, 1, tzinfo=UTC),))
    assert [folder for folder, _ in split(rows, out(Transform.DAY, column.name))] == ["__at______day=2026-03-01"]


@pytest.mark.parametrize("column", ["missing", "note"])
def test_rows_without_the_time_column_are_bad_data(column: str) -> None:
    rows = batch((ID, NOTE), (1, "2026-03-01"))
    with pytest.raises(DataError, match=column) as caught:
        list(split(rows, out(Transform.DAY, column)))
    assert "timestamp" in caught.value.remedy


def test_a_date_has_no_hour_to_partition_by() -> None:
    rows = batch((ID, ON), (1, date(2026, 3, 1)))
    assert [folder for folder, _ in split(rows, out(Transform.DAY, "on"))] == ["on_day=2026-03-01"]
    with pytest.raises(DataError, match="'on' is of type date") as caught:
        list(split(rows, out(Transform.HOUR, "on")))
    assert "transform: day" in caught.value.remedy


def test_the_first_and_last_moments_of_the_calendar_have_partitions() -> None:
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    rows = batch((ID, AT), *enumerate(ends))
    assert [folder for folder, _ in split(rows, out(Transform.MONTH))] == ["at_month=0001-01", "at_month=9999-12"]

"""Thousands of columns in bounded memory: what is kept beside values, for arrays and for footers, is counted too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg
from chalicelib.destinations.files import Limits
from chalicelib.destinations.partitions import Placed
from chalicelib.destinations.staging import Stage, Staging
from chalicelib.destinations.waiting import Runs, Waiting
from tests.destinations.staged import AT, ID, batch
from tests.fakes.lake import FakeLake

MORE = tuple(Column(name=f"c{number}", type=ColumnType.LONG) for number in range(40))
COLUMNS = (ID, AT, *MORE)
WIDTH = len(COLUMNS) + 4  # with the origin columns
BY_DAY = Iceberg(type="iceberg", database="db", table="t", time_column="at", transform="day")


def page(start: int, stop: int, days: int) -> pa.RecordBatch:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    rows = ((number, first + timedelta(days=number % days), *[number] * len(MORE)) for number in range(start, stop))
    return batch(COLUMNS, *rows)


def staged(lake: FakeLake, limits: Limits, days: int) -> tuple[Staging, list[str]]:
    staging = Stage(lake, "s3://lake/warehouse", limits)(BY_DAY, "a01/0", 1)
    for start in range(0, 1000, 50):
        staging.write(page(start, start + 50, days), COLUMNS)
    staging.keep()
    return staging, [file.path for file in staging.finish()]


def ids(lake: FakeLake, path: str) -> list[int]:
    found: list[int] = pq.read_table(lake.file(path))["id"].to_pylist()
    return found


def test_a_file_ends_before_its_footer_outgrows_memory(tmp_path: Path) -> None:
    lake = FakeLake(tmp_path)
    _, paths = staged(lake, Limits(object_bytes=1000, row_group_rows=50, array_bytes=0, chunks=4 * WIDTH), days=1)
    groups = [pq.read_metadata(lake.file(path)).num_row_groups for path in paths]
    assert groups == [4] * 5
    assert [number for path in paths for number in ids(lake, path)] == list(range(1000))


def test_files_that_are_open_share_what_footers_may_take(tmp_path: Path) -> None:
    lake = FakeLake(tmp_path)
    small = Limits(object_bytes=1000, waiting_bytes=1000, run_bytes=1, array_bytes=0, open_files=5, chunks=6 * WIDTH)
    _, paths = staged(lake, small, days=5)
    assert len(paths) == 5, "what no file may take now waits on the disk"
    for path in paths:
        assert pq.read_metadata(lake.file(path)).num_row_groups <= 6
        assert ids(lake, path) == sorted(ids(lake, path))
    assert sorted(number for path in paths for number in ids(lake, path)) == list(range(1000))


@pytest.mark.parametrize(("array_bytes", "groups"), [(0, 1), (800, 4)])
def test_small_pages_of_many_columns_wait_no_longer_than_memory_allows(
    tmp_path: Path, array_bytes: int, groups: int
) -> None:
    lake = FakeLake(tmp_path)
    limits = Limits(object_bytes=1000, row_group_bytes=200_000, array_bytes=array_bytes)
    staging = Stage(lake, "s3://lake/warehouse", limits)(BY_DAY, "a01/0", 1)
    for start in range(0, 200, 10):
        staging.write(page(start, start + 10, 1), COLUMNS)
    staging.keep()
    (file,) = staging.finish()
    assert pq.read_metadata(lake.file(file.path)).num_row_groups == groups


def waiting(pages: Sequence[Sequence[int]]) -> Waiting:
    """Rows of these partitions, each with its place among all."""
    found, place = Waiting(array_bytes=0), 0
    for numbers in pages:
        rows = pa.RecordBatch.from_pydict({"n": pa.array(range(place, place + len(numbers)), pa.int64())})
        single = len(set(numbers)) == 1
        found.add(Placed(rows, (ID,), numbers[0] if single else pa.array(numbers, pa.int32())))
        place += len(numbers)
    return found


def rows_of(runs: Runs, number: int) -> list[int]:
    return [value for batch in runs.pop(number) for value in batch["n"].to_pylist()]


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), min_size=1, max_size=5), st.sets(st.integers(0, 4))
)
def test_each_partition_has_its_rows_in_order_whatever_was_taken_before(
    pages: list[list[int]], taken: set[int]
) -> None:
    everything = [number for numbers in pages for number in numbers]
    expected = {n: [place for place, each in enumerate(everything) if each == n] for n in set(everything)}
    runs = waiting(pages).take()
    assert set(runs.sizes()) == set(expected)
    for number in taken:
        assert rows_of(runs, number) == expected.pop(number, [])
    again = Waiting(array_bytes=0)
    for placed in runs.placed((ID,)):
        again.add(placed)
    rest, later = runs.rest(), again.take()
    assert set(rest.places) == set(later.places) == set(expected)
    for number, rows in expected.items():
        assert rows_of(rest, number) == rows_of(later, number) == rows

import secrets
import subprocess
import sys
import tempfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg, Parquet, Transform
from chalicelib.core.tasks import Staged, StagedFile, Upload
from chalicelib.destinations.files import Limits
from chalicelib.destinations.paths import file_name
from chalicelib.destinations.ports import Lake, Sink
from chalicelib.destinations.staging import Stage, Staging
from chalicelib.errors import PipelineMismatch, SourceUnavailable
from tests.destinations.discard import Discard
from tests.destinations.staged import AT, ID, NOTE, batch, load, numbers
from tests.fakes.lake import FakeLake, FakeSink

ICEBERG = Iceberg(type="iceberg", database="db", table="t")
PARQUET = Parquet(type="parquet", database="db", table="t")
BY_DAY = Iceberg(type="iceberg", database="db", table="t", time_column="at", transform="day")
SMALL = Limits(object_bytes=2000, row_group_rows=20, waiting_bytes=4000, run_bytes=100, open_files=3, array_bytes=0)


@pytest.fixture
def lake(tmp_path: Path) -> FakeLake:
    return FakeLake(tmp_path)


@pytest.fixture(params=[ICEBERG, PARQUET], ids=["iceberg", "parquet"])
def out(request: pytest.FixtureRequest) -> Iceberg | Parquet:
    chosen: Iceberg | Parquet = request.param
    return chosen


def begin(lake: Lake, out: Iceberg | Parquet, limits: Limits = SMALL, attempt: int = 1) -> Staging:
    return Stage(lake, "s3://lake/warehouse", limits)(out, "a01/0", attempt)


def ids(lake: FakeLake, files: tuple[StagedFile, ...]) -> list[int]:
    for file in files:
        if file.upload:
            lake.publish(file.path, file.upload)
    return sorted(value for file in files for value in pq.read_table(lake.file(file.path))["id"].to_pylist())


def everything_in(lake: FakeLake) -> list[Path]:
    return [path for path in lake.root.rglob("*") if path.is_file()]


def day(number: int) -> tuple[int, datetime]:
    return number, datetime(2026, 1, 1 + number % 28, tzinfo=UTC)


def test_small_objects_share_a_file(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    for number in range(10):
        load(staging, (ID,), (number,))
    (file,) = staging.finish()
    assert (file.rows, file.columns) == (10, (ID,))
    assert ids(lake, (file,)) == list(range(10))
    assert file.size == lake.file(file.path).stat().st_size


def test_a_small_object_that_failed_leaves_nothing(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    load(staging, (ID,), (1,))
    staging.write(numbers(100, 110), (ID,))
    staging.drop()
    load(staging, (ID,), (2,))
    assert ids(lake, staging.finish()) == [1, 2]


def test_a_large_object_that_failed_leaves_nothing(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    load(staging, (ID,), (1,))
    for start in range(100, 1000, 100):
        staging.write(numbers(start, start + 100), (ID,))
    assert lake.open_sinks > 0, "the object has outgrown memory"
    staging.drop()
    assert lake.open_sinks == 0
    assert (everything_in(lake), lake.uploads) == ([], {})
    load(staging, (ID,), (2,))
    assert ids(lake, staging.finish()) == [1, 2]


def test_files_of_a_failed_object_that_were_closed_already_do_not_count(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out, Limits(object_bytes=100, row_group_rows=10, file_bytes=1))
    staging.write(numbers(0, 50), (ID,))
    staging.write(numbers(50, 100), (ID,))
    staging.drop()
    load(staging, (ID,), (1,))
    files = staging.finish()
    assert len(lake.created) == 3
    assert ids(lake, files) == [1]
    assert lake.uploads == {}


def test_an_object_that_was_never_settled_does_not_count(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    load(staging, (ID,), (1,))
    staging.write(numbers(10, 20), (ID,))
    assert ids(lake, staging.finish()) == [1]


def test_large_and_small_objects_stand_side_by_side(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    load(staging, (ID,), (-1,))
    staging.write(numbers(0, 500), (ID,))
    staging.keep()
    load(staging, (ID,), (-2,))
    files = staging.finish()
    assert sorted(file.rows for file in files) == [2, 500]
    assert ids(lake, files) == [-2, *range(-1, 500)]


def test_abandoning_leaves_nothing_and_may_be_repeated(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    staging.abandon()
    for number in range(25):  # more than one row group
        load(staging, (ID,), (number,))
    staging.write(numbers(0, 500), (ID,))
    assert lake.open_sinks == 2
    staging.abandon()
    staging.abandon()
    assert lake.open_sinks == 0
    assert (everything_in(lake), lake.uploads) == ([], {})
    assert staging.finish() == ()


def test_abandoning_takes_back_what_large_objects_left(lake: FakeLake) -> None:
    staging = begin(lake, PARQUET)
    staging.write(numbers(0, 500), (ID,))
    staging.keep()
    assert len(lake.uploads) == 1
    staging.abandon()
    assert lake.uploads == {}
    assert staging.finish() == ()


def test_finished_files_survive_abandon(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    staging.write(numbers(0, 500), (ID,))
    staging.keep()
    load(staging, (ID,), (-1,))
    files = staging.finish()
    staging.abandon()
    assert ids(lake, files) == list(range(-1, 500))


def test_nothing_loaded_is_no_file(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    load(staging, (ID,))
    assert staging.finish() == ()
    assert lake.created == []


def test_two_attempts_never_share_a_path(lake: FakeLake, out: Iceberg | Parquet) -> None:
    for attempt in (1, 2, 2):
        staging = begin(lake, out, attempt=attempt)
        load(staging, (ID,), (1,))
        staging.finish()
    assert len(set(lake.created)) == 3
    assert [path.rpartition("-")[2] for path in lake.created] == ["a1.parquet", "a2.parquet", "a2.parquet"]


def test_paths_say_whose_they_are(lake: FakeLake) -> None:
    for out, folder in ((ICEBERG, "iceberg/db/t/data"), (PARQUET, "parquet/db/t")):
        staging = begin(lake, out, attempt=3)
        load(staging, (ID,), (1,))
        (file,) = staging.finish()
        start, _, name = file.path.rpartition("/")
        assert start == f"s3://lake/warehouse/{folder}"
        assert name.partition("-")[2] == "a01_0-a3.parquet"


def test_other_columns_begin_another_file(lake: FakeLake, out: Iceberg | Parquet) -> None:
    staging = begin(lake, out)
    load(staging, (ID,), (1,))
    load(staging, (ID,), (2,))
    load(staging, (ID, NOTE), (3, "new"))
    files = staging.finish()
    assert [(file.columns, file.rows) for file in files] == [((ID,), 2), ((ID, NOTE), 1)]


def test_few_files_are_open_at_once(lake: FakeLake) -> None:
    staging = begin(lake, BY_DAY)
    most = 0
    for start in range(0, 280, 28):
        load(staging, (ID, AT), *(day(number) for number in range(start, start + 28)))
        most = max(most, lake.open_sinks)
    assert 0 < most <= 3
    files = staging.finish()
    assert lake.open_sinks == 0
    assert len(files) == 28
    assert ids(lake, files) == list(range(280))
    for file in files:
        days = {at.day for at in pq.read_table(lake.file(file.path))["at"].to_pylist()}
        assert len(days) == 1


def test_many_partitions_in_little_data_are_one_file_each(lake: FakeLake) -> None:
    staging = begin(lake, BY_DAY, Limits(open_files=3))
    for start in range(0, 280, 28):
        load(staging, (ID, AT), *(day(number) for number in range(start, start + 28)))
    assert len(staging.finish()) == 28


BY_HOUR = Iceberg(type="iceberg", database="db", table="t", time_column="at", transform="hour")
START = datetime(2026, 1, 1, tzinfo=UTC)


def hours(start: int, stop: int, count: int) -> pa.RecordBatch:
    """Rows whose hours take turns."""
    rows = [(number, START + timedelta(hours=number * 7 % count)) for number in range(start, stop)]
    return batch((ID, AT), *rows)


def test_three_thousand_partitions_are_as_many_files_in_bounded_memory(tmp_path: Path) -> None:
    limits = Limits(object_bytes=1_000_000, waiting_bytes=1_000_000, run_bytes=200_000)
    staging, most, before = begin(Discard(tmp_path), BY_HOUR, limits), 0, pa.total_allocated_bytes()
    page = hours(0, 12_000, 3000)
    size = 0
    for _ in range(20):
        staging.write(page, (ID, AT))
        most, size = max(most, pa.total_allocated_bytes() - before), size + page.nbytes
    staging.keep()
    files = staging.finish()
    assert (len(files), sum(file.rows for file in files)) == (3000, 240_000)
    assert size > 10_000_000
    assert most < 5_000_000
    assert pa.total_allocated_bytes() - before - page.nbytes < 1_000_000


def test_many_partitions_of_large_and_small_objects_are_one_file_each(lake: FakeLake) -> None:
    staging = begin(lake, BY_HOUR, Limits(object_bytes=20_000, waiting_bytes=20_000, run_bytes=10_000))
    for start in range(0, 4000, 1000):
        for page in range(start, start + 1000, 100):
            staging.write(hours(page, page + 100, 50), (ID, AT))
        staging.keep()
        load(staging, (ID, AT), (-start, START))
    staging.write(hours(0, 1000, 50), (ID, AT))
    staging.drop()
    files = staging.finish()
    assert len(files) == 50
    assert ids(lake, files) == sorted([*range(4000), 0, -1000, -2000, -3000])
    for file in files:
        found = pq.read_table(lake.file(file.path), columns=["id"])["id"].to_pylist()
        numbers = [number for number in found if number > 0]
        assert numbers == sorted(numbers), "rows keep their order within a partition"


def test_a_partition_with_most_of_the_rows_is_written_as_it_comes(lake: FakeLake) -> None:
    limits = Limits(object_bytes=20_000, waiting_bytes=20_000, run_bytes=10_000)
    staging = begin(lake, BY_HOUR, limits)
    for page in range(20):
        often = [(page * 100 + number, START) for number in range(90)]
        seldom = [(page * 100 + number, START + timedelta(hours=number)) for number in range(90, 100)]
        staging.write(batch((ID, AT), *often, *seldom), (ID, AT))
    assert lake.open_sinks == 1
    staging.keep()
    files = staging.finish()
    assert len(files) == 11
    assert ids(lake, files) == list(range(2000))


@pytest.mark.parametrize("spill_bytes", [0, 3000])
def test_where_the_disk_has_no_room_there_are_more_files_but_no_fewer_rows(lake: FakeLake, spill_bytes: int) -> None:
    limits = Limits(object_bytes=5000, waiting_bytes=5000, run_bytes=5000, spill_bytes=spill_bytes)
    staging = begin(lake, BY_HOUR, limits)
    for start in range(0, 600, 100):
        staging.write(hours(start, start + 100, 30), (ID, AT))
    staging.keep()
    files = staging.finish()
    assert len(files) > 30
    assert ids(lake, files) == list(range(600))


def test_a_disk_that_refuses_is_no_failure(lake: FakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    staging = begin(lake, BY_HOUR, Limits(object_bytes=5000, waiting_bytes=5000, run_bytes=5000))
    for start in range(0, 300, 100):
        staging.write(hours(start, start + 100, 30), (ID, AT))
    staging.keep()
    assert ids(lake, staging.finish()) == list(range(300))


def test_an_object_with_too_many_partitions_is_set_aside_alone(lake: FakeLake, out: Iceberg | Parquet) -> None:
    by_hour = out.model_copy(update={"time_column": "at", "transform": Transform.HOUR})
    staging = begin(lake, by_hour, Limits(partitions=20, uploads=20))
    staging.write(hours(0, 20, 20), (ID, AT))
    staging.keep()
    with pytest.raises(PipelineMismatch, match="more than 20 partitions") as caught:
        staging.write(hours(0, 22, 22), (ID, AT))
    assert "out.transform" in caught.value.remedy
    staging.drop()
    assert ids(lake, staging.finish()) == list(range(20))


def test_objects_with_too_many_partitions_together_are_tried_again_and_then_alone(lake: FakeLake) -> None:
    staging = begin(lake, BY_HOUR, Limits(partitions=20))
    staging.write(hours(0, 20, 20), (ID, AT))
    staging.keep()
    with pytest.raises(SourceUnavailable, match="together"):
        staging.write(batch((ID, AT), (1, START - timedelta(hours=1))), (ID, AT))
    staging.abandon()


def test_a_task_names_all_its_files_within_a_dynamodb_item() -> None:
    limits = Limits()
    at = datetime(2026, 3, 1, tzinfo=UTC)
    columns = tuple(Column(name=f"column_{number}", type=ColumnType.STRING) for number in range(30))
    for most, hidden in ((limits.partitions, False), (limits.uploads, True)):
        files = tuple(
            StagedFile(
                f"s3://bucket/warehouse/iceberg/db/t/data/at_hour={number}/{file_name('0190abcdef/0', 1)}",
                secrets.randbelow(90_000),
                secrets.randbelow(1000),
                columns,
                Upload(secrets.token_urlsafe(96), (secrets.token_hex(16),)) if hidden else None,
            )
            for number in range(most)
        )
        stored = TypeAdapter(Staged).dump_json(Staged((), files, at), exclude_none=True)
        assert len(zlib.compress(stored)) < 350_000


def test_row_groups_are_bounded(lake: FakeLake) -> None:
    staging = begin(lake, ICEBERG, Limits(row_group_rows=30))
    for start in range(0, 200, 10):
        staging.write(numbers(start, start + 10), (ID,))
    staging.write(numbers(200, 300), (ID,))
    staging.keep()
    (file,) = staging.finish()
    metadata = pq.read_metadata(lake.file(file.path))
    sizes = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert max(sizes) == 30
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_rows_without_the_time_column_fail_before_any_of_them_counts(lake: FakeLake) -> None:
    staging = begin(lake, BY_DAY)
    load(staging, (ID, AT), day(1))
    staging.write(batch((ID, AT), day(2)), (ID, AT))
    with pytest.raises(PipelineMismatch, match="'at' is missing"):
        staging.write(numbers(10, 20), (ID,))
    staging.drop()
    assert ids(lake, staging.finish()) == [1]


class BrokenSink:
    def write(self, data: bytes) -> int:
        raise SourceUnavailable("the network is gone")

    def finish(self) -> Upload | None:
        raise SourceUnavailable("the network is gone")

    def abort(self) -> None:
        return


class BrokenLake(FakeLake):
    def create(self, path: str, *, hidden: bool) -> Sink:  # type: ignore[override]
        return BrokenSink()


def test_a_failing_bucket_is_heard_and_leaves_the_way_open_to_abandon(tmp_path: Path) -> None:
    staging = begin(BrokenLake(tmp_path), ICEBERG)
    load(staging, (ID,), (1,))
    with pytest.raises(SourceUnavailable):
        staging.finish()
    staging.abandon()


class BrokenAtFirst(FakeLake):
    def create(self, path: str, *, hidden: bool) -> Sink:  # type: ignore[override]
        self.created.append(path)
        return LateSink() if len(self.created) == 1 else FakeSink(self, path, hidden)


class LateSink(BrokenSink):
    def write(self, data: bytes) -> int:
        return len(data) if data == b"PAR1" else super().write(data)

    def finish(self) -> Upload | None:
        return None


def test_a_row_group_that_was_lost_is_heard_whatever_failed_beside_it(tmp_path: Path) -> None:
    staging = begin(BrokenAtFirst(tmp_path), ICEBERG)
    staging.write(numbers(0, 25), (ID,))
    staging.keep()  # a row group, written behind the scenes
    for start in range(100, 1000, 100):
        staging.write(numbers(start, start + 100), (ID,))
    staging.drop()
    with pytest.raises(SourceUnavailable):
        staging.finish()
    staging.abandon()


@pytest.mark.parametrize(
    ("module", "absent"),
    [("destinations.staging", "pyiceberg"), ("destinations", "pyarrow"), ("destinations.paths", "pyarrow")],
)
def test_what_a_door_does_not_need_is_not_imported(module: str, absent: Literal["pyarrow", "pyiceberg"]) -> None:
    code = f"import sys, chalicelib.{module}; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

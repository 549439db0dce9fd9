"""Which column tells the partition where nobody said it, and that all tasks agree on it for ever (F83)."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pyarrow.parquet as pq
import pytest

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import StagedFile
from chalicelib.destinations.staging import Stage, Staging
from chalicelib.errors import PipelineMismatch
from tests.destinations.staged import AT, ID, LOADED_AT, NOTE, batch, load
from tests.fakes.lake import FakeLake
from tests.fakes.stores import FakePipelines

UPLOAD_TIME = Column(name="upload_time", type=ColumnType.TIMESTAMP)
NOW = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
BY_DAY = Iceberg(type="iceberg", database="db", table="t", transform="day")
NARROW = BY_DAY.model_copy(update={"origin_columns": False})


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(FakeLake(tmp_path), "s3://lake/warehouse", agreed=FakePipelines(), now=lambda: NOW)


def staged(stage: Stage, *rows: tuple[Any, ...], columns: tuple[Column, ...], out: Any = BY_DAY) -> Staging:
    staging = stage(out, "a01/0", 1)
    if out.origin_columns:
        load(staging, columns, *rows)
    else:
        staging.write(batch(columns, *rows, origin=False), columns)
        staging.keep()
    return staging


def folders(files: tuple[StagedFile, ...]) -> list[str]:
    return [file.path.split("/")[-2] for file in files]


def read(stage: Stage, files: tuple[StagedFile, ...], name: str) -> list[Any]:
    assert isinstance(stage.lake, FakeLake)
    return [value for file in files for value in pq.read_table(stage.lake.file(file.path))[name].to_pylist()]


DOUBLE = Column(name="x", type=ColumnType.DOUBLE)
ON = Column(name="on", type=ColumnType.DATE)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ((NOTE, AT, ID), "at"),
        ((NOTE, ID, AT), "id"),
        ((NOTE, DOUBLE, ON), "upload_time"),
        ((NOTE,), "upload_time"),
    ],
)
def test_the_first_long_or_timestamp_tells_the_partition(stage: Stage, columns: tuple[Column, ...], name: str) -> None:
    staging = staged(stage, (None,) * len(columns), columns=columns)
    assert staging.out == BY_DAY.model_copy(update={"time_column": name})
    (file,) = staging.finish()
    assert folders((file,))[0].startswith(f"{name}_day=")


def test_a_named_column_and_no_transform_ask_for_no_rule(stage: Stage) -> None:
    named = BY_DAY.model_copy(update={"time_column": "at"})
    assert staged(stage, (1, NOW), columns=(ID, AT), out=named).out == named
    unpartitioned = Iceberg(type="iceberg", table="t")
    assert staged(stage, (1, NOW), columns=(ID, AT), out=unpartitioned).out == unpartitioned
    assert isinstance(stage.agreed, FakePipelines)
    assert stage.agreed.settled == {}


@pytest.mark.parametrize(("out", "told"), [(BY_DAY, LOADED_AT), (NARROW, NOW)], ids=["origin columns", "none"])
def test_upload_time_is_when_the_object_was_read(stage: Stage, out: Iceberg, told: datetime) -> None:
    files = staged(stage, ("a",), ("b",), columns=(NOTE,), out=out).finish()
    assert [file.columns for file in files] == [(NOTE, UPLOAD_TIME)]
    assert read(stage, files, "upload_time") == [told, told]
    assert folders(files) == [f"upload_time_day={told:%Y-%m-%d}"]


def test_pages_of_one_object_have_one_upload_time_and_objects_their_own(stage: Stage) -> None:
    times = iter([NOW, NOW.replace(minute=40)])
    stage = replace(stage, now=lambda: next(times))
    staging = stage(NARROW, "a01/0", 1)
    for _ in range(2):
        for _ in range(3):
            staging.write(batch((NOTE,), ("a",), origin=False), (NOTE,))
        staging.keep()
    assert read(stage, staging.finish(), "upload_time") == [NOW] * 3 + [NOW.replace(minute=40)] * 3


def test_a_time_column_that_appears_later_changes_nothing(stage: Stage) -> None:
    staged(stage, ("a",), columns=(NOTE,))
    later = staged(stage, (NOW, 1, "a"), columns=(AT, ID, NOTE))
    assert later.out.time_column == "upload_time"
    assert folders(later.finish()) == ["upload_time_day=2026-03-01"]


def test_a_column_that_moves_to_the_front_changes_nothing(stage: Stage) -> None:
    staged(stage, (1,), columns=(ID,))
    assert staged(stage, (NOW, 1), columns=(AT, ID)).out.time_column == "id"


def test_rows_that_lack_the_chosen_column_have_no_time(stage: Stage) -> None:
    staged(stage, (NOW,), columns=(AT,))
    files = staged(stage, ("a",), columns=(NOTE,)).finish()
    assert folders(files) == ["at_day=__HIVE_DEFAULT_PARTITION__"]
    assert [file.columns for file in files] == [(NOTE, AT)]
    assert read(stage, files, "at") == [None]


def test_tables_choose_each_for_itself(stage: Stage) -> None:
    staged(stage, (1,), columns=(ID,))
    other = Parquet(type="parquet", database="db", table="t", transform="day")
    assert staged(stage, (NOW, 1), columns=(AT, ID), out=other).out.time_column == "at"


def test_the_first_objects_of_many_tasks_agree(stage: Stage) -> None:
    meet, choices = Barrier(4), []

    def first(columns: tuple[Column, ...]) -> None:
        meet.wait()
        choices.append(staged(stage, (None,) * len(columns), columns=columns).out.time_column)

    threads = [Thread(target=first, args=(columns,)) for columns in ((ID,), (AT,), (NOTE,), (AT, ID))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(choices) == 4
    assert len(set(choices)) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [("upload_time", ColumnType.STRING), ("upload_time", ColumnType.DATE), ("Upload_Time", ColumnType.TIMESTAMP)],
)
def test_a_column_called_upload_time_is_not_overwritten(stage: Stage, name: str, kind: ColumnType) -> None:
    staged(stage, ("a",), columns=(NOTE,))
    with pytest.raises(PipelineMismatch, match=f"{name}; Tidegate adds a timestamp upload_time") as caught:
        staged(stage, (None,), columns=(Column(name=name, type=kind),))
    assert "time_column" in caught.value.remedy


def test_rows_that_bring_an_upload_time_keep_it(stage: Stage) -> None:
    assert read(stage, staged(stage, (NOW,), columns=(UPLOAD_TIME,)).finish(), "upload_time") == [NOW]
    assert read(stage, staged(stage, ("a",), columns=(NOTE,)).finish(), "upload_time") == [LOADED_AT]


def test_an_object_that_others_began_keeps_their_upload_time(stage: Stage) -> None:
    staging, began = stage(NARROW, "a01/0", 2), NOW.replace(day=30, month=6)
    staging.write(batch((NOTE,), ("a",), origin=False), (NOTE,), began)
    _, files = staging.pause()
    assert read(stage, files, "upload_time") == [began]
    assert folders(files) == ["upload_time_day=2026-06-30"]

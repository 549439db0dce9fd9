"""What makes a task's item large: it comes back as it was, and fits an item of 400 KB."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.aws.bulk import packed, unpacked, without_bulk
from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.parts import MAX_FILES, are_too_many
from chalicelib.core.places import Span
from chalicelib.core.tasks import Begun, Division, Progress, Staged, StagedFile, Task, TaskState, Upload

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ITEM = 400_000  # bytes that DynamoDB takes
ROOT = "s3://tidegate-data-123456789012/parquet/acme/exports/created_at_day=2026-01"


def columns(count: int, kind: ColumnType = ColumnType.STRING) -> tuple[Column, ...]:
    return tuple(Column(name=f"{secrets.token_hex(4)}_{number}", type=kind) for number in range(count))


def files(count: int, of: tuple[Column, ...] = (), upload: int = 0) -> tuple[StagedFile, ...]:
    """`upload`: parts of each."""
    return tuple(
        StagedFile(
            f"{ROOT}-{number % 28:02}/{secrets.token_hex(8)}-ac755603ed4e625666e5d.p0.1_{number % 99}-a1.parquet",
            1000 + number * 7,
            number,
            of,
            Upload(secrets.token_urlsafe(96), tuple(f'"{secrets.token_hex(16)}"' for _ in range(upload)))
            if upload
            else None,
        )
        for number in range(count)
    )


def task(staged: tuple[StagedFile, ...], progress: Progress | None = None) -> Task:
    return Task("j", 0, "p", "t", (), TaskState.STAGED, NOW, staged=Staged((), staged, NOW), progress=progress)


def test_every_file_comes_back_with_its_own_columns() -> None:
    few, other = columns(2), columns(3, ColumnType.LONG)
    begun = Begun(Span(), few, NOW, files=files(2, other), rejected=files(1, few))
    progress = Progress(1, "basis", files=files(1, few), rejected=files(2, other), begun=begun)
    full = task((*files(1, few), *files(1, other), *files(1)), progress)
    full = replace(full, division=Division(1, "basis", 250, other, NOW))
    assert unpacked(without_bulk(full), packed(full)) == full
    bare = replace(full, staged=None, progress=None, division=None)
    assert unpacked(without_bulk(bare), packed(bare)) == bare


def test_files_of_a_wide_table_fit_however_many_they_are() -> None:
    wide = columns(5000)
    equal = tuple(column.model_copy() for column in wide)  # as another part has read them
    assert len(packed(task((*files(100, wide), *files(100, equal))))) < ITEM / 4


@pytest.mark.parametrize(("upload", "count"), [(0, MAX_FILES), (1, 2000), (32, 277)])
def test_as_many_files_as_one_task_may_name_fit(upload: int, count: int) -> None:
    most = files(count, columns(10), upload)
    assert len(packed(task(most))) < ITEM
    assert not are_too_many(most)
    assert are_too_many((*most, *files(1, (), 32)))

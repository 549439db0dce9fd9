"""What plain Parquet adds to the promises of all destinations: files that stay hidden, then appear whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.errors import StagedFileMissing
from tests.destinations.staged import ID, Place, load, place, sql_catalog, task


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    with sql_catalog(tmp_path) as unused:
        yield place("parquet", tmp_path, unused)


def test_staged_files_do_not_exist(there: Place) -> None:
    staged = there.staged(0, (1,))
    assert there.files() == []
    there.tables.commit(there.out(), [staged])
    assert len(there.files()) == 1


def test_a_task_is_committed_once_all_its_files_exist(there: Place) -> None:
    staging = there.stage(there.out(), "a01/0", 1)
    load(staging, (ID,), (1,))
    load(staging, (ID, ID.model_copy(update={"name": "more"})), (2, 3))
    staged = task(0, staging.finish())
    assert staged.staged is not None
    first = staged.staged.files[0]
    assert first.upload is not None
    there.lake.publish(first.path, first.upload)  # a commit that crashed half way
    assert there.tables.committed(there.out(), [staged]) == {}
    there.tables.commit(there.out(), [staged])
    assert there.tables.committed(there.out(), [staged]) == {staged.id: None}
    assert there.ids() == [1, 2]


def test_a_file_whose_upload_expired_says_so(there: Place) -> None:
    staged = there.staged(0, (1,))
    there.lake.uploads.clear()
    with pytest.raises(StagedFileMissing, match="gone"):
        there.tables.commit(there.out(), [staged])

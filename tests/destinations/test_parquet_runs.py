"""Runs that replace a Parquet dataset: one document is the instant at which the rows before become the rows after."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.dataset
import pytest

from chalicelib.config.columns import Column
from chalicelib.errors import CommitConflict, ConfigError, RunSuperseded, SchemaConflict, StagedFileMissing
from tests.destinations.runs import content, datasets_of, documents_of, later, replace, run, tasks_of
from tests.destinations.staged import AT, ID, NOTE, Place, place, sql_catalog

DOCUMENT = "warehouse/parquet/db/t/_tidegate/current.json"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    with sql_catalog(tmp_path) as unused:
        yield place("parquet", tmp_path, unused)


def document(there: Place) -> dict[str, object]:
    (data, _), *_ = documents_of(there).kept.values()
    found: dict[str, object] = json.loads(data)
    return found


def test_a_run_becomes_the_whole_content(there: Place) -> None:
    replace(there, 1, (1, 2), (3,))
    assert content(there) == [1, 2, 3]
    replace(there, 2, (4,), (5,))
    assert content(there) == [4, 5]
    assert there.tables.count("db", "t") == 2
    assert there.tables.rows_by_key("db", "t", bucket="bucket") == {("key", "e:1"): 2}


def test_a_run_without_rows_empties_the_dataset_which_stays(there: Place) -> None:
    replace(there, 1, (1, 2))
    replace(there, 2)
    assert content(there) == []
    assert there.tables.count("db", "t") == 0
    assert there.tables.exists("db", "t")
    assert there.tables.rows("db", "t", 9).column_names == ["id", "_bucket", "_key", "_identity", "_loaded_at"]


def test_a_first_run_without_rows_makes_an_empty_dataset(there: Place) -> None:
    replace(there, 1)
    assert there.tables.exists("db", "t")
    assert there.tables.count("db", "t") == 0
    assert there.tables.rows("db", "t", 9).num_rows == 0


def test_a_run_that_is_staged_or_half_published_changes_nothing(there: Place) -> None:
    replace(there, 1, (1,))
    tasks = tasks_of(there, 2, (2,), (3,))
    assert content(there) == [1]
    assert tasks[0].staged is not None
    file = tasks[0].staged.files[0]
    assert file.upload is not None
    there.lake.publish(file.path, file.upload)
    assert content(there) == [1]
    assert there.tables.count("db", "t") == 1
    there.tables.commit(there.out(mode="replace"), tasks, run=run(2))
    assert content(there) == [2, 3]


def test_committing_a_run_twice_is_committing_it_once(there: Place) -> None:
    tasks = replace(there, 1, (1,), (2,))
    writes = documents_of(there).writes
    there.tables.commit(there.out(mode="replace"), tasks, run=run(1))
    assert documents_of(there).writes == writes
    assert content(there) == [1, 2]


def test_an_older_run_never_replaces_a_newer_one(there: Place) -> None:
    replace(there, 2, (2,))
    older = tasks_of(there, 1, (1,))
    with pytest.raises(RunSuperseded, match="r02"):
        there.tables.commit(there.out(mode="replace"), older, run=run(1))
    assert content(there) == [2]
    assert len(there.files()) == 1  # nothing of it was published


def test_a_run_that_was_the_content_once_is_done_and_stays_replaced(there: Place) -> None:
    first = replace(there, 1, (1,))
    replace(there, 2, (2,))
    there.tables.commit(there.out(mode="replace"), first, run=run(1))  # delivered once more
    assert content(there) == [2]
    assert there.tables.committed(there.out(mode="replace"), first) == {task.id: None for task in first}


def test_tasks_are_committed_once_their_run_is(there: Place) -> None:
    tasks = tasks_of(there, 1, (1,), (2,))
    out = there.out(mode="replace")
    assert there.tables.committed(out, tasks) == {}
    there.tables.commit(out, tasks, run=run(1))
    assert there.tables.committed(out, tasks) == {task.id: None for task in tasks}


def test_of_two_runs_at_once_the_one_that_started_later_stays(there: Place) -> None:
    newer = tasks_of(there, 2, (2,))
    documents_of(there).before.append(lambda: there.tables.commit(there.out(mode="replace"), newer, run=run(2)))
    with pytest.raises(RunSuperseded):
        replace(there, 1, (1,))
    assert content(there) == [2]


def test_of_two_runs_at_once_the_later_one_tries_again(there: Place) -> None:
    older = tasks_of(there, 1, (1,))
    documents_of(there).before.append(lambda: there.tables.commit(there.out(mode="replace"), older, run=run(1)))
    replace(there, 2, (2,))
    assert content(there) == [2]


def test_a_write_whose_answer_was_lost_is_recognized(there: Place) -> None:
    documents = documents_of(there)
    tasks = tasks_of(there, 1, (1,))

    def the_same() -> None:
        there.tables.commit(there.out(mode="replace"), tasks, run=run(1))

    documents.before.append(the_same)
    the_same()
    assert content(there) == [1]
    assert documents.writes == 1


def test_writers_without_end_are_a_conflict(there: Place) -> None:
    tasks = tasks_of(there, 9, (9,))

    def other(number: int) -> Callable[[], None]:
        return lambda: replace(there, number, (number,))

    documents_of(there).before += [step for number in range(4) for step in (other(number), lambda: None)]
    with pytest.raises(CommitConflict):
        there.tables.commit(there.out(mode="replace"), tasks, run=run(9))
    assert content(there) == [3]


def test_a_file_that_is_gone_leaves_the_content(there: Place) -> None:
    replace(there, 1, (1,))
    tasks = tasks_of(there, 2, (2,))
    there.lake.uploads.clear()
    with pytest.raises(StagedFileMissing):
        there.tables.commit(there.out(mode="replace"), tasks, run=run(2))
    assert content(there) == [1]


def test_the_document_names_each_file_of_the_content(there: Place) -> None:
    options = {"time_column": "at", "transform": "day"}
    replace(there, 1, ((1, later(0)), (2, later(30))), columns=(ID, AT), **options)
    found = document(there)
    assert found["run"] == {"job": "r01", "started_at": "2026-03-01T01:05:00Z"}
    assert found["folder"] == "_runs/r01"
    files = found["files"]
    assert isinstance(files, list)
    assert sum(file["rows"] for file in files) == 2
    folder = there.folder / "warehouse/parquet/db/t"
    assert {(folder / file["path"]).stat().st_size for file in files} == {file["size"] for file in files}
    assert {file["path"].split("/")[2] for file in files} == {"at_day=2026-03-01", "at_day=2026-03-02"}


def test_whoever_reads_the_run_s_folder_finds_its_rows_and_the_dataset_s_own_folder_never_mixes_runs(
    there: Place,
) -> None:
    replace(there, 1, (1,))
    replace(there, 2, (2, 3))
    folder = there.folder / "warehouse/parquet/db/t"
    current = pyarrow.dataset.dataset(folder / "_runs/r02", format="parquet")
    assert sorted(current.to_table()["id"].to_pylist()) == [2, 3]
    assert pyarrow.dataset.dataset(folder, format="parquet").files == []


def test_columns_that_a_run_lacks_stay_as_null(there: Place) -> None:
    replace(there, 1, ((1, "old"),), columns=(ID, NOTE))
    replace(there, 2, (2,))
    assert there.tables.rows("db", "t", 9).select(["id", "note"]).to_pylist() == [{"id": 2, "note": None}]


def test_columns_that_a_run_lacks_go_if_the_schema_is_not_kept(there: Place) -> None:
    replace(there, 1, ((1, "old"),), columns=(ID, NOTE))
    replace(there, 2, (2,), keep_schema=False)
    assert "note" not in there.tables.rows("db", "t", 9).column_names


def test_a_column_of_another_type_is_refused_before_anything_is_published(there: Place) -> None:
    replace(there, 1, (1,))
    text = Column.model_validate({"name": "id", "type": "string"})
    tasks = tasks_of(there, 2, ("two",), columns=(text,))
    with pytest.raises(SchemaConflict, match="'id' is string in the new rows, but the dataset has long"):
        there.tables.commit(there.out(mode="replace"), tasks, run=run(2))
    assert content(there) == [1]
    assert len(there.files()) == 1
    there.tables.commit(there.out(mode="replace", keep_schema=False), tasks, run=run(2))
    assert there.tables.rows("db", "t", 9)["id"].to_pylist() == ["two"]


def test_a_run_replaces_rows_that_were_appended(there: Place) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    replace(there, 1, (2,))
    assert content(there) == [2]


def test_nothing_is_appended_where_runs_replace(there: Place) -> None:
    replace(there, 1, (1,))
    appended = there.staged(0, (2,))
    with pytest.raises(SchemaConflict, match="runs replace the whole content"):
        there.tables.commit(there.out(), [appended])
    assert content(there) == [1]
    assert there.tables.committed(there.out(), [appended]) == {}


def test_what_no_run_brings_replaces_nothing_and_is_not_added(there: Place) -> None:
    tasks = tasks_of(there, 1, (1,))
    with pytest.raises(SchemaConflict, match="loaded by a run"):
        there.tables.commit(there.out(mode="replace"), tasks)
    assert there.files() == []


def test_a_dataset_that_is_not_there_says_so(there: Place) -> None:
    assert not there.tables.exists("db", "t")
    with pytest.raises(ConfigError, match="no such dataset"):
        there.tables.rows("db", "t", 1)


def test_stale_files_are_those_of_contents_that_were_replaced_in_time(there: Place) -> None:
    datasets = datasets_of(there)
    there.tables.commit(there.out(), [there.staged(0, (0,))])
    replace(there, 1, (1,))
    replace(there, 2, (2,), (3,))
    unfinished = tasks_of(there, 3, (4,))
    assert unfinished[0].staged is not None
    file = unfinished[0].staged.files[0]
    assert file.upload is not None
    there.lake.publish(file.path, file.upload)
    every = set(there.files())
    stale = datasets.stale("db", "t", later(0.1))
    current = {path for path in every if "/_runs/r02/" in path or "/_runs/r03/" in path}
    assert len(stale) == len(set(stale)) == 2
    assert set(stale) == every - current
    assert datasets.stale("db", "t", later(0)) == []  # they were replaced at that time, not before
    assert datasets.stale("db", "nothing", later(9)) == []

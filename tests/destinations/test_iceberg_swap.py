"""The snapshot in which files come and go: what its manifests say."""

from collections.abc import Sequence

import pytest
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.typedef import Record

from chalicelib.destinations.iceberg.contents import live
from chalicelib.destinations.iceberg.once import Once
from chalicelib.destinations.iceberg.swap import Swap
from tests.destinations.scripted import ScriptedCatalog
from tests.destinations.staged import Place

TABLE = ("db", "t")


def named(*numbers: int) -> list[DataFile]:
    """Files that nobody has written, with ten rows each."""
    files = [
        DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=f"file:///nowhere/{number:05}.parquet",
            file_format=FileFormat.PARQUET,
            partition=Record(),
            record_count=10,
            file_size_in_bytes=100,
        )
        for number in numbers
    ]
    for file in files:
        file.spec_id = 0
    return files


def swap(table: Table, come: Sequence[DataFile] = (), gone: Sequence[str] = ()) -> None:
    table.refresh()
    change = Once(table)
    found = live(table.io, table.metadata, lambda file: file.file_path[-13:-8] in gone) if gone else []
    Swap(change, table.io, come).without(found).commit()
    change.commit_transaction()


def manifests(table: Table) -> list[ManifestFile]:
    snapshot = table.refresh().current_snapshot()
    return snapshot.manifests(table.io) if snapshot is not None else []


def names(table: Table) -> set[str]:
    return {each.file.file_path[-13:-8] for each in live(table.io, table.refresh().metadata, lambda _: True)}


@pytest.fixture
def table(there: Place, catalog: ScriptedCatalog) -> Table:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    found = catalog.load_table(TABLE)
    Swap(change := Once(found), found.io, ()).without_everything().commit()
    return change.commit_transaction()


def test_only_the_manifests_of_files_that_go_are_written_again(table: Table) -> None:
    for start in (0, 10, 20):
        swap(table, named(*range(start, start + 10)))
    before = {each.manifest_path for each in manifests(table)}
    assert len(before) == 3
    swap(table, gone=["00012", "00013"])
    after = {each.manifest_path for each in manifests(table)}
    assert len(before & after) == 2
    assert names(table) == {f"{number:05}" for number in range(30)} - {"00012", "00013"}


def test_a_manifest_never_becomes_so_large_that_writing_it_again_is_dear(table: Table) -> None:
    swap(table, named(*range(4500)))
    assert sorted(each.added_files_count or 0 for each in manifests(table)) == [500, 2000, 2000]
    swap(table, gone=["04200"])
    assert sum(each.added_files_count or 0 for each in manifests(table)) == 4000
    assert sum(each.existing_files_count or 0 for each in manifests(table)) == 499
    assert len(names(table)) == 4499


def test_what_has_gone_is_named_in_the_snapshot_in_which_it_went_and_in_no_later_one(table: Table) -> None:
    swap(table, named(1, 2, 3))
    swap(table, gone=["00001", "00002", "00003"])
    assert [(each.deleted_files_count, each.existing_files_count) for each in manifests(table)] == [(3, 0)]
    swap(table, named(4))
    assert [(each.added_files_count, each.deleted_files_count) for each in manifests(table)] == [(1, 0)]


def test_totals_go_on_from_the_snapshot_before(table: Table) -> None:
    swap(table, named(1, 2, 3))
    swap(table, named(4), gone=["00001", "00002"])
    snapshot = table.refresh().current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary.operation is Operation.OVERWRITE
    summary = snapshot.summary.additional_properties
    assert {name: summary[name] for name in summary if name.startswith(("total", "added", "deleted", "removed"))} == {
        "added-data-files": "1",
        "added-files-size": "100",
        "added-records": "10",
        "deleted-data-files": "2",
        "deleted-records": "20",
        "removed-files-size": "200",
        "total-data-files": "2",
        "total-delete-files": "0",
        "total-equality-deletes": "0",
        "total-files-size": "200",
        "total-position-deletes": "0",
        "total-records": "20",
    }


def test_many_small_manifests_become_one(table: Table) -> None:
    table.transaction().set_properties({"commit.manifest.min-count-to-merge": "4"}).commit_transaction()
    for number in range(10):
        swap(table, named(number), gone=["00005"] if number == 7 else [])
    assert len(manifests(table)) < 6
    assert names(table) == {f"{number:05}" for number in range(10)} - {"00005"}

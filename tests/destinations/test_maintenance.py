"""Compaction and expiry of Iceberg tables: no row changes, whoever else is at the table and whenever we die."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import (
    ManifestFile,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.transforms import DayTransform

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.maintenance import Maintenance
from chalicelib.core.maintenance import Compacted
from chalicelib.core.tasks import Former, Task
from chalicelib.destinations.iceberg.compaction import TRIES
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from chalicelib.errors import CommitConflict
from tests.destinations.elsewhere import delete_positions, delete_values
from tests.destinations.scripted import ScriptedCatalog, fail
from tests.destinations.staged import AT, ID, NOTE, Place, batch, task


def clock() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


RULES = Maintenance(min_files=4)
DAYS = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
BY_DAY: dict[str, Any] = {"time_column": "at", "transform": "day"}


class Crash(BaseException):
    """The process is gone."""


def table(there: Place) -> Table:
    return there.catalog().load_table(("db", "t"))


def compact(there: Place, rules: Maintenance = RULES, **how: Any) -> Compacted:
    return IcebergUpkeep(there.catalog).compact(there.out(), rules, **{"in_time": lambda: True, **how})


def object_of(there: Place, number: int, *rows: tuple[Any, ...], columns: Sequence[Column] = (ID,), **out: Any) -> Task:
    """A task with one object, `key<number>`."""
    staging = there.stage(there.out(**out), f"a01/{number}", 1)
    rows_ = batch(tuple(columns), *rows).to_pylist()
    named = [{**row, "_key": f"key{number:03}"} for row in rows_]
    schema = batch(tuple(columns), *rows).schema
    staging.write(type(batch((ID,), (1,))).from_pylist(named, schema), tuple(columns))
    staging.keep()
    return task(number, staging.finish())


def filled(there: Place, count: int = 6) -> list[Task]:
    """So many commits of one object each, whose row is its number."""
    tasks = [object_of(there, number, (number,)) for number in range(count)]
    for each in tasks:
        there.tables.commit(there.out(), [each])
    return tasks


def without(there: Place, number: int, task_number: int = 900) -> Callable[[], None]:
    """Another commit takes the rows of an object out."""

    def commit() -> None:
        fresh = object_of(there, task_number, (task_number,))
        there.tables.commit(there.out(), [fresh], {fresh.id: [Former("bucket", f"key{number:03}", "e:1")]})

    return commit


def test_small_files_become_one_and_no_row_changes(there: Place) -> None:
    tasks = filled(there)
    before = table(there).scan().to_arrow().sort_by("id")
    done = compact(there)
    assert (done.files, done.read, done.written, done.left) == (6, 6, 1, {})
    assert len(there.files()) == 1
    assert there.ids() == [0, 1, 2, 3, 4, 5]
    assert table(there).scan().to_arrow().sort_by("id") == before
    assert there.tables.committed(there.out(), tasks).keys() == {each.id for each in tasks}


def test_the_change_is_a_replacement_without_tags(there: Place) -> None:
    filled(there)
    compact(there)
    snapshot = table(there).current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary.operation is Operation.REPLACE
    properties = snapshot.summary.additional_properties
    assert properties["tidegate.maintenance"] == "compact"
    assert "tidegate.tasks" not in properties
    counts = ("added-data-files", "deleted-data-files", "total-data-files", "total-records", "added-records")
    assert [properties[name] for name in counts] == ["1", "6", "1", "6", "6"]


def test_what_is_there_already_is_left_alone(there: Place) -> None:
    filled(there, 3)
    before = table(there).current_snapshot()
    assert compact(there).read == 0
    assert table(there).current_snapshot() == before


def test_a_table_that_is_not_there_is_nothing_to_do(there: Place) -> None:
    assert compact(there) == Compacted()


def test_a_dry_run_says_the_same_and_changes_nothing(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    commits, files = catalog.commits, set(there.folder.rglob("*"))
    done = compact(there, dry_run=True)
    assert (done.files, done.read, done.written) == (6, 6, 1)
    assert (catalog.commits, set(there.folder.rglob("*"))) == (commits, files)


def test_when_time_is_up_the_rest_waits_for_the_next_run(there: Place) -> None:
    filled(there)
    done = compact(there, in_time=lambda: False)
    assert (done.read, done.more, len(there.files())) == (0, True, 6)


def test_columns_that_old_files_lack_are_null(there: Place) -> None:
    for number in range(3):
        there.tables.commit(there.out(), [there.staged(number, (number,))])
    for number in range(3, 6):
        there.tables.commit(there.out(), [there.staged(number, (number, "n"), columns=(ID, NOTE))])
    compact(there)
    assert len(there.files()) == 1
    assert there.read("id, note", "order by id") == [(0, None), (1, None), (2, None), (3, "n"), (4, "n"), (5, "n")]


def test_each_partition_by_itself(there: Place) -> None:
    for number in range(8):
        at = DAYS[number % 2] + timedelta(hours=number)
        there.tables.commit(there.out(**BY_DAY), [object_of(there, number, (number, at), columns=(ID, AT), **BY_DAY)])
    assert compact(there).written == 2
    planned = table(there).scan(row_filter=f"at < '{DAYS[1].isoformat()}'").plan_files()
    assert [scan.file.record_count for scan in planned] == [4], "readers still skip the other day"
    assert {path.rpartition("/")[0].rpartition("/")[2] for path in there.files()} == {
        "at_day=2026-03-01",
        "at_day=2026-03-02",
    }
    assert there.ids() == list(range(8))


def test_files_of_an_older_partition_spec_stay_in_theirs(there: Place) -> None:
    for number in range(4):
        there.tables.commit(there.out(), [object_of(there, number, (number, DAYS[0]), columns=(ID, AT))])
    with table(there).update_spec() as update:
        update.add_field("at", DayTransform(), "at_day")
    for number in range(4, 8):
        there.tables.commit(there.out(**BY_DAY), [object_of(there, number, (number, DAYS[1]), columns=(ID, AT))])
    assert compact(there).written == 2
    assert there.ids() == list(range(8))
    found = {(scan.file.spec_id, scan.file.record_count) for scan in table(there).scan().plan_files()}
    assert found == {(0, 4), (1, 4)}
    assert table(there).scan(row_filter=f"at >= '{DAYS[1].isoformat()}'").to_arrow().num_rows == 4


def test_small_manifests_become_few_too(there: Place) -> None:
    filled(there, 30)
    assert len(list(table(there).inspect.manifests()["path"])) == 30
    compact(there)
    alive = [manifest for manifest in manifests(there) if manifest.has_added_files() or manifest.has_existing_files()]
    assert len(alive) == 1


def test_rows_that_others_take_out_meanwhile_do_not_come_back(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    catalog.before = [without(there, 3)]
    done = compact(there)
    assert there.ids() == [0, 1, 2, 4, 5, 900]
    assert (done.read, done.left) == (0, {"changed meanwhile": 6})
    assert compact(there).read == 6, "the next run takes what is there then"
    assert there.ids() == [0, 1, 2, 4, 5, 900]


def test_other_partitions_count_although_one_has_changed(there: Place, catalog: ScriptedCatalog) -> None:
    for number in range(8):
        made = object_of(there, number, (number, DAYS[number % 2]), columns=(ID, AT), **BY_DAY)
        there.tables.commit(there.out(**BY_DAY), [made])

    def take_out() -> None:
        fresh = object_of(there, 90, (90, DAYS[0]), columns=(ID, AT), **BY_DAY)
        there.tables.commit(there.out(**BY_DAY), [fresh], {fresh.id: [Former("bucket", "key002", "e:1")]})

    catalog.before = [take_out]
    done = compact(there)
    assert (done.read, done.written, done.left) == (4, 1, {"changed meanwhile": 4})
    assert there.ids() == [0, 1, 3, 4, 5, 6, 7, 90]


def test_rows_that_others_add_meanwhile_stay(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    more = object_of(there, 6, (6,))
    catalog.before = [lambda: there.tables.commit(there.out(), [more]) and None]
    assert compact(there).read == 6
    assert there.ids() == [0, 1, 2, 3, 4, 5, 6]
    assert len(there.files()) == 2


def test_the_committer_looks_again_after_a_compaction_came_first(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    catalog.before = [lambda: compact(there) and None]
    without(there, 3)()
    assert there.ids() == [0, 1, 2, 4, 5, 900]


def test_two_compactions_at_once_are_one(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    catalog.before = [lambda: compact(there) and None]
    assert compact(there).left == {"changed meanwhile": 6}
    assert (there.ids(), len(there.files())) == ([0, 1, 2, 3, 4, 5], 1)


def test_a_lost_answer_is_looked_for_and_nothing_is_done_twice(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    catalog.after = [fail(ConnectionResetError("lost"))]
    done = compact(there)
    assert (done.read, done.written, done.left) == (6, 1, {})
    assert (there.ids(), len(there.files()), catalog.commits) == ([0, 1, 2, 3, 4, 5], 1, 7)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_leaves_the_old_files_or_the_new(there: Place, catalog: ScriptedCatalog, when: str) -> None:
    filled(there)
    setattr(catalog, when, [fail(Crash())])  # type: ignore[arg-type]
    with pytest.raises(Crash):
        compact(there)
    assert there.ids() == [0, 1, 2, 3, 4, 5]
    assert len(there.files()) == (6 if when == "before" else 1)
    compact(there)
    assert (there.ids(), len(there.files())) == ([0, 1, 2, 3, 4, 5], 1)


def test_a_catalogue_that_always_refuses_is_an_error_that_may_pass(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    catalog.before = [fail(CommitFailedException("somebody was quicker"))] * TRIES
    with pytest.raises(CommitConflict):
        compact(there)
    assert there.ids() == [0, 1, 2, 3, 4, 5]


def test_rows_that_another_engine_deleted_do_not_come_back(there: Place) -> None:
    filled(there)
    struck = next(scan.file.file_path for scan in table(there).scan(row_filter="id == 3").plan_files())
    delete_positions(table(there), struck, 0)
    assert sorted(table(there).scan().to_arrow()["id"].to_pylist()) == [0, 1, 2, 4, 5]
    done = compact(there)
    assert (done.read, done.left) == (5, {"has deletes of another engine": 1})
    assert sorted(table(there).scan().to_arrow()["id"].to_pylist()) == [0, 1, 2, 4, 5]


def test_rows_that_another_engine_deletes_meanwhile_do_not_come_back(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    struck = next(scan.file.file_path for scan in table(there).scan(row_filter="id == 3").plan_files())
    catalog.before = [lambda: delete_positions(table(there), struck, 0)]
    assert compact(there).left == {"changed meanwhile": 6}
    assert sorted(table(there).scan().to_arrow()["id"].to_pylist()) == [0, 1, 2, 4, 5]


def test_a_table_with_deletes_that_we_cannot_apply_is_left_alone(there: Place) -> None:
    filled(there)
    delete_values(table(there), there.files()[0], 1, pa.table({"id": [3]}))
    assert compact(there).left == {"has deletes of another engine": 6}


def test_objects_can_be_found_in_few_files_after_a_compaction(there: Place) -> None:
    """Whatever the order in which they came: new files cover short ranges of keys."""
    wide = tuple(Column(name=f"c{n}", type=ColumnType.STRING) for n in range(4))
    rules = Maintenance(min_files=4, target_file_size=1024 * 1024)
    chance = random.Random(7)
    tasks = [
        object_of(there, number, *(tuple(chance.randbytes(200).hex() for _ in wide) for _ in range(20)), columns=wide)
        for number in chance.sample(range(150), 150)
    ]
    there.tables.commit(there.out(), tasks)
    done = compact(there, rules)
    assert done.written >= 3
    planned = list(table(there).scan(row_filter="_key == 'key077'").plan_files())
    assert 1 <= len(planned) <= 2
    assert table(there).scan(row_filter="_key == 'key077'").to_arrow().num_rows == 20


def expire(there: Place, now: datetime, oldest: datetime | None = None, **rules: Any) -> int:
    keeper = IcebergUpkeep(there.catalog)
    found = Maintenance(**{"keep_snapshots": 1, "max_snapshots": 1, **rules})
    return keeper.expire(there.out(), found, now=now, oldest_staged=oldest).expired


LATER = timedelta(hours=3)


def test_expired_snapshots_are_forgotten_and_no_file_is_deleted(there: Place) -> None:
    filled(there)
    files = {path for path in there.folder.rglob("*") if path.suffix in (".parquet", ".avro")}
    assert expire(there, clock() + LATER) == 5
    assert (len(table(there).snapshots()), there.ids()) == (1, [0, 1, 2, 3, 4, 5])
    assert {path for path in there.folder.rglob("*") if path.suffix in (".parquet", ".avro")} >= files


def test_tags_that_exactly_once_needs_survive(there: Place) -> None:
    tasks = filled(there)
    later = clock() + LATER
    assert expire(there, later, oldest=clock()) == 0
    assert len(there.tables.committed(there.out(), tasks)) == 6
    there.tables.commit(there.out(), tasks)
    assert there.ids() == [0, 1, 2, 3, 4, 5], "a repeated commit still adds nothing"
    assert expire(there, later, oldest=None) == 5


def test_branches_and_tags_of_others_stay(there: Place) -> None:
    filled(there)
    first, second, *_ = (snapshot.snapshot_id for snapshot in table(there).snapshots())
    table(there).manage_snapshots().create_tag(first, "audited").create_branch(second, "mine").commit()
    assert expire(there, clock() + LATER) == 3
    assert set(table(there).refs()) == {"main", "audited", "mine"}
    assert table(there).scan(snapshot_id=first).to_arrow().num_rows == 1


def test_a_commit_in_between_is_no_harm_to_either(there: Place, catalog: ScriptedCatalog) -> None:
    filled(there)
    more = object_of(there, 6, (6,))
    catalog.before = [lambda: there.tables.commit(there.out(), [more]) and None]
    assert expire(there, clock() + LATER) == 6
    assert there.ids() == [0, 1, 2, 3, 4, 5, 6]
    catalog.before = [lambda: expire(there, clock() + LATER) and None]
    there.tables.commit(there.out(), [object_of(there, 7, (7,))])
    assert there.ids() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_names_are_all_that_a_table_can_still_read(there: Place) -> None:
    filled(there)
    names = IcebergUpkeep(there.catalog).names(there.out())
    assert names is not None
    everything = {f"file://{path}" for path in (there.folder / "warehouse").rglob("*") if path.is_file()}
    assert [path for path in everything if path not in names] == []
    compact(there)
    fresh = {f"file://{path}" for path in (there.folder / "warehouse").rglob("*") if path.is_file()} - everything
    assert fresh
    assert not any(path in names for path in fresh)
    names.again()
    assert all(path in names for path in fresh | everything), "an earlier snapshot can still be read"
    assert IcebergUpkeep(there.catalog).names(there.out(table="other")) is None


def manifests(there: Place) -> list[ManifestFile]:
    found = table(there)
    snapshot = found.current_snapshot()
    assert snapshot is not None
    return snapshot.manifests(found.io)

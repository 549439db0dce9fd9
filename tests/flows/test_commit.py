"""The only writer of a table: groups, errors, lost answers, and work that must not count."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.jobs import JobKind, JobState
from chalicelib.core.ledger import Owner, State
from chalicelib.core.tasks import Task, TaskState
from chalicelib.errors import AccessDenied, CommitConflict, SourceUnavailable, TidegateError
from chalicelib.flows.commit import Commit
from chalicelib.flows.pace import GROUP
from tests.examples import BUCKET, START, pipeline
from tests.fakes.destination import FakeTable, Formers
from tests.flows.world import LEASE, Crash, World, notification

CSV = b"id,name\n1,a\n2,b\n3,c\n"


@dataclass
class WatchedTable(FakeTable):
    """Remembers the sizes of its changes, and fails before or after them as told."""

    sizes: list[int] = field(default_factory=list)
    before: list[TidegateError] = field(default_factory=list)
    after: list[TidegateError] = field(default_factory=list)

    def commit(self, out: Iceberg | Parquet, tasks: Sequence[Task], formers: Formers | None = None) -> str | None:
        if self.before:
            raise self.before.pop()
        snapshot = super().commit(out, tasks, formers)
        self.sizes.append(len(tasks))
        if self.after:
            raise self.after.pop()
        return snapshot


def staged(count: int, table: FakeTable | None = None) -> World:
    """A world with so many staged tasks of one object each, whose nudges lie in the queue."""
    world = World(table=table or FakeTable())
    for number in range(count):
        world.put(f"in/{number:03}.csv", CSV)
    world.discover_all()
    for hint in world.queue.loads:
        world.load.task(*hint)
    world.queue.loads.clear()
    return world


def states(world: World) -> set[TaskState]:
    return {task.state for task in world.jobs.stored.values()}


def test_one_nudge_commits_all_that_is_ready_for_its_table_in_one_change() -> None:
    table = WatchedTable()
    world = staged(5, table)
    assert world.commit.tasks(world.queue.commits[:1]) == {}
    assert states(world) == {TaskState.COMMITTED}
    assert table.sizes == [5]
    assert {entry.snapshot for entry in world.ledger.stored.values()} == {"s0"}


def test_a_nudge_for_what_is_committed_already_changes_nothing() -> None:
    table = WatchedTable()
    world = staged(2, table)
    hints = list(world.queue.commits)
    assert world.commit.tasks([*hints, *hints, ("none", 0)]) == {}
    assert world.commit.tasks(hints) == {}
    assert table.sizes == [2]


def test_more_tasks_than_one_change_takes_are_committed_in_several() -> None:
    table = WatchedTable()
    world = staged(GROUP + 30, table)
    assert world.commit.tasks(world.queue.commits[-10:]) == {}
    assert max(table.sizes) <= GROUP
    world.run()
    assert states(world) == {TaskState.COMMITTED}
    assert len(world.table.rows) == 3 * (GROUP + 30)
    assert sum(table.sizes) == GROUP + 30


@pytest.mark.parametrize("error", [SourceUnavailable("lost"), CommitConflict("other"), AccessDenied("no")])
def test_a_commit_that_failed_is_given_again_and_counts_once(error: TidegateError) -> None:
    world = staged(3, WatchedTable(before=[error]))
    hints = list(world.queue.commits)
    assert world.commit.tasks(hints) == dict.fromkeys(hints, error)
    assert states(world) == {TaskState.STAGED}
    assert {entry.state for entry in world.ledger.stored.values()} == {State.CLAIMED}
    assert world.commit.tasks(hints) == {}
    assert len(world.table.rows) == 9


def test_a_commit_whose_answer_was_lost_is_not_doubled() -> None:
    table = WatchedTable(after=[SourceUnavailable("lost answer")])
    world = staged(3, table)
    hints = list(world.queue.commits)
    assert set(world.commit.tasks(hints)) == set(hints)
    assert len(table.rows) == 9
    assert states(world) == {TaskState.STAGED}
    assert world.commit.tasks(hints) == {}
    assert (len(table.rows), table.sizes) == (9, [3])
    assert states(world) == {TaskState.COMMITTED}
    assert {entry.snapshot for entry in world.ledger.stored.values()} == {"s0"}


def test_tasks_that_come_after_a_lost_answer_are_committed_beside_the_ones_it_was_about() -> None:
    table = WatchedTable(after=[SourceUnavailable("lost answer")])
    world = staged(2, table)
    world.commit.tasks(world.queue.commits)
    world.put("in/later.csv", CSV)
    world.run()
    assert table.sizes == [2, 1]
    assert len(table.rows) == 9


def to_table(name: str, table: str) -> Pipeline:
    document = pipeline(name).document()
    return Pipeline.parse(document | {"out": document["out"] | {"table": table}}, where="test")


def test_one_tables_error_leaves_the_other_tables_tasks_alone() -> None:
    world = World()
    world.pipelines.put(to_table("beside", "other"))
    world.put("in/a.csv", CSV)
    world.discover_all()
    for hint in world.queue.loads:
        world.load.task(*hint)
    sick = WatchedTable(files=world.table.files, before=[AccessDenied("no", where="travel.flights")])
    tables = {"flights": sick, "other": world.table}
    commit = Commit(world.ledger, world.jobs, world.queue, lambda out: tables[out.table], world.metrics, world.clock)
    failed = commit.tasks(world.queue.commits)
    assert [world.jobs.stored[hint].pipeline for hint in failed] == ["flights"]
    assert (world.state("in/a.csv"), world.state("in/a.csv", "beside")) == ("claimed", "committed")
    assert commit.tasks(failed) == {}
    assert world.state("in/a.csv") == "committed"


def test_a_task_whose_claims_were_taken_over_never_counts_and_its_objects_are_loaded_by_another() -> None:
    world = staged(1)
    (entry,) = world.ledger.stored.values()
    taken = replace(entry, owner=Owner("gone", 0), lease_until=world.now, revision=entry.revision + 1)
    assert not world.ledger.swap([taken])
    world.commit.tasks(world.queue.commits)
    assert states(world) == {TaskState.FAILED}
    assert world.table.rows == []
    world.run()
    assert world.loaded() == {"in/000.csv": 3}
    kinds = {job.kind: job.state for job in world.jobs.jobs.values()}
    assert kinds == {JobKind.ARRIVAL: JobState.FAILED, JobKind.RECOVERY: JobState.DONE}


def test_rows_that_conflict_are_set_aside_and_a_crash_meanwhile_changes_nothing() -> None:
    for dies_at in range(12):
        world = staged(3)
        world.table.refuses.add("in/001.csv")
        world.faults.at = frozenset({world.faults.calls + dies_at})
        world.run()
        assert [entry.state for entry in world.ledger.stored.values()] == [
            State.COMMITTED,
            State.FAILED,
            State.COMMITTED,
        ], dies_at
        assert world.loaded() == {"in/000.csv": 3, "in/002.csv": 3}, dies_at
        assert str(world.ledger.stored["flights", "in/001.csv"].reason) == "schema_conflict", dies_at


def test_a_committed_task_is_measured_by_the_time_from_creation() -> None:
    world = staged(2)
    world.commit.tasks(world.queue.commits)
    world.commit.tasks(world.queue.commits)
    assert world.metrics.totals["Lag"] == 2


@pytest.mark.parametrize("versioned", [False, True])
def test_a_redelivery_between_mark_and_commit_of_a_task_does_not_end_the_waiting_identity(versioned: bool) -> None:
    world = World()
    world.buckets.create(BUCKET, versioned=versioned)
    first = notification([world.put("in/a.csv", CSV, notify=0)])
    world.discover.arrival("m1", first)
    world.load.task(*world.queue.loads.pop())
    second = notification([world.put("in/a.csv", b"id,name\n9,z\n", notify=0)])
    world.discover.arrival("m2", second)  # waits beside the claim
    world.faults.at = frozenset({_call_of_mark(world)})
    world.faults.after = True
    with pytest.raises(Crash):
        world.commit.tasks(world.queue.commits)
    assert world.state("in/a.csv") == "pending"
    world.discover.arrival("m1", first)  # delivered once more
    world.run()
    assert sorted(row["id"] for row in world.table.rows) == [1, 2, 3, 9]
    assert world.state("in/a.csv") == "committed"


def _call_of_mark(world: World) -> int:
    """The call that marks: task, staged, committed, get of the claims, commit, get, then swap."""
    return world.faults.calls + 6


def test_the_commit_of_a_task_without_files_needs_no_table() -> None:
    world = World()
    world.buckets.archive(world.put("in/a.csv", CSV))
    world.discover_all()
    world.pipelines.stored.clear()
    world.load.task(*world.queue.loads.pop())

    def no_table(_: Any) -> Any:
        raise AssertionError("no table was asked for")

    commit = Commit(world.ledger, world.jobs, world.queue, no_table, world.metrics, world.clock)
    assert commit.tasks(world.queue.commits) == {}
    assert states(world) == {TaskState.COMMITTED}


def test_the_times_of_an_object_are_kept() -> None:
    world = staged(1)
    world.now += LEASE
    world.commit.tasks(world.queue.commits)
    (entry,) = world.ledger.stored.values()
    assert (entry.discovered_at, entry.claimed_at, entry.read_at, entry.staged_at) == (START,) * 4
    assert entry.committed_at == START + LEASE
    assert json.dumps(entry.snapshot) == '"s0"'

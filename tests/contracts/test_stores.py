"""Fake stores and DynamoDB must give the same answers."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.aws.connections import DynamoConnections
from chalicelib.aws.jobs import DynamoJobs
from chalicelib.aws.ledger import DynamoLedger
from chalicelib.aws.pipelines import DynamoPipelines
from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.connections import Kept
from chalicelib.core.jobs import Job, JobChange, JobKind, JobState, on_staged
from chalicelib.core.ledger import Entry, Owner, State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.places import Place, Span
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import (
    Begun,
    Division,
    Outcome,
    OutcomeKind,
    Progress,
    Staged,
    StagedFile,
    Tally,
    Task,
    TaskState,
    Upload,
    tombstone,
)
from tests.examples import grant, pipeline
from tests.fakes.stores import FakeConnections, FakeJobs, FakeLedger, FakePipelines

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
ODD_KEYS = ["a b+c/é.csv.gz", "%2F", "日本/語", " ", "x" * 1024, "a", "B", "a/", "~"]


@dataclass
class Stores:
    ledger: Any
    jobs: Any
    pipelines: Any
    connections: Any


@pytest.fixture(params=["fake", "dynamo"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "fake":
        return Stores(FakeLedger(), FakeJobs(), FakePipelines(), FakeConnections())
    client = request.getfixturevalue("dynamo")
    return Stores(
        DynamoLedger(client, "tidegate-ledger"),
        DynamoJobs(client, "tidegate-jobs", "tidegate-tasks"),
        DynamoPipelines(client, "tidegate-pipelines"),
        DynamoConnections(client, "tidegate-connections"),
    )


def ref(key: str = "in/a.csv", **changes: Any) -> ObjectRef:
    return replace(ObjectRef("acme-exports", key, "etag", 12, NOW), **changes)


def entry(key: str = "in/a.csv", **changes: Any) -> Entry:
    claimed = Entry(
        "flights",
        ref(key),
        State.CLAIMED,
        discovered_at=NOW,
        owner=Owner("j1", 0),
        lease_until=NOW + timedelta(minutes=2),
        attempts=1,
        claimed_at=NOW,
        revision=1,
    )
    return replace(claimed, **changes)


def task(number: int = 0, **changes: Any) -> Task:
    planned = Task("j1", number, "flights", "iceberg:a.b", (ref(),), TaskState.PLANNED, NOW)
    return replace(planned, **changes)


def job(tasks: int = 1, **changes: Any) -> Job:
    return replace(Job("j1", JobKind.ARRIVAL, "flights", NOW, tasks, tasks, tasks, {"empty": 1}), **changes)


# ledger


def test_an_entry_comes_back_as_it_was_stored(stores: Stores) -> None:
    full = entry(
        successor=ref(version_id="v2", sequencer="0A"),
        state=State.REFUSED,
        reason=Reason.ARCHIVED,
        error="why",
        rows=3,
        rejects=1,
        read_at=NOW,
        staged_at=NOW,
        committed_at=NOW,
        snapshot="123",
    )
    assert stores.ledger.swap([full]) == frozenset()
    assert stores.ledger.get("flights", ["in/a.csv", "in/none.csv"]) == {"in/a.csv": full}


def test_of_two_first_writers_one_loses(stores: Stores) -> None:
    assert stores.ledger.swap([entry()]) == frozenset()
    assert stores.ledger.swap([entry(owner=Owner("j2", 0))]) == {"in/a.csv"}
    assert stores.ledger.get("flights", ["in/a.csv"])["in/a.csv"].owner == Owner("j1", 0)


def test_a_write_needs_the_revision_before_it(stores: Stores) -> None:
    stores.ledger.swap([entry()])
    assert stores.ledger.swap([entry(revision=3)]) == {"in/a.csv"}
    assert stores.ledger.swap([entry(revision=2, attempts=2)]) == frozenset()
    assert stores.ledger.swap([entry(revision=2, attempts=9)]) == {"in/a.csv"}
    assert stores.ledger.get("flights", ["in/a.csv"])["in/a.csv"].attempts == 2


def test_a_loser_among_many_does_not_hold_up_the_rest(stores: Stores) -> None:
    keys = [f"in/{number:03}.csv" for number in range(230)]
    stores.ledger.swap([entry(keys[7]), entry(keys[120])])
    lost = stores.ledger.swap([entry(key) for key in keys])
    assert lost == {keys[7], keys[120]}
    assert set(stores.ledger.get("flights", keys)) == set(keys)


def test_any_key_that_s3_takes_is_kept_apart_and_sorted_by_bytes(stores: Stores) -> None:
    assert stores.ledger.swap([entry(key) for key in ODD_KEYS]) == frozenset()
    listed = [found.key for found in stores.ledger.entries("flights")]
    assert listed == sorted(ODD_KEYS, key=str.encode)
    assert set(stores.ledger.get("flights", ODD_KEYS)) == set(ODD_KEYS)


def test_two_pipelines_do_not_see_each_other(stores: Stores) -> None:
    stores.ledger.swap([entry()])
    assert stores.ledger.swap([entry(pipeline="other")]) == frozenset()
    assert [found.pipeline for found in stores.ledger.entries("other")] == ["other"]


def test_entries_are_listed_by_prefix_and_state(stores: Stores) -> None:
    stores.ledger.swap([entry("a/1"), entry("a/2", state=State.COMMITTED), entry("b/1")])
    assert [found.key for found in stores.ledger.entries("flights", prefix="a/")] == ["a/1", "a/2"]
    assert [found.key for found in stores.ledger.entries("flights", state=State.COMMITTED)] == ["a/2"]
    assert [found.key for found in stores.ledger.entries("flights", limit=1)] == ["a/1"]


def test_only_unfinished_work_whose_time_has_come_is_open(stores: Stores) -> None:
    stores.ledger.swap(
        [
            entry("late", lease_until=NOW - timedelta(microseconds=1)),
            entry("now", lease_until=NOW),
            entry("later", lease_until=NOW + timedelta(microseconds=1)),
            entry("pending", state=State.PENDING, owner=None, lease_until=NOW),
            entry("done", state=State.COMMITTED, lease_until=None),
            entry("refused", state=State.REFUSED, lease_until=None, reason=Reason.ARCHIVED),
        ]
    )
    found = [found.key for found in stores.ledger.open("flights", due=NOW, limit=10)]
    assert sorted(found) == ["late", "now", "pending"]
    assert len(stores.ledger.open("flights", due=NOW, limit=2)) == 2


# jobs and tasks


def test_a_job_starts_with_all_its_tasks_or_not_at_all(stores: Stores) -> None:
    assert stores.jobs.bury(tombstone("j1", 1, "flights", now=NOW))
    assert not stores.jobs.start(job(2), [task(0), task(1)])
    assert stores.jobs.job("j1") is None
    assert stores.jobs.task("j1", 0) is None
    assert stores.jobs.start(job(1), [task(0)])
    assert not stores.jobs.start(job(1), [task(0)])


def test_a_job_and_its_tasks_come_back_as_they_were_stored(stores: Stores) -> None:
    outcome = Outcome("in/a.csv", OutcomeKind.LOADED, rows=5, rejects=1, read_at=NOW)
    columns = (Column(name="id", type=ColumnType.LONG),)
    file = StagedFile("s3://lake/f.parquet", 10, 5, columns, Upload("u", ("1", "2")))
    staged = Staged((outcome,), (file,), NOW, (file,), pipeline().out)
    full = task(state=TaskState.STAGED, staged=staged, error="e", attempt=2, revision=1)
    assert stores.jobs.start(job(), [full])
    assert stores.jobs.job("j1") == job()
    assert stores.jobs.task("j1", 0) == full
    assert stores.jobs.tasks("j1") == [full]


def test_what_was_handed_over_comes_back_as_it_was_stored(stores: Stores) -> None:
    columns = (Column(name="id", type=ColumnType.LONG),)
    begun = Begun(
        Span(250, 500, Place(12_345_678_901, unit=8, line=None, base=None, record=7)),
        columns,
        NOW,
        Tally(6, 1, 0, "record 3: bad"),
        Place(250),
        (StagedFile("s3://lake/a", 1, 6, columns),),
    )
    progress = Progress(2, "basis", (Outcome("in/a.csv", OutcomeKind.LOADED, rows=1),), out=pipeline().out, begun=begun)
    part = task(1, progress=progress, part_of=("j1", 0), attempt=2)
    divided = task(2, state=TaskState.DIVIDED, division=Division(1, "basis", 250, columns, NOW))
    stores.jobs.add([part, divided])
    assert (stores.jobs.task("j1", 1), stores.jobs.task("j1", 2)) == (part, divided)


def test_a_task_moves_with_its_job_once(stores: Stores) -> None:
    stores.jobs.start(job(2), [task(0, revision=1), task(1, revision=1)])
    moved = task(0, revision=2, attempt=1)
    assert stores.jobs.swap(moved, on_staged(moved))
    assert not stores.jobs.swap(moved, on_staged(moved)), "a repeated transition must not count twice"
    found = stores.jobs.job("j1")
    assert (found.staging, found.unfinished, found.state) == (1, 2, JobState.RUNNING)


def test_counts_add_up_and_the_last_task_ends_the_job(stores: Stores) -> None:
    stores.jobs.start(job(2), [task(0, revision=1), task(1, revision=1)])
    for number in range(2):
        change = JobChange("j1", unfinished=-1, counts={"rows": 5, "loaded": 1}, finished_at=NOW, error=None)
        assert stores.jobs.swap(task(number, revision=2), change)
    found = stores.jobs.job("j1")
    assert dict(found.counts) == {"rows": 10, "loaded": 2, "empty": 1}
    assert (found.state, found.finished_at) == (JobState.DONE, NOW)


def test_a_change_without_its_job_changes_nothing(stores: Stores) -> None:
    stores.jobs.add([task(0, revision=1)])
    assert not stores.jobs.swap(task(0, revision=2), JobChange("j1", staging=-1))
    assert stores.jobs.task("j1", 0).revision == 1


def test_several_tasks_and_jobs_are_found_by_name_and_the_rest_is_left_out(stores: Stores) -> None:
    stores.jobs.start(job(2), [task(0), task(1)])
    stores.jobs.start(job(1, id="j2"), [task(0, job="j2")])
    found = stores.jobs.named([("j1", 1), ("j2", 0), ("j1", 9), ("j3", 0)])
    assert {each.id for each in found} == {"j1/1", "j2/0"}
    assert {each.id for each in stores.jobs.several(["j1", "j2", "j3"])} == {"j1", "j2"}
    assert list(stores.jobs.named([])) == list(stores.jobs.several([])) == []


def test_tasks_that_move_together_hold_or_fail_each_by_itself(stores: Stores) -> None:
    stores.jobs.start(job(3), [task(number) for number in range(3)])
    stores.jobs.start(job(1, id="j2"), [task(0, job="j2")])
    stores.jobs.add([task(0, job="lost")])
    steps = [
        (task(0, revision=2), JobChange("j1", unfinished=-1, counts={"rows": 5})),
        (task(1, revision=7), JobChange("j1", unfinished=-1, counts={"rows": 100})),  # somebody was faster
        (task(2, revision=2), JobChange("j1", unfinished=-1, counts={"rows": 2, "loaded": 1}, error="no", sealed=True)),
        (task(0, job="j2", revision=2), JobChange("j2", unfinished=-1, finished_at=NOW)),
        (task(0, job="lost", revision=2), JobChange("lost", unfinished=-1)),  # its job is not there
    ]
    assert stores.jobs.swap_all(steps) == {"j1/1", "lost/0"}
    one, two = stores.jobs.job("j1"), stores.jobs.job("j2")
    assert (one.unfinished, dict(one.counts), one.error) == (1, {"rows": 7, "loaded": 1, "empty": 1}, "no")
    assert (two.unfinished, two.finished_at) == (0, NOW)
    assert [stores.jobs.task("j1", number).revision for number in range(3)] == [2, 1, 2]
    assert stores.jobs.task("lost", 0).revision == 1
    assert stores.jobs.swap_all(steps[:1]) == {"j1/0"}, "a repeated transition must not count twice"
    assert stores.jobs.job("j1").unfinished == 1
    assert stores.jobs.swap_all([]) == frozenset()


@dataclass
class Told:
    """A client that remembers the transactions."""

    transactions: list[list[Any]] = field(default_factory=list)

    def transact_write_items(self, *, TransactItems: list[Any]) -> None:  # noqa: N803  boto's own name
        self.transactions.append(TransactItems)


def test_a_transaction_takes_as_many_tasks_as_it_can_hold_and_each_job_once() -> None:
    many = [(task(number, revision=2), JobChange(f"j{number % 70}", unfinished=-1)) for number in range(180)]
    keys = [f"in/{hashlib.sha512(str(number).encode()).hexdigest() * 7}" for number in range(150)]
    large = [task(number, members=tuple(ref(key) for key in keys), revision=2) for number in range(200, 300)]
    told = Told()
    jobs = DynamoJobs(told, "tidegate-jobs", "tidegate-tasks")  # type: ignore[arg-type]
    assert jobs.swap_all([*many, *((each, JobChange("j1", unfinished=-1)) for each in large)]) == frozenset()
    puts = [write["Put"]["Item"]["number"]["N"] for each in told.transactions for write in each if "Put" in write]
    assert len(puts) == len(set(puts)) == 280
    for each in told.transactions:
        updated = [write["Update"]["Key"]["job"]["S"] for write in each if "Update" in write]
        assert len(updated) == len(set(updated)), "a transaction takes each item once"
        assert len(each) <= 100
        assert sum(len(write["Put"]["Item"]["bulk"]["B"]) for write in each if "Put" in write) < 4_000_000
    assert len(told.transactions) < 12


@dataclass
class Crowded:
    """DynamoDB where others always write to what more than two items touch."""

    client: Any
    refused: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def transact_write_items(self, **asked: Any) -> Any:
        if len(asked["TransactItems"]) > 2:
            self.refused += 1
            reasons = [{"Code": "TransactionConflict"}] * len(asked["TransactItems"])
            code = {"Code": "TransactionCanceledException", "Message": "m"}
            raise self.client.exceptions.TransactionCanceledException(
                {"Error": code, "CancellationReasons": reasons}, "TransactWriteItems"
            )
        return self.client.transact_write_items(**asked)


def test_tasks_move_one_by_one_where_others_keep_writing_to_their_job(dynamo: Any) -> None:
    crowded = Crowded(dynamo)
    jobs = DynamoJobs(crowded, "tidegate-jobs", "tidegate-tasks")
    calm = DynamoJobs(dynamo, "tidegate-jobs", "tidegate-tasks")
    calm.start(job(3), [task(number) for number in range(3)])
    steps = [(task(number, revision=2 + number % 2), JobChange("j1", unfinished=-1)) for number in range(3)]
    assert jobs.swap_all(steps) == {"j1/1"}
    assert crowded.refused > 0
    assert calm.job("j1").unfinished == 1


def test_a_buried_task_cannot_be_stored_and_a_living_one_cannot_be_buried(stores: Stores) -> None:
    assert stores.jobs.bury(tombstone("j1", 0, "flights", now=NOW))
    stores.jobs.add([task(0)])
    assert stores.jobs.task("j1", 0).is_over
    stores.jobs.add([task(1)])
    assert not stores.jobs.bury(tombstone("j1", 1, "flights", now=NOW))
    assert stores.jobs.swap(task(1, state=TaskState.COMMITTED, revision=2))
    assert stores.jobs.bury(tombstone("j1", 1, "flights", now=NOW)), "what is over can be taken over"


def test_tasks_that_are_due_are_found_until_they_are_over(stores: Stores) -> None:
    tasks = [
        task(0, due_at=NOW - timedelta(seconds=1)),
        task(1, due_at=NOW + timedelta(seconds=1)),
        task(2, due_at=NOW, state=TaskState.COMMITTED),
        task(3, due_at=NOW, state=TaskState.SPLIT),
    ]
    stores.jobs.add(tasks)
    assert [found.number for found in stores.jobs.due(NOW, limit=10)] == [0, 3]


def test_staged_tasks_are_found_by_their_table(stores: Stores) -> None:
    staged = Staged((), (), NOW)
    stores.jobs.add(
        [
            task(0, state=TaskState.STAGED, staged=staged),
            task(1, state=TaskState.STAGED, staged=staged, table="iceberg:other.table"),
            task(2, state=TaskState.COMMITTED, staged=staged),
            task(3),
        ]
    )
    assert [found.number for found in stores.jobs.staged("iceberg:a.b", limit=10)] == [0]


def test_history_gives_the_newest_jobs_of_one_pipeline(stores: Stores) -> None:
    for minute in range(3):
        stores.jobs.start(job(0, id=f"j{minute}", created_at=NOW + timedelta(minutes=minute)), [])
    stores.jobs.start(job(0, id="other", pipeline="other"), [])
    assert [found.id for found in stores.jobs.history("flights", limit=2)] == ["j2", "j1"]


# pipelines and connections


def test_a_pipeline_is_found_by_name_and_by_the_bucket_it_reads_now(stores: Stores) -> None:
    stores.pipelines.put(pipeline())
    stores.pipelines.put(pipeline("beside"))
    assert [found.name for found in stores.pipelines.watching("acme-exports")] == ["beside", "flights"]
    moved = pipeline(bucket="acme-new")
    stores.pipelines.put(moved)
    assert stores.pipelines.get("flights") == moved
    assert [found.name for found in stores.pipelines.watching("acme-exports")] == ["beside"]
    assert [found.name for found in stores.pipelines.watching("acme-new")] == ["flights"]
    assert [found.name for found in stores.pipelines.all()] == ["beside", "flights"]


def test_a_removed_pipeline_watches_nothing(stores: Stores) -> None:
    stores.pipelines.put(pipeline())
    assert stores.pipelines.remove("flights")
    assert not stores.pipelines.remove("flights")
    assert stores.pipelines.watching("acme-exports") == []


def test_settled_columns_keep_place_and_type(stores: Stores) -> None:
    a, b = Column(name="a", type=ColumnType.LONG), Column(name="b", type=ColumnType.STRING)
    assert stores.pipelines.columns("flights") == ()
    assert stores.pipelines.settle("flights", (a,)) == (a,)
    assert stores.pipelines.settle("flights", (b, Column(name="a", type=ColumnType.STRING))) == (a, b)
    assert stores.pipelines.columns("flights") == (a, b)


def test_columns_that_do_not_grow_are_those_of_the_first(stores: Stores) -> None:
    a, b = Column(name="a", type=ColumnType.LONG), Column(name="b", type=ColumnType.STRING)
    assert stores.pipelines.settle("flights", (a,), grow=False) == (a,)
    assert stores.pipelines.settle("flights", (b,), grow=False) == (a,)
    assert stores.pipelines.columns("flights") == (a,)


def test_a_connection_keeps_its_first_external_id(stores: Stores) -> None:
    first, second = grant("a" * 64), grant("b" * 64)
    assert stores.connections.add(first)
    assert not stores.connections.add(second)
    assert stores.connections.get("acme") == first
    assert stores.connections.all() == [first]
    assert stores.connections.remove("acme")
    assert not stores.connections.remove("acme")
    assert stores.connections.get("acme") is None


def test_a_connection_is_changed_only_while_it_is_there(stores: Stores) -> None:
    before, after = grant(), grant(region="eu-west-1")
    assert not stores.connections.put(before)
    assert stores.connections.get("acme") is None
    stores.connections.add(before)
    assert stores.connections.put(replace(after, kept=Kept("****LE12", NOW, NOW)))
    assert stores.connections.get("acme") == replace(after, kept=Kept("****LE12", NOW, NOW))
    assert not stores.connections.put(grant("c" * 64)), "it was deleted and made again: another one of this name"
    assert stores.connections.put(after)
    assert stores.connections.get("acme") == after, "what was kept is gone with the keys"

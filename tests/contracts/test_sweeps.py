"""Fake sweeps, cursors and ledger spans give the answers that DynamoDB gives."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.aws.cursors import DynamoCursors
from chalicelib.aws.jobs import DynamoJobs
from chalicelib.aws.ledger import DynamoLedger
from chalicelib.aws.sweeps import DynamoSweeps
from chalicelib.core.audit import LAST_KEY
from chalicelib.core.cursors import Cursor
from chalicelib.core.jobs import Job, JobChange, JobKind
from chalicelib.core.ledger import Entry, State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import SCHEDULED, Stored, Sweep, SweepState, Walk
from chalicelib.core.tasks import Task, TaskState, tombstone
from tests.fakes.stores import FakeJobs, FakeLedger
from tests.fakes.sweeps import FakeCursors, FakeSweeps

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
MOMENT = timedelta(microseconds=1)


@dataclass
class Stores:
    sweeps: Any
    cursors: Any
    ledger: Any
    jobs: Any


@pytest.fixture(params=["fake", "dynamo"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "fake":
        fakes = FakeJobs()
        return Stores(FakeSweeps(fakes), FakeCursors(), FakeLedger(), fakes)
    client = request.getfixturevalue("dynamo")
    jobs = DynamoJobs(client, "tidegate-jobs", "tidegate-tasks")
    return Stores(
        DynamoSweeps(client, "tidegate-sweeps", jobs),
        DynamoCursors(client, "tidegate-pipelines"),
        DynamoLedger(client, "tidegate-ledger"),
        jobs,
    )


def sweep(name: str = SCHEDULED, **changes: Any) -> Sweep:
    fresh = Sweep("flights", name, "s1", Walk.PATH, SweepState.RUNNING, "in/", started_at=NOW, due_at=NOW)
    return replace(fresh, **changes)


FULL = sweep(
    "backfill#é #1",
    walk=Walk.RANGE,
    state=SweepState.DRAINING,
    position="in/é",
    until="in/z",
    modified_after=NOW,
    modified_before=LATER,
    next_task=7,
    turn=2,
    accepted_path="in/y",
    accepted_before_held="in/b",
    held_path="in/c",
    held_time=NOW,
    seen=10,
    accepted=8,
    accepted_bytes=2**40,
    pages=3,
    cut=True,
    max_concurrent_tasks=4,
    error="why",
)


def task(number: int) -> Task:
    ref = ObjectRef("acme-exports", f"in/{number}", "e", 1, NOW)
    return Task("s1", number, "flights", "t", (ref,), TaskState.PLANNED, NOW)


def started(stores: Stores) -> Sweep:
    """A stored sweep with its job."""
    stores.jobs.start(Job("s1", JobKind.SWEEP, "flights", NOW, 0, 0, 0, sealed=False, sweep=SCHEDULED), [])
    assert stores.sweeps.swap(sweep())
    return sweep()


def more(tasks: int, **changes: Any) -> JobChange:
    return JobChange("s1", tasks=tasks, staging=tasks, unfinished=tasks, **changes)


# sweeps


@pytest.mark.parametrize("one", [sweep(), FULL], ids=["fresh", "full"])
def test_a_sweep_comes_back_as_it_was_stored(stores: Stores, one: Sweep) -> None:
    assert stores.sweeps.get("flights", one.name) is None
    assert stores.sweeps.swap(one)
    assert stores.sweeps.get("flights", one.name) == one
    assert stores.sweeps.get("other", one.name) is None


def test_of_two_writers_of_one_revision_one_loses(stores: Stores) -> None:
    assert stores.sweeps.swap(sweep())
    assert not stores.sweeps.swap(sweep(job="s2"))
    assert stores.sweeps.swap(sweep(revision=2, turn=1))
    assert not stores.sweeps.swap(sweep(revision=2, turn=9))
    assert not stores.sweeps.swap(sweep(revision=4))
    assert stores.sweeps.get("flights", SCHEDULED).turn == 1


def test_all_sweeps_of_one_pipeline_are_listed_by_name(stores: Stores) -> None:
    names = ["sweep", "backfill#b", "backfill#a", "backfill#é"]
    for name in names:
        assert stores.sweeps.swap(sweep(name))
    assert stores.sweeps.swap(replace(sweep(), pipeline="other"))
    assert [found.name for found in stores.sweeps.all("flights")] == sorted(names)
    assert list(stores.sweeps.all("none")) == []


def test_a_stretch_is_stored_with_its_tasks_and_its_job(stores: Stores) -> None:
    moved = replace(started(stores), position="in/b", next_task=2, revision=2)
    assert stores.sweeps.advance(moved, [task(0), task(1)], more(2)) is Stored.DONE
    assert stores.sweeps.get("flights", SCHEDULED) == moved
    assert [found.number for found in stores.jobs.tasks("s1")] == [0, 1]
    assert list(stores.jobs.each("s1")) == stores.jobs.tasks("s1")
    job = stores.jobs.job("s1")
    assert (job.tasks, job.staging, job.unfinished, job.sealed, job.sweep) == (2, 2, 2, False, SCHEDULED)


def test_a_lost_turn_stores_nothing(stores: Stores) -> None:
    moved = replace(started(stores), position="in/b", revision=2)
    assert stores.sweeps.advance(moved, [], more(0)) is Stored.DONE
    again = replace(moved, position="in/c")
    assert stores.sweeps.advance(again, [task(0)], more(1)) is Stored.LOST
    assert stores.sweeps.get("flights", SCHEDULED).position == "in/b"
    assert stores.jobs.task("s1", 0) is None
    assert stores.jobs.job("s1").tasks == 0


def test_a_number_that_is_buried_stores_nothing(stores: Stores) -> None:
    moved = replace(started(stores), position="in/b", revision=2)
    assert stores.jobs.bury(tombstone("s1", 0, "flights", now=NOW))
    assert stores.sweeps.advance(moved, [task(0)], more(1)) is Stored.TASK_EXISTS
    assert stores.sweeps.get("flights", SCHEDULED).position == ""
    assert stores.jobs.job("s1").tasks == 0
    assert stores.sweeps.advance(moved, [task(1)], more(1)) is Stored.DONE


def test_a_lost_turn_is_lost_even_if_the_number_is_taken_too(stores: Stores) -> None:
    moved = replace(started(stores), revision=2)
    assert stores.sweeps.advance(moved, [task(0)], more(1)) is Stored.DONE
    assert stores.sweeps.advance(moved, [task(0)], more(1)) is Stored.LOST


def test_a_sweep_without_its_job_stores_nothing(stores: Stores) -> None:
    assert stores.sweeps.swap(sweep())
    assert stores.sweeps.advance(sweep(revision=2), [task(0)], more(1)) is Stored.LOST
    assert stores.sweeps.get("flights", SCHEDULED).revision == 1


def test_the_end_of_a_listing_seals_the_job(stores: Stores) -> None:
    ended = replace(started(stores), state=SweepState.DRAINING, revision=2)
    assert stores.sweeps.advance(ended, [], JobChange("s1", sealed=True, error="why", finished_at=LATER)) is Stored.DONE
    job = stores.jobs.job("s1")
    assert (job.sealed, job.error, job.finished_at) == (True, "why", LATER)


def test_sweeps_that_are_due_are_found_until_they_are_over(stores: Stores) -> None:
    for one in (
        sweep("now"),
        sweep("late", due_at=NOW - timedelta(hours=1), state=SweepState.DRAINING),
        sweep("later", due_at=NOW + MOMENT),
        sweep("done", state=SweepState.DONE),
        sweep("cancelled", state=SweepState.CANCELLED),
    ):
        assert stores.sweeps.swap(one)
    assert [found.name for found in stores.sweeps.due(NOW, limit=10)] == ["late", "now"]
    assert len(stores.sweeps.due(NOW, limit=1)) == 1
    assert stores.sweeps.swap(sweep("now", state=SweepState.DONE, revision=2))
    assert [found.name for found in stores.sweeps.due(NOW, limit=10)] == ["late"]


# cursors


def test_a_cursor_is_at_the_start_until_it_is_stored(stores: Stores) -> None:
    assert stores.cursors.get("flights") == Cursor("flights")
    moved = Cursor("flights", "in/é", NOW, LATER, "s1", revision=1)
    assert stores.cursors.swap(moved)
    assert stores.cursors.get("flights") == moved
    assert stores.cursors.get("other") == Cursor("other")


def test_a_cursor_moves_from_the_revision_before_only(stores: Stores) -> None:
    assert stores.cursors.swap(Cursor("flights", "in/b", revision=1))
    assert not stores.cursors.swap(Cursor("flights", "in/c", revision=1))
    assert not stores.cursors.swap(Cursor("flights", "in/c", revision=3))
    assert stores.cursors.swap(Cursor("flights", "in/a", revision=2)), "backwards as well"
    assert stores.cursors.get("flights").last_path == "in/a"


# spans of the ledger


KEYS = ["\0", " ", "a", "a ", "a/", "a/b", "aé", "a\U0001f600", "b", "é", "\uffff", "\U00010000", LAST_KEY]


@pytest.fixture
def filled(stores: Stores) -> Stores:
    entries = [
        Entry("flights", ObjectRef("acme-exports", key, "e", 1, NOW), State.COMMITTED, NOW, revision=1) for key in KEYS
    ]
    assert not stores.ledger.swap([*entries, replace(entries[2], pipeline="other")])
    return stores


def test_a_span_gives_the_keys_between_two_both_included_in_byte_order(filled: Stores) -> None:
    def keys(first: str, last: str) -> list[str]:
        return [entry.key for entry in filled.ledger.span("flights", first, last)]

    assert keys("\0", LAST_KEY) == sorted(KEYS, key=str.encode)
    assert keys("a/", "b") == ["a/", "a/b", "aé", "a\U0001f600", "b"]
    assert keys("a", "a") == ["a"]
    assert keys("\uffff", "\U00010000") == ["\uffff", "\U00010000"], "as UTF-8 sorts, not UTF-16"
    assert keys("c", "d") == []
    assert [entry.pipeline for entry in filled.ledger.span("other", "\0", LAST_KEY)] == ["other"]


def test_a_span_is_whole_however_long_it_is(stores: Stores) -> None:
    ref = ObjectRef("acme-exports", "", "e", 1, NOW)
    entries = [
        Entry("flights", replace(ref, key=key), State.FAILED, NOW, error="x" * 380_000, revision=1) for key in "abcdef"
    ]  # more than the megabyte of one answer
    for each in entries:
        assert not stores.ledger.swap([each])
    assert [entry.key for entry in stores.ledger.span("flights", "a", "f")] == list("abcdef")


def test_entries_are_found_by_the_reason_of_their_refusal(stores: Stores) -> None:
    archived, denied = (
        Entry("flights", ObjectRef("acme-exports", key, "e", 1, NOW), State.REFUSED, NOW, reason=reason, revision=1)
        for key, reason in (("a", Reason.ARCHIVED), ("b", Reason.DENIED))
    )
    failed = Entry("flights", replace(archived.ref, key="c"), State.FAILED, NOW, reason=Reason.DENIED, revision=1)
    assert not stores.ledger.swap([archived, denied, failed])
    assert stores.ledger.refused("flights", Reason.DENIED, limit=10) == [denied]

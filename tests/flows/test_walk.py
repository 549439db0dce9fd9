"""The promises, against queues that repeat and shuffle and processes that die anywhere (P1, P2, P5, P6, P7)."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.jobs import JobState
from chalicelib.core.ledger import State
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import MAX_ATTEMPTS_ALONE, TaskState
from chalicelib.errors import BadMessage
from tests.examples import BUCKET, pipeline
from tests.flows.world import Crash, Faults, World

CSV = b"id,name\n1,a\n2,b\ntoo,many,fields\n3,c\n"


def settled(world: World) -> None:
    """Every object under the prefix ended, and every row of the committed ones is there once."""
    for entry in world.ledger.stored.values():
        assert entry.state in (State.COMMITTED, State.REFUSED, State.FAILED), entry
    committed = {e.key: e.rows for e in world.ledger.stored.values() if e.state is State.COMMITTED}
    assert world.loaded() == Counter({key: rows for key, rows in committed.items() if rows})
    rejects = {e.key: e.rejects for e in world.ledger.stored.values() if e.state is State.COMMITTED}
    assert world.set_aside() == Counter({key: count for key, count in rejects.items() if count})
    assert all(task.is_over for task in world.jobs.stored.values())
    assert all(job.unfinished == 0 and job.staging == 0 for job in world.jobs.jobs.values())


def walk(world: World) -> World:
    """Two objects of one message, one of another, delivered thrice and in reverse."""
    first, second = world.put("in/a.csv", CSV, notify=0), world.put("in/b.csv", CSV, notify=0)
    third = world.put("in/c.csv", CSV, notify=0)
    for refs in ((third,), (second, first), (third,), (first, second), (first,)):
        world.notify(*refs)
    world.run()
    return world


def test_every_row_arrives_once_however_often_it_is_announced() -> None:
    world = walk(World())
    settled(world)
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3, "in/c.csv": 3}
    assert world.metrics.totals["duplicate"] + world.metrics.totals["held"] > 0


CALLS = 60  # more than the walk makes; the test below says so


def test_the_walk_makes_fewer_calls_than_the_crash_tests_try() -> None:
    world = walk(World())
    assert 20 < world.faults.calls < CALLS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(CALLS))
def test_a_crash_at_any_call_loses_nothing_and_doubles_nothing(call: int, after: bool) -> None:
    world = walk(World(Faults(frozenset({call}), after)))
    settled(world)
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3, "in/c.csv": 3}


@settings(max_examples=150, deadline=None)
@given(st.frozensets(st.integers(0, 120), max_size=6), st.booleans())
def test_several_crashes_lose_nothing_and_double_nothing(calls: frozenset[int], after: bool) -> None:
    world = walk(World(Faults(calls, after)))
    settled(world)
    given_up = {key for (_, key), entry in world.ledger.stored.items() if entry.reason is Reason.GAVE_UP}
    assert len(given_up) <= len(calls) // MAX_ATTEMPTS_ALONE, "only what killed every attempt is set aside"
    assert set(world.loaded()) | given_up == {"in/a.csv", "in/b.csv", "in/c.csv"}


def test_an_object_in_two_pipelines_reaches_both() -> None:
    world = World()
    world.pipelines.put(pipeline("beside"))
    world.put("in/a.csv", CSV)
    world.run()
    assert (world.state("in/a.csv"), world.state("in/a.csv", "beside")) == ("committed", "committed")
    assert world.loaded() == {"in/a.csv": 6}


def test_what_nobody_asked_for_is_left_alone() -> None:
    world = World()
    world.pipelines.put(pipeline(path_match_pattern=r"\.csv$"))
    world.put("out/a.csv", CSV)
    world.put("in/a.txt", CSV)
    world.run()
    assert not world.ledger.stored
    assert not world.buckets.opened
    assert (world.metrics.totals["outside_prefix"], world.metrics.totals["outside_pattern"]) == (1, 1)


def test_an_unknown_bucket_is_counted_and_its_message_is_done() -> None:
    world = World()
    ref = world.put("in/a.csv", CSV, notify=0)
    world.pipelines.remove("flights")
    world.notify(ref)
    world.run()
    assert world.metrics.totals["ObjectsInUnknownBuckets"] == 1
    assert not world.refused


def test_a_poison_message_ends_aside_and_its_neighbours_are_loaded() -> None:
    world = World()
    world.arrivals.append(("poison", "not json"))
    world.put("in/a.csv", CSV)
    world.run()
    assert world.refused == [("poison", "not json")]
    assert world.loaded() == {"in/a.csv": 3}
    with pytest.raises(BadMessage, match="dead-letter queue"):
        world.discover.arrival("poison", "not json")


def test_empty_objects_and_folder_markers_are_recorded_as_such() -> None:
    world = World()
    world.put("in/empty.csv", b"")
    world.put("in/folder/", b"")
    world.run()
    reasons = {key: str(entry.reason) for (_, key), entry in world.ledger.stored.items()}
    assert reasons == {"in/empty.csv": "empty", "in/folder/": "folder"}
    assert [job.state for job in world.jobs.jobs.values()] == [JobState.DONE, JobState.DONE]


def test_an_archived_object_is_recorded_and_loaded_once_it_is_restored() -> None:
    world = World()
    ref = world.put("in/a.csv", CSV)
    world.buckets.archive(ref)
    world.run()
    assert (world.state("in/a.csv"), str(world.ledger.stored["flights", "in/a.csv"].reason)) == ("refused", "archived")
    world.buckets.archived.clear()
    world.notify(ref)
    world.run()
    assert world.loaded() == {"in/a.csv": 3}


def test_a_deleted_object_is_recorded_as_missing() -> None:
    world = World()
    world.buckets.delete(world.put("in/a.csv", CSV))
    world.run()
    assert str(world.ledger.stored["flights", "in/a.csv"].reason) == "missing"
    settled(world)


def test_an_object_overwritten_before_it_was_read_is_read_as_its_new_self() -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.put("in/a.csv", b"id,name\n9,z\n")
    world.run()
    assert [row["id"] for row in world.table.rows] == [9]
    settled(world)


def test_an_object_overwritten_while_it_is_read_is_never_mixed() -> None:
    world = World()
    old = b"id,name\n" + b"1,old\n" * 2000
    world.put("in/a.csv", old)
    world.discover_all()
    opened = world.buckets.open

    class Overwriting:
        def open(self, *args: object, **kwargs: object) -> object:
            body = opened(*args, **kwargs)  # type: ignore[arg-type]
            if len(world.buckets.contents) == 1:
                world.put("in/a.csv", b"id,name\n9,new\n")
            return body

    world.reading = Overwriting()
    world.run()
    assert {row["name"] for row in world.table.rows} == {"new"}
    settled(world)


def test_a_late_notification_of_an_older_version_changes_nothing() -> None:
    world = World()
    old = world.put("in/a.csv", CSV, notify=0)
    world.put("in/a.csv", b"id,name\n9,z\n")
    world.run()
    world.notify(old)
    world.run()
    assert [row["id"] for row in world.table.rows] == [9]
    assert world.metrics.totals["outdated"] == 1


def test_a_newer_version_waits_for_the_one_that_is_being_loaded() -> None:
    world = World()
    world.buckets.create(BUCKET, versioned=True)
    world.put("in/a.csv", CSV)
    world.discover_all()
    world.put("in/a.csv", b"id,name\n9,z\n")
    world.run()
    assert sorted(row["id"] for row in world.table.rows) == [1, 2, 3, 9]
    assert world.ledger.stored["flights", "in/a.csv"].ref.version_id == "v1"


def test_a_broken_object_costs_that_object_only() -> None:
    world = World()
    bad = world.put("in/bad.csv.gz", b"\x1f\x8b\x08\x00garbage", notify=0)
    good = world.put("in/good.csv", CSV, notify=0)
    world.notify(bad, good)
    world.run()
    assert (world.state("in/bad.csv.gz"), world.state("in/good.csv")) == ("failed", "committed")
    assert world.loaded() == {"in/good.csv": 3}
    (job,) = world.jobs.jobs.values()
    assert job.state is JobState.FAILED
    assert "in/bad.csv.gz" in str(world.ledger.stored["flights", "in/bad.csv.gz"].error)


def test_a_bad_row_costs_that_row_only() -> None:
    world = World()
    world.put("in/a.csv", b"id,name\n1,a\n2,b,too,many\n3,c\n")
    world.run()
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert (entry.rows, entry.rejects) == (2, 1)
    (reject,) = world.table.rejects
    assert (reject["_key"], reject["line"], reject["text"]) == ("in/a.csv", 3, "2,b,too,many")


def test_a_refusing_role_costs_the_connection_only_and_nothing_is_lost() -> None:
    world = World()
    ref = world.put("in/a.csv", CSV)
    world.buckets.refused.add("acme")
    world.run()
    assert str(world.ledger.stored["flights", "in/a.csv"].reason) == "denied"
    world.buckets.refused.clear()
    world.notify(ref)
    world.run()
    assert not world.loaded(), "a connection that fails is left alone for a minute"
    world.now += timedelta(minutes=2)
    world.run()
    assert world.loaded() == {"in/a.csv": 3}


def test_an_object_that_never_reads_does_not_take_its_companions_down() -> None:
    world = World()
    bad, good = world.put("in/bad.csv", CSV * 1000, notify=0), world.put("in/good.csv", CSV, notify=0)
    world.buckets.broken[BUCKET, "in/bad.csv"] = 2048
    world.notify(bad, good)
    world.run(rounds=60)
    assert (world.state("in/bad.csv"), world.state("in/good.csv")) == ("failed", "committed")
    assert str(world.ledger.stored["flights", "in/bad.csv"].reason) == "gave_up"
    assert world.loaded() == {"in/good.csv": 3}
    settled(world)


def test_rows_that_do_not_fit_the_table_are_set_aside_and_the_rest_is_committed() -> None:
    world = World()
    world.put("in/bad.csv", CSV)
    world.put("in/good.csv", CSV)
    world.table.refuses.add("in/bad.csv")
    world.run()
    assert (world.state("in/bad.csv"), world.state("in/good.csv")) == ("failed", "committed")
    assert world.loaded() == {"in/good.csv": 3}


def test_a_zombie_cannot_stage_what_a_later_attempt_has_taken() -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.discover_all()
    (hint,) = world.queue.loads
    begun = world.load
    seen: list[TaskState] = []

    class Slow:
        def open(self, *args: object, **kwargs: object) -> object:
            if not seen:
                seen.append(TaskState.LOADING)
                world.now += timedelta(minutes=10)
                world.run()
            return world.buckets.open(*args, **kwargs)  # type: ignore[arg-type]

    world.reading = Slow()
    world.queue.loads.clear()
    begun = world.load
    begun.task(*hint)
    world.run()
    assert seen
    settled(world)
    assert world.loaded() == {"in/a.csv": 3}


def test_claims_of_a_job_that_died_before_it_stored_its_tasks_are_taken_over() -> None:
    world = World(Faults(frozenset({2})))
    world.put("in/a.csv", CSV)
    with pytest.raises(Crash):
        world.discover.arrival(*world.arrivals.pop())
    assert world.state("in/a.csv") == "claimed"
    assert not world.jobs.jobs
    world.run()
    settled(world)
    assert world.loaded() == {"in/a.csv": 3}


def test_new_columns_join_the_pipeline_and_old_ones_keep_their_type() -> None:
    world = World()
    world.put("in/a.csv", b"id,name\n1,a\n")
    world.run()
    world.put("in/b.csv", b"name,extra,id\nb,2.5,2\n")
    world.run()
    assert [(c.name, str(c.type)) for c in world.pipelines.columns("flights")] == [
        ("id", "long"),
        ("name", "string"),
        ("extra", "double"),
    ]
    assert [(row["id"], row["name"], row.get("extra")) for row in world.table.rows] == [(1, "a", None), (2, "b", 2.5)]

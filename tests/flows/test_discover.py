"""From a message to claimed objects and queued tasks."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from chalicelib.core.jobs import JobKind, JobState, job_id
from chalicelib.core.ledger import Entry
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import TaskState
from chalicelib.errors import BadMessage, SourceUnavailable
from tests.examples import BUCKET, pipeline
from tests.fakes.stores import FakeLedger
from tests.flows.world import Crash, Faults, World, notification

CSV = b"id,name\n1,a\n2,b\n3,c\n"


def test_the_objects_of_a_message_are_one_job_and_its_tasks_hold_enough_bytes() -> None:
    world = World()
    world.pipelines.put(pipeline(min_task_size=2 * len(CSV)))
    world.notify(*(world.put(f"in/{number}.csv", CSV, notify=0) for number in range(5)))
    world.discover_all()
    job = job_id(JobKind.ARRIVAL, "flights", "m0")
    assert [len(task.members) for task in world.jobs.tasks(job)] == [2, 2, 1]
    assert world.queue.loads == [(job, 0), (job, 1), (job, 2)]
    stored = world.jobs.jobs[job]
    assert (stored.tasks, stored.staging, stored.unfinished, stored.state) == (3, 3, 3, JobState.RUNNING)


def test_a_message_that_is_delivered_again_sends_only_what_has_not_begun() -> None:
    world = World()
    world.pipelines.put(pipeline(min_task_size=1))
    refs = [world.put(f"in/{number}.csv", CSV, notify=0) for number in range(3)]
    body = notification(refs)
    world.discover.arrival("m", body)
    world.load.task(*world.queue.loads[0])
    world.queue.loads.clear()
    world.discover.arrival("m", body)
    assert [number for _, number in world.queue.loads] == [1, 2]
    world.run()
    assert world.loaded() == {f"in/{number}.csv": 3 for number in range(3)}
    assert len(world.jobs.jobs) == 1


def test_what_messages_bring_together_is_one_task_whatever_order_they_come_in_again() -> None:
    world = World()
    refs = [world.put(f"in/{number}.csv", CSV, notify=0) for number in range(3)]
    messages = {f"m{number}": notification([ref]) for number, ref in enumerate(refs)}
    assert world.discover.arrivals(messages) == {}
    assert [len(task.members) for task in world.jobs.stored.values()] == [3]
    assert world.discover.arrivals(dict(reversed(messages.items()))) == {}
    assert len(world.jobs.jobs) == 1
    assert len(world.queue.loads) == 2, "the task has not begun, so it is sent once more"
    assert world.discover.arrivals({"m1": messages["m1"]}) == {}, "in other company"
    world.run()
    assert world.loaded() == {f"in/{number}.csv": 3 for number in range(3)}


def test_of_messages_that_bring_one_key_with_other_contents_each_is_loaded() -> None:
    world = World()
    messages = {}
    for number in range(3):
        same = world.put("in/a.csv", CSV + f"{number},z\n".encode() * number, notify=0)
        messages[f"m{number}"] = notification([same, world.put(f"in/{number}.csv", CSV, notify=0)])
    whole, apart = World(), World()
    for each in (whole, apart):
        each.buckets = world.buckets
    assert whole.discover.arrivals(messages) == {}
    for message in messages.items():
        apart.discover.arrival(*message)
    assert whole.ledger.stored["flights", "in/a.csv"].successor == apart.ledger.stored["flights", "in/a.csv"].successor
    assert whole.ledger.stored["flights", "in/a.csv"].successor is not None
    assert whole.ledger.stored.keys() == apart.ledger.stored.keys()


class Choosy(FakeLedger):
    """Cannot take one key."""

    def get(self, pipeline: str, keys: Collection[str]) -> Mapping[str, Entry]:
        if "in/1.csv" in keys:
            raise SourceUnavailable("not this one", where="ledger")
        return super().get(pipeline, keys)


def test_a_message_that_nobody_can_do_harms_none_that_came_with_it() -> None:
    world = World(ledger=Choosy())
    refs = [world.put(f"in/{number}.csv", CSV, notify=0) for number in range(3)]
    messages = {f"m{number}": notification([ref]) for number, ref in enumerate(refs)}
    failed = world.discover.arrivals({**messages, "garbage": "no JSON"})
    assert {name: type(error) for name, error in failed.items()} == {"m1": SourceUnavailable, "garbage": BadMessage}
    assert {key for _, key in world.ledger.stored} == {"in/0.csv", "in/2.csv"}
    assert {job for job, _ in world.queue.loads} == {job_id(JobKind.ARRIVAL, "flights", id_) for id_ in ("m0", "m2")}


def test_messages_that_crash_together_are_found_by_the_tick() -> None:
    world = World(faults=Faults(at=frozenset({1}), after=True))  # claimed, no job stored
    refs = [world.put(f"in/{number}.csv", CSV, notify=0) for number in range(2)]
    messages = {f"m{number}": notification([ref]) for number, ref in enumerate(refs)}
    with pytest.raises(Crash):
        world.discover.arrivals(messages)
    assert len(world.ledger.stored) == 2
    assert not world.jobs.jobs
    for message in messages.items():
        world.discover.arrivals(dict([message]))  # delivered again, each in another company
    world.run()
    assert world.loaded() == {"in/0.csv": 3, "in/1.csv": 3}


def test_a_message_may_tell_of_several_buckets_and_pipelines() -> None:
    world = World()
    world.pipelines.put(pipeline("elsewhere", bucket="acme-other"))
    there = world.buckets.put("acme-other", "in/b.csv", CSV)
    world.notify(world.put("in/a.csv", CSV, notify=0), there, world.buckets.put("unknown", "in/c.csv", CSV))
    world.run()
    assert set(world.ledger.stored) == {("flights", "in/a.csv"), ("elsewhere", "in/b.csv")}
    assert world.metrics.totals["ObjectsInUnknownBuckets"] == 1
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}


def test_one_object_told_twice_in_a_message_is_one_object() -> None:
    world = World()
    ref = world.put("in/a.csv", CSV, notify=0)
    world.notify(ref, ref, ref)
    world.run()
    assert world.loaded() == {"in/a.csv": 3}
    (job,) = world.jobs.jobs.values()
    assert "outdated" not in job.counts


def test_of_two_identities_in_a_message_the_newer_is_loaded_whatever_their_order() -> None:
    for backwards in (False, True):
        world = World()
        refs = [world.put("in/a.csv", content, notify=0) for content in (b"id\n1\n", b"id\n2\n")]
        world.notify(*(reversed(refs) if backwards else refs))
        world.run()
        assert [row["id"] for row in world.table.rows] == [2]
        (job,) = world.jobs.jobs.values()
        assert job.counts["outdated"] == 1


def test_refusals_are_counted_by_reason_and_recorded_with_their_job() -> None:
    world = World()
    world.pipelines.put(pipeline(path_match_pattern=r"\.csv$"))
    keys = {"in/a.csv": CSV, "in/b.csv": b"", "in/c.txt": CSV, "out/d.csv": CSV}
    world.notify(*(world.put(key, content, notify=0) for key, content in keys.items()))
    world.run()
    (job,) = world.jobs.jobs.values()
    assert {name: job.counts[name] for name in ("empty", "loaded", "rows")} == {"empty": 1, "loaded": 1, "rows": 3}
    assert "outside_pattern" not in job.counts
    totals = world.metrics.totals
    assert (totals["ObjectsSeen"], totals["empty"], totals["outside_pattern"], totals["outside_prefix"]) == (4, 1, 1, 1)


def test_a_message_with_nothing_wanted_makes_no_job() -> None:
    world = World()
    world.put("out/a.csv", CSV)
    world.run()
    assert not world.jobs.jobs


def test_an_empty_object_that_is_overwritten_is_loaded() -> None:
    world = World()
    world.put("in/a.csv", b"")
    world.run()
    assert str(world.ledger.stored["flights", "in/a.csv"].reason) == "empty"
    world.put("in/a.csv", CSV)
    world.run()
    assert world.loaded() == {"in/a.csv": 3}


def test_an_object_that_is_overwritten_by_an_empty_one_is_recorded_as_such_and_its_rows_stay() -> None:
    world = World()
    first = world.put("in/a.csv", CSV)
    world.run()
    world.put("in/a.csv", b"")
    world.notify(first)
    world.run()
    assert str(world.ledger.stored["flights", "in/a.csv"].reason) == "empty"
    assert world.loaded() == {"in/a.csv": 3}


def restored(ref: ObjectRef, at: str) -> str:
    """What S3 says when a restore is complete: no sequencer, since nothing was written."""
    document = json.loads(notification([ref]))
    (record,) = document["Records"]
    record |= {"eventName": "ObjectRestore:Completed", "eventTime": at}
    record["s3"]["object"].pop("sequencer", None)
    return json.dumps(document)


def test_an_archived_object_is_loaded_once_s3_says_that_it_is_restored() -> None:
    world = World()
    ref = world.put("in/a.csv", CSV)
    world.buckets.archive(ref)
    world.run()
    world.buckets.archived.clear()
    body = restored(ref, "2026-12-01T00:00:00Z")
    world.arrivals += [("r1", body), ("r2", body)]
    world.run()
    assert world.loaded() == {"in/a.csv": 3}


def test_a_restored_earlier_version_that_is_in_the_table_already_is_not_loaded_again() -> None:
    world = World()
    world.buckets.create(BUCKET, versioned=True)
    first = world.put("in/a.csv", b"id\n1\n")
    world.run()
    world.put("in/a.csv", b"id\n2\n")
    world.run()
    world.arrivals.append(("r1", restored(first, "2026-12-01T00:00:00Z")))
    world.run()
    assert sorted(row["id"] for row in world.table.rows) == [1, 2]


@dataclass
class OnceLosing(FakeLedger):
    lost: list[Sequence[Entry]] = field(default_factory=list)

    def swap(self, entries: Sequence[Entry]) -> frozenset[str]:
        if not self.lost:
            self.lost.append(entries)
            return frozenset(entry.key for entry in entries)
        return super().swap(entries)


def test_a_refusal_that_could_not_be_recorded_is_told_again_by_the_queue() -> None:
    world = World(ledger=OnceLosing())
    ref = world.put("in/a.csv", b"", notify=0)
    with pytest.raises(SourceUnavailable):
        world.discover.arrival("m", notification([ref]))
    world.discover.arrival("m", notification([ref]))
    assert str(world.ledger.stored["flights", "in/a.csv"].reason) == "empty"


def test_more_objects_than_one_transaction_holds_tasks_are_taken_on() -> None:
    world = World()
    world.pipelines.put(pipeline(min_task_size=1))
    refs = [world.put(f"in/{number:03}.csv", CSV, notify=0) for number in range(250)]
    world.discover.arrival("m", notification(refs))
    for job in world.jobs.jobs.values():
        assert job.tasks < 100, "DynamoDB stores a job with at most 99 tasks"
    assert len(world.ledger.stored) == 250


def test_tasks_are_due_when_their_claims_are() -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.discover_all()
    (task,) = world.jobs.stored.values()
    (entry,) = world.ledger.stored.values()
    assert (task.state, task.due_at) == (TaskState.PLANNED, world.now + timedelta(minutes=2))
    assert entry.lease_until == task.due_at

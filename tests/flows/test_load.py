"""One task to staged files: what keeps it, what ends it, and what is never lost."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.aws.jobs import DynamoJobs
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import State
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Task, TaskState
from chalicelib.errors import LeaseLost, SourceUnavailable
from tests.examples import BUCKET, START, grant, pipeline
from tests.flows.world import LEASE, Crash, World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
MINUTE = timedelta(minutes=1)


class Reading:
    """The buckets, with something happening at each opening."""

    def __init__(self, world: World, before: Callable[[str], None]) -> None:
        self.world, self.before = world, before

    def open(self, grant: Any, ref: Any, *, prefix: str) -> Any:
        self.before(ref.key)
        return self.world.buckets.open(grant, ref, prefix=prefix)


def loading(*keys: str, content: bytes = CSV) -> tuple[World, tuple[str, int]]:
    """A world with one task of these objects, in its queue no more."""
    world = World()
    world.notify(*(world.put(key, content, notify=0) for key in keys))
    world.discover_all()
    return world, world.queue.loads.pop()


def task(world: World) -> Task:
    (found,) = world.jobs.stored.values()
    return found


def test_a_task_that_does_not_exist_is_nothing_to_do() -> None:
    World().load.task("none", 0)


def test_a_load_that_takes_longer_than_its_lease_keeps_it_by_renewing() -> None:
    world, hint = loading(*(f"in/{number}.csv" for number in range(8)))

    def slow(_: str) -> None:
        world.now += MINUTE
        world.recover.tick()

    world.reading = Reading(world, slow)
    world.load.task(*hint)
    assert world.now - START > 3 * LEASE
    assert (task(world).state, task(world).attempt) == (TaskState.STAGED, 1)
    assert world.queue.loads == [], "no tick thought it dead"
    world.reading = None
    world.run()
    assert sum(world.loaded().values()) == 24


def test_a_second_delivery_meanwhile_does_nothing() -> None:
    world, hint = loading("in/a.csv")
    world.reading = Reading(world, lambda _: world.load.task(*hint))
    world.load.task(*hint)
    assert (task(world).state, task(world).attempt, len(world.buckets.opened)) == (TaskState.STAGED, 1, 1)


def takes_ten_minutes(world: World, key: str) -> Callable[[str], None]:
    """At the first opening of `key` the process sleeps, and everybody else goes on."""
    slept: list[str] = []

    def sleeps(opened: str) -> None:
        if opened == key and not slept:
            slept.append(opened)
            world.now += 10 * MINUTE
            world.run()

    return sleeps


def test_a_zombie_stops_at_its_next_page() -> None:
    world, hint = loading("in/a.csv", "in/b.csv", "in/c.csv")
    world.reading = Reading(world, takes_ten_minutes(world, "in/b.csv"))
    world.load.task(*hint)
    opened = [ref.key for _, ref, _ in world.buckets.opened]
    assert opened == ["in/a.csv", "in/a.csv", "in/b.csv", "in/c.csv", "in/b.csv"], "it never came to its third object"
    assert (task(world).state, task(world).attempt) == (TaskState.COMMITTED, 2)
    assert sum(world.loaded().values()) == 9
    assert len(world.table.files) == 1, "the zombie's rows are in no file"


def test_a_zombie_that_has_read_everything_cannot_stage() -> None:
    world, hint = loading("in/a.csv", content=b"id,name\n")  # no page, so nothing is renewed on the way
    world.reading = Reading(world, takes_ten_minutes(world, "in/a.csv"))
    world.load.task(*hint)
    assert (task(world).state, task(world).attempt) == (TaskState.COMMITTED, 2)
    (job,) = world.jobs.jobs.values()
    assert (job.staging, job.unfinished, job.counts["loaded"]) == (0, 0, 1)
    assert world.metrics.totals["ObjectsLoaded"] == 1
    assert world.queue.commits == []


def test_a_zombie_on_its_last_attempt_neither_stages_nor_sets_the_object_aside() -> None:
    world, hint = loading("in/a.csv")
    world.jobs.stored[hint] = Task(**{**_fields(task(world)), "attempt": 2})
    world.reading = Reading(world, takes_ten_minutes(world, "in/a.csv"))
    world.load.task(*hint)
    (entry,) = world.ledger.stored.values()
    assert (entry.state, str(entry.reason)) == (State.FAILED, "gave_up")
    assert "3 attempts ended without a word" in str(entry.error), "said by the attempt that took over"
    assert (task(world).attempt, world.table.rows) == (4, [])


def _fields(found: Task) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Task.__dataclass_fields__}


def test_a_failure_that_may_pass_gives_the_task_back_and_lets_the_queue_know() -> None:
    world, hint = loading("in/a.csv", "in/b.csv", content=CSV * 1000)
    world.buckets.broken[BUCKET, "in/b.csv"] = 2048
    with pytest.raises(SourceUnavailable):
        world.load.task(*hint)
    given_back = task(world)
    assert (given_back.state, given_back.attempt, given_back.due_at) == (TaskState.LOADING, 1, world.now)
    assert "broken" in str(given_back.error)
    assert not world.table.files
    world.buckets.broken.clear()
    world.load.task(*hint)
    assert (task(world).state, task(world).attempt, task(world).error) == (TaskState.STAGED, 2, None)


@pytest.mark.parametrize("gone", ["pipeline", "connection"])
def test_an_object_whose_pipeline_or_connection_was_deleted_is_loaded_after_it_is_back(gone: str) -> None:
    world, hint = loading("in/a.csv")
    ref = task(world).members[0]
    (world.pipelines if gone == "pipeline" else world.connections).stored.clear()
    world.queue.loads.append(hint)
    world.run()
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert (entry.state, str(entry.reason)) == (State.REFUSED, "denied")
    assert f"{gone} " in str(entry.error)
    assert "was deleted" in str(entry.error)
    assert not world.buckets.opened
    world.pipelines.put(pipeline())
    world.connections.add(grant())
    world.notify(ref)
    world.run()
    assert world.loaded() == {"in/a.csv": 3}


def test_a_role_that_refuses_is_asked_once_a_task() -> None:
    world, hint = loading(*(f"in/{number}.csv" for number in range(5)))
    world.buckets.refused.add("acme")
    world.load.task(*hint)
    assert len(world.buckets.opened) == 1
    staged = task(world).staged
    assert staged is not None
    assert {outcome.reason for outcome in staged.outcomes} == {"denied"}


def test_a_connection_that_was_narrowed_meanwhile_is_not_used_for_what_it_no_longer_allows() -> None:
    world, hint = loading("in/a.csv")
    world.connections.stored["acme"] = grant(prefixes=["out/"])
    world.load.task(*hint)
    assert not world.buckets.opened
    staged = task(world).staged
    assert staged is not None
    assert "out/" in str(staged.outcomes[0].error)


def test_an_object_that_kills_every_process_is_set_aside_in_the_end() -> None:
    world, hint = loading("in/bad.csv", "in/good.csv")

    killed = 0

    def kills(key: str) -> None:
        nonlocal killed
        if key == "in/bad.csv":
            killed += 1
            raise Crash

    world.reading = Reading(world, kills)
    world.queue.loads.append(hint)
    world.run(rounds=200)
    assert world.state("in/good.csv") == "committed"
    assert world.loaded() == {"in/good.csv": 3}
    assert world.state("in/bad.csv") == "failed"
    assert str(world.ledger.stored["flights", "in/bad.csv"].reason) == "gave_up"
    assert killed <= 10


def test_a_task_of_one_object_that_always_fails_is_set_aside_in_dynamodb_too(dynamo: Any) -> None:
    world = World()
    world.jobs = DynamoJobs(dynamo, "tidegate-jobs", "tidegate-tasks")  # type: ignore[assignment]
    world.put("in/bad.csv", CSV * 1000)
    world.buckets.broken[BUCKET, "in/bad.csv"] = 2048
    world.discover_all()
    (hint,) = world.queue.loads
    for _ in range(40):
        world._deliver(_NEVER)
        world.recover.tick()
        world.now += MINUTE
    assert world.state("in/bad.csv") == "failed"
    assert world.jobs.job(hint[0]).unfinished == 0  # type: ignore[union-attr]


_NEVER: Any = __import__("collections").Counter()


def test_a_split_that_died_halfway_is_finished_by_the_tick() -> None:
    for dies_at in range(5):
        world, hint = loading("in/a.csv", "in/b.csv")
        world.jobs.stored[hint] = Task(**{**_fields(task(world)), "attempt": 5})
        world.faults.at = frozenset({world.faults.calls + dies_at})
        with pytest.raises(Crash):
            world.load.task(*hint)
        world.queue.loads.append(hint)
        world.run(rounds=40)
        assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}, dies_at
        (job,) = world.jobs.jobs.values()
        assert (job.tasks, job.staging, job.unfinished) == (2, 0, 0), dies_at


def test_what_was_loaded_is_measured_once() -> None:
    world = World()
    world.put("in/a.csv", b"id,name\n1,a\n2,b,too,many\n3,c\n", notify=3)
    world.buckets.archive(world.put("in/b.csv", CSV))
    world.run()
    totals = world.metrics.totals
    measured = {name: totals[name] for name in ("ObjectsLoaded", "Rows", "Rejects", "Bytes", "archived", "Lag")}
    assert measured == {"ObjectsLoaded": 1, "Rows": 2, "Rejects": 1, "Bytes": 29, "archived": 1, "Lag": 1}


def test_losing_the_lease_is_no_reason_to_try_again() -> None:
    assert issubclass(LeaseLost, Exception)
    world, hint = loading("in/a.csv")
    world.reading = Reading(world, takes_ten_minutes(world, "in/a.csv"))
    world.load.task(*hint)  # raises nothing
    assert sum(world.loaded().values()) == 3


def test_an_object_with_too_many_bad_rows_is_set_aside_and_its_bad_rows_are_shown() -> None:
    world = World()
    parser = {"type": "csv", "max_bad_rows": 1}
    world.pipelines.put(pipeline(parser=parser))
    world.put("in/bad.csv", b"id,name\n1,a\n2\n3,c\n4\n")
    world.put("in/good.csv", b"id,name\n1,a\n2\n")
    world.run()
    entry = world.ledger.stored["flights", "in/bad.csv"]
    assert (entry.state, entry.reason, entry.rows, entry.rejects) == (State.FAILED, Reason.TOO_MANY_BAD_ROWS, 0, 2)
    assert "line 3: 1 field, 2 expected" in str(entry.error)
    assert world.loaded() == {"in/good.csv": 1}
    assert world.set_aside() == {"in/bad.csv": 2, "in/good.csv": 1}


def test_the_bad_rows_of_an_object_that_breaks_later_are_not_kept() -> None:
    world = World()
    packed = gzip.compress(b"id,name\n1\n" + b"2,b\n" * 500_000)
    world.put("in/a.csv.gz", packed[:-20])
    world.run()
    entry = world.ledger.stored["flights", "in/a.csv.gz"]
    assert (entry.reason, entry.rows, entry.rejects) == (Reason.BROKEN, 0, 0)
    assert world.set_aside() == {}


def test_a_filter_that_does_not_fit_an_object_sets_that_object_aside() -> None:
    world = World()
    document = pipeline().document() | {"filters": [{"type": "drop_columns", "columns": [{"name": "secret"}]}]}
    world.pipelines.put(Pipeline.parse(document, where="test"))
    world.put("in/a.csv", b"id,scret\n1,a\n")
    world.run()
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert (entry.state, entry.reason) == (State.FAILED, Reason.MISCONFIGURED)
    assert "secret" in str(entry.error)
    world.put("in/b.csv", b"id,secret\n1,a\n")
    world.run()
    assert world.state("in/b.csv") == "committed"
    assert world.table.rows[0].keys() >= {"id", "scret"}
    assert "secret" not in world.table.rows[0]


EMPTY_ROWS = b"a,b\n,\n,\n"


def test_rows_without_any_value_are_rows_all_the_same() -> None:
    world = World()
    world.put("in/a.csv", EMPTY_ROWS)
    world.run()
    assert world.loaded() == {"in/a.csv": 2}
    world.put("in/b.csv", b"a,b\n1,\n")
    world.put("in/c.csv", EMPTY_ROWS)
    world.run()
    assert world.loaded() == {"in/a.csv": 2, "in/b.csv": 1, "in/c.csv": 2}
    assert {entry.rows for entry in world.ledger.stored.values()} == {1, 2}


def test_rows_that_would_have_no_column_at_all_are_not_lost_silently() -> None:
    world = World()
    document = pipeline().document()
    document["out"] |= {"origin_columns": False}
    world.pipelines.put(Pipeline.parse(document, where="test"))
    world.put("in/a.csv", EMPTY_ROWS)
    world.run()
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert (entry.state, entry.reason, entry.rows) == (State.FAILED, Reason.MISCONFIGURED, 0)

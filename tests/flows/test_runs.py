"""Runs that replace a table's content: all of it, at one instant, or nothing (F80–F82, E47, P4)."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.jobs import JobState
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import BACKFILL, SCHEDULED, Bounds
from chalicelib.errors import ConfigError
from tests.examples import BUCKET, pipeline
from tests.flows.world import Faults, World

KEYS = ("in/a.csv", "in/b.csv", "in/c.csv")
CALLS = 110  # of one run with three tasks, at least


def csv(*numbers: int) -> bytes:
    return b"id\n" + b"".join(b"%d\n" % number for number in numbers)


def replacing(mode: str = "replace", **source: Any) -> Pipeline:
    document = pipeline(**({"incremental": False, "max_task_files": 1} | source)).document()
    document["out"] = {"type": "iceberg", "database": "travel", "table": "flights", "mode": mode}
    return Pipeline.parse(document, where="test")


def world_with(*keys: str, mode: str = "replace", **source: Any) -> World:
    world = World()
    world.pipelines.put(replacing(mode, **source))
    world.buckets.create(BUCKET)
    for number, key in enumerate(keys):
        world.put(key, csv(number), notify=0)
    return world


def ran(world: World, *, full: bool = False) -> World:
    started(world, full=full)
    world.run()
    return world


def started(world: World, *, full: bool = False) -> None:
    world.now += timedelta(minutes=20)
    world.buckets.now = world.now
    assert world.sweep(full=full)


def content(world: World) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row in world.table.rows:
        rows.setdefault(row["_key"], []).append(row["id"])
    return rows


def states(world: World) -> dict[str, tuple[str, str | None]]:
    return {key: (str(entry.state), entry.reason) for (_, key), entry in world.ledger.stored.items()}


def last_job(world: World) -> Any:
    return max(world.jobs.jobs.values(), key=lambda job: job.created_at)


def test_each_run_is_the_whole_content() -> None:
    world = ran(world_with(*KEYS))
    assert content(world) == {"in/a.csv": [0], "in/b.csv": [1], "in/c.csv": [2]}
    world.buckets.delete(world.buckets.latest[BUCKET, "in/a.csv"])
    world.put("in/b.csv", csv(7, 8), notify=0)
    ran(world)
    assert content(world) == {"in/b.csv": [7, 8], "in/c.csv": [2]}
    assert [len(rows) for rows in world.table.contents] == [3, 3], "readers saw two contents, and nothing in between"
    assert last_job(world).state is JobState.DONE
    assert last_job(world).counts["rows"] == 3


def test_nothing_is_seen_before_the_last_task_is_staged() -> None:
    world = world_with(*KEYS)
    started(world)
    world.sweeping.turn(*world.queue.sweeps.pop())
    for hint in world.queue.loads[:-1]:
        world.load.task(*hint)
    world.commit.tasks(list(world.queue.commits))
    assert world.table.contents == []
    world.load.task(*world.queue.loads[-1])
    world.commit.tasks(world.queue.commits[-1:])
    assert len(world.table.contents) == 1


def test_an_empty_run_empties_the_table_or_leaves_it() -> None:
    for mode, left in (("replace", {}), ("replace_on_new_data", {"in/a.csv": [0]})):
        world = ran(world_with("in/a.csv", mode=mode))
        world.buckets.delete(world.buckets.latest[BUCKET, "in/a.csv"])
        ran(world)
        assert content(world) == left, mode
        assert last_job(world).state is JobState.DONE


def test_objects_without_rows_are_no_new_data() -> None:
    world = ran(world_with("in/a.csv", mode="replace_on_new_data"))
    world.put("in/a.csv", b"id\n", notify=0)
    ran(world)
    assert content(world) == {"in/a.csv": [0]}


def test_with_a_cursor_a_run_is_what_is_new() -> None:
    world = ran(world_with("in/a.csv", incremental=True))
    world.put("in/b.csv", csv(9), notify=0)
    ran(world)
    assert content(world) == {"in/b.csv": [9]}
    assert world.cursors.get("flights").last_path == "in/b.csv"


def test_notifications_do_not_load() -> None:
    world = world_with()
    for key in ("in/a.csv", "out/a.csv"):
        world.put(key, csv(1))
    world.run()
    assert content(world) == {}
    assert world.ledger.stored == {}
    assert world.metrics.totals["arrivals_off"] == 1


def test_a_replacing_pipeline_with_arrivals_is_refused() -> None:
    with pytest.raises(ConfigError, match="a single arrival would leave nothing else"):
        Pipeline.parse(replacing().document() | {"arrivals": True}, where="test")
    assert not replacing().takes_arrivals
    assert pipeline().takes_arrivals
    assert not Pipeline.parse(pipeline().document() | {"arrivals": False}, where="test").takes_arrivals


def test_a_run_with_a_broken_object_leaves_the_table_as_it_is() -> None:
    world = ran(world_with(*KEYS))
    before = content(world)
    world.put("in/b.csv", b"\x1f\x8bnot gzip at all", notify=0)
    ran(world)
    assert content(world) == before
    assert states(world)["in/a.csv"] == ("refused", Reason.RUN_INCOMPLETE)
    assert states(world)["in/b.csv"] == ("failed", Reason.BROKEN)
    assert last_job(world).state is JobState.FAILED
    assert (last_job(world).error or "").startswith("the table stays as it was, since in/b.csv was not loaded: ")
    assert "in/b.csv" in last_job(world).error
    world.put("in/b.csv", csv(5), notify=0)
    ran(world)
    assert content(world) == {"in/a.csv": [0], "in/b.csv": [5], "in/c.csv": [2]}


def test_a_run_that_may_not_read_leaves_the_table_as_it_is() -> None:
    world = ran(world_with(*KEYS))
    world.buckets.deny(BUCKET)
    ran(world)
    assert len(content(world)) == 3
    assert last_job(world).state is JobState.FAILED


def test_a_cursor_does_not_pass_what_no_run_could_bring() -> None:
    world = world_with("in/a.csv", "in/b.csv", incremental=True)
    world.table.refuses.add("in/b.csv")
    ran(world)
    assert content(world) == {}
    assert world.cursors.get("flights").last_path is None
    world.table.refuses.clear()
    ran(world)
    assert content(world) == {"in/a.csv": [0], "in/b.csv": [1]}
    assert world.cursors.get("flights").last_path == "in/b.csv"


def test_an_object_that_was_deleted_since_it_was_listed_is_rightly_left_out() -> None:
    world = world_with(*KEYS)
    started(world)
    world.sweeping.turn(*world.queue.sweeps.pop())
    world.buckets.delete(world.buckets.latest[BUCKET, "in/b.csv"])
    world.run()
    assert set(content(world)) == {"in/a.csv", "in/c.csv"}


@pytest.mark.parametrize(("skip", "there"), [(True, {"in/a.csv"}), (False, set())])
def test_an_archived_object_is_left_out_only_if_the_pipeline_says_so(skip: bool, there: set[str]) -> None:
    world = world_with("in/a.csv", "in/b.csv", skip_glacier_objects=skip)
    world.buckets.archive(world.buckets.latest[BUCKET, "in/b.csv"])
    ran(world)
    assert set(content(world)) == there


def test_a_run_that_was_cut_by_a_limit_is_not_the_whole_content() -> None:
    world = ran(world_with(*KEYS, total_file_count_limit=2))
    assert content(world) == {}
    assert "limit" in last_job(world).error


def test_a_cancelled_run_leaves_the_table_as_it_is() -> None:
    world = ran(world_with(*KEYS))
    started(world)
    assert world.sweeping.cancel("flights", SCHEDULED)
    world.run()
    assert len(content(world)) == 3
    started(world)
    world.sweeping.turn(*world.queue.sweeps.pop())
    world.run()
    assert len(world.table.contents) == 2


def test_a_run_whose_pipeline_changed_meanwhile_leaves_the_table_as_it_is() -> None:
    world = world_with(*KEYS)
    started(world)
    world.sweeping.turn(*world.queue.sweeps.pop())
    world.load.task(*world.queue.loads.pop(0))
    world.pipelines.put(pipeline(incremental=False, max_task_files=1))
    world.run()
    assert world.table.contents == []
    assert states(world)["in/a.csv"] == ("refused", Reason.RUN_INCOMPLETE)


def test_only_one_run_at_a_time_decides_what_the_table_holds() -> None:
    world = world_with(*KEYS)
    started(world)
    with pytest.raises(ConfigError, match="sweep is not over"):
        world.sweeping.backfill(world.pipelines.stored["flights"], "b", Bounds())
    world.run()
    world.sweeping.backfill(world.pipelines.stored["flights"], "b", Bounds(end_at="in/c.csv"))
    assert not world.sweep()
    world.run()
    assert set(content(world)) == {"in/a.csv", "in/b.csv"}
    assert world.sweeps.get("flights", BACKFILL + "b") is not None
    with pytest.raises(ConfigError, match="loaded in one run"):
        world.sweeping.backfill(world.pipelines.stored["flights"], "b", Bounds())


def test_bad_rows_of_an_object_are_set_aside_once_however_often_it_is_loaded() -> None:
    parser = {"type": "csv", "skip_header_lines": 1, "columns": [{"name": "id", "type": "long"}]}
    world = world_with(parser=parser)
    world.put("in/a.csv", b"id\n1\ntwo\n", notify=0)
    for _ in range(3):
        ran(world)
    assert content(world) == {"in/a.csv": [1]}
    assert world.set_aside() == {"in/a.csv": 1}


def test_more_tasks_than_one_commit_takes_are_one_change() -> None:
    world = ran(world_with(*(f"in/{number:03}.csv" for number in range(230))))
    assert len(content(world)) == 230
    assert len(world.table.contents) == 1
    assert Counter(state for state, _ in states(world).values()) == {"committed": 230}


def test_what_is_left_over_from_a_dead_run_is_not_loaded_by_itself() -> None:
    world = world_with(*KEYS)
    started(world)
    world.sweeping.turn(*world.queue.sweeps.pop())
    entry = world.ledger.stored["flights", "in/a.csv"]
    world.sweeping.cancel("flights", SCHEDULED)
    for task in list(world.jobs.stored):
        world.jobs.stored.pop(task)  # as if it had died between claiming and storing
    world.jobs.jobs = {id_: replace(job, unfinished=0, staging=0) for id_, job in world.jobs.jobs.items()}
    world.queue.loads.clear()
    world.run()
    assert entry.state == "claimed"
    assert content(world) == {}
    assert states(world)["in/a.csv"] == ("refused", Reason.RUN_INCOMPLETE)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(0, CALLS, 3))
def test_a_crash_at_any_call_changes_nothing_in_the_end(call: int, after: bool) -> None:
    world = ran(world_with(*KEYS))
    world.put("in/a.csv", csv(4, 5), notify=0)
    world.faults = Faults(frozenset({call}), after)
    world.now += timedelta(minutes=20)
    world.buckets.now = world.now
    for _ in range(3):
        if world._survives(lambda: world.sweep()):
            break
    world.run()
    assert content(world) == {"in/a.csv": [4, 5], "in/b.csv": [1], "in/c.csv": [2]}
    assert len(world.table.contents) == 2
    assert set(states(world).values()) == {("committed", None)}
    assert last_job(world).counts["rows"] == 4


def test_a_run_makes_as_many_calls_as_the_crashes_are_spread_over() -> None:
    world = ran(world_with(*KEYS))
    world.faults = Faults()
    ran(world)
    assert world.faults.calls >= CALLS

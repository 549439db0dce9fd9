"""Sweeps and backfills: the second and third way in, on one ledger with the first (P1, P2, P3)."""

from collections import Counter
from datetime import timedelta

import pytest

from chalicelib.core.jobs import JobState
from chalicelib.core.sweeps import SCHEDULED, Bounds, SweepState
from chalicelib.errors import AccessDenied, ConfigError
from tests.examples import BUCKET, START, pipeline
from tests.flows.world import Faults, World

CSV = b"id,name\n1,a\n2,b\n3,c\n"


def world_with(*keys: str, **source: object) -> World:
    """A bucket whose objects nobody announced."""
    world = World()
    world.pipelines.put(pipeline(**source))
    world.buckets.create(BUCKET)
    for key in keys:
        world.put(key, CSV, notify=0)
    world.now += timedelta(minutes=1)
    world.buckets.now = world.now
    return world


def swept(world: World, *, full: bool = False) -> World:
    world.now += timedelta(seconds=1)  # a session of its own
    world.buckets.now = world.now
    assert world.sweep(full=full)
    world.run()
    world.now += timedelta(minutes=10)
    world.buckets.now = world.now
    return world


def last_path(world: World) -> str | None:
    return world.cursors.get("flights").last_path


def test_a_sweep_loads_what_nobody_announced_and_moves_the_cursor() -> None:
    world = swept(world_with("in/a.csv", "in/b.csv", "out/c.csv"))
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}
    assert last_path(world) == "in/b.csv"
    sweep = world.sweeps.get("flights", SCHEDULED)
    assert sweep is not None
    assert (sweep.state, sweep.accepted, sweep.seen) == (SweepState.DONE, 2, 2)
    (job,) = world.jobs.jobs.values()
    assert (job.state, job.counts["rows"]) == (JobState.DONE, 6)


def test_the_next_sweep_lists_only_what_comes_after_the_cursor() -> None:
    world = swept(world_with(*(f"in/{number:04}.csv" for number in range(50))))
    world.buckets.listings = 0
    world.put("in/9999.csv", CSV, notify=0)
    swept(world)
    assert world.buckets.listings == 1
    assert world.loaded()["in/9999.csv"] == 3
    assert last_path(world) == "in/9999.csv"


def test_the_cursor_stays_where_it_is_if_nothing_matched() -> None:
    world = swept(world_with("in/b.csv"))
    world.put("in/c.txt", CSV, notify=0)
    world.pipelines.put(pipeline(suffix=".csv"))
    swept(world)
    assert last_path(world) == "in/b.csv"


def test_a_key_before_the_cursor_is_found_by_the_full_merge() -> None:
    world = swept(world_with("in/b.csv"))
    world.put("in/a.csv", CSV, notify=0)
    swept(world)
    assert world.loaded() == {"in/b.csv": 3}
    swept(world, full=True)
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}
    assert last_path(world) == "in/b.csv"


def test_notifications_sweep_and_full_sweep_together_load_once() -> None:
    world = world_with()
    refs = [world.put(f"in/{name}.csv", CSV) for name in "abcd"]
    assert world.sweep()
    world.run()
    world.notify(*refs)
    swept(world, full=True)
    assert world.loaded() == Counter({ref.key: 3 for ref in refs})


def test_what_arrivals_loaded_moves_the_cursor_too() -> None:
    world = world_with()
    world.put("in/a.csv", CSV)
    world.run()
    swept(world)
    assert last_path(world) == "in/a.csv"


def test_the_cursor_does_not_pass_an_object_that_another_job_holds() -> None:
    world = world_with("in/a.csv", "in/c.csv")
    world.put("in/b.csv", CSV)
    world.discover_all()
    held = world.queue.loads.copy()
    world.queue.loads.clear()
    assert world.sweep()
    for _ in range(3):
        turns, world.queue.sweeps[:] = list(world.queue.sweeps), []
        for turn in turns:
            world.sweeping.turn(*turn)
        loads, world.queue.loads[:] = list(world.queue.loads), []
        for hint in loads:
            world.load.task(*hint)
        world.commit.tasks(world.queue.commits)
        world.queue.commits.clear()
    assert last_path(world) == "in/a.csv"
    world.queue.loads += held
    world.run()
    swept(world)
    assert last_path(world) == "in/c.csv"
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3, "in/c.csv": 3}


def test_the_cursor_does_not_pass_what_was_denied() -> None:
    world = world_with("in/a.csv", "in/b.csv")

    class Refusing:
        def open(self, *args: object, **kwargs: object) -> object:
            raise AccessDenied("refused")

    world.reading = Refusing()
    swept(world)
    assert last_path(world) is None
    world.reading = None
    swept(world)
    assert last_path(world) == "in/b.csv"
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}


def test_by_time_the_window_ends_before_the_listing_and_late_objects_are_found_by_the_overlap() -> None:
    world = world_with("in/a.csv", use_modified_time=True)
    late = world.put("in/late.csv", CSV, notify=0)
    world.now += timedelta(minutes=1)
    world.buckets.hide(late, world.now + timedelta(minutes=5))
    upper = world.now + timedelta(seconds=1)
    swept(world)
    assert world.cursors.get("flights").last_modified_time == upper
    assert world.loaded() == {"in/a.csv": 3}
    world.now += timedelta(hours=1)
    swept(world)
    assert world.loaded() == {"in/a.csv": 3, "in/late.csv": 3}


def test_by_time_only_the_window_is_taken() -> None:
    world = world_with("in/old.csv", use_modified_time=True, last_modified_time="2026-11-22T12:00:30Z", overlap=0)
    world.put("in/new.csv", CSV, notify=0)
    world.now += timedelta(seconds=1)
    swept(world)
    assert world.loaded() == {"in/new.csv": 3}


@pytest.mark.parametrize("by_time", [False, True])
def test_a_limit_never_loses_the_rest(by_time: bool) -> None:
    keys = [f"in/{number:02}.csv" for number in range(7)]
    world = world_with(*keys, total_file_count_limit=3, use_modified_time=by_time)
    counts = []
    for _ in range(3):
        swept(world)
        counts.append(len(world.loaded()))
    assert counts == [3, 6, 7]
    assert world.loaded() == dict.fromkeys(keys, 3)


def test_a_byte_limit_never_loses_the_rest() -> None:
    keys = [f"in/{number:02}.csv" for number in range(6)]
    world = world_with(*keys, total_file_size_limit=2 * len(CSV))
    for _ in range(3):
        swept(world)
    assert world.loaded() == dict.fromkeys(keys, 3)


def test_a_second_trigger_while_one_runs_is_skipped_and_counted() -> None:
    world = world_with("in/a.csv")
    assert world.sweep()
    world.now += timedelta(seconds=1)
    assert not world.sweep()
    assert world.metrics.totals["SweepsSkipped"] == 1
    world.run()
    world.now += timedelta(seconds=1)
    assert world.sweep()


def test_archived_objects_are_recorded_and_loaded_after_their_restore() -> None:
    world = world_with("in/a.csv", "in/b.csv")
    frozen = world.put("in/c.csv", CSV, notify=0)
    world.buckets.archive(frozen)
    swept(world)
    (job,) = world.jobs.jobs.values()
    assert (job.state, "in/c.csv is archived" in str(job.error)) == (JobState.FAILED, True)
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}
    world.pipelines.put(pipeline(skip_glacier_objects=True))
    world.buckets.restore(frozen)
    swept(world, full=True)
    assert world.loaded()["in/c.csv"] == 3


def test_a_sweep_longer_than_a_turn_hands_itself_on() -> None:
    world = world_with(*(f"in/{number:04}.csv" for number in range(250)), max_task_files=50)

    class Slow:
        def page(self, *args: object, **kwargs: object) -> object:
            world.now += timedelta(minutes=4)
            return world.buckets.page(*args, **kwargs | {"limit": 100})  # type: ignore[arg-type]

    world.listing = Slow()
    assert world.sweep()
    world.run(rounds=40)
    sweep = world.sweeps.get("flights", SCHEDULED)
    assert sweep is not None
    assert sweep.turn > 1
    assert sweep.state is SweepState.DONE
    assert sum(world.loaded().values()) == 750


CALLS = 160


def test_a_sweep_makes_fewer_calls_than_the_crash_tests_try() -> None:
    world = crashing(-1, after=False)
    assert world.faults.calls < CALLS


def crashing(call: int, *, after: bool) -> World:
    world = world_with("in/a.csv", "in/b.csv", "in/c.csv", max_task_files=2)
    world.faults = Faults(frozenset({call}), after)
    world._survives(world.sweep)
    world.now += timedelta(seconds=1)
    for _ in range(2):
        world.run(rounds=60)
        world._survives(world.sweep)
        world.now += timedelta(seconds=1)
    world.run(rounds=60)
    return world


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(CALLS))
def test_a_crash_at_any_call_of_a_sweep_loses_nothing_and_doubles_nothing(call: int, after: bool) -> None:
    world = crashing(call, after=after)
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3, "in/c.csv": 3}
    assert last_path(world) == "in/c.csv"
    assert all(entry.state == "committed" for entry in world.ledger.stored.values())
    assert all(sweep.is_over for sweep in world.sweeps.stored.values())


def test_a_backfill_covers_its_bounds_only_and_its_name_is_used_once() -> None:
    world = world_with("in/a.csv", "in/b.csv", "in/c.csv", "in/d.csv")
    flights = world.pipelines.stored["flights"]
    world.sweeping.backfill(flights, "spring", Bounds(start_after="in/a.csv", end_at="in/d.csv"))
    world.run()
    assert world.loaded() == {"in/b.csv": 3, "in/c.csv": 3}
    assert last_path(world) is None
    with pytest.raises(ConfigError, match="it is done"):
        world.sweeping.backfill(flights, "spring", Bounds())


def test_a_cancelled_backfill_goes_on_where_it_was() -> None:
    world = world_with(*(f"in/{number}.csv" for number in range(6)), max_task_files=1)
    flights = world.pipelines.stored["flights"]
    world.sweeping.backfill(flights, "all", Bounds(), max_concurrent_tasks=2)
    (turn,) = world.queue.sweeps
    world.queue.sweeps.clear()
    world.sweeping.turn(*turn)
    assert world.sweeping.cancel("flights", turn[1])
    assert not world.sweeping.cancel("flights", turn[1])
    world.run()
    some = len(world.loaded())
    assert 0 < some < 6
    world.sweeping.backfill(flights, "all", Bounds())
    world.run(rounds=60)
    assert world.loaded() == {f"in/{number}.csv": 3 for number in range(6)}


def test_a_sweep_over_a_connection_that_fails_is_cancelled_with_the_reason() -> None:
    world = world_with("in/a.csv")
    world.buckets.refused.add("acme")
    assert world.sweep()
    world.run()
    (job,) = world.jobs.jobs.values()
    assert job.state is JobState.FAILED
    assert "refused" in str(job.error)
    world.buckets.refused.clear()
    swept(world)
    assert world.loaded() == {"in/a.csv": 3}


def test_a_start_position_is_where_the_first_sweep_begins() -> None:
    world = swept(world_with("in/a.csv", "in/b.csv", last_path="in/a.csv"))
    assert world.loaded() == {"in/b.csv": 3}
    assert world.now > START


@pytest.mark.parametrize("by_time", [False, True])
def test_an_overwrite_within_the_same_second_is_found_by_the_full_merge(by_time: bool) -> None:
    """E4, E5: the listing shows a time that is not after the one that the notification told."""
    world = world_with(use_modified_time=by_time)
    world.now += timedelta(milliseconds=250)
    world.put("in/a.csv", CSV)
    world.run()
    world.put("in/a.csv", b"id,name\n9,z\n", notify=0)
    swept(world, full=True)
    assert sorted(row["id"] for row in world.table.rows) == [1, 2, 3, 9]
    swept(world, full=True)
    assert len(world.table.rows) == 4


def test_a_listing_that_an_overwrite_outran_does_not_bring_the_old_content_back() -> None:
    world = world_with("in/a.csv")

    class Outrun:
        def page(self, *args: object, **kwargs: object) -> object:
            page = world.buckets.page(*args, **kwargs)  # type: ignore[arg-type]
            if world.buckets.listings == 1:
                world.now += timedelta(seconds=2)
                world.put("in/a.csv", b"id,name\n9,z\n")
                for _ in range(3):
                    world.discover_all()
                    for hint in world.queue.loads[:]:
                        world.queue.loads.remove(hint)
                        world.load.task(*hint)
                    world.commit.tasks(world.queue.commits)
                    world.queue.commits.clear()
            return page

    world.listing = Outrun()
    swept(world, full=True)
    assert [row["id"] for row in world.table.rows] == [9]
    world.listing = None
    swept(world, full=True)
    assert [row["id"] for row in world.table.rows] == [9]

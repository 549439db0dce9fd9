"""A dry run says what the backfill then does, and writes nothing."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core.ledger import Entry, State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import Bounds, SweepState
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.estimate import BYTES_PER_SECOND, Estimate, Estimating
from tests.examples import BUCKET, START, pipeline
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n3,c\n"


def world_with(*keys: str, **source: Any) -> World:
    world = World()
    world.pipelines.put(pipeline(**source))
    world.buckets.create(BUCKET)
    for key in keys:
        world.put(key, CSV, notify=0)
    return world


def estimated(world: World, bounds: Bounds | None = None, **options: Any) -> Estimate:
    admin = Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)
    return Estimating(admin, world.buckets, world.ledger, world.clock).estimate(
        "flights", bounds or Bounds(), **options
    )


@pytest.mark.parametrize(
    ("source", "bounds"),
    [
        ({}, Bounds()),
        ({}, Bounds(start_after="in/0003", end_at="in/2100")),
        ({}, Bounds(prefix="in/1")),
        ({"max_task_files": 7, "exclude": ["**/*5"]}, Bounds(prefix="in/00")),
        ({"min_task_size": 10 * len(CSV)}, Bounds()),
        ({"total_file_count_limit": 1500}, Bounds()),
        ({"total_file_size_limit": 100 * len(CSV)}, Bounds()),
    ],
)
def test_the_backfill_does_what_was_estimated(source: dict[str, Any], bounds: Bounds) -> None:
    world = world_with(*(f"in/{number:04}" for number in range(2500)), **source)
    estimate = estimated(world, bounds)
    assert (world.ledger.stored, world.jobs.jobs, world.sweeps.stored, world.queue.sweeps) == ({}, {}, {}, [])
    sweep = world.sweeping.backfill(world.pipelines.stored["flights"], "all", bounds)
    world.sweeping.turn("flights", sweep.name)
    done = world.sweeps.get("flights", sweep.name)
    assert done is not None
    assert done.state is SweepState.DRAINING
    assert (estimate.objects, estimate.bytes, done.cut) == (done.accepted, done.accepted_bytes, False)
    assert estimate.tasks == world.jobs.jobs[sweep.job].tasks
    assert estimate.objects > 0


def test_what_is_loaded_already_or_set_aside_is_told_apart() -> None:
    world = world_with()
    for key in ("in/a.csv", "in/b.csv"):
        world.put(key, CSV)
    world.run()
    world.put("in/c.csv", CSV, notify=0)
    broken = world.put("in/d.csv", CSV, notify=0)
    failed = Entry("flights", broken, State.FAILED, START, reason=Reason.BROKEN, revision=1)
    denied = Entry(
        "flights", world.put("in/e.csv", CSV, notify=0), State.REFUSED, START, reason=Reason.DENIED, revision=1
    )
    world.ledger.swap([failed, denied])
    world.put("in/", b"", notify=0)
    world.buckets.archive(world.put("in/z.csv", CSV, notify=0))
    found = estimated(world)
    assert (found.listed, found.objects, found.tasks) == (7, 2, 1)
    assert found.skipped == {"already_loaded": 2, "broken": 1}
    assert found.refused == {"folder": 1, "archived": 1}


def test_another_content_counts_whatever_its_time() -> None:
    world = world_with()
    world.put("in/a.csv", CSV)
    world.run()
    world.now -= timedelta(hours=1)
    world.put("in/a.csv", b"id,name\n9,z\n", notify=0)
    world.now += timedelta(hours=2)
    assert estimated(world).objects == 1
    world.sweeping.backfill(world.pipelines.stored["flights"], "all", Bounds())
    world.run()
    assert world.loaded()["in/a.csv"] == 4
    assert estimated(world).skipped == {"already_loaded": 1}


def test_what_another_job_holds_is_left_to_it() -> None:
    world = world_with()
    world.put("in/a.csv", CSV)
    world.discover_all()
    assert estimated(world).skipped == {"held": 1}


def test_the_window_ends_before_its_end() -> None:
    world = world_with("in/a.csv")
    world.now += timedelta(hours=1)
    world.put("in/b.csv", CSV, notify=0)
    late = Bounds(modified_after=world.now)
    assert (estimated(world, late).objects, dict(estimated(world, late).refused)) == (1, {"outside_window": 1})
    assert estimated(world, Bounds(modified_before=world.now)).objects == 1
    assert estimated(world, Bounds(modified_after=START, modified_before=world.now)).bytes == len(CSV)


def test_the_time_follows_from_bytes_and_tasks_at_once() -> None:
    world = world_with(min_task_size=1, max_task_files=1)
    for number in range(8):
        ref = ObjectRef(BUCKET, f"in/{number}", "e", BYTES_PER_SECOND * 60, START)
        world.buckets.latest[BUCKET, ref.key] = ref
    assert estimated(world).seconds == 60
    assert estimated(world, max_concurrent_tasks=2).seconds == 240
    assert estimated(world).calls == 1


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        (Bounds(prefix="out/"), "takes nothing under"),
        (Bounds(start_after="in/b", end_at="in/b"), "hold nothing"),
        (Bounds(modified_after=START, modified_before=START), "hold nothing"),
    ],
)
def test_bounds_that_hold_nothing_are_refused(bounds: Bounds, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        estimated(world_with("in/a.csv"), bounds)

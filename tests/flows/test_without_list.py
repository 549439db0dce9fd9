"""Customers who give no s3:ListBucket: notifications and single keys load, and all that lists says so (F7)."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core.sweeps import SCHEDULED, Bounds, Sweep
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.estimate import Estimating
from chalicelib.flows.explain import Explaining
from chalicelib.flows.guess import Guessing
from chalicelib.flows.preview import Previewing
from tests.examples import BUCKET, START, grant, pipeline
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
NO_LIST = r"connection acme was given no s3:ListBucket: notifications and single keys work, sweeps do not"


def world_with(**source: Any) -> World:
    made = World()
    made.connections.put(grant(can_list=False))
    made.pipelines.put(pipeline(**source))
    made.put("in/a.csv", CSV, notify=0)
    made.put("in/b.csv", CSV, notify=0)
    return made


def admin_of(world: World) -> Admin:
    return Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)


def preview(world: World, **options: Any) -> list[str]:
    flow = Previewing(admin_of(world), world.buckets, world.buckets, lambda name: name.encode(), lambda: START)
    return flow.preview(world.pipelines.stored["flights"], **options).sampled


def guess(world: World, **source: Any) -> int:
    written = {"bucket": BUCKET, "path_prefix": "in/"} | source
    found = Guessing(admin_of(world), world.buckets, world.buckets).guess({"connection": "acme", "in": written})
    return len(found.taken)


def estimate(world: World) -> int:
    flow = Estimating(admin_of(world), world.buckets, world.ledger, world.clock)
    return flow.estimate("flights", Bounds()).objects


def last_sweep(world: World) -> Sweep:
    found = world.sweeps.get("flights", SCHEDULED)
    assert found is not None
    assert found.is_over
    return found


def test_notifications_load_without_a_single_listing() -> None:
    world = world_with()
    world.put("in/c.csv", CSV)
    world.run()
    assert world.loaded() == {"in/c.csv": 3}
    assert world.buckets.listings == 0


def test_a_sweep_is_refused_before_it_begins() -> None:
    world = world_with()
    with pytest.raises(ConfigError, match=NO_LIST):
        world.sweep()
    with pytest.raises(ConfigError, match=NO_LIST):
        world.sweeping.backfill(pipeline(), "all", Bounds())
    assert (world.sweeps.stored, world.jobs.jobs) == ({}, {})


def test_a_sweep_that_had_begun_ends_with_the_reason() -> None:
    world = world_with()
    world.connections.put(grant())
    world.sweep()
    world.connections.put(grant(can_list=False))
    world.run()
    assert "no s3:ListBucket" in (last_sweep(world).error or "")
    assert world.loaded() == {}


@pytest.mark.parametrize("by", ["run", "backfill"])
@pytest.mark.parametrize("again", [False, True])
def test_one_named_key_is_loaded_by_hand_and_once(by: str, again: bool) -> None:
    world = world_with(path="in/a.csv")
    for number in range(1 + again):
        if by == "run":
            assert world.sweep(full=again)
        else:
            world.sweeping.backfill(world.pipelines.stored["flights"], f"number {number}", Bounds())
        world.run()
    assert world.loaded() == {"in/a.csv": 3}
    assert world.buckets.listings == 0


def test_a_named_key_that_changed_is_loaded_anew() -> None:
    world = world_with(path="in/a.csv")
    world.sweep()
    world.run()
    world.put("in/a.csv", b"id,name\n9,z\n", notify=0)
    world.sweep()
    world.run()
    assert world.loaded() == {"in/a.csv": 4}  # on_overwrite: append


def test_a_named_key_that_is_not_there_ends_its_run_with_the_refusal() -> None:
    world = world_with(path="in/x.csv")
    world.sweep()
    world.run()
    assert "in/x.csv" in (last_sweep(world).error or "")


def test_what_looks_at_many_keys_says_that_it_cannot() -> None:
    world = world_with()
    for look in (preview, guess, estimate):
        with pytest.raises(ConfigError, match=NO_LIST):
            look(world)
    assert world.buckets.listings == 0


def test_what_looks_at_one_key_works() -> None:
    world = world_with(path="in/a.csv")
    assert preview(world) == ["s3://acme-exports/in/a.csv"]
    assert preview(world, key="in/b.csv") == ["s3://acme-exports/in/b.csv"]
    assert guess(world, path="in/a.csv") == 1
    assert estimate(world) == 1
    found = Explaining(admin_of(world), world.buckets, world.ledger, world.cursors).explain("flights", "in/a.csv")
    assert (found.trouble, found.listed is not None) == (None, True)
    assert world.buckets.listings == 0


@pytest.mark.parametrize("refused", [False, True])
def test_a_failing_connection_without_denied_objects_is_tried_by_its_role_alone(refused: bool) -> None:
    world = world_with()
    world.buckets.deny(BUCKET)
    world.put("in/c.csv", CSV)
    world.run()
    assert world.health.get("acme").failing_since is not None
    world.ledger.stored.clear()
    if refused:
        world.buckets.refused.add("acme")
    for _ in range(90):
        world.now += timedelta(minutes=1)
        world.revalidate.tick()
    assert (world.health.get("acme").failing_since is not None) is refused
    assert world.buckets.listings == 0

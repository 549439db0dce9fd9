"""Every door that lists or reads refuses what lies outside a connection that was narrowed or given away (F17).

The pipeline is older than the connection's limits: it was applied when they were wider.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import Bounds, SweepState
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.audit import Auditing
from chalicelib.flows.estimate import Estimating
from chalicelib.flows.explain import Explaining
from chalicelib.flows.guess import Guessing
from chalicelib.flows.preview import Previewing
from chalicelib.flows.rehearse import Rehearsing
from chalicelib.flows.replay import Chosen, Replaying
from tests.examples import BUCKET, START, grant, pipeline
from tests.flows.test_removals import KEYS, delete, loaded
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n"
LIMITS: list[dict[str, Any]] = [{"prefixes": ["in/allowed/"]}, {"buckets": ["another"]}, {"owner": "alice"}]
limited = pytest.mark.parametrize("limits", LIMITS, ids=["prefix", "bucket", "owner"])


def secret(name: str) -> bytes:
    raise AssertionError(name)


def narrowed(limits: dict[str, Any]) -> World:
    """A world whose connection was narrowed after the pipeline was applied; one object lies in it."""
    world = World()
    world.put("in/a.csv", CSV, notify=0)
    world.connections.put(grant(**limits))
    return world


def asked(world: World) -> int:
    return len(world.buckets.opened) + world.buckets.listings


def admin(world: World) -> Admin:
    return Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)


def flights(world: World) -> Pipeline:
    return admin(world).pipeline("flights")


def estimate(world: World) -> Any:
    return Estimating(admin(world), world.buckets, world.ledger, world.clock).estimate("flights", Bounds())


def audit(world: World) -> Any:
    auditing = Auditing(admin(world), world.buckets, world.ledger, world.jobs, lambda _: world.table, world.clock)
    return auditing.audit("flights")


def preview(world: World) -> Any:
    return Previewing(admin(world), world.buckets, world.buckets, secret, world.clock).preview(flights(world))


def preview_one(world: World) -> Any:
    previewing = Previewing(admin(world), world.buckets, world.buckets, secret, world.clock)
    return previewing.preview(flights(world), key="in/a.csv")


def guess(world: World) -> Any:
    seed = {"connection": "acme", "in": {"bucket": BUCKET, "path_prefix": "in/"}}
    return Guessing(admin(world), world.buckets, world.buckets).guess(seed)


def run(world: World) -> Any:
    return world.sweeping.trigger(flights(world), START)


def backfill(world: World) -> Any:
    return world.sweeping.backfill(flights(world), "b1", Bounds())


DOORS = (estimate, audit, preview, preview_one, guess, run, backfill)


@limited
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_door_that_somebody_waits_at_refuses_before_it_asks_aws(
    limits: dict[str, Any], door: Callable[[World], Any]
) -> None:
    world = narrowed(limits)
    with pytest.raises(ConfigError, match="connection acme is for"):
        door(world)
    assert asked(world) == 0


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_the_same_door_opens_without_limits(door: Callable[[World], Any]) -> None:
    door(narrowed({}))


@limited
def test_an_arrival_outside_is_denied_without_a_call(limits: dict[str, Any]) -> None:
    world = narrowed(limits)
    world.put("in/a.csv", CSV)
    world.run()
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert entry.reason is Reason.DENIED
    assert "connection acme is for" in str(entry.error)
    assert asked(world) == 0
    assert world.health.get("acme").failing_since is None, "the customer did not refuse us"


@limited
def test_an_object_that_is_large_enough_to_be_divided_is_not_even_looked_at(limits: dict[str, Any]) -> None:
    world = narrowed(limits)
    world.pipelines.put(pipeline(split_size=4))
    world.put("in/a.csv", CSV)
    world.run()
    assert world.ledger.stored["flights", "in/a.csv"].reason is Reason.DENIED
    assert asked(world) == 0


@limited
def test_what_was_denied_outside_is_not_tried_again_until_it_is_inside(limits: dict[str, Any]) -> None:
    world = narrowed(limits)
    world.put("in/a.csv", CSV)
    world.run()
    world.now += timedelta(hours=1)
    world.revalidate.tick()
    world.run()
    assert asked(world) == 0
    world.connections.put(grant())
    world.revalidate.tick()
    world.run()
    assert world.ledger.stored["flights", "in/a.csv"].reason is None


@limited
def test_a_run_that_is_narrowed_on_its_way_ends_with_the_reason_and_lists_nothing(limits: dict[str, Any]) -> None:
    world = narrowed({})
    world.sweeping.trigger(flights(world), START)
    world.connections.put(grant(**limits))
    world.run()
    (sweep,) = world.sweeps.all("flights")
    assert sweep.state is SweepState.CANCELLED
    job = world.jobs.job(sweep.job)
    assert job is not None
    assert "connection acme is for" in str(job.error)
    assert asked(world) == 0


def test_a_backfill_may_stay_within_what_is_allowed() -> None:
    world = narrowed({"prefixes": ["in/allowed/"]})
    world.put("in/allowed/b.csv", CSV, notify=0)
    with pytest.raises(ConfigError, match="connection acme is for"):
        world.sweeping.backfill(flights(world), "wide", Bounds(prefix="in/other/"))
    world.sweeping.backfill(flights(world), "narrow", Bounds(prefix="in/allowed/"))
    world.run()
    assert set(world.ledger.stored) == {("flights", "in/allowed/b.csv")}
    assert world.ledger.stored["flights", "in/allowed/b.csv"].reason is None


@limited
def test_a_replay_outside_is_refused_and_its_rows_stay(limits: dict[str, Any]) -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.run()
    before = world.ledger.stored["flights", "in/a.csv"]
    world.connections.put(grant(**limits))
    rehearsing = Rehearsing(world.pipelines, world.buckets, secret, world.clock)
    replaying = Replaying(admin(world), world.ledger, world.jobs, world.discover, rehearsing, world.clock)
    calls = asked(world)
    for door in (replaying.start, replaying.estimate):
        with pytest.raises(ConfigError, match="connection acme is for"):
            door("flights", Chosen(key="in/a.csv"))
    assert world.ledger.stored["flights", "in/a.csv"] == before
    assert asked(world) == calls


@limited
def test_a_key_outside_is_explained_without_a_look(limits: dict[str, Any]) -> None:
    world = narrowed(limits)
    told = Explaining(admin(world), world.buckets, world.ledger, world.cursors).explain("flights", "in/a.csv")
    assert "connection acme is for" in str(told.trouble)
    assert asked(world) == 0


@limited
def test_rows_stay_while_nobody_may_look_whether_their_object_is_gone(limits: dict[str, Any]) -> None:
    world, refs = loaded()
    delete(world, refs["in/a.csv"])
    world.connections.put(grant(**limits))
    calls = asked(world)
    world.run(5)
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert asked(world) == calls
    assert world.metrics.totals["TickTroubles"] > 0
    world.connections.put(grant())
    world.run()
    assert world.loaded() == {"in/b.csv": 2}

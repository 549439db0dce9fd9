"""Access that is lost and comes back: little is tried, nothing is lost, nothing is doubled (F13, P6, W15)."""

from datetime import timedelta

import pytest

from chalicelib.core.health import MAX_TRIES
from chalicelib.core.ledger import State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.errors import AccessDenied
from chalicelib.flows.revalidate import TRIAL
from tests.examples import BUCKET, grant, pipeline
from tests.flows.world import Faults, World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
MINUTE = timedelta(minutes=1)


def refusing(*keys: str) -> World:
    """A world whose role refuses us while these objects arrive."""
    world = World()
    world.buckets.refused.add("acme")
    for key in keys:
        world.put(key, CSV)
    world.run()
    return world


def pass_(world: World, minutes: int) -> None:
    """Let time pass, minute by minute, with a tick and all messages at each."""
    for _ in range(minutes):
        world.now += MINUTE
        world.run()


def calls(world: World) -> int:
    """How often AWS was asked for anything over a connection."""
    return len(world.buckets.opened) + world.buckets.listings


def reason(world: World, key: str) -> str:
    return str(world.ledger.stored["flights", key].reason)


def denying(*keys: str) -> object:
    """Buckets that deny these objects by themselves, as a KMS key or an object's owner may."""

    class Denying:
        def __init__(self, world: World) -> None:
            self.world = world

        def open(self, allowed: object, ref: ObjectRef, **more: object) -> object:
            if ref.key in keys:
                self.world.buckets.opened.append((allowed, ref, "denied"))  # type: ignore[arg-type]
                raise AccessDenied("refused", where=str(ref))
            return self.world.buckets.open(allowed, ref, **more)  # type: ignore[arg-type]

    return Denying


def test_a_role_that_refuses_is_asked_once_whatever_arrives() -> None:
    world = refusing("in/a.csv", "in/b.csv")
    assert calls(world) == 1
    for number in range(20):
        world.put(f"in/{number:02}.csv", CSV)
    world.run()
    assert calls(world) == 1
    assert {entry.reason for entry in world.ledger.stored.values()} == {Reason.DENIED}
    assert "is failing since 2026-11-22 12:00:00 UTC" in str(world.ledger.stored["flights", "in/19.csv"].error)


def test_it_is_tried_again_after_pauses_that_double_up_to_an_hour() -> None:
    world = refusing("in/a.csv", "in/b.csv")
    tried = []
    for minute in range(1, 260):
        before = calls(world)
        pass_(world, 1)
        tried += [minute] * (calls(world) - before)
    assert tried == [1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_it_is_told_once_however_long_it_lasts() -> None:
    world = refusing("in/a.csv")
    for hour in range(12):
        world.put(f"in/{hour}.csv", CSV)
        pass_(world, 60)
    assert world.metrics.totals["ConnectionsFailing"] == 1


@pytest.mark.parametrize("minutes", [0, 1, 40, 24 * 60])
def test_when_access_is_back_all_that_was_denied_is_loaded_by_itself_and_once(minutes: int) -> None:
    keys = [f"in/{number:02}.csv" for number in range(25)]
    world = refusing(*keys[:20])
    pass_(world, minutes)
    for key in keys[20:]:
        world.put(key, CSV)
    world.run()
    world.buckets.refused.clear()
    pass_(world, 62)
    assert world.loaded() == dict.fromkeys(keys, 3)
    assert {entry.state for entry in world.ledger.stored.values()} == {State.COMMITTED}
    assert world.metrics.totals["ConnectionsFailing"] == 1


def test_a_bucket_that_denies_everything_is_a_connection_that_fails() -> None:
    world = World()
    world.buckets.deny(BUCKET)
    world.put("in/a.csv", CSV)
    world.run()
    world.put("in/b.csv", CSV)
    world.run()
    assert calls(world) == 1
    world.buckets.denied.clear()
    pass_(world, 2)
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}


def test_a_trial_asks_for_ten_objects_at_most() -> None:
    world = World()
    world.buckets.deny(BUCKET)
    for number in range(40):
        world.put(f"in/{number:02}.csv", CSV)
    world.run()
    before = calls(world)
    pass_(world, 1)
    assert calls(world) == before + TRIAL == 11


def test_a_second_outage_is_told_again_and_begins_with_a_minute() -> None:
    world = refusing("in/a.csv")
    pass_(world, 100)
    world.buckets.refused.clear()
    pass_(world, 62)
    world.buckets.refused.add("acme")
    world.put("in/b.csv", CSV)
    world.run()
    assert world.metrics.totals["ConnectionsFailing"] == 2
    world.buckets.refused.clear()
    pass_(world, 2)
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}


def test_if_nothing_waits_one_listing_tells_whether_access_is_back() -> None:
    world = refusing("in/a.csv")
    world.ledger.stored.clear()
    pass_(world, 1)
    assert (world.buckets.listings, world.health.get("acme").tries) == (1, 1)
    world.buckets.refused.clear()
    pass_(world, 2)
    assert world.health.get("acme").failing_since is None
    world.put("in/b.csv", CSV)
    world.run()
    assert world.loaded() == {"in/b.csv": 3}


def test_one_object_that_is_denied_beside_others_does_not_mark_the_connection() -> None:
    world = World()
    world.reading = denying("in/b.csv")(world)  # type: ignore[operator]
    refs = [world.put(f"in/{name}.csv", CSV, notify=0) for name in "abc"]
    world.notify(*refs)
    world.run()
    assert world.loaded() == {"in/a.csv": 3, "in/c.csv": 3}
    assert reason(world, "in/b.csv") == "denied"
    pass_(world, 600)
    assert world.health.get("acme").failing_since is None
    assert world.metrics.totals["ConnectionsFailing"] == 0
    assert world.ledger.stored["flights", "in/b.csv"].attempts == MAX_TRIES


def test_an_object_that_is_denied_for_ever_is_left_alone_in_the_end_and_stays_visible() -> None:
    world = World()
    world.reading = denying("in/b.csv")(world)  # type: ignore[operator]
    for hour in range(24):
        world.put(f"in/{hour:02}.csv", CSV)
        if hour == 0:
            world.put("in/b.csv", CSV)
        pass_(world, 60)
    tries = [ref.key for _, ref, _ in world.buckets.opened].count("in/b.csv")
    assert tries == world.ledger.stored["flights", "in/b.csv"].attempts
    pass_(world, 600)
    assert [ref.key for _, ref, _ in world.buckets.opened].count("in/b.csv") == tries
    assert tries == MAX_TRIES
    assert world.metrics.totals["ConnectionsFailing"] <= 1, "at first it is not known whose fault it is"
    assert reason(world, "in/b.csv") == "denied"
    assert len(world.loaded()) == 24


def test_objects_that_are_denied_for_ever_do_not_stand_before_those_that_are_not() -> None:
    doomed = [f"in/a{number:03}.csv" for number in range(30)]
    world = World()
    world.reading = denying(*doomed)(world)  # type: ignore[operator]
    for key in doomed:
        world.put(key, CSV)
    pass_(world, 2)
    world.put("in/z.csv", CSV)
    pass_(world, 2)
    assert world.loaded() == {"in/z.csv": 3}


def test_a_bucket_that_is_denied_for_ever_does_not_stand_before_another_of_its_connection() -> None:
    world = World()
    world.pipelines.put(pipeline("another", bucket="acme-denied"))
    world.buckets.put("acme-denied", "in/x.csv", CSV)
    world.buckets.deny("acme-denied")
    world.notify(world.buckets.latest["acme-denied", "in/x.csv"])
    world.run()
    world.put("in/a.csv", CSV)
    world.run()
    assert not world.loaded()
    pass_(world, 4)
    assert world.loaded() == {"in/a.csv": 3}


def test_two_connections_do_not_disturb_each_other() -> None:
    world = World()
    world.connections.add(grant(name="other"))
    flights = pipeline("beside", bucket="other-exports").model_copy(update={"connection": "other"})
    world.pipelines.put(flights)
    world.buckets.refused.add("acme")
    world.put("in/a.csv", CSV)
    world.notify(world.buckets.put("other-exports", "in/b.csv", CSV))
    world.run()
    assert world.loaded() == {"in/b.csv": 3}
    assert world.health.get("other").failing_since is None
    world.notify(world.buckets.put("other-exports", "in/c.csv", CSV))
    pass_(world, 30)
    assert world.loaded() == {"in/b.csv": 3, "in/c.csv": 3}


def test_what_our_own_connection_is_not_for_is_not_tried_until_it_is_widened() -> None:
    world = World()
    world.connections.stored["acme"] = grant(prefixes=("else/",))
    world.put("in/a.csv", CSV)
    world.run()
    assert reason(world, "in/a.csv") == "denied"
    pass_(world, 30)
    assert calls(world) == 0
    assert world.ledger.stored["flights", "in/a.csv"].attempts == 1
    world.connections.stored["acme"] = grant()
    pass_(world, 1)
    assert world.loaded() == {"in/a.csv": 3}


def test_a_connection_that_nobody_uses_is_not_tried() -> None:
    world = refusing("in/a.csv")
    world.pipelines.remove("flights")
    pass_(world, 200)
    assert calls(world) == 1


CALLS = 130  # more than an outage of two objects makes; the test below says so


def outage(call: int, *, after: bool) -> World:
    world = refusing("in/a.csv", "in/b.csv")
    world.faults = Faults(frozenset({call}), after)
    pass_(world, 3)
    world.buckets.refused.clear()
    pass_(world, 20)
    return world


def test_an_outage_makes_fewer_calls_than_the_crash_tests_try() -> None:
    made = []
    world = refusing("in/a.csv", "in/b.csv")
    world.faults = Faults()
    pass_(world, 3)
    made.append(world.faults.calls)
    world.buckets.refused.clear()
    while set(world.loaded()) != {"in/a.csv", "in/b.csv"}:
        pass_(world, 1)
    assert made[0] < world.faults.calls < CALLS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(CALLS))
def test_a_crash_at_any_call_of_an_outage_loses_nothing_and_doubles_nothing(call: int, after: bool) -> None:
    world = outage(call, after=after)
    assert world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}
    assert {entry.state for entry in world.ledger.stored.values()} == {State.COMMITTED}
    assert world.health.get("acme").failing_since is None
    assert all(task.is_over for task in world.jobs.stored.values())


def test_a_trial_that_takes_longer_than_the_pause_still_counts() -> None:
    """Between its start and its end another trial has begun; that something was read is true all the same."""
    world = refusing(*(f"in/{n:03}.csv" for n in range(200)))
    world.buckets.refused.clear()

    class Slow:
        def open(self, *args: object, **kwargs: object) -> object:
            body = world.buckets.open(*args, **kwargs)  # type: ignore[arg-type]
            world.now += timedelta(seconds=90)
            world.revalidate.tick()
            return body

    world.reading = Slow()
    world.now += MINUTE
    world.revalidate.tick()
    (hint,) = world.queue.loads
    world.queue.loads.clear()
    world.load.task(*hint)
    assert world.health.get("acme").failing_since is None

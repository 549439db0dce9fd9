"""A way in that is shut while objects are read (F10, F13)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.aws.customers.buckets import Buckets
from chalicelib.core.ledger import State
from chalicelib.core.selection import Reason
from chalicelib.errors import AccessDenied, CredentialsExpired, RoleNotAssumable, TidegateError
from tests.examples import grant
from tests.fakes.gate import Gate
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
LONG = b"id,name\n" + b"".join(b"%d,name\n" % number for number in range(3000))
KEYS = ["in/0.csv", "in/1.csv", "in/2.csv"]
ROLE = "arn:aws:iam::222222222222:role/reader"
ENDED = CredentialsExpired("the session keys ended", where="connection acme", remedy="Paste new ones")
REFUSED = RoleNotAssumable("refused", where="role")


class Refusing:
    """Buckets that raise at the opening of one object, and of each one after it."""

    def __init__(self, world: World, key: str, error: TidegateError) -> None:
        self.world, self.key, self.error = world, key, error
        self.opened: list[str] = []

    def open(self, grant: Any, ref: Any, *, prefix: str) -> Any:
        self.opened.append(ref.key)
        if ref.key >= self.key:
            raise self.error
        return self.world.buckets.open(grant, ref, prefix=prefix)


def lost(error: TidegateError, at: str) -> tuple[World, Refusing]:
    """Three objects in one task; the way in is shut at one of them."""
    world = World()
    world.notify(*(world.put(key, CSV, notify=0) for key in KEYS))
    world.reading = refusing = Refusing(world, at, error)
    world.run()
    return world, refusing


@pytest.mark.parametrize("error", [REFUSED, ENDED])
def test_a_way_in_that_is_shut_between_two_objects_keeps_what_was_read(error: TidegateError) -> None:
    world, refusing = lost(error, "in/1.csv")
    assert refusing.opened == ["in/0.csv", "in/1.csv"], "it is not asked for again"
    assert world.loaded() == {"in/0.csv": 3}
    reasons = {key: entry.reason for (_, key), entry in world.ledger.stored.items() if entry.state is State.REFUSED}
    assert reasons == {"in/1.csv": Reason.DENIED, "in/2.csv": Reason.DENIED}


@pytest.mark.parametrize("error", [REFUSED, ENDED])
@pytest.mark.parametrize("at", KEYS[:2])
def test_the_connection_is_failing_then_and_says_why(error: TidegateError, at: str) -> None:
    world, _ = lost(error, at)
    health = world.health.get("acme")
    assert health.failing_since is not None
    assert error.what in str(health.reason)
    assert world.metrics.totals["ConnectionsFailing"] == 1


def test_one_object_that_is_denied_among_others_is_no_lost_connection() -> None:
    world, _ = lost(AccessDenied("refused"), "in/1.csv")
    assert world.health.get("acme").failing_since is None


def test_when_the_way_in_is_open_again_the_rest_is_loaded_once() -> None:
    world, _ = lost(ENDED, "in/1.csv")
    world.reading = None
    for _ in range(3):
        world.now += timedelta(minutes=2)
        world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 3)
    assert world.health.get("acme").failing_since is None
    assert world.metrics.totals["ConnectionsFailing"] == 1


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(data=LONG)
    monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
    yield gate
    gate.close()


def through(gate: Gate, meanwhile: Callable[[int], None]) -> World:
    """One long object that is read through the real clients, with something happening before each request."""
    world = World()
    world.connections.put(grant(bucket_owner="any", duration_in_seconds=900))
    gate.meanwhile = meanwhile
    world.reading = Buckets(gate.sessions(), gate.url, part=1000)
    world.put("in/long.csv", LONG)
    world.run()
    return world


def test_an_object_that_outlasts_its_session_is_loaded_whole(gate: Gate) -> None:
    world = through(gate, lambda _: gate.passes(2))
    assert world.loaded() == {"in/long.csv": 3000}
    assert len(set(gate.used)) >= 3
    assert gate.refused == 0


@pytest.mark.parametrize("how", ["the renewal is refused", "the session is ended", "S3 denies"])
def test_access_that_is_lost_in_the_middle_of_an_object_leaves_none_of_its_rows(gate: Gate, how: str) -> None:
    def lose(number: int) -> None:
        gate.passes(2)
        if number < 5:
            return
        if how == "S3 denies":
            gate.denies = True
            return
        gate.refuses[ROLE] = (403, "AccessDenied")
        if how == "the session is ended":
            gate.ends["KEY1"] = gate.now

    world = through(gate, lose)
    assert 5 <= len(gate.used) < 20, "it was in the middle of it"
    assert world.loaded() == {}
    [entry] = world.ledger.stored.values()
    assert (entry.state, entry.reason) == (State.REFUSED, Reason.DENIED)
    health = world.health.get("acme")
    assert health.failing_since is not None
    assert ("S3 refused" if how == "S3 denies" else "STS refused the role") in str(health.reason)

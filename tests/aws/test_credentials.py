"""Credentials that renew themselves, and what is kept of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from botocore.credentials import ReadOnlyCredentials

from chalicelib.aws.customers.credentials import Held, Renewing
from chalicelib.aws.customers.recent import Recent
from chalicelib.errors import RoleNotAssumable, SourceUnavailable

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class World:
    """Keys that are good for fifteen minutes; newer ones are tried for after five, and needed after ten."""

    def __init__(self) -> None:
        self.now = START
        self.given = 0
        self.trouble: Exception | None = None
        self.before: Callable[[], object] = lambda: None

    def get(self) -> Held:
        self.before()
        if self.trouble is not None:
            raise self.trouble
        self.given += 1
        keys = ReadOnlyCredentials(f"KEY{self.given}", "secret", "token", None)
        return Held(keys, self.now + 5 * MINUTE, self.now + 10 * MINUTE)

    def credentials(self) -> Renewing:
        return Renewing(self.get, lambda: self.now)


def test_keys_are_used_until_their_time() -> None:
    world = World()
    credentials = world.credentials()
    for minutes, expected in [(0, "KEY1"), (4, "KEY1"), (5, "KEY2"), (9, "KEY2"), (30, "KEY3")]:
        world.now = START + minutes * MINUTE
        frozen = credentials.get_frozen_credentials()
        assert (frozen.access_key, frozen.secret_key, frozen.token) == (expected, "secret", "token")
        assert (credentials.access_key, credentials.secret_key, credentials.token) == frozen[:3]


def test_what_may_pass_is_waited_for_as_long_as_the_keys_are_good() -> None:
    world = World()
    credentials = world.credentials()
    world.trouble = SourceUnavailable("for now")
    asked = 0

    def count() -> None:
        nonlocal asked
        asked += 1

    world.before = count
    for seconds in range(0, 300, 10):
        world.now = START + 5 * MINUTE + timedelta(seconds=seconds)
        assert credentials.get_frozen_credentials().access_key == "KEY1"
    assert asked == 10, "every thirty seconds"
    world.now = START + 10 * MINUTE
    with pytest.raises(SourceUnavailable):
        credentials.get_frozen_credentials()
    world.trouble = None
    assert credentials.get_frozen_credentials().access_key == "KEY2"


def test_a_refusal_is_raised_at_once_and_asked_about_again() -> None:
    world = World()
    credentials = world.credentials()
    world.now += 5 * MINUTE
    world.trouble = RoleNotAssumable("no")
    for _ in range(2):
        with pytest.raises(RoleNotAssumable):
            credentials.get_frozen_credentials()
    world.trouble = None
    assert credentials.get_frozen_credentials().access_key == "KEY2"


def test_one_thread_renews_while_the_others_go_on() -> None:
    world = World()
    credentials = world.credentials()
    world.now += 5 * MINUTE
    began, may_end = Event(), Event()
    world.before = lambda: (began.set(), may_end.wait(5))
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(credentials.get_frozen_credentials)
        assert began.wait(5)
        assert credentials.get_frozen_credentials().access_key == "KEY1"
        may_end.set()
        assert renewing.result().access_key == "KEY2"
    assert world.given == 2


def test_keys_that_are_over_are_renewed_once_by_all_threads_together() -> None:
    world = World()
    credentials = world.credentials()
    world.now += 10 * MINUTE
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: credentials.get_frozen_credentials().access_key, range(40)))
    assert set(found) == {"KEY2"}
    assert world.given == 2


def test_renewing_by_hand_tells_whether_anything_changed() -> None:
    world = World()
    credentials = world.credentials()
    assert credentials.renew()
    assert credentials.get_frozen_credentials().access_key == "KEY2"
    world.given -= 1
    assert not credentials.renew()


def test_of_two_threads_whose_keys_were_refused_the_second_takes_what_the_first_has_got() -> None:
    world = World()
    credentials = world.credentials()
    used = credentials.current
    assert credentials.renew(used)
    assert credentials.renew(used), "they are others than those that were refused"
    assert world.given == 2, "one call for both"
    world.given -= 1
    assert not credentials.renew(credentials.current)


def test_the_most_recent_are_kept() -> None:
    recent: Recent[str, str] = Recent(2)
    made: list[str] = []

    def make(name: str) -> Callable[[], str]:
        return lambda: made.append(name) or name  # type: ignore[func-returns-value]

    for name in "abacab":
        assert recent.get(name, make(name)) == name
    assert made == ["a", "b", "c", "b"], "a was asked for in between, b was not"
    assert len(recent) == 2


def test_what_could_not_be_made_is_not_kept() -> None:
    recent: Recent[str, str] = Recent(2)

    def fail() -> str:
        raise SourceUnavailable("no")

    with pytest.raises(SourceUnavailable):
        recent.get("a", fail)
    assert recent.get("a", lambda: "made") == "made"

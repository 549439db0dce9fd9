"""Pasted keys that end soon are counted every minute and said once an hour (F9)."""

from datetime import datetime, timedelta

from chalicelib.core.connections import Kept
from chalicelib.flows.remind import Reminding
from tests.examples import START, grant
from tests.fakes.queue import FakeMetrics
from tests.fakes.stores import FakeConnections

MINUTE = timedelta(minutes=1)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


def ending(ends: datetime | None, name: str = "acme") -> FakeConnections:
    made = grant(name=name)
    kept = Kept("****LE12", START, ends)
    return FakeConnections({name: type(made)(made.connection, made.external_id, made.created_at, kept)})


def reminded(connections: FakeConnections, minutes: int) -> tuple[list[tuple[int, str]], FakeMetrics]:
    said: list[tuple[int, str]] = []
    clock, metrics = Clock(), FakeMetrics()
    flow = Reminding(connections, metrics, clock, lambda text: said.append((int((clock.now - START) / MINUTE), text)))
    for _ in range(minutes):
        flow.tick()
        clock.now += MINUTE
    return said, metrics


def test_keys_are_warned_about_in_their_last_two_hours_once_an_hour() -> None:
    said, metrics = reminded(ending(START + timedelta(hours=3)), 200)
    assert [minute for minute, _ in said] == [60, 120]
    assert metrics.totals["CredentialsExpiring"] == 120
    assert said[0][1] == ("connection acme: ok, expires in 2 h. Paste new keys with `tidegate connection edit acme`"), (
        "no secret, and what to do"
    )


def test_keys_that_ended_or_do_not_end_or_end_later_are_not_spoken_of() -> None:
    for ends in (START, START - MINUTE, None, START + timedelta(days=2)):
        said, metrics = reminded(ending(ends), 1)
        assert (said, metrics.totals["CredentialsExpiring"]) == ([], 0)


def test_new_keys_that_end_soon_are_spoken_of_at_once() -> None:
    said: list[str] = []
    connections = ending(START + timedelta(hours=1))
    flow = Reminding(connections, FakeMetrics(), lambda: START, said.append)
    flow.tick()
    connections.stored |= ending(START + timedelta(minutes=30)).stored
    flow.tick()
    flow.tick()
    assert len(said) == 2
    connections.stored.clear()
    flow.tick()
    assert flow.said == {}, "nothing is remembered of what is gone"


def test_every_connection_is_spoken_of_by_itself() -> None:
    connections = ending(START + timedelta(hours=1))
    connections.stored |= ending(START + timedelta(hours=1), "beta").stored
    said, metrics = reminded(connections, 1)
    assert [text.split(":")[0] for _, text in said] == ["connection acme", "connection beta"]
    assert metrics.totals["CredentialsExpiring"] == 2

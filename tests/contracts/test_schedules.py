"""Fake schedule states and DynamoDB's must give the same answers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.aws.pipelines import DynamoPipelines
from chalicelib.aws.schedules import DynamoSchedules
from chalicelib.config.schedule import Schedule
from chalicelib.core.schedule import LastSession, ScheduleState, Turn, paused, planned
from tests.examples import pipeline
from tests.fakes.schedules import FakeSchedules

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["fake", "dynamo"])
def states(request: pytest.FixtureRequest) -> Any:
    if request.param == "fake":
        return FakeSchedules()
    return DynamoSchedules(request.getfixturevalue("dynamo"), "tidegate-pipelines")


def state(name: str = "flights", **changes: Any) -> ScheduleState:
    return replace(planned(name, Schedule(cron="@hourly", delay=300), now=NOW), **changes)


def names(found: list[ScheduleState]) -> list[str]:
    return [one.pipeline for one in found]


def test_a_state_comes_back_as_it_was_stored(states: Any) -> None:
    last = LastSession(NOW, Turn.SKIPPED, full=True, missed=3, why="a sweep still runs")
    full = state(last=last, next_at=NOW + timedelta(microseconds=1))
    assert states.swap(full)
    assert states.get("flights") == full
    assert states.get("other") is None


@pytest.mark.parametrize("full", [None, "@daily"])
def test_a_cadence_of_full_sweeps_comes_back_and_so_does_none(states: Any, full: str | None) -> None:
    stored = planned("flights", Schedule(cron="@hourly", full=full), now=NOW)
    states.swap(stored)
    assert states.get("flights") == stored
    assert states.get("flights").plan.full == full


def test_a_write_needs_the_revision_before_it(states: Any) -> None:
    assert states.swap(state())
    assert not states.swap(state(paused=True)), "a first write where something is"
    assert not states.swap(state(revision=3))
    assert states.swap(state(revision=2, session=NOW))
    assert not states.swap(state(revision=2, session=NOW + HOUR))
    assert states.get("flights").session == NOW


def test_a_removed_state_is_not_brought_back_by_a_late_writer(states: Any) -> None:
    states.swap(state())
    assert states.remove(state())
    assert not states.swap(state(revision=2))
    assert states.get("flights") is None
    assert states.swap(state()), "the name can be used again"


def test_a_state_that_moved_on_is_not_removed(states: Any) -> None:
    states.swap(state())
    states.swap(state(revision=2))
    assert not states.remove(state())
    assert not states.remove(state(revision=3))
    assert states.get("flights") is not None
    assert not states.remove(state("other"))


def test_those_whose_time_has_come_are_found_the_longest_waiting_first(states: Any) -> None:
    times = {"b": NOW - HOUR, "a": NOW, "later": NOW + timedelta(microseconds=1), "c": NOW - 2 * HOUR}
    for name, time in times.items():
        states.swap(state(name, next_at=time))
    assert names(states.due(NOW, limit=10)) == ["c", "b", "a"]
    assert names(states.due(NOW, limit=2)) == ["c", "b"]
    assert names(states.due(NOW - 3 * HOUR, limit=10)) == []


def test_more_than_one_read_holds_are_all_found(states: Any) -> None:
    for number in range(130):
        states.swap(state(f"p{number:03}", next_at=NOW + timedelta(seconds=number)))
    found = states.due(NOW + HOUR, limit=120)
    assert names(found) == [f"p{number:03}" for number in range(120)]


def test_a_paused_one_is_not_found_until_it_is_resumed(states: Any) -> None:
    first = state(next_at=NOW)
    states.swap(first)
    states.swap(paused(first))
    assert states.due(NOW + 9 * HOUR, limit=10) == []
    assert states.get("flights") == paused(first)
    states.swap(replace(first, revision=3))
    assert names(states.due(NOW, limit=10)) == ["flights"]


def test_a_removed_one_is_not_found(states: Any) -> None:
    states.swap(state(next_at=NOW))
    states.remove(state())
    assert states.due(NOW, limit=10) == []


def test_states_and_documents_share_a_table_without_meeting(dynamo: Any) -> None:
    documents = DynamoPipelines(dynamo, "tidegate-pipelines")
    states = DynamoSchedules(dynamo, "tidegate-pipelines")
    documents.put(pipeline())
    states.swap(state(next_at=NOW))
    assert documents.all() == [pipeline()]
    assert names(list(states.due(NOW, limit=10))) == ["flights"]
    documents.remove("flights")
    assert states.get("flights") is not None


def test_looking_for_what_is_due_never_scans(dynamo: Any) -> None:
    asked: list[str] = []
    dynamo.meta.events.register("before-call.dynamodb", lambda model, **_: asked.append(model.name))
    DynamoSchedules(dynamo, "tidegate-pipelines").due(NOW, limit=10)
    assert asked == ["Query"]

"""Fake states of maintenance and DynamoDB's must give the same answers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.aws.pipelines import DynamoPipelines
from chalicelib.aws.upkeep import DynamoUpkeep
from chalicelib.config.maintenance import Maintenance
from chalicelib.core.maintenance import Cleaned, Compacted, Expired, Report
from chalicelib.core.upkeep import UpkeepState, asked, begun, ended, planned
from tests.examples import pipeline
from tests.fakes.upkeep import FakeUpkeep

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
RULES = Maintenance()


@pytest.fixture(params=["fake", "dynamo"])
def states(request: pytest.FixtureRequest) -> Any:
    if request.param == "fake":
        return FakeUpkeep()
    return DynamoUpkeep(request.getfixturevalue("dynamo"), "tidegate-pipelines")


def state(table: str = "iceberg:db.t", **changes: Any) -> UpkeepState:
    return replace(planned(table, RULES, now=NOW), **changes)


def test_a_state_comes_back_as_it_was_stored(states: Any) -> None:
    report = Report(
        "iceberg:db.t",
        compacted=Compacted(9, 900, 8, 800, 1, 700, {"changed meanwhile": 2}, more=True),
        expired=Expired(7, 3),
        cleaned=Cleaned(5, 50, 1, {"not of our making": 4}),
        error="it broke",
    )
    full = state(last=report, ended_at=NOW, until=NOW + timedelta(microseconds=1))
    assert states.swap(full)
    assert states.get("iceberg:db.t") == full
    assert states.all() == {"iceberg:db.t": full}
    assert states.get("iceberg:db.other") is None


def test_a_write_needs_the_revision_before_it(states: Any) -> None:
    first = state()
    assert states.swap(first)
    assert not states.swap(first), "a first write where something is"
    later = asked(first, now=first.next_at)
    assert later is not None
    assert states.swap(later)
    assert not states.swap(later), "of two ticks at once, one asks"
    running = begun(later, now=NOW)
    assert running is not None
    assert states.swap(running)
    assert states.swap(ended(running, Report("iceberg:db.t"), RULES, now=NOW))
    assert states.get("iceberg:db.t").revision == 4


def test_states_and_documents_share_a_table_without_meeting(dynamo: Any) -> None:
    documents, states = DynamoPipelines(dynamo, "tidegate-pipelines"), DynamoUpkeep(dynamo, "tidegate-pipelines")
    documents.put(pipeline())
    states.swap(state())
    assert documents.all() == [pipeline()]
    assert list(states.all()) == ["iceberg:db.t"]

"""The fake of connections' health gives the answers that DynamoDB gives."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.aws.cursors import DynamoCursors
from chalicelib.aws.health import DynamoHealth
from chalicelib.aws.pipelines import DynamoPipelines
from chalicelib.core.cursors import Cursor
from chalicelib.core.health import Health, failed, recovered, retrying, try_again
from tests.examples import pipeline
from tests.fakes.sweeps import FakeHealth

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture(params=["fake", "dynamo"])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "fake":
        return FakeHealth()
    return DynamoHealth(request.getfixturevalue("dynamo"), "tidegate-pipelines")


def failing(connection: str = "acme") -> Health:
    health = failed(Health(connection), "a1", "refused: é", now=NOW)
    assert health is not None
    return health


def test_what_was_never_stored_is_sound(store: Any) -> None:
    assert store.get("acme") == Health("acme")


def test_each_move_comes_back_as_it_was_stored(store: Any) -> None:
    trial = try_again(failing(), "t1", now=NOW + timedelta(minutes=1))
    sound = recovered(trial)
    assert sound is not None
    for health in (failing(), trial, sound, retrying(sound, ["r1", "r2"])):
        assert store.swap(health)
        assert store.get("acme") == health


def test_of_two_writers_of_one_revision_one_loses(store: Any) -> None:
    assert store.swap(failing())
    assert not store.swap(replace(failing(), reason="another"))
    first, second = (try_again(failing(), job, now=NOW) for job in ("t1", "t2"))
    assert store.swap(first)
    assert not store.swap(second)
    assert not store.swap(replace(second, revision=4))
    assert store.get("acme").trial == "t1"


def test_connections_do_not_meet(store: Any) -> None:
    assert store.swap(failing())
    assert store.get("other") == Health("other")
    assert store.swap(failing("other"))


def test_health_shares_a_table_with_documents_and_cursors_without_meeting(dynamo: Any) -> None:
    documents = DynamoPipelines(dynamo, "tidegate-pipelines")
    cursors = DynamoCursors(dynamo, "tidegate-pipelines")
    health = DynamoHealth(dynamo, "tidegate-pipelines")
    documents.put(pipeline("acme"))
    assert health.swap(failing())
    assert cursors.swap(Cursor("acme", "in/a", revision=1))
    assert documents.all() == [pipeline("acme")]
    assert health.get("acme") == failing()

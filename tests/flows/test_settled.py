"""Columns as one attempt knows them."""

from dataclasses import dataclass, field

from chalicelib.config.columns import Column, ColumnType
from chalicelib.flows.settled import Settled
from tests.examples import pipeline
from tests.fakes.stores import FakePipelines
from tests.flows.world import World

ID, NAME, NOTE = (Column(name=name, type=ColumnType.STRING) for name in ("id", "name", "note"))


@dataclass
class Counting(FakePipelines):
    """Remembers how often it was asked for columns."""

    asked: list[str] = field(default_factory=list)

    def columns(self, name: str) -> tuple[Column, ...]:
        self.asked.append(name)
        return super().columns(name)


def test_columns_are_read_until_some_are_known_and_then_no_more() -> None:
    store = Counting()
    settled = Settled(store)
    assert settled.columns("flights") == settled.columns("flights") == ()
    store.settle("flights", (ID,))
    store.asked.clear()
    assert settled.columns("flights") == settled.columns("flights") == (ID,)
    assert settled.columns("other") == ()
    assert store.asked == ["flights", "other"]


def test_what_an_object_brings_is_settled_with_what_others_have_settled_since() -> None:
    store = FakePipelines()
    settled = Settled(store)
    assert settled.settle("flights", (ID,)) == (ID,)
    store.settle("flights", (NAME,))
    assert settled.columns("flights") == (ID,)
    assert settled.settle("flights", (NOTE,)) == (ID, NAME, NOTE)
    assert settled.columns("flights") == (ID, NAME, NOTE)
    assert settled.settle("flights", (Column(name="late", type=ColumnType.LONG),), grow=False) == (ID, NAME, NOTE)


def test_the_columns_of_many_objects_in_a_task_are_asked_for_a_few_times_only() -> None:
    store = Counting()
    world = World(pipelines=store)
    store.put(pipeline(parser={"type": "csv"}))
    world.notify(*(world.put(f"in/{number}.csv", b"id,name\n1,a\n", notify=0) for number in range(20)))
    world.run()
    assert sum(world.loaded().values()) == 20
    assert len(store.asked) < 6

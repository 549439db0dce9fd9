"""Pipelines whose rows are the objects themselves (F79)."""

from tests.examples import pipeline
from tests.flows.world import World


def test_every_object_is_a_row_whatever_is_in_it_and_wherever_it_lies() -> None:
    world = World()
    world.pipelines.put(pipeline(parser={"type": "objects"}))
    world.put("in/a.jpg", b"\xff\xd8")
    world.put("in/empty", b"")
    world.put("in/folder/", b"")
    world.buckets.archive(world.put("in/cold.csv", b"id\n1\n"))
    world.run()
    assert world.loaded() == {"in/a.jpg": 1, "in/empty": 1, "in/cold.csv": 1}
    assert str(world.ledger.stored["flights", "in/folder/"].reason) == "folder"
    assert world.buckets.opened == []
    assert [tags for *_, tags in world.buckets.described] == [False] * 3

"""Objects loaded once more: their rows replace the earlier ones, whatever dies on the way."""

from collections import Counter
from datetime import timedelta

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.jobs import JobKind
from chalicelib.core.ledger import State
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.replay import Chosen, Replaying
from tests.examples import pipeline
from tests.flows.test_walk import settled
from tests.flows.world import Crash, Faults, World

BAD = b"id,name\n1,a\ntwo,b\n3\n"
MINUTE = timedelta(minutes=1)
KEYS = ("in/a.csv", "in/b.csv")
DECLARED = {"type": "csv", "skip_header_lines": 1, "columns": [{"name": "id", "type": "long"}]}
MENDED = DECLARED | {"columns": [{"name": "id", "type": "string"}], "allow_extra_columns": True}


def loaded(*, on_overwrite: str = "append") -> World:
    world = World()
    world.pipelines.put(changed(DECLARED | {"allow_extra_columns": True}, on_overwrite))
    for key in KEYS:
        world.put(key, BAD)
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.set_aside() == dict.fromkeys(KEYS, 1)
    return world


def changed(parser: dict[str, object], on_overwrite: str = "append") -> Pipeline:
    document = pipeline(parser=parser).document()
    document["out"] |= {"on_overwrite": on_overwrite}
    return Pipeline.parse(document, where="test")


def replaying(world: World) -> Replaying:
    admin = Admin(world.connections, world.pipelines, world.clock, lambda _: None, lambda _: None)
    return Replaying(admin, world.faults.wrap(world.ledger), world.discover, world.clock)


def test_after_the_pipeline_is_mended_bad_rows_become_good_ones_and_nothing_is_doubled() -> None:
    world = loaded()
    world.pipelines.put(changed(MENDED))
    done = replaying(world).start("flights", Chosen(rejected=True))
    assert (done.objects, done.rows, done.rejects) == (2, 4, 2)
    world.run()
    settled(world)
    assert world.loaded() == dict.fromkeys(KEYS, 3)
    assert world.set_aside() == {}
    assert {job.kind for job in world.jobs.jobs.values()} == {JobKind.ARRIVAL, JobKind.REPLAY}


def test_one_object_is_replayed_and_the_others_stay() -> None:
    world = loaded()
    before = [row for row in world.table.rows if row["_key"] == KEYS[1]]
    world.now += MINUTE
    replaying(world).start("flights", Chosen(key=KEYS[0]))
    world.run()
    settled(world)
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.set_aside() == dict.fromkeys(KEYS, 1)
    assert [row for row in world.table.rows if row["_key"] == KEYS[1]] == before
    assert {row["_loaded_at"] for row in world.table.rows if row["_key"] == KEYS[0]} != {before[0]["_loaded_at"]}


def test_a_dry_run_says_the_same_and_does_nothing() -> None:
    world = loaded()
    revisions = {key: entry.revision for key, entry in world.ledger.stored.items()}
    done = replaying(world).estimate("flights", Chosen(prefix="in/"))
    assert (done.objects, done.rows, done.rejects, done.jobs) == (2, 4, 2, ())
    assert {key: entry.revision for key, entry in world.ledger.stored.items()} == revisions


def test_an_object_that_gives_no_rows_any_more_leaves_none() -> None:
    world = loaded()
    document = world.pipelines.get("flights")
    assert document is not None
    world.pipelines.put(changed(DECLARED | {"skip_header_lines": 4}))
    replaying(world).start("flights", Chosen(prefix=""))
    world.run()
    assert (world.loaded(), world.set_aside()) == ({}, {})
    assert {entry.state for entry in world.ledger.stored.values()} == {State.COMMITTED}


def test_a_replay_that_fails_leaves_the_earlier_rows() -> None:
    world = loaded()
    world.pipelines.put(changed(DECLARED | {"stop_on_invalid_record": True}))
    replaying(world).start("flights", Chosen(key=KEYS[0]))
    world.run()
    assert world.state(KEYS[0]) == "failed"
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.set_aside() == {KEYS[0]: 2, KEYS[1]: 1}, "its new bad rows instead of its old ones"
    world.pipelines.put(changed(MENDED))
    replaying(world).start("flights", Chosen(rejected=True, key=KEYS[0]))
    world.run()
    assert world.loaded() == {KEYS[0]: 3, KEYS[1]: 2}
    assert world.set_aside() == {KEYS[1]: 1}


def test_an_object_under_way_is_left_alone() -> None:
    world = loaded()
    flow = replaying(world)
    flow.start("flights", Chosen(prefix=""))
    assert flow.start("flights", Chosen(prefix="")).objects == 0
    world.run()
    settled(world)


def test_an_overwrite_during_a_replay_waits_for_it() -> None:
    world = loaded()
    replaying(world).start("flights", Chosen(key=KEYS[0]))
    world.put(KEYS[0], b"id,name\n9,z\n")
    world.run()
    settled_rows = Counter(row["id"] for row in world.table.rows if row["_key"] == KEYS[0])
    assert settled_rows == {1: 1, 3: 1, 9: 1}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(40))
def test_a_crash_at_any_call_of_a_replay_loses_nothing_and_doubles_nothing(call: int, after: bool) -> None:
    world = loaded()
    world.pipelines.put(changed(MENDED))
    world.faults = Faults(frozenset({call}), after)
    try:
        replaying(world).start("flights", Chosen(prefix=""))
    except Crash:
        replaying(world).start("flights", Chosen(prefix=""))
    world.run()
    settled(world)
    replaced = {entry.key for entry in world.ledger.stored.values() if entry.rejects == 0}
    assert replaced == set(KEYS)
    assert world.loaded() == dict.fromkeys(KEYS, 3)
    assert world.set_aside() == {}


def test_overwrites_replace_the_rows_of_the_earlier_content_if_the_pipeline_says_so() -> None:
    world = loaded(on_overwrite="replace")
    world.put(KEYS[0], b"id,name\n9,z\nbad,y\n")
    world.run()
    settled(world)
    assert world.loaded() == {KEYS[0]: 1, KEYS[1]: 2}
    assert world.set_aside() == {KEYS[0]: 1, KEYS[1]: 1}


def test_rows_in_plain_parquet_files_cannot_be_replaced_and_that_is_said_before_anything_is_done() -> None:
    world = loaded()
    document = changed(DECLARED).document()
    document["out"] |= {"type": "parquet"}
    world.pipelines.put(Pipeline.parse(document, where="test"))
    with pytest.raises(ConfigError, match="cannot be replaced"):
        replaying(world).start("flights", Chosen(prefix=""))
    assert {entry.state for entry in world.ledger.stored.values()} == {State.COMMITTED}

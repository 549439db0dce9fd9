"""Objects loaded once more: their rows replace the earlier ones, whatever dies on the way."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.jobs import JobKind
from chalicelib.core.ledger import State
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.rehearse import Rehearsing
from chalicelib.flows.replay import Chosen, Replaying
from tests.examples import BUCKET, pipeline
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
    admin = Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)
    wrap = world.faults.wrap
    rehearsing = Rehearsing(world.pipelines, wrap(world.buckets), lambda name: name.encode(), world.clock)
    return Replaying(admin, wrap(world.ledger), wrap(world.jobs), world.discover, rehearsing, world.clock)


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
    assert (done.objects, done.rows, done.rejects) == (2, 4, 2)
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


def test_all_jobs_of_a_large_replay_are_named() -> None:
    world = loaded()
    document = changed(DECLARED | {"allow_extra_columns": True}).document()
    document["in"] |= {"max_task_files": 1}
    world.pipelines.put(Pipeline.parse(document, where="test"))
    for number in range(100):
        world.put(f"in/{number:03}.csv", BAD)
    world.run()
    world.now += MINUTE
    done = replaying(world).start("flights", Chosen(prefix=""))
    assert len(done.jobs) == 2
    assert sum(world.jobs.jobs[job].tasks for job in done.jobs) == done.objects == 102


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


def test_rows_that_a_failed_replay_left_there_go_when_the_object_is_loaded_after_all() -> None:
    world = loaded()
    world.buckets.deny(BUCKET)
    replaying(world).start("flights", Chosen(key=KEYS[0]))
    world.run(rounds=3)
    assert world.state(KEYS[0]) == "refused"
    world.buckets.denied.clear()
    world.now += 10 * MINUTE
    world.run()
    assert world.state(KEYS[0]) == "committed"
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.set_aside() == dict.fromkeys(KEYS, 1)


def test_rows_that_a_failed_replay_left_there_go_when_the_object_is_written_over() -> None:
    world = loaded(on_overwrite="replace")
    world.pipelines.put(changed(DECLARED | {"stop_on_invalid_record": True}, "replace"))
    replaying(world).start("flights", Chosen(key=KEYS[0]))
    world.run()
    assert (world.state(KEYS[0]), world.loaded()[KEYS[0]]) == ("failed", 2)
    world.put(KEYS[0], b"id\n9\n")
    world.run()
    assert world.loaded() == {KEYS[0]: 1, KEYS[1]: 2}


def test_rows_of_what_was_written_over_with_nothing_go() -> None:
    world = loaded(on_overwrite="replace")
    world.put(KEYS[0], b"")
    world.run()
    assert world.state(KEYS[0]) == "refused"
    assert (world.loaded(), world.set_aside()) == ({KEYS[1]: 2}, {KEYS[1]: 1})
    world.put(KEYS[0], b"id,name\n9,z\n")
    world.run()
    assert world.loaded() == {KEYS[0]: 1, KEYS[1]: 2}


def test_rows_stay_where_overwrites_append_and_the_new_content_is_empty() -> None:
    world = loaded()
    world.put(KEYS[0], b"")
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.ledger.stored["flights", KEYS[0]].reason == "empty"


# Which objects.


def test_the_objects_of_one_job_are_replayed_while_their_content_is_the_same() -> None:
    world = loaded(on_overwrite="replace")
    first, second = (world.ledger.stored["flights", key].owner for key in KEYS)
    assert first is not None and second is not None
    assert chosen(world, job=first.job) == {KEYS[0]}
    assert chosen(world, job=second.job, prefix="in/a") == set()
    world.put(KEYS[0], b"id,name\n9,z\n")
    world.run()
    assert chosen(world, job=first.job) == set()


def chosen(world: World, **what: Any) -> set[str]:
    """The keys that wait after a replay of them."""
    world.now += MINUTE
    replaying(world).start("flights", Chosen(**what))
    waiting = {entry.key for entry in world.ledger.stored.values() if entry.state is State.CLAIMED}
    world.run()
    settled(world)
    return waiting


def test_a_job_of_another_pipeline_is_not_replayed() -> None:
    world = loaded()
    for name in ("unknown", "j9"):
        with pytest.raises(ConfigError, match="no job of this id"):
            replaying(world).start("flights", Chosen(job=name))


def test_objects_loaded_since_a_time_are_replayed() -> None:
    world = loaded()
    since = world.now + MINUTE
    world.now += 2 * MINUTE
    world.put("in/c.csv", BAD)
    world.run()
    assert chosen(world, since=since) == {"in/c.csv"}
    assert chosen(world, since=since, prefix="in/a") == set()


def test_a_table_whose_content_is_replaced_whole_is_run_again_instead() -> None:
    world = World()
    document = pipeline().document()
    document["out"] |= {"mode": "replace"}
    world.pipelines.put(Pipeline.parse(document, where="test"))
    for do in (replaying(world).start, replaying(world).estimate):
        with pytest.raises(ConfigError, match="one run") as caught:
            do("flights", Chosen(prefix=""))
        assert "tidegate run flights" in str(caught.value.remedy)


# What a dry run says.


def test_a_dry_run_reads_what_would_come_and_writes_nothing() -> None:
    world = loaded()
    world.pipelines.put(changed(MENDED))
    before = snapshot(world)
    found = replaying(world).estimate("flights", Chosen(prefix=""))
    assert (found.objects, found.rows, found.rejects) == (2, 4, 2)
    assert (found.read, found.unread, found.rows_in, found.rejects_in) == (2, 0, 6, 0)
    assert snapshot(world) == before
    replaying(world).start("flights", Chosen(prefix=""))
    world.run()
    assert sum(world.loaded().values()) == found.rows_in


def snapshot(world: World) -> tuple[Any, ...]:
    return (
        dict(world.ledger.stored),
        dict(world.jobs.stored),
        dict(world.pipelines.settled),
        dict(world.table.files),
        list(world.table.rows),
    )


def test_a_dry_run_settles_no_columns_that_a_parser_would_find() -> None:
    world = loaded()
    world.pipelines.put(changed({"type": "csv"}))
    found = replaying(world).estimate("flights", Chosen(prefix=""))
    assert (found.rows_in, found.rejects_in) == (4, 2)
    assert world.pipelines.settled == {}


@pytest.mark.parametrize(("objects", "size"), [(1, 1 << 30), (100, len(BAD)), (100, 2 * len(BAD) - 1)])
def test_what_a_dry_run_does_not_read_is_said_to_be_unknown(objects: int, size: int) -> None:
    world = loaded()
    found = replaying(world).estimate("flights", Chosen(prefix=""), objects=objects, size=size)
    assert (found.objects, found.read, found.unread) == (2, 1, 1)
    assert (found.rows, found.rows_in, found.rejects_in) == (4, 2, 1)


def test_earlier_rows_of_what_would_not_be_loaded_do_not_count_as_leaving() -> None:
    world = loaded()
    world.buckets.deny(BUCKET)
    found = replaying(world).estimate("flights", Chosen(prefix=""))
    assert (found.objects, found.rows, found.rejects, found.rows_in) == (2, 0, 0, 0)
    assert found.not_loaded == {"denied": 2}
    assert found.errors["denied"]
    world.buckets.denied.clear()
    world.pipelines.put(changed(DECLARED | {"stop_on_invalid_record": True}))
    found = replaying(world).estimate("flights", Chosen(prefix=""))
    assert (found.rows, found.rows_in) == (0, 0)
    assert (found.rejects, found.rejects_in) == (2, 4), "its new bad rows instead of its old ones"
    assert found.not_loaded == {"too_many_bad_rows": 2}

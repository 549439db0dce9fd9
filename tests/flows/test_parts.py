"""Large objects read in parts, by several at once, with one commit; whatever happens on the way (W7)."""

import bz2
import json
import random
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import State
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Task, TaskState
from tests.examples import pipeline
from tests.flows.test_hand_over import BAD, COLUMNS, CSV, GOOD, ROWS, numbers, task, typed
from tests.flows.world import Faults, World

AS_TEXT = {"columns": [{"name": name, "type": "string"} for name in ("number", "filler")]}
PART = 700_000  # bytes


def parted(content: bytes = CSV, key: str = "in/a.csv", made: Pipeline | None = None, **how: Any) -> World:
    """A world with one object that is large enough to be divided."""
    world = World(**how)
    world.buckets.part = 1 << 20
    world.pipelines.put(made or typed(split_size=PART))
    world.put(key, content)
    return world


def parts(world: World) -> list[Task]:
    return [each for each in world.jobs.stored.values() if each.part_of is not None]


def test_a_large_object_is_read_in_parts_and_committed_once() -> None:
    world = parted()
    world.discover_all()
    world.load_task(world.queue.loads.pop())
    assert (task(world).state, len(world.queue.loads)) == (TaskState.DIVIDED, len(CSV) // PART)
    random.Random(7).shuffle(world.queue.loads)
    world.run()
    assert numbers(world) == GOOD
    assert len(world.table.tags) == 1, "one task was committed"
    assert {part.state for part in parts(world)} == {TaskState.READ}
    (job,) = world.jobs.jobs.values()
    assert (job.tasks, job.staging, job.unfinished, job.counts["rows"]) == (1, 0, 0, len(GOOD))
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert (entry.state, entry.rows, entry.rejects) == (State.COMMITTED, len(GOOD), len(BAD))
    assert len({row["_loaded_at"] for row in world.table.rows}) == 1


def test_a_large_object_that_comes_among_small_ones_is_read_in_parts_too() -> None:
    world = World()
    world.pipelines.put(typed(split_size=PART))
    small = b"number,filler\n100,x\n"
    world.notify(*(world.put(f"in/{key}.csv", CSV if key == "b" else small, notify=0) for key in "abc"))
    world.run()
    assert {part.members[0].key for part in parts(world)} == {"in/b.csv"}
    assert world.loaded() == {"in/a.csv": 1, "in/b.csv": len(GOOD), "in/c.csv": 1}


def test_bad_rows_of_later_parts_are_found_by_their_byte() -> None:
    world = parted()
    world.run()
    offsets = [CSV.index(f"\nx{n},".encode()) + 1 for n in BAD]
    assert sorted(row["byte_offset"] for row in world.table.rejects) == offsets
    first, *others = sorted(world.table.rejects, key=lambda row: row["byte_offset"])
    assert (first["record"], first["line"]) == (BAD[0] + 1, BAD[0] + 2)
    assert {(row["record"], row["line"]) for row in others} == {(None, None)}, "nobody knows what came before"


def test_the_limits_of_bad_rows_are_the_whole_objects() -> None:
    world = parted(made=typed(split_size=PART, parser={"max_bad_rows": 2}))
    world.run()
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert (entry.state, entry.reason) == (State.FAILED, Reason.TOO_MANY_BAD_ROWS)
    assert f"the first is line {BAD[0] + 2}:" in str(entry.error)
    assert (world.table.rows, len(world.table.rejects)) == ([], len(BAD))


def test_a_share_of_bad_rows_may_be_large_in_one_part() -> None:
    crowded = b"number,filler\n" + b"".join(b"%d,%s\n" % (n, b"a" * 50_000) for n in range(100)) + b"x,x\n" * 4
    world = parted(crowded, made=typed(split_size=PART, parser={"max_bad_percent": 5}))
    world.run()
    assert len(world.table.rows) == 100


QUOTED = b"number,filler\n" + b"".join(b'%d,"%s"\n' % (n, (b"a" * 999 + b"\n5,b\n") * 99) for n in range(ROWS))


def test_a_cut_inside_quotes_is_noticed_and_costs_no_row() -> None:
    world = parted(QUOTED)
    world.run()
    assert numbers(world) == list(range(ROWS))
    assert world.table.rejects == []
    assert world.metrics.totals["PartsMisjoined"] == 1
    assert world.state("in/a.csv") == "committed"


@pytest.mark.parametrize("in_haste", [False, True], ids=["in time", "in haste"])
def test_what_cannot_be_cut_is_read_in_one_piece(in_haste: bool) -> None:
    rows = [{"number": n, "filler": str(n) * 20_000} for n in range(ROWS)]
    made = pipeline(parser={"type": "json"}, split_size=PART // 4)
    world = parted(json.dumps(rows).encode(), made=made, small=0, in_haste=in_haste)
    world.run()
    assert parts(world) == []
    assert numbers(world) == list(range(ROWS))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "bzip2"])
def test_json_lines_are_read_in_parts_too(packed: bool) -> None:
    chance = random.Random(1)
    lines = (json.dumps({"number": n, "filler": chance.randbytes(30_000).hex()}).encode() for n in range(ROWS))
    content = b"\n".join(lines) + b"\n"
    content = bz2.compress(content, 1) if packed else content
    made = pipeline(parser={"type": "json", "columns": COLUMNS}, split_size=len(content) // 4)
    world = parted(content, made=made)
    world.run()
    assert len(parts(world)) > 1
    assert numbers(world) == list(range(ROWS))


def test_a_divided_task_that_waits_long_for_its_parts_needs_no_recovery() -> None:
    world = parted()
    world.discover_all()
    world.load_task(world.queue.loads.pop())
    world.now += timedelta(minutes=10)
    world.recover.tick()
    assert world.metrics.totals["TasksRecovered"] == len(parts(world)), "their messages may be lost"
    world.run()
    assert numbers(world) == GOOD


def test_parts_hand_over_when_their_time_is_up() -> None:
    world = parted(small=0, in_haste=True, made=typed(split_size=len(CSV) // 2))
    world.run()
    assert numbers(world) == GOOD
    assert max(part.attempt for part in parts(world)) > 1


def test_a_pipeline_that_is_changed_meanwhile_begins_the_object_anew() -> None:
    world = parted()
    world.discover_all()
    world.load_task(world.queue.loads.pop())
    world.load_task(world.queue.loads.pop())
    world.pipelines.put(typed(split_size=PART, parser=AS_TEXT))
    world.run(60)
    assert {row["number"] for row in world.table.rows} == {f"{'x' if n in BAD else ''}{n}" for n in range(ROWS)}
    assert len(world.table.rows) == ROWS


def test_an_object_that_is_gone_meanwhile_brings_nothing() -> None:
    world = parted()
    world.discover_all()
    world.load_task(world.queue.loads.pop())
    world.load_task(world.queue.loads.pop())
    world.buckets.delete(world.buckets.latest["acme-exports", "in/a.csv"])
    world.run()
    assert world.table.rows == []
    assert world.ledger.stored["flights", "in/a.csv"].reason == Reason.MISSING


TINY = b"number,filler\n" + b"".join(b"%d,abc\n" % n for n in range(30))
WRONG = b"number,filler\n" + b"".join(b'%d,"abc\n7,d"\n' % n for n in range(30))
CALLS = 110


def tiny(content: bytes, faults: Faults | None = None) -> World:
    world = parted(content, made=typed(split_size=len(content) // 3), faults=faults or Faults())
    world.run()
    assert len(parts(world)) == 3
    assert numbers(world) == list(range(30))
    assert all(each.is_over for each in world.jobs.stored.values())
    return world


@pytest.mark.parametrize("content", [TINY, WRONG], ids=["fits", "does not fit"])
def test_the_walk_in_parts_makes_fewer_calls_than_the_crash_test_tries(content: bytes) -> None:
    assert 40 < tiny(content).faults.calls < CALLS


@pytest.mark.parametrize("content", [TINY, WRONG], ids=["fits", "does not fit"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_loses_nothing_and_doubles_nothing(after: bool, content: bytes) -> None:
    for call in range(CALLS):
        tiny(content, Faults(frozenset({call}), after))

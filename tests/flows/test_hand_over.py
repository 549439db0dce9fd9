"""Objects too large for one invocation: left when the time is up, gone on with, and never read twice (P8, W7)."""

import gzip
from collections import Counter
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import State
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Task, TaskState
from chalicelib.errors import SourceUnavailable
from tests.examples import pipeline
from tests.flows.world import Faults, World

WIDE = 100_000  # bytes of a row, so that a few rows are several blocks
ROWS = 26
BAD = (7, 15, 22)  # rows whose number is none


def text(*, bad: tuple[int, ...] = BAD, end: str = "\n") -> bytes:
    lines = ["number,filler", *(f"{'x' if n in bad else ''}{n},{str(n) * (WIDE // len(str(n)))}" for n in range(ROWS))]
    return (end.join(lines) + end).encode()


CSV = text()
COLUMNS = [{"name": "number", "type": "long"}, {"name": "filler", "type": "string"}]


def typed(**source: Any) -> Pipeline:
    parser = {"type": "csv", "skip_header_lines": 1, "columns": COLUMNS} | source.pop("parser", {})
    return pipeline(parser=parser, **source)


def hasty(content: bytes = CSV, key: str = "in/a.csv", made: Pipeline | None = None) -> World:
    """A world in which an attempt has time for one block only."""
    world = World(small=0, in_haste=True)
    world.buckets.part = 1 << 20
    world.pipelines.put(made or typed())
    world.put(key, content)
    return world


def numbers(world: World) -> list[int]:
    return sorted(row["number"] for row in world.table.rows)


def task(world: World) -> Task:
    (found,) = (task for task in world.jobs.stored.values() if task.part_of is None)
    return found


GOOD = [number for number in range(ROWS) if number not in BAD]


@pytest.mark.parametrize("content", [CSV, gzip.compress(CSV), text(end="\r\n")], ids=["plain", "gzip", "crlf"])
def test_an_object_goes_on_where_the_time_was_up_and_no_row_comes_twice(content: bytes) -> None:
    world = hasty(content)
    world.run()
    assert numbers(world) == GOOD
    assert task(world).attempt > 2, "it took several attempts"
    bad = sorted((row["record"], row["line"], row["text"][:3]) for row in world.table.rejects)
    assert bad == [(n + 1, n + 2, f"x{n},"[:3]) for n in BAD], "records and lines count from the object's start"
    assert len({row["_loaded_at"] for row in world.table.rows}) == 1
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert (entry.state, entry.rows, entry.rejects) == (State.COMMITTED, len(GOOD), len(BAD))


def test_what_is_handed_over_is_not_read_again() -> None:
    world = hasty()
    world.run()
    plain = World()
    plain.pipelines.put(typed())
    plain.put("in/a.csv", CSV)
    plain.run()
    assert numbers(world) == numbers(plain)
    written = sum(len(rows) for path, rows in world.table.files.items() if "rejects" not in path)
    assert written == len(GOOD), "each row was written into one staged file"


def test_objects_that_are_done_stay_done() -> None:
    world = World(small=0, in_haste=True)
    refs = [world.put(f"in/{number}.csv", b"id\n1\n2\n", notify=0) for number in range(4)]
    world.notify(*refs)
    world.run()
    assert world.loaded() == dict.fromkeys((ref.key for ref in refs), 2)
    assert max(Counter(ref.key for _, ref, _ in world.buckets.opened).values()) == 2, "once more, to see its end"
    assert task(world).attempt > 4


def test_handing_over_counts_nothing_against_the_limit_of_attempts() -> None:
    world = hasty()
    fails = [False, True, True] * 10

    class Flaky:
        def open(self, *args: Any, **kwargs: Any) -> Any:
            if fails.pop(0):
                raise SourceUnavailable("for now", where="S3")
            return world.buckets.open(*args, **kwargs)

    world.reading = Flaky()
    world.run()
    assert numbers(world) == GOOD
    assert task(world).attempt > 3 * 2


def test_an_object_that_fails_in_the_end_brings_no_row_and_all_its_bad_ones() -> None:
    world = hasty(made=typed(parser={"max_bad_rows": 2}))
    world.run()
    assert world.table.rows == []
    entry = world.ledger.stored["flights", "in/a.csv"]
    assert (entry.state, entry.reason) == (State.FAILED, Reason.TOO_MANY_BAD_ROWS)
    assert f"the first is line {BAD[0] + 2}:" in str(entry.error)
    assert sorted(row["record"] for row in world.table.rejects) == [n + 1 for n in BAD]


def test_an_object_that_breaks_in_the_end_brings_nothing() -> None:
    world = hasty(gzip.compress(CSV)[:-3])
    world.run()
    assert world.table.rows == []
    assert world.table.rejects == []
    assert world.ledger.stored["flights", "in/a.csv"].reason == Reason.BROKEN


def test_a_pipeline_that_is_changed_meanwhile_begins_the_object_anew() -> None:
    world = hasty()
    world.discover_all()
    (hint,) = world.queue.loads
    world.queue.loads.clear()
    world.load_task(hint)
    assert (task(world).state, task(world).progress is None) == (TaskState.PLANNED, False)
    world.pipelines.put(typed(parser={"columns": [{"name": name, "type": "string"} for name in ("number", "filler")]}))
    world.run()
    assert {row["number"] for row in world.table.rows} == {f"{'x' if n in BAD else ''}{n}" for n in range(ROWS)}
    assert len(world.table.rows) == ROWS
    assert world.table.rejects == []


def test_an_object_that_was_overwritten_meanwhile_leaves_nothing_of_its_first_half() -> None:
    world = hasty()
    world.discover_all()
    world.load_task(world.queue.loads.pop())
    world.put("in/a.csv", b"number,filler\n1000,x\n")
    world.run()
    assert numbers(world) == [1000]


CALLS = 70


def test_the_long_walk_makes_fewer_calls_than_the_crash_test_tries() -> None:
    world = hasty()
    world.run()
    assert 30 < world.faults.calls < CALLS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_loses_nothing_and_doubles_nothing(after: bool) -> None:
    for call in range(after, CALLS, 2):
        world = hasty()
        world.faults = Faults(frozenset({call}), after)
        world.run()
        assert numbers(world) == GOOD, f"call {call}"
        assert all(each.is_over for each in world.jobs.stored.values())

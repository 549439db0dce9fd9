"""Jobs whose rows are taken out again: theirs, and nobody else's, whatever dies on the way."""

from datetime import timedelta

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.jobs import JobKind, JobState
from chalicelib.core.ledger import State
from chalicelib.core.selection import Reason
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.replay import Chosen
from chalicelib.flows.undo import Undoing
from tests.examples import pipeline
from tests.flows.test_replay import replaying
from tests.flows.world import Crash, Faults, World

BODY = b"id,name\n1,a\nbad\n2,b\n"
KEYS = ("in/a.csv", "in/b.csv")
MINUTE = timedelta(minutes=1)


def undoing(world: World) -> Undoing:
    admin = Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)
    wrap = world.faults.wrap
    return Undoing(admin, wrap(world.ledger), wrap(world.jobs), world.withdraw, world.clock)


def changed(world: World, **out: object) -> None:
    document = pipeline().document()
    document["out"] |= out
    world.pipelines.put(Pipeline.parse(document, where="test"))


def swept(**out: object) -> tuple[World, str]:
    """A world in which one job, a sweep, has loaded two objects."""
    world = World()
    changed(world, **out)
    for key in KEYS:
        world.put(key, BODY, notify=0)
    world.sweep(full=True)
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    (job,) = world.jobs.jobs
    world.now += MINUTE
    return world, job


def test_the_rows_of_a_job_leave_the_tables_good_and_bad() -> None:
    world, job = swept()
    world.put("in/c.csv", BODY)
    world.run()
    done = undoing(world).start(job)
    assert (done.objects, done.rows, done.rejects, done.replaced) == (2, 4, 2, 0)
    world.run()
    assert world.loaded() == {"in/c.csv": 2}
    assert world.set_aside() == {"in/c.csv": 1}
    assert {world.ledger.stored["flights", key].reason for key in KEYS} == {Reason.UNDONE}
    (name,) = done.jobs
    found = world.jobs.jobs[name]
    assert (found.kind, found.state, found.counts["undone"], found.counts["rows_out"]) == (
        JobKind.UNDO,
        JobState.DONE,
        2,
        4,
    )


def test_a_dry_run_says_the_same_and_does_nothing() -> None:
    world, job = swept()
    before = dict(world.ledger.stored)
    done = undoing(world).estimate(job)
    assert (done.objects, done.rows, done.rejects, done.jobs) == (2, 4, 2, ())
    assert world.ledger.stored == before


def test_what_was_undone_is_not_loaded_by_a_sweep_but_by_a_replay_or_with_a_new_content() -> None:
    world, job = swept()
    (undo,) = undoing(world).start(job).jobs
    world.run()
    world.sweep(full=True)
    world.notify(world.buckets.latest["acme-exports", KEYS[0]])
    world.run()
    assert world.loaded() == {}
    replaying(world).start("flights", Chosen(job=undo, prefix="in/a"))
    world.put(KEYS[1], b"id,name\n9,z\n")
    world.run()
    assert world.loaded() == {KEYS[0]: 2, KEYS[1]: 1}
    assert world.set_aside() == {KEYS[0]: 1}


def test_what_the_job_has_no_more_is_left_alone_and_named() -> None:
    world, job = swept()
    for number in range(2, 5):
        world.put(f"in/{number}.csv", BODY, notify=0)
    world.sweep(full=True)
    world.run()
    second = next(name for name in world.jobs.jobs if name != job)
    replaying(world).start("flights", Chosen(key="in/2.csv"))
    world.put("in/3.csv", b"id,name\n9,z\n")
    world.run()
    before = dict(world.loaded())
    done = undoing(world).start(second)
    assert done.objects == 1
    assert sorted(done.left.values()) == [1, 1]
    assert set(done.examples.values()) == {"in/2.csv", "in/3.csv"}
    assert "another content came after it" in done.left
    world.run()
    assert world.loaded() == {key: rows for key, rows in before.items() if key != "in/4.csv"}


def test_an_undo_can_be_repeated() -> None:
    world, job = swept()
    undoing(world).start(job)
    again = undoing(world).start(job)
    assert (again.objects, again.left) == (0, {"its rows are being taken out already": 2})
    world.run()
    last = undoing(world).start(job)
    assert (last.objects, last.left, last.jobs) == (0, {"it is undone already": 2}, ())


def test_what_the_job_had_replaced_does_not_come_back_and_that_is_said() -> None:
    world, job = swept(on_overwrite="replace")
    replaying(world).start("flights", Chosen(key=KEYS[0]))
    world.put(KEYS[1], b"id,name\n9,z\n")
    world.run()
    jobs = [name for name in world.jobs.jobs if name != job]
    assert [undoing(world).start(name).replaced for name in jobs] == [1, 1]
    world.run()
    assert world.loaded() == {}


def test_bad_rows_of_an_object_that_was_set_aside_leave_too() -> None:
    world = World()
    columns = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
    parser = {"type": "csv", "stop_on_invalid_record": True, "skip_header_lines": 1, "columns": columns}
    world.pipelines.put(pipeline(parser=parser))
    world.put(KEYS[0], BODY)
    world.run()
    assert (world.state(KEYS[0]), world.set_aside()) == ("failed", {KEYS[0]: 1})
    (job,) = world.jobs.jobs
    world.now += MINUTE
    assert undoing(world).start(job).rejects == 1
    world.run()
    assert world.set_aside() == {}


def test_a_new_content_beside_an_undo_waits_and_is_loaded() -> None:
    world, job = swept()
    undoing(world).start(job)
    world.put(KEYS[0], b"id,name\n9,z\n")
    world.run()
    assert world.loaded() == {KEYS[0]: 1}
    assert world.state(KEYS[0]) == "committed"


def test_a_schema_conflict_of_the_table_sets_the_object_aside_with_its_rows() -> None:
    world, job = swept()
    world.table.refuses_removals = True
    undoing(world).start(job)
    world.run()
    entry = world.ledger.stored["flights", KEYS[0]]
    assert (entry.state, entry.reason, entry.rows) == (State.FAILED, Reason.SCHEMA_CONFLICT, 2)
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    world.table.refuses_removals = False
    replaying(world).start("flights", Chosen(prefix=""))
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)


@pytest.mark.parametrize(
    ("out", "what"),
    [
        ({"mode": "replace"}, "what they replaced is not kept"),
        ({"origin_columns": False}, "cannot be told from others"),
        ({"type": "parquet"}, "cannot be told from others"),
        ({"table": "elsewhere"}, "writes to"),
    ],
)
def test_rows_that_cannot_be_found_are_refused_before_anything_is_done(out: dict[str, object], what: str) -> None:
    world, job = swept()
    changed(world, **out)
    with pytest.raises(ConfigError, match=what):
        undoing(world).start(job)
    assert {entry.state for entry in world.ledger.stored.values()} == {State.COMMITTED}


def test_a_job_that_is_not_over_or_took_rows_out_itself_is_not_undone() -> None:
    world, job = swept()
    with pytest.raises(ConfigError, match="no job of this id"):
        undoing(world).start("j9")
    (undo,) = undoing(world).start(job).jobs
    with pytest.raises(ConfigError, match="not over"):
        undoing(world).start(undo)
    world.run()
    with pytest.raises(ConfigError, match="took some out") as caught:
        undoing(world).start(undo)
    assert f"--job {undo}" in str(caught.value.remedy)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(20))
def test_a_crash_at_any_call_of_an_undo_loses_nothing_and_takes_nothing_else(call: int, after: bool) -> None:
    world, job = swept()
    world.put("in/c.csv", BODY)
    world.run()
    world.faults = Faults(frozenset({call}), after)
    try:
        undoing(world).start(job)
    except Crash:
        undoing(world).start(job)
    world.run()
    assert world.faults.calls > 20, "calls beyond the last one would test nothing"
    assert world.loaded() == {"in/c.csv": 2}
    assert world.set_aside() == {"in/c.csv": 1}
    assert {world.ledger.stored["flights", key].reason for key in KEYS} == {Reason.UNDONE}

"""Objects that the customer deletes: their rows leave the table, whatever dies on the way, and nothing else does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.jobs import JobKind
from chalicelib.core.ledger import State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from tests.examples import BUCKET, pipeline
from tests.flows.histories import message, removed, shortened
from tests.flows.world import Crash, Faults, World

BODY = b"id,name\n1,a\nbad\n2,b\n"
KEYS = ("in/a.csv", "in/b.csv")
MINUTE = timedelta(minutes=1)


def deleting(**out: object) -> Pipeline:
    document = pipeline().document()
    document["out"] |= {"on_delete": "delete_rows"} | out
    return Pipeline.parse(document, where="test")


def world_of(*, versioned: bool = False, **out: object) -> World:
    world = World()
    world.buckets.create(BUCKET, versioned=versioned)
    world.pipelines.put(deleting(**out))
    return world


def loaded(**options: object) -> tuple[World, dict[str, ObjectRef]]:
    world = world_of(**options)  # type: ignore[arg-type]
    refs = {key: put(world, key, BODY) for key in KEYS}
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.set_aside() == dict.fromkeys(KEYS, 1)
    return world, refs


def put(world: World, key: str, body: bytes) -> ObjectRef:
    ref = world.put(key, body, notify=0)
    told(world, "ObjectCreated:Put", ref)
    return ref


def told(world: World, event: str, ref: ObjectRef) -> None:
    world.arrivals.append((f"m{next(world._ids)}", message([shortened(ref)], event)))


def delete(world: World, ref: ObjectRef, *, notify: int = 1, marker: bool = False) -> None:
    world.now += MINUTE
    world.buckets.delete(ref)
    for _ in range(notify):
        world.arrivals.append((f"m{next(world._ids)}", removed(ref, world.now, marker=marker)))


def test_the_rows_of_a_deleted_object_leave_the_tables_good_and_bad() -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]])
    world.run()
    assert world.loaded() == {KEYS[1]: 2}
    assert world.set_aside() == {KEYS[1]: 1}
    entry = world.ledger.stored["flights", KEYS[0]]
    assert (entry.state, entry.reason, entry.removed_at is not None) == (State.REFUSED, Reason.DELETED, True)
    job = next(job for job in world.jobs.jobs.values() if job.kind is JobKind.REMOVAL)
    assert (job.state, {name: n for name, n in job.counts.items() if n}) == (
        "done",
        {"deleted": 1, "rows_out": 2, "rejects_out": 1},
    )


def test_all_that_is_deleted_within_a_minute_leaves_in_one_change() -> None:
    world, refs = loaded()
    for ref in refs.values():
        delete(world, ref, notify=2)
    world.run()
    assert world.loaded() == {}
    assert [job.kind for job in world.jobs.jobs.values()].count(JobKind.REMOVAL) == 1


def test_rows_stay_by_default() -> None:
    world, refs = loaded(on_delete="keep")
    delete(world, refs[KEYS[0]])
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.state(KEYS[0]) == "committed"


def test_redelivered_notifications_bring_nothing_back() -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]])
    for _ in range(2):
        told(world, "ObjectCreated:Put", refs[KEYS[0]])
        world.arrivals.append(("again", removed(refs[KEYS[0]], world.now, marker=False)))
        world.run()
    assert world.loaded() == {KEYS[1]: 2}
    assert world.state(KEYS[0]) == "refused"


@pytest.mark.parametrize("versioned", [False, True])
def test_a_removal_that_is_heard_of_before_the_creation(versioned: bool) -> None:
    world = world_of(versioned=versioned)
    ref = world.put(KEYS[0], BODY, notify=0)
    delete(world, ref, marker=versioned)
    world.run()
    told(world, "ObjectCreated:Put", ref)
    world.run()
    assert world.loaded() == {}
    assert world.ledger.stored["flights", KEYS[0]].reason in (Reason.MISSING, Reason.DELETED)


def test_a_deleted_key_that_no_pipeline_wants_gets_no_entry() -> None:
    world = world_of(versioned=True)
    ref = world.put("out/a.csv", BODY, notify=0)
    delete(world, ref, marker=True)
    world.run()
    assert world.ledger.stored == {}


@pytest.mark.parametrize("creation_first", [False, True])
def test_the_same_content_made_again_is_loaded_again(creation_first: bool) -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]], notify=0)
    gone_at = world.now
    world.now += MINUTE
    again = world.put(KEYS[0], BODY, notify=0)
    assert again.etag == refs[KEYS[0]].etag
    words = [
        lambda: world.arrivals.append(("r", removed(refs[KEYS[0]], gone_at, marker=False))),
        lambda: told(world, "ObjectCreated:Put", again),
    ]
    for word in reversed(words) if creation_first else words:
        word()
        world.discover_all()
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.set_aside() == dict.fromkeys(KEYS, 1)
    assert world.state(KEYS[0]) == "committed"


def test_a_full_sweep_finds_what_was_made_again_and_deletes_nothing_that_it_does_not_find() -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]])
    world.run()
    world.now += MINUTE
    world.put(KEYS[0], BODY, notify=0)
    delete(world, refs[KEYS[1]], notify=0)
    world.sweep(full=True)
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2), "absence from a listing is no word of a deletion"


def test_an_object_deleted_while_it_is_loaded_leaves_after_its_mark() -> None:
    world = world_of()
    ref = put(world, KEYS[0], BODY)
    world.discover_all()
    (hint,) = world.queue.loads
    world.load.task(*hint)
    delete(world, ref)
    world.discover_all()
    entry = world.ledger.stored["flights", KEYS[0]]
    assert (entry.state, entry.leaving) == (State.CLAIMED, Reason.DELETED)
    world.run()
    assert world.loaded() == {}
    assert world.state(KEYS[0]) == "refused"


def test_a_new_content_waits_until_the_former_rows_are_out() -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]])
    world.discover_all()
    put(world, KEYS[0], b"id,name\n9,z\n")
    world.discover_all()
    assert world.ledger.stored["flights", KEYS[0]].successor is not None
    world.run()
    assert world.loaded() == {KEYS[0]: 1, KEYS[1]: 2}


def test_where_overwrites_append_all_contents_of_a_deleted_key_leave() -> None:
    world, _ = loaded(on_overwrite="append")
    latest = put(world, KEYS[0], b"id,name\n9,z\n")
    world.run()
    assert world.loaded()[KEYS[0]] == 3
    delete(world, latest)
    world.run()
    assert world.loaded() == {KEYS[1]: 2}


def test_the_deletion_of_an_old_version_leaves_the_latest_rows() -> None:
    world, refs = loaded(versioned=True, on_overwrite="replace")
    latest = put(world, KEYS[0], b"id,name\n9,z\n")
    world.run()
    told(world, "ObjectRemoved:Delete", replace(refs[KEYS[0]], created_at=world.now))
    world.run()
    assert world.loaded() == {KEYS[0]: 1, KEYS[1]: 2}
    world.buckets.delete(latest)
    told(world, "ObjectRemoved:Delete", replace(latest, created_at=world.now))
    world.run()
    assert world.loaded() == {KEYS[1]: 2}


def test_a_deletion_in_a_table_whose_content_is_replaced_is_the_next_runs_business() -> None:
    world, refs = loaded()
    document = deleting().document()
    document["out"] |= {"mode": "replace"}
    world.pipelines.put(Pipeline.parse(document, where="test"))
    delete(world, refs[KEYS[0]])
    world.run()
    entry = world.ledger.stored["flights", KEYS[0]]
    assert (entry.state, entry.removed_at is not None) == (State.COMMITTED, True)


def test_rows_that_cannot_be_found_any_more_are_said_to_be_there() -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]])
    world.discover_all()
    document = deleting().document()
    document["out"] |= {"type": "parquet", "on_delete": "keep"}
    world.pipelines.put(Pipeline.parse(document, where="test"))
    world.run()
    entry = world.ledger.stored["flights", KEYS[0]]
    assert (entry.state, entry.reason, entry.rows) == (State.FAILED, Reason.MISCONFIGURED, 2)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(24))
def test_a_crash_at_any_call_of_a_removal_loses_nothing_and_takes_nothing_else(call: int, after: bool) -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]], notify=2)
    put(world, "in/c.csv", BODY)
    world.faults = Faults(frozenset({call}), after)
    world.run()
    assert world.faults.calls > 24, "calls beyond the last one would test nothing"
    assert world.loaded() == {KEYS[1]: 2, "in/c.csv": 2}
    assert world.set_aside() == {KEYS[1]: 1, "in/c.csv": 1}
    assert world.state(KEYS[0]) == "refused"


def test_a_dead_withdrawals_objects_are_taken_up_by_the_tick() -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]])
    world.discover_all()
    world.faults = Faults(frozenset({3}))  # claimed, and the job not stored
    found = list(world.ledger.open("flights", due=world.now, limit=10))
    with pytest.raises(Crash):
        world.withdraw.start(world.pipelines.stored["flights"], "test", found)
    assert world.state(KEYS[0]) == "claimed"
    world.run()
    assert world.loaded() == {KEYS[1]: 2}


@pytest.mark.parametrize("emptied_in", ["claimed", "staged"])
def test_an_object_that_is_emptied_while_it_is_loaded_leaves_no_rows(emptied_in: str) -> None:
    world = world_of(on_overwrite="replace")
    put(world, KEYS[0], BODY)
    world.discover_all()
    if emptied_in == "staged":
        for task in world.queue.loads:
            world.load.task(*task)
        world.queue.loads.clear()
    world.now += MINUTE
    put(world, KEYS[0], b"")
    world.run()
    assert world.loaded() == {}
    entry = world.ledger.stored["flights", KEYS[0]]
    assert (entry.state, entry.reason, entry.ref.size) == (State.REFUSED, Reason.EMPTY, 0)

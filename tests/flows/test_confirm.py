"""Nothing leaves a table because a message says so: the bucket is asked first."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.ledger import State
from chalicelib.core.listing import MAX_KEY, just_before
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from tests.examples import BUCKET, grant
from tests.flows.histories import removed
from tests.flows.test_removals import BODY, KEYS, MINUTE, delete, loaded, put, told, world_of
from tests.flows.world import World


def lie(world: World, ref: ObjectRef) -> None:
    """Somebody says that an object was deleted, which it was not."""
    world.now += MINUTE
    world.arrivals.append((f"lie{world.now}", removed(ref, world.now, marker=False)))


def watched(world: World) -> list[int]:
    """How many rows readers saw after each commit from now on."""
    seen: list[int] = []
    commit = world.table.commit

    def noted(*arguments: object, **options: object) -> object:
        answer = commit(*arguments, **options)  # type: ignore[arg-type]
        seen.append(len(world.table.rows))
        return answer

    world.table.commit = noted  # type: ignore[method-assign, assignment]
    return seen


def test_what_is_said_to_be_deleted_and_is_there_keeps_its_rows_at_every_moment() -> None:
    world, refs = loaded()
    seen = watched(world)
    lie(world, refs[KEYS[0]])
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert world.set_aside() == dict.fromkeys(KEYS, 1)
    assert seen and min(seen) == 4, "its rows were exchanged in one change"
    entry = world.ledger.stored["flights", KEYS[0]]
    assert (entry.state, entry.removal, entry.leaving) == (State.COMMITTED, None, None)
    assert world.metrics.totals["RemovalsRefuted"] == 1


def test_what_is_said_to_be_empty_and_is_not_keeps_its_rows() -> None:
    world = world_of(on_overwrite="replace")
    ref = put(world, KEYS[0], BODY)
    world.run()
    world.now += MINUTE
    told(world, "ObjectCreated:Put", replace(ref, etag="d41d8", size=0, created_at=world.now, sequencer="FF"))
    seen = watched(world)
    world.run()
    assert world.loaded() == {KEYS[0]: 2}
    assert min(seen, default=2) == 2
    assert world.state(KEYS[0]) == "committed"


def test_a_true_deletion_is_believed_after_one_look() -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]])
    world.discover_all()
    before = world.buckets.listings
    world.recover.tick()
    assert world.buckets.listings == before + 1
    world.run()
    assert world.loaded() == {KEYS[1]: 2}
    assert world.metrics.totals["RemovalsRefuted"] == 0


def test_what_was_deleted_and_written_again_before_the_look_is_loaded_in_place_of_itself() -> None:
    world, refs = loaded()
    delete(world, refs[KEYS[0]])
    world.discover_all()
    put(world, KEYS[0], BODY)
    seen = watched(world)
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    assert min(seen) == 4


def test_a_lie_about_a_content_that_another_overtook_is_no_loss_either() -> None:
    world, refs = loaded()
    lie(world, refs[KEYS[0]])
    world.discover_all()
    forged = replace(refs[KEYS[0]], etag="e" * 32, created_at=world.now, sequencer="FFFF")
    told(world, "ObjectCreated:Put", forged)
    world.discover_all()
    assert world.ledger.stored["flights", KEYS[0]].successor is not None
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)


def test_a_forged_content_of_the_future_does_not_keep_the_true_ones_out() -> None:
    world, refs = loaded(on_overwrite="replace")
    told(world, "ObjectCreated:Put", replace(refs[KEYS[0]], etag="e" * 32, sequencer="FFFFFFFFFFFFFFFFFFFF"))
    world.run()
    assert world.ledger.stored["flights", KEYS[0]].reason is Reason.OVERWRITTEN
    assert world.loaded() == dict.fromkeys(KEYS, 2), "what was loaded stays"
    world.now += 2 * MINUTE
    put(world, KEYS[0], b"id,name\n9,z\n")
    world.run()
    assert world.loaded() == {KEYS[0]: 1, KEYS[1]: 2}


def test_what_went_before_a_content_that_was_never_found_is_not_loaded_again() -> None:
    world, refs = loaded(on_overwrite="append")
    told(world, "ObjectCreated:Put", replace(refs[KEYS[0]], etag="e" * 32, sequencer="FFFFFFFFFFFFFFFFFFFF"))
    world.run()
    told(world, "ObjectCreated:Put", refs[KEYS[0]])
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)


@pytest.mark.parametrize("event", ["ObjectCreated:Put", "ObjectRemoved:Delete", "ObjectRestore:Completed"])
def test_nothing_can_be_dated_into_the_future(event: str) -> None:
    world = world_of(on_overwrite="replace")
    lie = ObjectRef(BUCKET, KEYS[0], "e" * 32, 20, world.now.replace(year=9999))
    told(world, event, lie)
    world.run()
    world.now += 2 * MINUTE
    world.put(KEYS[0], BODY, notify=0)
    world.sweep(full=True)
    world.run()
    assert world.loaded() == {KEYS[0]: 2}


def test_while_we_may_not_look_nothing_leaves() -> None:
    world, refs = loaded()
    world.buckets.deny(BUCKET)
    delete(world, refs[KEYS[0]])
    world.run(rounds=5)
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    world.buckets.denied.clear()
    world.run()
    assert world.loaded() == {KEYS[1]: 2}


def test_where_we_were_never_allowed_to_list_the_keys_are_asked_for_one_by_one() -> None:
    world, refs = loaded()
    known = grant()
    blind = parse_connection({**known.connection.document(), "can_list": False}, where="test")
    world.connections.stored["acme"] = Grant(blind, known.external_id, known.created_at)
    lie(world, refs[KEYS[1]])
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    delete(world, refs[KEYS[0]])
    world.run()
    assert world.loaded() == {KEYS[1]: 2}


@pytest.mark.parametrize("between", [0, 1500])
def test_a_thousand_deletions_cost_a_few_listings(between: int) -> None:
    world = world_of(on_overwrite="replace")
    refs = [put(world, f"in/{number:04}.csv", BODY) for number in range(300)]
    world.run(rounds=60)
    for number in range(between):
        world.buckets.put(BUCKET, f"in/0150.{number:04}.txt", b"-")
    for ref in refs[100:200]:
        world.buckets.delete(ref)
    world.now += MINUTE
    for ref in refs[100:200]:
        world.arrivals.append((f"d{ref.key}", removed(ref, world.now, marker=False)))
    lies = [removed(ref, world.now, marker=False) for ref in refs[:100:20]]
    world.arrivals += [(f"l{number}", body) for number, body in enumerate(lies)]
    world.discover_all()
    before = world.buckets.listings
    world.recover.tick()
    assert world.buckets.listings - before <= 3
    world.run(rounds=60)
    kept = [ref.key for ref in (*refs[:100], *refs[200:])]
    assert world.loaded() == dict.fromkeys(kept, 2)


CHARACTERS = st.characters(codec="utf-8")


@given(st.text(CHARACTERS, min_size=1, max_size=6), st.text(CHARACTERS, min_size=1, max_size=6))
def test_a_listing_from_just_before_a_key_begins_with_it(key: str, other: str) -> None:
    start = just_before(key).encode()
    assert start < key.encode()
    assert len(start) <= MAX_KEY
    between = start < other.encode() < key.encode()
    assert not between or "\U0010ffff" in other


def test_a_key_as_long_as_s3_allows_has_one_before_it() -> None:
    key = "k" * MAX_KEY
    assert just_before(key) == "k" * (MAX_KEY - 1)
    assert just_before("\x00") == ""
    assert just_before("\ue000") == "\ud7ff\U0010ffff"

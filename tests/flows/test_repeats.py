"""Whoever names a content that never was brings no true one into the table twice."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.ledger import State
from chalicelib.core.objects import ObjectRef
from tests.flows.test_removals import BODY, KEYS, MINUTE, loaded, put, told, world_of
from tests.flows.world import World

KEY = KEYS[0]


def again(world: World, ref: ObjectRef, **changes: Any) -> None:
    """A message about the object as it is, or as it is not."""
    world.now += MINUTE
    told(world, "ObjectCreated:Put", replace(ref, created_at=world.now, sequencer=None, **changes))
    world.run()


@pytest.mark.parametrize("on_overwrite", ["append", "replace", "ignore"])
@pytest.mark.parametrize("origin_columns", [True, False])
def test_a_content_that_never_was_does_not_have_the_true_one_loaded_twice(
    on_overwrite: str, origin_columns: bool
) -> None:
    if on_overwrite == "replace" and not origin_columns:
        pytest.skip("rows cannot be replaced that cannot be found")
    kept = {} if origin_columns else {"on_delete": "keep"}
    world = world_of(on_overwrite=on_overwrite, origin_columns=origin_columns, **kept)
    ref = put(world, KEY, BODY)
    world.run()
    before = len(world.table.rows)
    for _ in range(2):
        again(world, ref, etag="forged")
        again(world, ref)
        world.sweep(full=True)
        world.run()
    assert len(world.table.rows) == before
    entry = world.ledger.stored["flights", KEY]
    assert (entry.state, entry.ref.etag) == (State.COMMITTED, ref.etag)


@pytest.mark.parametrize("version", [None, "vX"])
@pytest.mark.parametrize("minutes", [0, 3])
def test_a_listing_that_knows_no_versions_brings_nothing_a_second_time(version: str | None, minutes: int) -> None:
    world, refs = loaded(versioned=True, on_overwrite="append")
    forged = replace(refs[KEYS[0]], etag="e" * 32, version_id=version, sequencer="F" * 16)
    told(world, "ObjectCreated:Put", forged)
    world.run()
    world.now += minutes * MINUTE
    world.sweep(full=True)
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)
    told(world, "ObjectCreated:Put", refs[KEYS[0]])
    world.run()
    assert world.loaded() == dict.fromkeys(KEYS, 2)

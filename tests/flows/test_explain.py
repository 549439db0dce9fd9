"""Explain recomputes every rule, and says what ledger, cursor and bucket know."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.cursors import Cursor
from chalicelib.core.ledger import State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason, refusal
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.explain import Explaining, Explanation, There, rules
from tests.examples import BUCKET, START, pipeline
from tests.flows.world import World

CSV = b"id,name\n1,a\n"


def world_with(**source: Any) -> World:
    world = World()
    world.pipelines.put(pipeline(**source))
    world.buckets.create(BUCKET)
    return world


def explained(world: World, key: str) -> Explanation:
    admin = Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)
    return Explaining(admin, world.buckets, world.ledger, world.cursors).explain("flights", key)


def test_a_loaded_object_is_wanted_by_every_rule_and_the_same_in_ledger_and_bucket() -> None:
    world = world_with()
    world.put("in/a.csv", CSV)
    world.put("in/a.csv.gz", CSV)
    world.run()
    found = explained(world, "in/a.csv")
    assert all(ruling.passes for ruling in found.rulings)
    assert (found.refused_by, found.there, found.passed) == (None, There.SAME, False)
    assert found.entry is not None
    assert (found.entry.state, found.entry.rows) == (State.COMMITTED, 1)
    assert found.listed is not None
    assert found.listed.ref.key == "in/a.csv"
    assert explained(world, "in/a").there is There.MISSING, "a key that only starts like others"


def test_the_first_rule_that_refuses_is_named_and_the_others_are_shown_as_well() -> None:
    world = world_with(suffix=".csv", exclude=["**/tmp/**"], path_match_pattern="2026")
    found = explained(world, "in/tmp/a.txt")
    verdicts = {ruling.rule: ruling.passes for ruling in found.rulings}
    assert verdicts == {
        "path": True,
        "path_prefix": True,
        "suffix": False,
        "include": True,
        "exclude": False,
        "path_match_pattern": False,
        "window": True,
        "size": None,
        "archive": None,
        "arrivals": True,
    }
    assert found.refused_by is not None
    assert (found.refused_by.rule, found.refused_by.setting) == ("suffix", ".csv")
    assert found.refused_by.reason is Reason.OUTSIDE_SUFFIX


def test_a_path_wins_over_a_prefix() -> None:
    found = explained(world_with(path="x/one.csv"), "x/one.csv")
    assert found.refused_by is None
    other = explained(world_with(path="x/one.csv"), "in/two.csv")
    assert other.refused_by is not None
    assert other.refused_by.rule == "path"


@pytest.mark.parametrize(
    ("key", "content", "archived", "rule"),
    [("in/a.csv", b"", False, "size"), ("in/a/", b"", False, "size"), ("in/b.csv", CSV, True, "archive")],
)
def test_size_and_class_are_those_of_the_object_as_it_lies_there(
    key: str, content: bytes, archived: bool, rule: str
) -> None:
    world = world_with()
    ref = world.put(key, content, notify=0)
    if archived:
        world.buckets.archive(ref)
    found = explained(world, key)
    assert found.refused_by is not None
    assert found.refused_by.rule == rule
    assert found.there is There.UNSEEN


def test_what_lies_in_the_bucket_now_is_compared_with_the_ledger() -> None:
    world = world_with()
    ref = world.put("in/a.csv", CSV)
    world.run()
    world.now += timedelta(hours=1)
    world.put("in/a.csv", b"id,name\n2,b\n", notify=0)
    assert explained(world, "in/a.csv").there is There.NEWER
    stored = world.ledger.stored["flights", "in/a.csv"]
    later = replace(ref, etag="x", created_at=world.now + timedelta(hours=1))
    world.ledger.stored["flights", "in/a.csv"] = replace(stored, ref=later)
    assert explained(world, "in/a.csv").there is There.OLDER
    world.buckets.delete(ref)
    assert explained(world, "in/a.csv").there is There.MISSING


@pytest.mark.parametrize(("last_path", "passed"), [(None, False), ("in/a.csv", False), ("in/b.csv", True)])
def test_a_cursor_by_key_has_passed_what_is_not_after_it(last_path: str | None, passed: bool) -> None:
    world = world_with()
    world.cursors.stored["flights"] = Cursor("flights", last_path=last_path, revision=1)
    assert explained(world, "in/b.csv").passed is passed
    world.pipelines.put(pipeline(incremental=False))
    assert explained(world, "in/b.csv").passed is False


def test_a_declared_start_counts_as_the_cursor() -> None:
    assert explained(world_with(last_path="in/m"), "in/b.csv").passed is True


def test_a_cursor_by_time_has_passed_what_is_older_than_its_overlap() -> None:
    world = world_with(use_modified_time=True, overlap=60)
    world.put("in/a.csv", CSV, notify=0)
    assert explained(world, "in/a.csv").passed is False
    for seconds, passed in ((60, False), (61, True)):
        time = START + timedelta(seconds=seconds)
        world.cursors.stored["flights"] = Cursor("flights", last_modified_time=time, revision=1)
        found = explained(world, "in/a.csv")
        window = next(ruling for ruling in found.rulings if ruling.rule == "window")
        assert (found.passed, window.passes) == (passed, not passed)
        assert found.refused_by is None, "arrivals and full sweeps do not ask for the window"
    assert explained(world, "in/none.csv").passed is None


def test_a_bucket_that_refuses_us_is_part_of_the_answer() -> None:
    world = world_with()
    world.buckets.refused.add("acme")
    found = explained(world, "in/a.csv")
    assert (found.there, found.refused_by) == (There.UNKNOWN, None)
    assert "refused" in str(found.trouble)
    with pytest.raises(ConfigError, match="no pipeline of this name"):
        Explaining(
            Admin(world.connections, world.pipelines, lambda _: None, lambda _: None),
            world.buckets,
            world.ledger,
            world.cursors,
        ).explain("fligths", "in/a.csv")


def test_a_look_makes_one_call_and_writes_nothing() -> None:
    world = world_with()
    world.put("in/a.csv", CSV, notify=0)
    explained(world, "in/a.csv")
    assert world.buckets.listings == 1
    assert (world.ledger.stored, world.cursors.stored) == ({}, {})


parts = st.text(st.sampled_from("ab/."), max_size=4)
settings = st.fixed_dictionaries(
    {
        "path": st.none() | st.just("in/a"),
        "path_prefix": parts,
        "suffix": st.lists(parts.filter(bool), max_size=2),
        "include": st.lists(st.sampled_from(["**", "*a", "**/b*"]), max_size=2),
        "exclude": st.lists(st.sampled_from(["**/b", "?"]), max_size=2),
        "path_match_pattern": st.none() | st.sampled_from(["a", "^in", "b$"]),
    }
)


@given(settings, parts, st.sampled_from([0, 5]), st.booleans())
def test_the_rules_one_by_one_come_to_what_they_come_to_together(
    declared: dict[str, Any], key: str, size: int, archived: bool
) -> None:
    source = pipeline(**declared).source
    ref = ObjectRef(BUCKET, f"in/{key}", "e", size, START)
    first = next((each.reason for each in rules(source, ref.key, ref, archived=archived) if each.passes is False), None)
    assert first == refusal(source, ref, archived=archived)

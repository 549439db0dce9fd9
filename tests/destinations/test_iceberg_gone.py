"""Rows that only go: of one content of a key, or of all that the key ever had."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.exceptions import CommitFailedException

from chalicelib.core.tasks import Former
from tests.destinations.scripted import ScriptedCatalog, fail
from tests.destinations.staged import Place, place, sql_catalog, task
from tests.destinations.test_iceberg_formers import A1, A2, B1, Content, commit, contents, staged

ALL_OF_A = Former("bucket", "a", None)


def test_all_contents_of_a_key_go_and_its_neighbours_stay(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3]}))
    commit(there, staged(there, 1, {A2: [4], ("ab", "e:1"): [5]}))
    commit(there, task(2, ()), ALL_OF_A)
    assert contents(there) == {B1: [3], ("ab", "e:1"): [5]}


def test_another_buckets_key_of_the_same_name_stays(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1]}))
    commit(there, task(1, ()), Former("another", "a", None))
    assert contents(there) == {A1: [1]}


def test_one_content_of_one_key_and_all_of_another_go_in_one_change(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {A1: [1], A2: [2], B1: [3], ("b", "e:2"): [4], ("c", "e:1"): [5]}))
    before = catalog.commits
    commit(there, task(1, ()), Former("bucket", "b", "e:1"), ALL_OF_A)
    assert catalog.commits == before + 1
    assert contents(there) == {("b", "e:2"): [4], ("c", "e:1"): [5]}


def test_what_comes_for_another_key_in_the_same_change_comes(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1]}))
    tasks = [task(1, ()), staged(there, 2, {B1: [3]})]
    there.tables.commit(there.out(), tasks, {tasks[0].id: [ALL_OF_A], tasks[1].id: []})
    assert contents(there) == {B1: [3]}


def test_rows_that_came_after_the_change_are_not_taken_by_its_repetition(there: Place) -> None:
    """The answer was lost, the object was loaded again, and a late process asks once more."""
    commit(there, staged(there, 0, {A1: [1], B1: [3]}))
    gone = task(1, ())
    commit(there, gone, ALL_OF_A)
    commit(there, staged(there, 2, {A1: [1]}))
    commit(there, gone, ALL_OF_A)
    assert contents(there) == {A1: [1], B1: [3]}


@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])
def test_a_change_whose_call_fails_is_made_once(there: Place, catalog: ScriptedCatalog, after: bool) -> None:
    commit(there, staged(there, 0, {A1: [1], B1: [3]}))
    (catalog.after if after else catalog.before).append(fail(CommitFailedException("somebody was first")))
    commit(there, task(1, ()), ALL_OF_A)
    assert contents(there) == {B1: [3]}


keys, identities = st.sampled_from("abc"), st.sampled_from(("e:1", "e:2"))
objects = st.dictionaries(st.tuples(keys, identities), st.lists(st.integers(0, 9), min_size=1, max_size=3))


@settings(max_examples=15, deadline=None)
@given(st.lists(objects, min_size=1, max_size=3), st.sets(st.tuples(keys, st.none() | identities), max_size=3))
def test_what_goes_is_what_a_filter_over_the_rows_says(
    tmp_path_factory: pytest.TempPathFactory, loads: list[dict[Content, list[int]]], gone: set[tuple[str, str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("gone")
    expected: dict[Content, list[int]] = {}
    with sql_catalog(folder) as catalog:
        there = place("iceberg", folder, catalog)
        for number, each in enumerate(loads):
            commit(there, staged(there, number, each))
            for content, ids in each.items():
                expected[content] = sorted([*expected.get(content, []), *ids])
        commit(there, task(9, ()), *(Former("bucket", key, identity) for key, identity in gone))
        left = {content: ids for content, ids in expected.items() if not gone & {content, (content[0], None)}}
        assert (contents(there) if expected else {}) == left

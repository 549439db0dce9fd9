"""Rows of earlier loads go in the very commit that brings the later ones."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.types import StringType

from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Former, Task
from chalicelib.errors import SchemaConflict
from chalicelib.records.origin import with_origin
from tests.destinations.scripted import ScriptedCatalog, fail
from tests.destinations.staged import ID, LOADED_AT, Place, batch, place, sql_catalog, task

Content = tuple[str, str]  # key and identity


def staged(there: Place, number: int, objects: Mapping[Content, Sequence[int]]) -> Task:
    """A task with these objects' rows in one file."""
    staging = there.stage(there.out(), f"a01/{number}", 1)
    for (key, identity), ids in objects.items():
        rows = batch((ID,), *((i,) for i in ids), origin=False)
        staging.write(with_origin(rows, ObjectRef("bucket", key, identity[2:], 1, LOADED_AT), LOADED_AT), (ID,))
        staging.keep()
    return task(number, staging.finish())


def former(key: str, identity: str) -> Former:
    return Former("bucket", key, identity)


def commit(there: Place, done: Task, *formers: Former) -> str | None:
    return there.tables.commit(there.out(), [done], {done.id: formers})


def contents(there: Place) -> dict[Content, list[int]]:
    found: dict[Content, list[int]] = {}
    for key, identity, i in there.read("_key, _identity, id", "order by all"):
        found.setdefault((key, identity), []).append(i)
    return found


A1, A2, B1 = ("a", "e:1"), ("a", "e:2"), ("b", "e:1")


def test_an_objects_earlier_rows_go_and_its_neighbours_in_the_same_file_stay(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3]}))
    commit(there, staged(there, 1, {A2: [4]}), former(*A1))
    assert contents(there) == {A2: [4], B1: [3]}


def test_the_same_content_is_replaced_by_itself(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1, 2], B1: [3]}))
    commit(there, staged(there, 1, {A1: [1, 2, 9]}), former(*A1))
    assert contents(there) == {A1: [1, 2, 9], B1: [3]}


def test_no_reader_sees_neither_or_both(there: Place, catalog: ScriptedCatalog) -> None:
    commit(there, staged(there, 0, {A1: [1], B1: [3]}))
    seen: list[dict[Content, list[int]]] = []
    catalog.before.append(lambda: seen.append(contents(there)))
    before = catalog.commits
    commit(there, staged(there, 1, {A2: [4]}), former(*A1))
    assert catalog.commits == before + 1
    assert seen == [{A1: [1], B1: [3]}]


def test_rows_can_go_without_any_coming(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1], B1: [3]}))
    commit(there, task(1, ()), former(*A1))
    assert contents(there) == {B1: [3]}
    commit(there, task(1, ()), former(*A1))
    assert contents(there) == {B1: [3]}


def test_nothing_happens_where_there_is_nothing_to_take_out(there: Place, catalog: ScriptedCatalog) -> None:
    assert commit(there, task(0, ()), former(*A1)) is None
    assert not catalog.namespace_exists("db")
    commit(there, staged(there, 1, {B1: [3]}), former(*A1))
    assert contents(there) == {B1: [3]}
    before = catalog.commits
    assert commit(there, task(2, ()), former(*A1)) is None
    assert catalog.commits == before


def test_a_repeated_commit_takes_out_nothing_that_came_with_it(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1]}))
    again = staged(there, 1, {A1: [2]})
    commit(there, again, former(*A1))
    commit(there, again, former(*A1))
    assert contents(there) == {A1: [2]}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_conflict_or_a_lost_answer_changes_nothing_of_that(there: Place, catalog: ScriptedCatalog, when: str) -> None:
    commit(there, staged(there, 0, {A1: [1], B1: [3]}))
    getattr(catalog, when).append(fail(CommitFailedException("somebody was first")))
    commit(there, staged(there, 1, {A2: [4, 5]}), former(*A1))
    assert contents(there) == {A2: [4, 5], B1: [3]}


def test_an_object_is_found_without_reading_files_that_cannot_have_it(there: Place, catalog: ScriptedCatalog) -> None:
    long = "exports/2026/11/22/a/very/long/common/prefix/"
    for number in range(4):
        commit(there, staged(there, number, {(f"{long}{number}", "e:1"): [number]}))
    before = set(there.files())
    commit(there, staged(there, 9, {(f"{long}2", "e:2"): [9]}), former(f"{long}2", "e:1"))
    assert len(before - set(there.files())) == 1
    summary = catalog.load_table(("db", "t")).current_snapshot()
    assert summary is not None


keys = st.sampled_from(["a", "b", "c"])
identities = st.sampled_from(["e:1", "e:2"])
objects = st.dictionaries(st.tuples(keys, identities), st.lists(st.integers(0, 9), min_size=1, max_size=3), max_size=4)


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.tuples(objects, st.sets(st.tuples(keys, identities), max_size=3)), max_size=4))
def test_whatever_comes_and_goes_the_table_has_what_a_dictionary_has(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[dict[Content, list[int]], set[Content]]]
) -> None:
    folder = tmp_path_factory.mktemp("formers")
    expected: dict[Content, list[int]] = {}
    with sql_catalog(folder) as catalog:
        there = place("iceberg", folder, catalog)
        for number, (come, go) in enumerate(steps):
            commit(there, staged(there, number, come), *(former(*content) for content in sorted(go)))
            expected = {content: ids for content, ids in expected.items() if content not in go}
            for content, ids in come.items():
                expected[content] = sorted([*expected.get(content, []), *ids])
        there_now = contents(there) if expected else {}
        assert there_now == expected


def test_a_file_that_another_hand_made_unreadable_is_a_conflict_and_not_a_crash(there: Place) -> None:
    commit(there, staged(there, 0, {A1: [1], B1: [3]}))
    with there.catalog().load_table(("db", "t")).update_schema() as update:
        update.delete_column("id")
        update.add_column("id", StringType())
    with pytest.raises(SchemaConflict, match="do not fit"):
        commit(there, task(1, ()), former(*A1))

"""What maintenance decides: groups of small files, snapshots that go, proofs of orphans."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.maintenance import Maintenance
from chalicelib.core.compaction import GROUP_FILES, RUN_BYTES, Group, LiveFile, bounded, is_small, plan
from chalicelib.core.expiry import Branch, History, expired
from chalicelib.core.orphans import Maker, by_age_alone, by_task, maker
from chalicelib.core.places import Span
from chalicelib.core.tasks import Begun, Progress, Staged, StagedFile, Task, TaskState
from chalicelib.destinations.paths import file_name

MIB = 1024 * 1024
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Maintenance(target_file_size=100 * MIB, min_files=4)


def sized(*sizes: int, place: str = "p") -> list[LiveFile]:
    """Files of so many MiB."""
    return [LiveFile(f"{place}/{n}", size * MIB, place, f"key{n:04}") for n, size in enumerate(sizes)]


def chosen(files: Sequence[LiveFile]) -> list[list[int]]:
    return [[file.size // MIB for file in group.files] for group in plan(files, RULES)]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ((), []),
        ((1,), []),
        ((1, 1, 1), []),  # fewer than min_files, and no whole file
        ((1, 1, 1, 1), [[1, 1, 1, 1]]),
        ((1, 1, 1, 1, 100, 200), [[1, 1, 1, 1]]),  # large ones stay as they are
        ((75, 75, 75, 75), []),  # three quarters are enough
        ((74, 74), [[74, 74]]),  # two that make a whole file
        ((60, 1, 1, 1, 1), [[1, 1, 1, 1]]),  # the last remainder waits
        ((60, 1, 1, 1), []),  # and is no small file that counts
        ((60, 25, 1, 1, 1, 1), [[1, 1, 1, 1]]),  # 25 is more than twice the rest, and 60 than all smaller ones
        ((60, 10, 10, 10), [[60, 10, 10, 10]]),
        ((60, 41, 1), [[60, 41, 1]]),  # together a whole file
        ((0, 0, 0, 0), [[0, 0, 0, 0]]),
    ],
)
def test_small_files_of_a_partition_are_put_together(sizes: tuple[int, ...], groups: list[list[int]]) -> None:
    assert chosen(sized(*sizes)) == groups


def test_files_of_two_partitions_never_meet() -> None:
    files = sized(1, 1, 1, 1, place="a") + sized(1, 1, 1, 1, place="b") + sized(1, 1, place="c")
    assert {tuple({file.place for file in group.files}) for group in plan(files, RULES)} == {("a",), ("b",)}


def test_files_are_taken_in_the_order_of_their_keys() -> None:
    files = list(reversed(sized(1, 1, 1, 1)))
    assert [file.first for file in plan(files, RULES)[0].files] == ["key0000", "key0001", "key0002", "key0003"]


def test_the_cheapest_groups_come_first_and_a_run_is_bounded() -> None:
    many = [LiveFile(f"a/{n}", 1, "a") for n in range(GROUP_FILES + 5)]
    files = many + sized(20, 20, 20, 20, 20, place="b")
    assert [len(group.files) for group in plan(files, RULES)] == [GROUP_FILES, 5, 5]
    huge = Group((LiveFile("x", RUN_BYTES + 1, "x"),))
    assert bounded([huge, huge]) == [huge], "at least one"
    assert bounded([]) == []


@given(st.lists(st.integers(0, 120), max_size=60))
@settings(max_examples=60)
def test_a_plan_takes_each_small_file_at_most_once_and_groups_shrink(sizes: list[int]) -> None:
    groups = plan(sized(*sizes), RULES)
    taken = [file.path for group in groups for file in group.files]
    assert len(taken) == len(set(taken))
    assert all(is_small(file, RULES) for group in groups for file in group.files)
    assert all(len(group.files) > 1 and group.size <= 4 * RULES.target_file_size for group in groups)


def test_a_remainder_is_not_written_again_with_every_few_new_files() -> None:
    files, written = sized(1), 0
    for number in range(200):
        files.append(LiveFile(f"new{number}", MIB // 4, "p"))
        for group in plan(files, RULES):
            written += group.size
            files = [file for file in files if file not in group.files]
            files.append(LiveFile(f"made{number}", group.size, "p"))
    assert written < 7 * 51 * MIB, "each byte is written log(n) times"
    assert len(files) < 16


def history(*ages: timedelta, branches: dict[int, Branch] | None = None, tags: tuple[int, ...] = ()) -> History:
    """Snapshots 0, 1, 2 … each following the one before, oldest first; the last is the head of main."""
    made = {number: NOW - age for number, age in enumerate(ages)}
    parents = {number: number - 1 if number else None for number in made}
    return History(made, parents, branches or {len(ages) - 1: Branch()}, frozenset(tags))


def gone(line: History, since: datetime = NOW, **rules: Any) -> list[int]:
    return sorted(expired(line, Maintenance(**{"keep_snapshots": 1, **rules}), now=NOW, needed_since=since))


LINE = history(9 * DAY, 8 * DAY, 7 * DAY, 2 * DAY, 2 * HOUR, HOUR / 2)


@pytest.mark.parametrize(
    ("rules", "since", "expected"),
    [
        ({}, NOW, [0, 1, 2]),
        ({"keep_snapshots": 4}, NOW, [0, 1]),
        ({"keep_snapshots": 20}, NOW, []),
        ({"snapshot_age": 3600}, NOW, [0, 1, 2, 3, 4]),
        ({"max_snapshots": 2}, NOW, [0, 1, 2, 3]),
        ({"max_snapshots": 1, "keep_snapshots": 3}, NOW, [0, 1, 2]),
        ({"max_snapshots": 1}, NOW, [0, 1, 2, 3, 4]),  # what is younger than an hour stays
        ({}, NOW - 8 * DAY, [0]),  # exactly-once still looks for what was staged then
        ({"max_snapshots": 1}, NOW - 7 * DAY - HOUR, [0, 1]),
    ],
)
def test_old_snapshots_go_but_not_those_that_exactly_once_needs(
    rules: dict[str, int], since: datetime, expected: list[int]
) -> None:
    assert gone(LINE, since, **rules) == expected


def test_what_branches_and_tags_of_others_name_stays() -> None:
    forked = history(9 * DAY, 8 * DAY, 7 * DAY, HOUR, branches={3: Branch(), 1: Branch()}, tags=(2,))
    assert gone(forked) == [0]
    held = history(9 * DAY, 8 * DAY, 7 * DAY, HOUR, branches={3: Branch(keep=3)})
    assert gone(held) == [0]
    aged = history(9 * DAY, 8 * DAY, 7 * DAY, HOUR, branches={3: Branch(age=8 * DAY)})
    assert gone(aged) == [0]


def test_a_snapshot_that_is_on_no_branch_goes_when_it_is_old() -> None:
    line = history(9 * DAY, HOUR)
    loose = replace(line, made={**line.made, 7: NOW - 9 * DAY, 8: NOW - DAY}, parents={**line.parents, 7: 0, 8: 0})
    assert gone(loose) == [0, 7]


@given(
    st.lists(st.floats(0, 20), min_size=1, max_size=30),
    st.floats(0, 20),
    st.integers(1, 10),
    st.integers(1, 10),
)
@settings(max_examples=100)
def test_the_history_stays_whole_back_to_what_is_needed(days: list[float], since: float, keep: int, most: int) -> None:
    """Whatever clocks say: from the head, no snapshot is missing before one that is needed."""
    line = history(*(timedelta(days=day) for day in days))
    rules = Maintenance(keep_snapshots=keep, max_snapshots=most)
    went = expired(line, rules, now=NOW, needed_since=NOW - timedelta(days=since))
    assert len(days) - 1 not in went
    stayed = sorted(set(line.made) - went)
    assert stayed == list(range(stayed[0], len(days))), "only the oldest end goes"
    assert all(made < NOW - timedelta(days=since) for id_, made in line.made.items() if id_ in went)


JOB = "a0123456789abcdef0123"


def task(state: TaskState, attempt: int) -> Task:
    return Task(JOB, 5, "p", "t", (), state, NOW, attempt=attempt)


def test_a_file_says_whose_it_is() -> None:
    path = f"s3://lake/warehouse/iceberg/db/t/data/at_day=2026-03-01/{file_name(f'{JOB}/5', 2)}"
    assert maker(path) == Maker(JOB, 5, 2)


@pytest.mark.parametrize(
    "name",
    [
        "part-00000-a.parquet",
        "0123456789abcdef-a01_5-a1.orc",
        "0123456789abcdef-a01-a1.parquet",
        "0123456789ABCDEF-a01_5-a1.parquet",
        "x0123456789abcdef-a01_5-a1.parquet",
        "0123456789abcdef-a01_5-a1.parquet.tmp",
        "",
    ],
)
def test_a_name_that_is_not_ours_proves_nothing(name: str) -> None:
    assert maker(f"s3://lake/t/data/{name}") is None
    assert by_age_alone(f"s3://lake/t/data/{name}") is None


UUID = "0f5b2bb0-6f70-4a11-9a52-0a3d3c1e8a77"


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        (f"t/metadata/snap-123-0-{UUID}.avro", True),
        (f"t/metadata/{UUID}-m0.avro", True),
        (f"t/metadata/00012-{UUID}.metadata.json", True),
        (f"t/metadata/00012-{UUID}.gz.metadata.json", True),
        (f"t/data/{UUID}-m0.avro", False),
        ("t/metadata/version-hint.text", False),
        ("t/metadata/123-abc.stats", False),
        ("t/data/0123456789abcdef-compacted.parquet", True),
        (f"t/data/00000-0-{UUID}.parquet", True),
        (f"t/data/00000-5-{UUID}-00001.parquet", False),  # Spark's: a job of theirs may be at work
        (f"t/data/0123456789abcdef-{JOB}_5-a1.parquet", False),  # its task says
    ],
)
def test_what_one_process_makes_and_commits_is_of_no_use_when_it_is_old(path: str, is_one: bool) -> None:
    assert (by_age_alone(path) is not None) is is_one


def file(path: str) -> StagedFile:
    return StagedFile(path, 1, 1, ())


def test_files_that_a_task_names_are_none_whichever_attempt_made_them() -> None:
    begun = Begun(Span(), (), NOW, files=(file("d"),), rejected=(file("e"),))
    progress = Progress(1, "basis", files=(file("a"),), rejected=(file("b"),), begun=begun)
    waiting = replace(task(TaskState.PLANNED, 1), progress=progress)
    loading = replace(waiting, state=TaskState.LOADING, attempt=2)
    for path in "abde":
        assert by_task(path, Maker(JOB, 5, 1), waiting) is None
        assert by_task(path, Maker(JOB, 5, 1), loading) is None
    assert by_task("c", Maker(JOB, 5, 1), loading) is not None
    staged = replace(task(TaskState.STAGED, 2), staged=Staged((), (file("a"),), NOW, (file("b"),)))
    assert [by_task(path, Maker(JOB, 5, 1), staged) is None for path in "abc"] == [True, True, False]


def test_a_parts_file_is_its_parents() -> None:
    path = f"s3://lake/t/data/{file_name(f'{JOB}.p5.1/17', 2)}"
    who = maker(path)
    assert who == Maker(JOB, 5, 0)
    assert by_task(path, who, task(TaskState.DIVIDED, 1)) is None
    assert by_task(path, who, task(TaskState.LOADING, 2)) is not None, "it was thrown away"
    assert by_task(path, who, replace(task(TaskState.STAGED, 1), staged=Staged((), (file(path),), NOW))) is None
    assert by_task(path, who, task(TaskState.COMMITTED, 1)) is not None


@pytest.mark.parametrize(
    ("stored", "attempt", "why"),
    [
        (None, 1, None),
        (task(TaskState.PLANNED, 0), 1, None),  # cannot be
        (task(TaskState.PLANNED, 1), 1, "attempt 1 of task a0123456789abcdef0123/5 does not count any more"),
        (task(TaskState.LOADING, 1), 1, None),
        (task(TaskState.LOADING, 2), 1, "attempt 1 of task a0123456789abcdef0123/5 does not count any more"),
        (task(TaskState.LOADING, 1), 2, None),
        (task(TaskState.STAGED, 2), 2, None),
        (task(TaskState.STAGED, 2), 1, "attempt 1 of task a0123456789abcdef0123/5 does not count any more"),
        (task(TaskState.SPLIT, 5), 5, "attempt 5 of task a0123456789abcdef0123/5 does not count any more"),
        (task(TaskState.COMMITTED, 2), 1, "task a0123456789abcdef0123/5 is committed"),
        (task(TaskState.COMMITTED, 2), 2, "task a0123456789abcdef0123/5 is committed"),
        (task(TaskState.FAILED, 1), 1, "task a0123456789abcdef0123/5 is failed"),
        (task(TaskState.COMMITTED, 1), 2, None),  # cannot be
    ],
)
def test_an_unnamed_file_is_an_orphan_only_if_its_task_proves_it(
    stored: Task | None, attempt: int, why: str | None
) -> None:
    assert by_task("s3://lake/t/x.parquet", Maker(JOB, 5, attempt), stored) == why

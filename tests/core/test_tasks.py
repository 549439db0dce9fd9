"""The life of a task as a table, and what a zombie cannot do (P7)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.config.destination import Parquet
from chalicelib.core import parts
from chalicelib.core import tasks as rules
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import MAX_ATTEMPTS, MAX_ATTEMPTS_ALONE, Division, Progress, Staged, Task, TaskState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEASE = timedelta(minutes=2)
MEMBERS = tuple(ObjectRef("acme", key, "e", 12, NOW) for key in ("a", "b", "c"))
STAGED = Staged((), (), NOW)
STATES = list(TaskState)
LEFT = Progress(0, "basis")
DIVISION = Division(0, "basis", 1, (), NOW)


def task(state: TaskState = TaskState.PLANNED, **changes: object) -> Task:
    made = Task("j1", 4, "flights", "iceberg:a.b", MEMBERS, state, NOW, revision=7)
    return replace(made, **changes)  # type: ignore[arg-type]


def staged(before: Task, attempt: int = 0) -> Task | None:
    return rules.stage(before, attempt, STAGED, nudge_after=LEASE)


# Each move: the states it may start from, and the state it leads to.
MOVES = {
    "begin": (lambda t: rules.begin(t, now=NOW, lease=LEASE), {"planned": "loading", "loading": "loading"}),
    "release": (lambda t: rules.release(t, 0, error="e", now=NOW), {"loading": "loading"}),
    "stage": (staged, {"loading": "staged"}),
    "commit": (lambda t: rules.commit(t, snapshot="s"), {"staged": "committed"}),
    "void": (lambda t: rules.void(t, error="e"), {"staged": "failed"}),
    "hand over": (lambda t: rules.hand_over(t, LEFT, now=NOW, patience=LEASE), {"loading": "planned"}),
    "divide": (lambda t: parts.divide(t, DIVISION, now=NOW, patience=LEASE), {"loading": "divided"}),
    "close": (rules.close, {"split": "failed"}),
    "resume": (
        lambda t: rules.resume(t, until=NOW + LEASE),
        {"planned": "planned", "loading": "planned", "staged": "staged", "divided": "divided"},
    ),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("move", MOVES)
def test_each_move_starts_where_it_may_and_leads_where_it_should(move: str, state: TaskState) -> None:
    apply, leads = MOVES[move]
    before = task(state)
    after = apply(before)  # type: ignore[operator]
    assert (str(after.state) if after else None) == leads.get(state)
    if after is not None:
        assert after.revision == before.revision + 1
        assert (after.id, after.members, after.alone) == (before.id, before.members, before.alone)


@pytest.mark.parametrize("state", STATES)
def test_only_committed_failed_and_read_are_the_end(state: TaskState) -> None:
    assert task(state).is_over is (state in (TaskState.COMMITTED, TaskState.FAILED, TaskState.READ))
    if task(state).is_over:
        assert all(apply(task(state)) is None for apply, _ in MOVES.values())  # type: ignore[operator]


def test_a_second_delivery_waits_until_the_lease_is_over() -> None:
    first = rules.begin(task(), now=NOW, lease=LEASE)
    assert first is not None
    assert (first.attempt, first.due_at) == (1, NOW + LEASE)
    assert rules.begin(first, now=NOW + LEASE - timedelta(microseconds=1), lease=LEASE) is None
    second = rules.begin(first, now=NOW + LEASE, lease=LEASE)
    assert second is not None
    assert (second.attempt, second.due_at) == (2, NOW + 2 * LEASE)


def test_a_task_with_companions_is_split_after_its_last_attempt() -> None:
    before = task(TaskState.LOADING, attempt=MAX_ATTEMPTS - 1)
    last = rules.begin(before, now=NOW, lease=LEASE)
    assert last is not None
    assert (last.state, last.attempt) == (TaskState.LOADING, MAX_ATTEMPTS)
    split = rules.begin(last, now=NOW + LEASE, lease=LEASE)
    assert split is not None
    assert (split.state, split.attempt, split.due_at) == (TaskState.SPLIT, MAX_ATTEMPTS, NOW + LEASE)


@pytest.mark.parametrize("attempt", range(1, MAX_ATTEMPTS + 2))
def test_only_a_task_of_its_own_has_a_last_attempt(attempt: int) -> None:
    with_companions = task(TaskState.LOADING, attempt=attempt)
    alone = replace(with_companions, members=MEMBERS[:1])
    assert (alone.alone, with_companions.alone) == (True, False)
    assert (with_companions.last_attempt, with_companions.hopeless) == (False, False)
    assert (alone.last_attempt, alone.hopeless) == (attempt >= MAX_ATTEMPTS_ALONE, attempt > MAX_ATTEMPTS_ALONE)


def test_a_task_of_its_own_is_never_split() -> None:
    begun = rules.begin(task(members=MEMBERS[:1], attempt=MAX_ATTEMPTS), now=NOW, lease=LEASE)
    assert begun is not None
    assert (begun.state, begun.attempt) == (TaskState.LOADING, MAX_ATTEMPTS + 1)


def test_a_lease_is_renewed_once_a_third_of_it_has_passed() -> None:
    begun = rules.begin(task(), now=NOW, lease=LEASE)
    assert begun is not None
    third = NOW + LEASE / 3
    assert rules.renew(begun, now=third - timedelta(microseconds=1), lease=LEASE) is None
    renewed = rules.renew(begun, now=third, lease=LEASE)
    assert renewed is not None
    assert (renewed.due_at, renewed.attempt, renewed.revision) == (third + LEASE, 1, begun.revision + 1)
    assert rules.renew(renewed, now=third, lease=LEASE) is None


def test_a_lease_that_has_run_out_can_still_be_renewed_if_nobody_came() -> None:
    begun = rules.begin(task(), now=NOW, lease=LEASE)
    assert begun is not None
    renewed = rules.renew(begun, now=NOW + 3 * LEASE, lease=LEASE)
    assert renewed is not None
    assert renewed.due_at == NOW + 4 * LEASE


def test_a_zombie_neither_stages_nor_releases_after_a_later_attempt_began() -> None:
    first = rules.begin(task(), now=NOW, lease=LEASE)
    assert first is not None
    second = rules.begin(first, now=NOW + LEASE, lease=LEASE)
    assert second is not None
    assert staged(second, first.attempt) is None
    assert rules.release(second, first.attempt, error="e", now=NOW + LEASE) is None
    assert staged(second, second.attempt) is not None


def test_a_zombies_writes_carry_a_revision_that_is_taken() -> None:
    first = rules.begin(task(), now=NOW, lease=LEASE)
    assert first is not None
    second = rules.begin(first, now=NOW + LEASE, lease=LEASE)
    assert second is not None
    for late in (
        staged(first, first.attempt),
        rules.renew(first, now=NOW + LEASE, lease=LEASE),
        rules.release(first, first.attempt, error="e", now=NOW + LEASE),
    ):
        assert late is not None
        assert late.revision <= second.revision, "compare-and-swap refuses it"


def test_a_task_that_was_sent_again_takes_nothing_from_its_old_attempt() -> None:
    first = rules.begin(task(), now=NOW, lease=LEASE)
    assert first is not None
    waiting = rules.resume(first, until=NOW + 5 * LEASE)
    assert waiting is not None
    assert (waiting.state, waiting.due_at) == (TaskState.PLANNED, NOW + 5 * LEASE)
    assert staged(waiting, first.attempt) is None
    again = rules.begin(waiting, now=NOW + LEASE, lease=LEASE)
    assert again is not None
    assert again.attempt == 2, "a task that waits may begin at any time"


def test_a_released_task_begins_again_at_once() -> None:
    begun = rules.begin(task(), now=NOW, lease=LEASE)
    assert begun is not None
    released = rules.release(begun, 1, error="the network", now=NOW)
    assert released is not None
    assert (released.error, released.due_at) == ("the network", NOW)
    again = rules.begin(released, now=NOW, lease=LEASE)
    assert again is not None
    assert again.attempt == 2


def test_staging_names_the_table_the_files_were_made_for_and_forgets_the_error() -> None:
    out = Parquet(type="parquet", database="new", table="place")
    before = task(TaskState.LOADING, attempt=2, error="the network")
    after = rules.stage(before, 2, replace(STAGED, out=out), nudge_after=LEASE)
    assert after is not None
    assert (after.table, after.error, after.due_at) == ("parquet:new.place", None, NOW + LEASE)
    without = staged(before, 2)
    assert without is not None
    assert without.table == before.table


def test_a_split_gives_each_member_a_task_of_its_own() -> None:
    children = rules.children(task(TaskState.SPLIT, attempt=MAX_ATTEMPTS), now=NOW + LEASE)
    assert [child.members for child in children] == [(member,) for member in MEMBERS]
    assert all(child.alone and child.state is TaskState.PLANNED and child.attempt == 0 for child in children)
    assert all(child.due_at == NOW + LEASE and child.revision == 1 for child in children)
    assert {(child.job, child.pipeline, child.table) for child in children} == {("j1", "flights", "iceberg:a.b")}


def test_no_two_tasks_of_a_job_have_one_number() -> None:
    numbers = [child.number for n in range(100) for child in rules.children(task(number=n), now=NOW)]
    assert len({*numbers, *range(100)}) == 400
    assert rules.children(task(), now=NOW) == rules.children(task(), now=NOW), "a repeated split gives the same tasks"


def test_a_tombstone_is_over_and_has_no_members() -> None:
    stone = rules.tombstone("j1", 4, "flights", now=NOW)
    assert (stone.id, stone.is_over, stone.members, stone.revision) == ("j1/4", True, (), 1)

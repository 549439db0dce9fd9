"""Objects to tasks, and that each of those tasks can be stored."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.errors import error_for
from chalicelib.aws.jobs import _item
from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Parquet
from chalicelib.config.source import MAX_TASK_FILES
from chalicelib.core.objects import ObjectRef
from chalicelib.core.planning import MAX_NAMES, plan
from chalicelib.core.tasks import Outcome, OutcomeKind, Staged, StagedFile, Task, TaskState, Upload

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
ITEM = 400 * 1024  # bytes that DynamoDB takes in one item, names of attributes included


def ref(key: str, size: int = 1) -> ObjectRef:
    return ObjectRef("acme-exports", key, "d41d8cd98f00b204e9800998ecf8427e", size, NOW, "v" * 32, "0" * 18)


objects = st.lists(st.builds(ref, st.text("aé日", min_size=1, max_size=1024 // 3), st.integers(-1, 100)), max_size=60)


@given(objects, st.integers(1, 200))
def test_every_object_is_in_one_task_and_the_order_stays(refs: list[ObjectRef], min_task_size: int) -> None:
    groups = list(plan(refs, min_task_size=min_task_size))
    assert [ref for group in groups for ref in group] == refs
    assert all(groups)


@given(objects, st.integers(1, 200))
def test_a_task_is_as_small_as_it_can_be_with_its_bytes(refs: list[ObjectRef], min_task_size: int) -> None:
    for group in list(plan(refs, min_task_size=min_task_size)):
        assert sum(ref.size for ref in group[:-1]) < min_task_size


@given(objects, st.integers(1, 200))
def test_only_the_last_task_or_a_full_one_is_too_small(refs: list[ObjectRef], min_task_size: int) -> None:
    groups = list(plan(refs, min_task_size=min_task_size))
    for group, following in pairwise(groups):
        names = sum(len(ref.key.encode()) + 200 for ref in (*group, following[0]))
        full = len(group) == MAX_TASK_FILES or names > MAX_NAMES
        assert full or sum(ref.size for ref in group) >= min_task_size


def test_an_object_that_is_read_in_parts_has_a_task_of_its_own() -> None:
    refs = [ref("a", 3), ref("b", 50), ref("c", 49), ref("d", 50), ref("e", 60), ref("f", 1)]
    groups = list(plan(refs, min_task_size=1000, alone=50))
    assert [[one.key for one in group] for group in groups] == [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]
    assert len(list(plan(refs, min_task_size=1000))) == 1


def test_nothing_makes_no_task() -> None:
    assert list(plan([], min_task_size=1)) == []


def test_small_objects_are_gathered_up_to_the_number_that_fits() -> None:
    refs = [ref(f"{number}") for number in range(1201)]
    assert [len(group) for group in plan(refs, min_task_size=1 << 40)] == [500, 500, 201]


def test_objects_of_unknown_size_are_gathered_too() -> None:
    assert [len(group) for group in plan([ref(str(n), -1) for n in range(3)], min_task_size=1)] == [3]


# What DynamoDB weighs: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html


def weight(item: dict[str, Any]) -> int:
    return sum(len(name.encode()) + _weight(value) for name, value in item.items())


def _weight(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return len(content) // 2 + 2
        case "M":
            return 3 + weight(content) + len(content)
        case "L":
            return 3 + sum(map(_weight, content)) + len(content)
        case _:
            return 1


def planned(members: list[ObjectRef]) -> Task:
    groups = list(plan(members, min_task_size=1 << 40))
    largest = max(groups, key=lambda group: sum(len(ref.key.encode()) for ref in group))
    return Task("a" + "0" * 20, 0, "p" * 100, "iceberg:travel.flights", tuple(largest), TaskState.PLANNED, NOW)


def staged(task: Task, outcomes: list[Outcome], columns: int) -> Task:
    declared = tuple(Column(name=f"a_column_name_{n:03}", type=ColumnType.TIMESTAMP) for n in range(columns))
    upload = Upload("u" * 120, tuple(f'"{n:032}"' for n in range(10)))
    path = "s3://tidegate-lake/warehouse/travel/flights/time_hour=2026-11-22-12/" + "f" * 80
    files = tuple(StagedFile(f"{path}{n:02}", 1 << 28, 10**7, declared, upload) for n in range(20))
    out = Parquet(type="parquet", database="travel", table="flights")
    done = Staged(tuple(outcomes), files, NOW, files[:1], out)
    return replace(task, state=TaskState.STAGED, staged=done, attempt=5)


LONG = [ref(f"{n:04}" + "x" * 1020) for n in range(500)]
SHORT = [ref(f"exports/2026/11/22/part-{n:05}.csv.gz") for n in range(500)]


def loaded(task: Task) -> list[Outcome]:
    return [Outcome(r.key, OutcomeKind.LOADED, rows=10**9, rejects=10**6, read_at=NOW) for r in task.members]


def denied(task: Task) -> list[Outcome]:
    said = (
        "User: arn:aws:sts::222222222222:assumed-role/reader/tidegate is not authorized to perform: s3:GetObject " * 3
    )
    errors = {r.key: str(error_for("403", str(r), said)) for r in task.members}
    return [Outcome(r.key, OutcomeKind.REFUSED, "denied", errors[r.key]) for r in task.members]


@pytest.mark.parametrize("members", [LONG, SHORT], ids=["keys of 1,024 bytes", "ordinary keys"])
@pytest.mark.parametrize("columns", [20, 200], ids=["20 columns", "200 columns"])
def test_a_loaded_task_fits_the_store(members: list[ObjectRef], columns: int) -> None:
    task = planned(members)
    assert weight(_item(staged(task, loaded(task), columns))) < ITEM


@pytest.mark.parametrize("members", [LONG, SHORT], ids=["keys of 1,024 bytes", "ordinary keys"])
def test_a_task_whose_objects_were_all_denied_fits_the_store(members: list[ObjectRef]) -> None:
    task = planned(members)
    assert weight(_item(staged(task, denied(task), 20))) < ITEM


def test_the_weight_is_what_dynamodb_says_it_is() -> None:
    assert weight({"Item": {"S": "x" * 10}}) == 14
    assert weight({"n": {"L": [{"N": "1"}, {"BOOL": True}]}}) == 1 + 3 + 2 + 1 + 2

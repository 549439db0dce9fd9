"""A Parquet commit that dies at any call, before or after it took effect: done again, it is exact."""

from collections.abc import Callable, Iterator
from dataclasses import replace as changed
from pathlib import Path

import pytest

from chalicelib.core.tasks import Task
from chalicelib.destinations.parquet.datasets import ParquetDatasets
from tests.destinations.runs import content, datasets_of, later, registry_of, replace, run, tasks_of
from tests.destinations.staged import AT, ID, Place, place, sql_catalog
from tests.flows.world import Crash, Faults

GLUE = {"register_in_glue": True, "time_column": "at", "transform": "day"}
APPEND, RUN = 8, 9  # calls of one commit
DAYS = tuple((number, later(24 * number)) for number in range(1, 4))  # one file each


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    with sql_catalog(tmp_path) as unused:
        yield place("parquet", tmp_path, unused)


def faulty(there: Place, faults: Faults) -> ParquetDatasets:
    wrap, datasets = faults.wrap, datasets_of(there)
    ports = {name: wrap(getattr(datasets, name)) for name in ("lake", "documents", "registry")}
    return changed(datasets, **ports)


def calls_of(there: Place, commit: Callable[[ParquetDatasets], None]) -> int:
    faults = Faults()
    commit(faulty(there, faults))
    return faults.calls


def crash(there: Place, at: int, commit: Callable[[ParquetDatasets], None], *, after: bool) -> None:
    with pytest.raises(Crash):
        commit(faulty(there, Faults(frozenset({at}), after)))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(RUN))
def test_a_run_that_dies_anywhere_leaves_the_old_content_or_the_new_and_is_whole_when_done_again(
    there: Place, at: int, after: bool
) -> None:
    replace(there, 0, ((7, None), (8, None)), columns=(ID, AT), **GLUE)
    tasks = tasks_of(there, 1, DAYS, columns=(ID, AT), **GLUE)
    out = there.out(mode="replace", **GLUE)
    crash(there, at, lambda tables: tables.commit(out, tasks, run=run(1)), after=after)
    assert content(there) in ([7, 8], [1, 2, 3])
    if there.tables.committed(out, tasks):
        assert content(there) == [1, 2, 3]
    there.tables.commit(out, tasks, run=run(1))
    assert content(there) == [1, 2, 3]
    assert there.tables.committed(out, tasks) == {task.id: None for task in tasks}
    found = registry_of(there).get("db", "t")
    assert found is not None
    assert found[0].location.endswith("/_runs/r01")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(APPEND))
def test_an_append_that_dies_anywhere_is_whole_when_done_again(there: Place, at: int, after: bool) -> None:
    staged: Task = there.staged(0, *DAYS, columns=(ID, AT), **GLUE)
    out = there.out(**GLUE)
    crash(there, at, lambda tables: tables.commit(out, [staged]), after=after)
    known = there.tables.committed(out, [staged])
    assert (staged.id in known) == (len(there.files()) == len(DAYS))
    there.tables.commit(out, [staged])
    assert there.ids() == [1, 2, 3]
    assert len(registry_of(there).partitions["db", "t"]) == len(DAYS)


def test_these_are_all_calls_of_an_append(there: Place) -> None:
    staged = there.staged(0, *DAYS, columns=(ID, AT), **GLUE)
    assert calls_of(there, lambda tables: tables.commit(there.out(**GLUE), [staged])) == APPEND


def test_these_are_all_calls_of_a_run(there: Place) -> None:
    replace(there, 0, ((7, None), (8, None)), columns=(ID, AT), **GLUE)
    tasks = tasks_of(there, 1, DAYS, columns=(ID, AT), **GLUE)
    out = there.out(mode="replace", **GLUE)
    assert calls_of(there, lambda tables: tables.commit(out, tasks, run=run(1))) == RUN

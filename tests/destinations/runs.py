"""Runs that replace a Parquet dataset, for its tests."""

from datetime import datetime, timedelta
from typing import Any

from chalicelib.config.columns import Column
from chalicelib.core.tasks import Run, Task
from chalicelib.destinations.parquet.datasets import ParquetDatasets
from tests.destinations.staged import ID, STAGED_AT, Place, batch, task
from tests.fakes.documents import FakeDocuments
from tests.fakes.registry import FakeRegistry


def run(number: int) -> Run:
    """Each starts an hour after the one before."""
    return Run(f"r{number:02}", STAGED_AT + timedelta(hours=number))


def tasks_of(
    there: Place, number: int, *objects: tuple[Any, ...], columns: tuple[Column, ...] = (ID,), **options: Any
) -> list[Task]:
    """One task an object; a row an argument."""
    out = there.out(**{"mode": "replace", **options})
    found = []
    for place, rows in enumerate(objects):
        staging = there.stage(out, f"r{number:02}/{place}", 1)
        values = [row if isinstance(row, tuple) else (row,) for row in rows]
        staging.write(batch(columns, *values, origin=out.origin_columns), columns)
        staging.keep()
        found.append(task(place, staging.finish(), job=f"r{number:02}"))
    return found


def replace(there: Place, number: int, *objects: tuple[Any, ...], **options: Any) -> list[Task]:
    """A run from its first object to its commit."""
    tasks = tasks_of(there, number, *objects, **options)
    columnless = {name: value for name, value in options.items() if name != "columns"}
    there.tables.commit(there.out(**{"mode": "replace", **columnless}), tasks, run=run(number))
    return tasks


def datasets_of(there: Place) -> ParquetDatasets:
    assert isinstance(there.tables, ParquetDatasets)
    return there.tables


def documents_of(there: Place) -> FakeDocuments:
    documents = datasets_of(there).documents
    assert isinstance(documents, FakeDocuments)
    return documents


def registry_of(there: Place) -> FakeRegistry:
    registry = datasets_of(there).registry
    assert isinstance(registry, FakeRegistry)
    return registry


def content(there: Place) -> list[int]:
    """What a reader of the document finds, in order."""
    return sorted(there.tables.rows("db", "t", 100_000)["id"].to_pylist())


def later(hours: float) -> datetime:
    return STAGED_AT + timedelta(hours=hours)

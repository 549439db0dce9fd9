"""A table in memory: staged batches that nobody sees, and commits that are tagged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Former, Run, StagedFile, Task
from chalicelib.errors import SchemaConflict

Formers = Mapping[str, Sequence[Former]]


@dataclass
class FakeTable:
    """Fits both `Stage` and `Table`."""

    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)  # of the rejects table
    tags: dict[str, str] = field(default_factory=dict)
    reject_tags: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)  # keys whose rows conflict with the schema

    def __call__(self, out: Iceberg | Parquet, task_id: str, attempt: int) -> "FakeStaging":
        return FakeStaging(self, f"{out.table}/{task_id}/{attempt}/{uuid4().hex}")

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> Mapping[str, str | None]:
        return {task.id: self.tags[task.id] for task in tasks if task.id in self.tags}

    def commit(
        self, out: Iceberg | Parquet, tasks: Sequence[Task], formers: Formers | None = None, run: Run | None = None
    ) -> str | None:
        gone = {(f.bucket, f.key, f.identity) for task in tasks for f in (formers or {}).get(task.id, ())}
        if out.table.endswith("_rejects"):
            return self._commit_rejects(tasks, gone)
        files = [file for task in tasks if task.staged for file in task.staged.files]
        rows = [row for file in files for row in self.files[file.path]]
        if any(row["_key"] in self.refuses for row in rows):
            raise SchemaConflict("a column is a long here and a string there", where="table")
        if not files and not gone:
            return None
        snapshot = f"s{len(self.tags)}"
        self.rows = [row for row in self.rows if origin(row) not in gone] + rows
        self.tags |= dict.fromkeys((task.id for task in tasks), snapshot)
        return snapshot

    def _commit_rejects(self, tasks: Sequence[Task], gone: set[tuple[str, str, str]]) -> None:
        fresh = [task for task in tasks if task.staged and task.id not in self.reject_tags]
        files = [file for task in fresh if task.staged for file in task.staged.files]
        if fresh:
            self.rejects = [row for row in self.rejects if origin(row) not in gone]
        self.rejects += [row for file in files for row in self.files[file.path]]
        self.reject_tags |= {task.id for task in fresh}


def origin(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["_bucket"], row["_key"], row["_identity"]


@dataclass
class FakeStaging:
    table: FakeTable
    path: str
    pending: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    columns: tuple[Column, ...] = ()

    def write(self, batch: pa.RecordBatch, columns: tuple[Column, ...]) -> None:
        self.pending += batch.to_pylist()
        self.columns = columns

    def keep(self) -> None:
        self.kept += self.pending
        self.pending = []

    def drop(self) -> None:
        self.pending = []

    def finish(self) -> tuple[StagedFile, ...]:
        if not self.kept:
            return ()
        self.table.files[self.path] = self.kept
        return (StagedFile(self.path, 1, len(self.kept), self.columns),)

    def abandon(self) -> None:
        self.pending, self.kept = [], []

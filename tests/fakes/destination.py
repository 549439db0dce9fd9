"""A table in memory: staged batches that nobody sees, and commits that are tagged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import StagedFile, Task
from chalicelib.errors import SchemaConflict


@dataclass
class FakeTable:
    """Fits both `Stage` and `Table`."""

    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)  # keys whose rows conflict with the schema

    def __call__(self, out: Iceberg | Parquet, task_id: str, attempt: int) -> "FakeStaging":
        return FakeStaging(self, f"{task_id}/{attempt}/{uuid4().hex}")

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> Mapping[str, str | None]:
        return {task.id: self.tags[task.id] for task in tasks if task.id in self.tags}

    def commit(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> str | None:
        files = [file for task in tasks if task.staged for file in task.staged.files]
        rows = [row for file in files for row in self.files[file.path]]
        if any(row["_key"] in self.refuses for row in rows):
            raise SchemaConflict("a column is a long here and a string there", where="table")
        if not files:
            return None
        snapshot = f"s{len(self.tags)}"
        self.rows += rows
        self.tags |= dict.fromkeys((task.id for task in tasks), snapshot)
        return snapshot


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


@dataclass
class FakeRejects:
    lines: list[tuple[str, int | None, str, str]] = field(default_factory=list)

    def __call__(self, task_id: str, attempt: int) -> "FakeRejects":
        return self

    def add(self, ref: ObjectRef, line: int | None, reason: str, text: str) -> None:
        self.lines.append((ref.key, line, reason, text))

    def finish(self) -> str | None:
        return "memory" if self.lines else None

    def abandon(self) -> None:
        self.lines.clear()

"""A table in memory: staged batches that nobody sees, and commits that are tagged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Former, Run, StagedFile, Task
from chalicelib.errors import RunSuperseded, SchemaConflict

Formers = Mapping[str, Sequence[Former]]
Gone = tuple[str, str, str | None]  # bucket, key, identity; None: all of the key


@dataclass
class FakeTable:
    """Fits both `Stage` and `Table`."""

    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)  # of the rejects table
    tags: dict[str, str] = field(default_factory=dict)
    reject_tags: set[str] = field(default_factory=set)
    run: Run | None = None  # the last that replaced the content
    contents: list[list[dict[str, Any]]] = field(default_factory=list)  # what runs made of the table
    refuses: set[str] = field(default_factory=set)  # keys whose rows conflict with the schema
    refuses_removals: bool = False  # conflicts with the schema where rows only go

    def __call__(self, out: Iceberg | Parquet, task_id: str, attempt: int) -> "FakeStaging":
        return FakeStaging(self, out, f"{out.table}/{task_id}/{attempt}/{uuid4().hex}")

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> Mapping[str, str | None]:
        return {task.id: self.tags[task.id] for task in tasks if task.id in self.tags}

    def commit(
        self, out: Iceberg | Parquet, tasks: Sequence[Task], formers: Formers | None = None, run: Run | None = None
    ) -> str | None:
        rejects = out.table.endswith("_rejects")
        if run is None:  # another committer may have been first, or this one before it died
            done = self.reject_tags if rejects else self.tags
            present = [task.id for task in tasks if task.id in done]
            tasks = [task for task in tasks if task.id not in done]
            if present and not tasks:
                return self.tags.get(present[0])
        gone = {(f.bucket, f.key, f.identity) for task in tasks for f in (formers or {}).get(task.id, ())}
        if rejects:
            return self._commit_rejects(tasks, gone)
        files = [file for task in tasks if task.staged for file in task.staged.files]
        rows = [row for file in files for row in self.files[file.path]]
        if run is not None:
            return self._replace(run, tasks, rows)
        if any(row.get("_key") in self.refuses for row in rows) or (self.refuses_removals and not files):
            raise SchemaConflict("a column is a long here and a string there", where="table")
        if not files and not gone:
            return None
        snapshot = f"s{len(self.tags)}"
        self.rows = [row for row in self.rows if not among(row, gone)] + rows
        self.tags |= dict.fromkeys((task.id for task in tasks if task.staged and task.staged.files), snapshot)
        return snapshot

    def _replace(self, run: Run, tasks: Sequence[Task], rows: list[dict[str, Any]]) -> str:
        if self.run is not None and self.run.job != run.job and self.run.started_at > run.started_at:
            raise RunSuperseded("a later run has replaced the content", where="table")
        if self.run != run:
            if any(row.get("_key") in self.refuses for row in rows):
                raise SchemaConflict("a column is a long here and a string there", where="table")
            self.run, self.rows = run, rows
            self.contents.append(rows)
            self.tags |= dict.fromkeys((task.id for task in tasks), f"s{len(self.tags)}")
        return self.tags[tasks[0].id]

    def _commit_rejects(self, tasks: Sequence[Task], gone: set[Gone]) -> None:
        files = [file for task in tasks if task.staged for file in task.staged.files]
        self.rejects = [row for row in self.rejects if not among(row, gone)]
        self.rejects += [row for file in files for row in self.files[file.path]]
        self.reject_tags |= {task.id for task in tasks if task.staged}


def among(row: dict[str, Any], gone: set[Gone]) -> bool:
    return any((row["_bucket"], row["_key"], identity) in gone for identity in (row["_identity"], None))


@dataclass
class FakeStaging:
    table: FakeTable
    out: Iceberg | Parquet
    path: str
    pending: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    columns: tuple[Column, ...] = ()

    def write(self, batch: pa.RecordBatch, columns: tuple[Column, ...], at: datetime | None = None) -> None:
        self.pending += batch.to_pylist()
        self.columns = columns

    def keep(self) -> None:
        self.kept += self.pending
        self.pending = []

    def drop(self) -> None:
        self.pending = []

    def pause(self) -> tuple[tuple[StagedFile, ...], tuple[StagedFile, ...]]:
        begun, self.pending = self.pending, []
        return self.finish(), self._file(f"{self.path}+", begun)

    def finish(self) -> tuple[StagedFile, ...]:
        return self._file(self.path, self.kept)

    def _file(self, path: str, rows: list[dict[str, Any]]) -> tuple[StagedFile, ...]:
        if not rows:
            return ()
        self.table.files[path] = rows
        return (StagedFile(path, 1, len(rows), self.columns),)

    def abandon(self) -> None:
        self.pending, self.kept = [], []

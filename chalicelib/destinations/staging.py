"""Stage: the files that one attempt of one task leaves for the commit.

An object's rows join the files that objects share only when it has been read to its end; until then they wait in
memory. An object too large for that gets files of its own, which are aborted if it fails.
"""

from dataclasses import dataclass, field

import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import StagedFile
from chalicelib.destinations.files import Files, Limits
from chalicelib.destinations.partitions import split
from chalicelib.destinations.paths import data_root, file_name
from chalicelib.destinations.ports import Lake, Sink


@dataclass(frozen=True, slots=True)
class Stage:
    """Begins an attempt's files. Iceberg's are whole at once, since no metadata names them; Parquet's stay hidden."""

    lake: Lake
    warehouse: str  # URI without a trailing slash
    limits: Limits = field(default_factory=Limits)

    def __call__(self, out: Iceberg | Parquet, task_id: str, attempt: int) -> "Staging":
        """The files of this attempt; none is made before there are rows."""
        return Staging(self.lake, self.warehouse, out, task_id, attempt, self.limits)


class Staging:
    """The files of one attempt of one task; memory is bounded by `limits`."""

    def __init__(
        self, lake: Lake, warehouse: str, out: Iceberg | Parquet, task_id: str, attempt: int, limits: Limits
    ) -> None:
        self._lake = lake
        self._root = data_root(warehouse, out)
        self._out = out
        self._task_id = task_id
        self._attempt = attempt
        self._limits = limits
        self._pending: list[tuple[str, pa.RecordBatch, tuple[Column, ...]]] = []
        self._pending_bytes = 0
        self._own: Files | None = None  # of the object that is being read, if it is large
        self._shared = Files(self._create, limits)
        self._kept: list[Files] = []
        self._finished = False

    def write(self, batch: pa.RecordBatch, columns: tuple[Column, ...]) -> None:
        """Rows of the object that is being read: `columns`, then the origin columns if the destination has them.

        Raises ParseError where the rows lack the time column that partitions need.
        """
        if batch.num_rows == 0:
            return
        self._pending += [(folder, rows, columns) for folder, rows in split(batch, self._out)]
        self._pending_bytes += batch.nbytes
        if self._own is None and self._pending_bytes > self._limits.object_bytes:
            self._own = Files(self._create, self._limits)
        if self._own is not None:
            self._pour(self._own)

    def keep(self) -> None:
        """The object was read to its end: its rows count."""
        if self._own is None:
            self._pour(self._shared)
            return
        self._own.finish()
        self._kept.append(self._own)
        self._own = None

    def drop(self) -> None:
        """The object failed: none of its rows stay."""
        self._pending.clear()
        self._pending_bytes = 0
        own, self._own = self._own, None
        if own is not None:
            own.abort()

    def finish(self) -> tuple[StagedFile, ...]:
        """All files with the rows of the objects that were kept."""
        self.drop()
        files = [file for each in (*self._kept, self._shared) for file in each.finish()]
        self._finished = True
        return tuple(files)

    def abandon(self) -> None:
        """Forget everything; safe at any time, twice, and after `finish`, when the files may be a commit's already."""
        if self._finished:
            return
        self.drop()
        for files in (*self._kept, self._shared):
            files.abort()
        self._kept.clear()

    def _pour(self, files: Files) -> None:
        for folder, rows, columns in self._pending:
            files.add(folder, rows, columns)
        self._pending.clear()
        self._pending_bytes = 0

    def _create(self, folder: str) -> tuple[str, Sink]:
        parts = [self._root, folder, file_name(self._task_id, self._attempt)]
        path = "/".join(part for part in parts if part)
        return path, self._lake.create(path, hidden=isinstance(self._out, Parquet))

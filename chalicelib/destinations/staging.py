"""Stage: the files that one attempt of one task leaves for the commit.

An object's rows join the files that objects share only when it has been read to its end; until then they wait in
memory. An object too large for that gets files of its own, which are aborted if it fails.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import StagedFile
from chalicelib.destinations.files import Files, Limits
from chalicelib.destinations.partitions import Partitions, Placed
from chalicelib.destinations.paths import data_root, file_name, is_flat
from chalicelib.destinations.ports import Agreed, Lake, Sink
from chalicelib.destinations.timecolumn import chosen, with_chosen
from chalicelib.errors import PipelineMismatch, SourceUnavailable

_KEY = 1024  # bytes of a key in S3
_NAME = 160  # bytes of it for a file's name


@dataclass(frozen=True, slots=True)
class Stage:
    """Begins an attempt's files. Iceberg's are whole at once, since no metadata names them; Parquet's stay hidden."""

    lake: Lake
    warehouse: str  # URI without a trailing slash
    limits: Limits = field(default_factory=Limits)
    agreed: Agreed | None = None  # where the choice of a time column is remembered; None: nobody else stages
    now: Callable[[], datetime] | None = None  # what `upload_time` tells of rows without origin columns

    def __call__(self, out: Iceberg | Parquet, task_id: str, attempt: int) -> "Staging":
        """The files of this attempt; none is made before there are rows."""
        return Staging(self, out, task_id, attempt)


class Staging:
    """The files of one attempt of one task; memory is bounded by `limits`."""

    def __init__(self, stage: Stage, out: Iceberg | Parquet, task_id: str, attempt: int) -> None:
        self._lake = stage.lake
        self._root = data_root(stage.warehouse, out, task_id)
        self._out = out
        self._task_id = task_id
        self._attempt = attempt
        self._stage = stage
        self._limits = limits = stage.limits
        self._choice: Column | None = None  # the time column, where the document names none
        self._partitions: Partitions | None = None  # known with the first rows
        self._used: set[int] = set()  # partitions of the object that is being read
        self._all_used: set[int] = set()  # and of those that were kept
        self._read_at: datetime | None = None  # when the object's first rows came
        self._pending: list[Placed] = []
        self._pending_bytes = 0
        self._own: Files | None = None  # of the object that is being read, if it is large
        self._shared = Files(self._create, limits)
        self._kept: list[Files] = []
        self._finished = False

    @property
    def out(self) -> Iceberg | Parquet:
        """The destination; with the time column that was chosen, once there are rows."""
        return self._out

    def write(self, batch: pa.RecordBatch, columns: tuple[Column, ...], at: datetime | None = None) -> None:
        """Rows of the object that is being read: `columns`, then the origin columns if the destination has them.

        `at`: when its reading began, which may have been another attempt; left out: what the rows or the clock say.

        Raises PipelineMismatch where the rows do not have what partitions need, or have too many of them.
        """
        if batch.num_rows == 0:
            return
        self._read_at = at or self._read_at
        placed = self._placed(batch, columns)
        self._pending.append(placed)
        self._pending_bytes += batch.nbytes + self._limits.array_bytes * batch.num_columns
        if self._own is None and self._pending_bytes > self._limits.object_bytes:
            self._own = Files(self._create, self._limits)
        if self._own is not None:
            self._pour(self._own)

    def keep(self) -> None:
        """The object was read to its end: its rows count."""
        self._all_used |= self._used
        if self._own is None:
            self._pour(self._shared)
        else:
            self._pour(self._own)
            loose = self._own.let_go()
            self._kept.append(self._own)
            self._own = None
            if loose is not None:
                self._shared.take_in(loose)
        self._begin_object()

    def drop(self) -> None:
        """The object failed: none of its rows stay."""
        self._pending.clear()
        self._pending_bytes = 0
        self._begin_object()
        own, self._own = self._own, None
        if own is not None:
            own.abort()

    def pause(self) -> tuple[tuple[StagedFile, ...], tuple[StagedFile, ...]]:
        """End here: the files of the objects that were kept, and those of the one that is being read.

        Whoever goes on with that object says whether its rows count.
        """
        if self._own is None and self._pending:
            self._own = Files(self._create, self._limits)
        begun: tuple[StagedFile, ...] = ()
        if self._own is not None:
            self._pour(self._own)
            begun = self._own.finish()
            self._own = None  # not ours to abort any more
        return self.finish(), begun

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
        for placed in self._pending:
            files.add(placed)
        self._pending.clear()
        self._pending_bytes = 0

    def _begin_object(self) -> None:
        self._used.clear()
        self._read_at = None

    def _placed(self, batch: pa.RecordBatch, columns: tuple[Column, ...]) -> Placed:
        if self._partitions is None:
            self._choice = chosen(self._out, columns, self._stage.agreed)
            if self._choice is not None:
                self._out = self._out.model_copy(update={"time_column": self._choice.name})
            self._partitions = Partitions(self._out, room=_KEY - _NAME - len(self._root.encode()))
        if self._choice is not None:
            batch, columns = with_chosen(batch, columns, self._choice, self._time_of_reading(batch))
        placed = self._partitions.place(batch, columns)
        self._used |= placed.used
        self._check_partitions()
        return placed

    def _time_of_reading(self, batch: pa.RecordBatch) -> datetime:
        """One time for an object: that of its rows, if they tell it."""
        if self._read_at is None:
            index = batch.schema.get_field_index("_loaded_at")
            if index >= 0:
                self._read_at = batch.column(index)[0].as_py()
            elif self._stage.now is not None:
                self._read_at = self._stage.now()
        assert self._read_at is not None, "rows without origin columns need a clock"
        return self._read_at

    def _check_partitions(self) -> None:
        """A task must name all its files, and the commit reads all their footers."""
        most = self._limits.uploads if isinstance(self._out, Parquet) else self._limits.partitions
        if len(self._used) + len(self._all_used) <= most:
            return
        if len(self._used) > most:
            raise PipelineMismatch(
                f"its rows are of more than {most:,} partitions",
                where=self._out.address,
                remedy="Choose a coarser out.transform, or fewer columns in out.partition_by",
            )
        if len(self._used | self._all_used) > most:
            raise SourceUnavailable(
                f"the objects of one task have more than {most:,} partitions together",
                where=self._out.address,
                remedy="Each is tried alone after some attempts; a lower in.min_task_size spares them",
            )

    def _create(self, number: int) -> tuple[str, Sink]:
        assert self._partitions is not None, "there are rows"
        folder = self._partitions.folders[number]
        parts = [self._root, "" if is_flat(self._out) else folder, file_name(self._task_id, self._attempt)]
        path = "/".join(part for part in parts if part)
        return path, self._lake.create(path, hidden=isinstance(self._out, Parquet))

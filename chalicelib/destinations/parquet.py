"""Plain Parquet datasets: Hive folders in Tidegate's own bucket.

Staged files are multipart uploads that nobody completed; the commit completes them. Each file appears whole, and
doing it again changes nothing, so no tags are needed. The limit of this destination: a commit of several files is
not atomic across them, and a reader may see some before the others. Who needs all or nothing takes Iceberg.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Former, Run, StagedFile, Task
from chalicelib.destinations.origins import NEEDED, counted, told
from chalicelib.destinations.paths import root
from chalicelib.destinations.ports import Lake
from chalicelib.destinations.wanted import ALL, Wanted
from chalicelib.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ParquetDatasets:
    """The datasets under one warehouse. `filesystem` takes paths without `s3://`, and is used for reading only."""

    lake: Lake
    warehouse: str  # URI without a trailing slash
    filesystem: Callable[[], pyarrow.fs.FileSystem]

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> dict[str, None]:
        """Those of the tasks whose files all exist. There are no snapshots to name."""
        there = self.lake.exists([file.path for task in tasks for file in _files(task)])
        done = (task for task in tasks if _files(task) and all(file.path in there for file in _files(task)))
        return {task.id: None for task in done}

    def commit(
        self,
        out: Iceberg | Parquet,
        tasks: Sequence[Task],
        formers: Mapping[str, Sequence[Former]] | None = None,
        run: Run | None = None,
    ) -> None:
        """Make all files of the tasks exist. Formers stay: rows in plain files cannot be taken out at one instant."""
        for task in tasks:
            for file in _files(task):
                if file.upload is not None:
                    self.lake.publish(file.path, file.upload)

    def rows(self, database: str, table: str, limit: int, wanted: Wanted = ALL) -> pa.Table:
        """The first of the wanted rows, in the order of the files' names."""
        return self._dataset(database, table).head(limit, filter=_sought(wanted))

    def exists(self, database: str, table: str) -> bool:
        """Whether there is such a dataset, with a file in it."""
        return self._found(database, table) is not None

    def count(self, database: str, table: str) -> int:
        """All rows, from the files' footers."""
        rows: int = self._dataset(database, table).count_rows()
        return rows

    def rows_by_key(self, database: str, table: str, *, bucket: str, prefix: str = "") -> dict[tuple[str, str], int]:
        """Rows by key and identity, of one bucket's keys under a prefix; empty if the dataset has none that tell.

        Reads three columns, batch by batch: memory grows with the number of objects, not of rows.
        """
        found = self._found(database, table)
        if found is None or not told(found.schema.names):
            return {}
        wanted = _sought(Wanted({"_bucket": bucket}, prefix))
        return counted(found.to_batches(columns=list(NEEDED), filter=wanted))

    def _dataset(self, database: str, table: str) -> ds.Dataset:
        found = self._found(database, table)
        if found is None:
            raise ConfigError(
                "there is no such dataset",
                where=f"{database}.{table}",
                remedy="Check the name; a dataset begins with its first rows",
            )
        return found

    def _found(self, database: str, table: str) -> ds.Dataset | None:
        path = root(self.warehouse, "parquet", database, table).partition("://")[2]
        try:
            found = ds.dataset(path, filesystem=self.filesystem(), format="parquet")
        except FileNotFoundError:
            return None
        return _with_all_columns(found) if found.files else None


def _sought(wanted: Wanted) -> pc.Expression:
    sought = pc.scalar(True)
    for name, value in wanted.equal.items():
        sought &= ds.field(name) == value
    return sought & pc.starts_with(ds.field("_key"), wanted.prefix) if wanted.prefix else sought


def _files(task: Task) -> tuple[StagedFile, ...]:
    return task.staged.files if task.staged else ()


def _with_all_columns(dataset: ds.Dataset) -> ds.Dataset:
    """Columns may grow from file to file; a dataset takes the first file's unless told otherwise."""
    return dataset.replace_schema(pa.unify_schemas([fragment.physical_schema for fragment in dataset.get_fragments()]))

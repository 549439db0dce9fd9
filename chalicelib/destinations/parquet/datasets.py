"""Plain Parquet datasets: Hive folders in Tidegate's own bucket.

Staged files are multipart uploads that nobody completed; the commit completes them. Each file appears whole, and
doing it again changes nothing, so no tags are needed. The limit of a dataset that grows: a commit of several files is
not atomic across them, and a reader may see some before the others. Who needs all or nothing takes Iceberg.

A dataset that runs replace has all or nothing: a run's files lie in a folder of their own, and writing one document
makes them the content (destinations.parquet.contents). Readers of the document, and of the Glue table where the
dataset is registered, see the rows before or the rows after.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.fs

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Former, Run, StagedFile, Task
from chalicelib.destinations.parquet import contents as documents
from chalicelib.destinations.parquet.columns import agreed, schema
from chalicelib.destinations.parquet.contents import Contents, beaten
from chalicelib.destinations.parquet.reading import Files, found, is_hidden, readable, within
from chalicelib.destinations.parquet.registration import Registration
from chalicelib.destinations.paths import root, run_folder
from chalicelib.destinations.ports import Documents, Lake, Registry
from chalicelib.destinations.wanted import ALL, Wanted
from chalicelib.errors import ConfigError, RunSuperseded, SchemaConflict

TRIES = 4  # of one change of the document; then the queue tries again later
_CALLS = 8  # uploads completed at once; below botocore's pool of 10 connections


@dataclass(frozen=True, slots=True)
class ParquetDatasets:
    """The datasets under one warehouse. `filesystem` takes paths without `s3://`, and is used for reading only."""

    lake: Lake
    documents: Documents
    registry: Registry
    warehouse: str  # URI without a trailing slash
    filesystem: Callable[[], pyarrow.fs.FileSystem]
    now: Callable[[], datetime]

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> dict[str, None]:
        """Those of the tasks whose files all exist, or whose run is or was the content. There are no snapshots."""
        if out.replaces:
            contents, _ = self._read(out)
            return {task.id: None for task in tasks if self._counts(out, contents, task.job)}
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
        """Make all files of the tasks exist; with a `run`, make them the whole content, at one instant.

        Formers stay: rows in plain files cannot be taken out at one instant.

        Raises SchemaConflict, StagedFileMissing and RunSuperseded for good, CommitConflict for now.
        """
        files = [file for task in tasks for file in _files(task)]
        if run is not None:
            self._replace(out, files, run)
        elif files:
            contents = self._grown(out, files)
            if _is_registered(out):
                self._registration.tell(out, self._folder(out.database, out.table), contents, files)
            self._publish(files)

    def rows(self, database: str, table: str, limit: int, wanted: Wanted = ALL) -> pa.Table:
        """The first of the wanted rows, in the order of the files' names."""
        contents, files = self._existing(database, table)
        with readable(f"parquet:{database}.{table}"):
            return files.head(limit, wanted, schema(contents) if contents.columns else files.schema())

    def exists(self, database: str, table: str) -> bool:
        """Whether there is such a dataset: with a file in it, or made empty by a run."""
        return self._found(database, table) is not None

    def count(self, database: str, table: str) -> int:
        """All rows, from the document or the files' footers."""
        contents, files = self._existing(database, table)
        with readable(f"parquet:{database}.{table}"):
            return contents.rows if contents.run else files.rows()

    def rows_by_key(self, database: str, table: str, *, bucket: str, prefix: str = "") -> dict[tuple[str, str], int]:
        """Rows by key and identity, of one bucket's keys under a prefix; empty if the dataset has none that tell.

        Reads three columns, batch by batch: memory grows with the number of objects, not of rows.
        """
        there = self._found(database, table)
        with readable(f"parquet:{database}.{table}"):
            return {} if there is None else there[1].by_key(bucket, prefix)

    def stale(self, database: str, table: str, before: datetime) -> list[str]:
        """Files that were content once, until a run replaced them before this time. Nobody names them any more.

        Readers that began earlier may still be at work on them: `before` leaves them time. A run's files that never
        became content are not among these: a task that is over without them says of those that they are orphans.
        """
        contents, folder = self._contents(database, table), self._folder(database, table)
        jobs = {past.job for past in contents.past if past.until < before}
        if not jobs:
            return []
        runs = {run_folder(job) for job in jobs if job is not None}

        def is_stale(path: str) -> bool:
            return "/".join(path.split("/")[:2]) in runs or (None in jobs and not is_hidden(path))

        with readable(f"parquet:{database}.{table}"):
            return [f"{folder}/{path}" for path in within(self.filesystem(), _plain(folder)) if is_stale(path)]

    @property
    def _registration(self) -> Registration:
        return Registration(self.registry)

    def _replace(self, out: Iceberg | Parquet, files: Sequence[StagedFile], run: Run) -> None:
        folder = self._folder(out.database, out.table)
        for _ in range(TRIES):
            contents, version = self._read(out)
            if contents.has_had(run.job):
                return  # it was the content, and a later run has followed: there is nothing to do again
            if contents.run is not None and contents.run.job == run.job:
                self._show(out, contents)
                return
            following = self._following(out, contents, files, run)
            if _is_registered(out):
                self._registration.check(out, folder, following)
            self._publish(files)
            if documents.write(self.documents, folder, following, version):
                self._show(out, following)
                return
        raise beaten(out.address)

    def _following(self, out: Iceberg | Parquet, contents: Contents, files: Sequence[StagedFile], run: Run) -> Contents:
        """The dataset once the run has replaced it; raises RunSuperseded if a later one did."""
        if contents.run is not None and contents.run.started_at > run.started_at:
            raise RunSuperseded(
                f"run {contents.run.job}, which started later, has replaced the content already", where=out.address
            )
        known = contents.columns if out.keep_schema else ()
        columns = agreed(out, known, files, "the dataset has" if known else "other rows of the run have")
        origin = out.origin_columns or (contents.origin and out.keep_schema)
        folder = self._folder(out.database, out.table)
        return contents.after(run, files, folder, columns=columns, origin=origin, now=self.now())

    def _show(self, out: Iceberg | Parquet, contents: Contents) -> None:
        if _is_registered(out):
            self._registration.tell(out, self._folder(out.database, out.table), contents)

    def _counts(self, out: Iceberg | Parquet, contents: Contents, job: str) -> bool:
        """A run is not over while engines are still sent to the rows before it."""
        if contents.has_had(job):
            return True
        if contents.run is None or contents.run.job != job:
            return False
        folder = self._folder(out.database, out.table)
        return not _is_registered(out) or self._registration.shows(out, folder, contents)

    def _grown(self, out: Iceberg | Parquet, files: Sequence[StagedFile]) -> Contents:
        """The document with the files' columns in it, written if they are new."""
        for _ in range(TRIES):
            contents, version = self._read(out)
            if contents.run is not None or out.replaces:
                raise SchemaConflict(
                    "runs replace the whole content of this dataset, and rows that are added to it would not be seen",
                    where=out.address,
                    remedy="Choose another table for mode append; what is to be replaced is loaded by a run",
                )
            columns = agreed(out, contents.columns, files, "the dataset has")
            following = replace(contents, columns=columns, origin=contents.origin or out.origin_columns)
            folder = self._folder(out.database, out.table)
            if following == contents or documents.write(self.documents, folder, following, version):
                return following
        raise beaten(out.address)

    def _publish(self, files: Sequence[StagedFile]) -> None:
        def publish(file: StagedFile) -> None:
            if file.upload is not None:
                self.lake.publish(file.path, file.upload)

        with ThreadPoolExecutor(_CALLS) as pool:
            list(pool.map(publish, files))

    def _existing(self, database: str, table: str) -> tuple[Contents, Files]:
        there = self._found(database, table)
        if there is None:
            raise ConfigError(
                "there is no such dataset",
                where=f"{database}.{table}",
                remedy="Check the name; a dataset begins with its first rows",
            )
        return there

    def _found(self, database: str, table: str) -> tuple[Contents, Files] | None:
        """The dataset's document and the files of its content; None if there is no dataset."""
        contents, folder = self._contents(database, table), _plain(self._folder(database, table))
        filesystem = self.filesystem()
        if contents.run is not None:
            return contents, Files(filesystem, [f"{folder}/{file.path}" for file in contents.files])
        with readable(f"parquet:{database}.{table}"):
            paths = found(filesystem, folder)
        return (contents, Files(filesystem, paths)) if paths else None

    def _contents(self, database: str, table: str) -> Contents:
        return documents.read(self.documents, self._folder(database, table))[0]

    def _read(self, out: Iceberg | Parquet) -> tuple[Contents, str | None]:
        return documents.read(self.documents, self._folder(out.database, out.table))

    def _folder(self, database: str, table: str) -> str:
        return root(self.warehouse, "parquet", database, table)


def _is_registered(out: Iceberg | Parquet) -> bool:
    return isinstance(out, Parquet) and out.register_in_glue


def _files(task: Task) -> tuple[StagedFile, ...]:
    return task.staged.files if task.staged else ()


def _plain(uri: str) -> str:
    return uri.partition("://")[2]

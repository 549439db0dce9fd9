"""Iceberg tables: one atomic, tagged snapshot for many tasks.

A commit is safe to repeat, by the same or another process: before each try we look for the tasks' tags in the
table's history, and the catalogue takes our change only if nobody committed after we looked. A lost answer, a
conflict and a crash therefore all end the same way: look again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from warnings import catch_warnings, filterwarnings

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    ForbiddenError,
    NoSuchNamespaceError,
    NoSuchTableError,
    RESTError,
    TableAlreadyExistsError,
    UnauthorizedError,
)
from pyiceberg.expressions import AlwaysFalse, AlwaysTrue, And, BooleanExpression, EqualTo, Or, StartsWith
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table, TableProperties, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update import AssertTableUUID
from pyiceberg.transforms import DayTransform, HourTransform, MonthTransform, TimeTransform
from pyiceberg.types import NestedField

from chalicelib.config.destination import Iceberg, Parquet, Transform
from chalicelib.core.tasks import Former, Task
from chalicelib.destinations import tags
from chalicelib.destinations.iceberg_columns import evolve, fields_of
from chalicelib.destinations.origins import NEEDED, counted, told
from chalicelib.destinations.paths import partition_field, root
from chalicelib.destinations.wanted import ALL, Wanted
from chalicelib.errors import (
    AccessDenied,
    CommitConflict,
    ConfigError,
    SchemaConflict,
    SourceUnavailable,
    StagedFileMissing,
    TidegateError,
)

FORMERS = 500  # objects whose rows one pass over the table takes out
TRIES = 4  # of one commit; then the queue tries again later
SKEW = timedelta(hours=1)  # by which the clock that staged may be ahead of the clock that committed
_FOOTERS = 16  # read at once; each is two small requests
_TRANSFORMS: Mapping[Transform, TimeTransform[int]] = {
    Transform.HOUR: HourTransform(),
    Transform.DAY: DayTransform(),
    Transform.MONTH: MonthTransform(),
}
_PROPERTIES = {
    # Without merging, a manifest a commit piles up; without deleting, a metadata file a commit with all history in it.
    TableProperties.MANIFEST_MERGE_ENABLED: "true",
    TableProperties.METADATA_DELETE_AFTER_COMMIT_ENABLED: "true",
    # Whole bounds, not their first 16 letters: a replay finds the few files that have an object's rows.
    **{f"write.metadata.metrics.column.{name}": "full" for name in NEEDED},
}


@dataclass(frozen=True, slots=True)
class IcebergTables:
    """The tables of one catalogue, as their only writer sees them."""

    catalog: Callable[[], Catalog]
    warehouse: str  # URI without a trailing slash
    calls: Callable[[str], AbstractContextManager[object]] = (
        nullcontext  # turns errors of the catalogue's client to ours
    )

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> dict[str, str]:
        """Those of the tasks whose rows are in the table: id to snapshot id."""
        with self._errors(out.address):
            table = self._load(out.database, out.table)
        return {} if table is None else _tagged(table, _with_files(tasks))

    def commit(
        self, out: Iceberg | Parquet, tasks: Sequence[Task], formers: Mapping[str, Sequence[Former]] | None = None
    ) -> str | None:
        """One atomic change with the files of those tasks that are not in the table yet, and without their formers.

        A data file with rows of formers and of others is read whole and written again without them.

        Returns the id of the newest snapshot with rows of these tasks; None if there are no rows at all.
        Raises SchemaConflict for good, CommitConflict and SourceUnavailable for now.
        """
        gone = formers or {}
        waiting = [task for task in tasks if gone.get(task.id) or (task.staged and task.staged.files)]
        failure: Exception | None = None
        for _ in range(TRIES if waiting else 0):
            with self._errors(out.address):
                table = self._load(out.database, out.table)
                if table is None and not _with_files(waiting):
                    return None
                table = table or self._create(out, waiting)
                present = _tagged(table, waiting)
                missing = [task for task in waiting if task.id not in present]
                if not missing:
                    return next(iter(present.values()))
                change = _prepare(table, out, missing, [former for task in missing for former in gone.get(task.id, ())])
            try:
                with self.calls(out.address):
                    return _snapshot(change.commit_transaction()) if change.is_something else None
            except ConfigError:
                raise
            except Exception as error:  # whatever it was, it may have happened after the change: look again
                failure = error
        if failure is not None:
            raise _given_up(out.address, failure) from failure
        return None

    def rows(self, database: str, table: str, limit: int, wanted: Wanted = ALL) -> pa.Table:
        """The first of the wanted rows that the table gives, in no particular order."""
        with self._errors(f"iceberg:{database}.{table}"):
            return self._existing(database, table).scan(_sought(wanted), limit=limit).to_arrow()

    def exists(self, database: str, table: str) -> bool:
        """Whether there is such a table."""
        with self._errors(f"iceberg:{database}.{table}"):
            return self._load(database, table) is not None

    def count(self, database: str, table: str) -> int:
        """All rows of the table's current snapshot."""
        with self._errors(f"iceberg:{database}.{table}"):
            return self._existing(database, table).scan().count()

    def rows_by_key(self, database: str, table: str, *, bucket: str, prefix: str = "") -> dict[tuple[str, str], int]:
        """Rows by key and identity, of one bucket's keys under a prefix; empty if the table has none that tell.

        Reads three columns, batch by batch: memory grows with the number of objects, not of rows.
        """
        wanted = _sought(Wanted({"_bucket": bucket}, prefix))
        with self._errors(f"iceberg:{database}.{table}"):
            found = self._load(database, table)
            if found is None or not told(found.schema().column_names):
                return {}
            return counted(found.scan(wanted, NEEDED).to_arrow_batch_reader())

    def _existing(self, database: str, name: str) -> Table:
        table = self._load(database, name)
        if table is None:
            raise ConfigError(
                "there is no such table",
                where=f"{database}.{name}",
                remedy="Check the name; a table is made with its first rows",
            )
        return table

    def _load(self, database: str, name: str) -> Table | None:
        try:
            return self.catalog().load_table((database, name))
        except NoSuchTableError:
            return None

    def _create(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> Table:
        fields = fields_of(out, tasks)
        schema = Schema(*(NestedField(i, name, kind) for i, (name, kind) in enumerate(fields.items(), start=1)))
        location = root(self.warehouse, "iceberg", out.database, out.table)
        catalog, name = self.catalog(), (out.database, out.table)
        for _ in range(2):
            try:
                with _fitting(out):
                    return catalog.create_table(name, schema, location, _spec(out, schema), properties=_PROPERTIES)
            except TableAlreadyExistsError:
                return catalog.load_table(name)
            except NoSuchNamespaceError:
                _create_namespace(catalog, out.database)
        raise SourceUnavailable("the new database cannot be seen yet", where=out.address)

    @contextmanager
    def _errors(self, where: str) -> Iterator[None]:
        try:
            with self.calls(where):
                yield
        except (ForbiddenError, UnauthorizedError) as error:
            raise AccessDenied(
                f"the catalogue refused the call ({error})", where=where, remedy="Check the catalogue's permissions"
            ) from error
        except OSError as error:
            raise _storage_error(error, where) from error
        except RESTError as error:
            raise SourceUnavailable(f"the catalogue did not answer properly ({error})", where=where) from error


def _sought(wanted: Wanted) -> BooleanExpression:
    sought: BooleanExpression = AlwaysTrue()
    for name, value in wanted.equal.items():
        sought = And(sought, EqualTo(term=name, value=value))
    return And(sought, StartsWith(term="_key", value=wanted.prefix)) if wanted.prefix else sought


class _Once(Transaction):
    """A transaction that is tried once, by the one rule that is safe here, and that never deletes anything.

    pyiceberg's own would repeat a refused change without looking for our tags. And where it gives up it deletes the
    change's manifests, although a catalogue client that repeats a call after a lost answer reports its own success
    as a conflict: the table would name files that are gone.
    """

    _known: tuple[int, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata after the updates so far.

        Kept until there is another update: one commit asks 25 times, and each answer is a deep copy of the whole
        history, which was 85 % of a commit at 150 snapshots.
        """
        if self._known is None or self._known[0] != len(self._updates):
            self._known = (len(self._updates), super().table_metadata)
        return self._known[1]

    @property
    def is_something(self) -> bool:
        """False if the table would stay as it is."""
        return bool(self._updates)

    def commit_transaction(self) -> Table:
        uuid = AssertTableUUID(uuid=self.table_metadata.table_uuid)
        self._table._do_commit(self._updates, (*self._requirements, uuid))  # noqa: SLF001
        return self._table


def _prepare(table: Table, out: Iceberg | Parquet, tasks: Sequence[Task], formers: Sequence[Former]) -> _Once:
    """The change, complete but for the catalogue's word: rows that go, new columns, name mapping, files, tags."""
    change = _Once(table)
    with _fitting(out):
        _take_out(change, formers)
        if not _with_files(tasks):
            return change
        evolve(change, out, fields_of(out, tasks))
        if change.table_metadata.name_mapping() is None:  # our files carry names instead of field ids
            mapping = change.table_metadata.schema().name_mapping.model_dump_json()
            change.set_properties({TableProperties.DEFAULT_NAME_MAPPING: mapping})
        update = change.update_snapshot({tags.PROPERTY: tags.encode(task.id for task in tasks)})
        with update.merge_append() as append:
            for file in _data_files(table.io, change.table_metadata, tasks):
                append.append_data_file(file)
    return change


def _take_out(change: Transaction, formers: Sequence[Former]) -> None:
    """Without the rows of these objects' contents; where there are none, nothing changes."""
    if not told(change.table_metadata.schema().column_names):
        return
    for start in range(0, len(formers), FORMERS):
        some = (
            And(
                EqualTo(term="_bucket", value=former.bucket),
                EqualTo(term="_key", value=former.key),
                EqualTo(term="_identity", value=former.identity),
            )
            for former in formers[start : start + FORMERS]
        )
        with catch_warnings():
            filterwarnings("ignore", "Delete operation did not match any records")
            change.delete(Or(*some, AlwaysFalse()))


@contextmanager
def _fitting(out: Iceberg | Parquet) -> Iterator[None]:
    """What pyiceberg does not accept of rows, columns or partitions becomes a SchemaConflict."""
    try:
        yield
    except ValueError as error:
        raise SchemaConflict(
            f"rows and table do not fit ({error})",
            where=out.address,
            remedy="Compare time_column, transform and columns with the table's own, or choose another table",
        ) from error


def _data_files(table_io: FileIO, metadata: TableMetadata, tasks: Sequence[Task]) -> list[DataFile]:
    """What the manifest says of each file, from its footer."""
    paths = [file.path for task in tasks if task.staged for file in task.staged.files]
    with ThreadPoolExecutor(_FOOTERS) as pool:
        files = list(pool.map(lambda path: _data_file(table_io, metadata, path), paths))
    for file in files:
        _check_partition(file, metadata.spec())
    return files


def _data_file(table_io: FileIO, metadata: TableMetadata, path: str) -> DataFile:
    try:
        return parquet_file_to_data_file(table_io, metadata, path)
    except FileNotFoundError as error:
        raise StagedFileMissing(
            "the staged file is gone", where=path, remedy="Check the bucket's lifecycle rules, and replay the job"
        ) from error


def _check_partition(file: DataFile, spec: PartitionSpec) -> None:
    """pyiceberg takes a column without statistics for one of NULLs, and readers would then skip its rows."""
    for position, field in enumerate(spec.fields):
        if file.partition[position] is None and file.null_value_counts.get(field.source_id) != file.record_count:
            raise ValueError(f"{file.file_path} has no statistics to tell its partition {field.name}")


def _spec(out: Iceberg | Parquet, schema: Schema) -> PartitionSpec:
    name = partition_field(out)
    if name is None or out.time_column is None:
        return UNPARTITIONED_PARTITION_SPEC
    source = schema.find_field(out.time_column).field_id
    return PartitionSpec(PartitionField(source, PARTITION_FIELD_ID_START, _TRANSFORMS[out.transform], name))


def _tagged(table: Table, tasks: Sequence[Task]) -> dict[str, str]:
    """Ids of those tasks that the table's history names, with their snapshots, newest first."""
    staged = [task.staged.at for task in tasks if task.staged]
    oldest = _millis(min(staged) - SKEW) if staged else None
    present: dict[str, str] = {}
    for snapshot in ancestors_of(table.current_snapshot(), table.metadata):
        if oldest is None or snapshot.timestamp_ms < oldest or len(present) == len(tasks):
            break
        value = snapshot.summary and snapshot.summary.additional_properties.get(tags.PROPERTY)
        if value:
            present |= dict.fromkeys(tags.found((task.id for task in tasks), value), str(snapshot.snapshot_id))
    return present


def _with_files(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if task.staged and task.staged.files]


def _snapshot(table: Table) -> str:
    snapshot = table.current_snapshot()
    assert snapshot is not None, "an append makes one"
    return str(snapshot.snapshot_id)


def _create_namespace(catalog: Catalog, name: str) -> None:
    try:
        catalog.create_namespace(name)
    except Exception:  # catalogues differ in how they say that somebody was first
        if not catalog.namespace_exists(name):
            raise


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _given_up(where: str, failure: Exception) -> TidegateError:
    if isinstance(failure, CommitFailedException):
        return CommitConflict(
            f"other writers changed the table {TRIES} times in a row", where=where, remedy="It is tried again"
        )
    return SourceUnavailable(
        f"the catalogue did not confirm the commit ({type(failure).__name__}: {failure})",
        where=where,
        remedy="It is tried again, and looks first whether the rows are there",
    )


def _storage_error(error: OSError, where: str) -> TidegateError:
    if isinstance(error, FileNotFoundError):
        return ConfigError(
            f"a file that the table or the commit needs is gone ({error})",
            where=where,
            remedy="If it is a staged one, replay the job; check the bucket's lifecycle rules",
        )
    if "ACCESS_DENIED" in str(error):
        return AccessDenied(
            f"S3 refused a call of the table ({error})", where=where, remedy="Allow it on the warehouse's prefix"
        )
    return SourceUnavailable(f"the table's files could not be reached ({error})", where=where)

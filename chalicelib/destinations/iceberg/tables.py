"""Iceberg tables: one atomic, tagged snapshot for many tasks.

A commit is safe to repeat, by the same or another process: before each try we look for the tasks' tags in the
table's history, and the catalogue takes our change only if nobody committed after we looked. A lost answer, a
conflict and a crash therefore all end the same way: look again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo, StartsWith
from pyiceberg.schema import Schema
from pyiceberg.table import Table, TableProperties
from pyiceberg.types import NestedField

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Former, Run, Task
from chalicelib.destinations.iceberg.change import fitting, prepare, prepare_run, with_files
from chalicelib.destinations.iceberg.columns import fields_of
from chalicelib.destinations.iceberg.history import tagged
from chalicelib.destinations.iceberg.partitions import spec
from chalicelib.destinations.iceberg.runs import settled
from chalicelib.destinations.iceberg.troubles import TRIES, given_up, not_to_be_made, ours
from chalicelib.destinations.origins import NEEDED, counted, told
from chalicelib.destinations.paths import root
from chalicelib.destinations.wanted import ALL, Wanted
from chalicelib.errors import ConfigError, SourceUnavailable

_PROPERTIES = {
    # Without merging, a manifest a commit piles up; without deleting, a metadata file a commit with all history in it.
    TableProperties.MANIFEST_MERGE_ENABLED: "true",
    TableProperties.METADATA_DELETE_AFTER_COMMIT_ENABLED: "true",
    # A manifest is written again when one of its files goes: 2,000 entries take 0.2 s, the usual 30,000 take 3 s.
    TableProperties.MANIFEST_TARGET_SIZE_BYTES: str(512 * 1024),
}


@dataclass(frozen=True, slots=True)
class IcebergTables:
    """The tables of one catalogue, as their only writer sees them."""

    catalog: Callable[[], Catalog]
    warehouse: str  # URI without a trailing slash
    calls: Callable[[str], AbstractContextManager[object]] = (
        nullcontext  # turns errors of the catalogue's client to ours
    )
    places_tables: bool = True  # False: the catalogue says where a table's metadata lies
    _seen: dict[tuple[str, str], Table | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> dict[str, str]:
        """Those of the tasks whose rows are in the table, and of those that end a run which is: id to snapshot id.

        The next `commit` of this table begins with what was seen here: a change in between is a conflict, after which
        it looks again, as after any other.
        """
        with ours(self.calls, out.address):
            table = self._load(out.database, out.table)
        self._seen[out.database, out.table] = table
        tellable = [task for task in tasks if task.staged and (task.staged.files or task.staged.closes)]
        return {} if table is None else tagged(table, tellable)

    def commit(
        self,
        out: Iceberg | Parquet,
        tasks: Sequence[Task],
        formers: Mapping[str, Sequence[Former]] | None = None,
        run: Run | None = None,
    ) -> str | None:
        """One atomic change with the files of those tasks that are not in the table yet, and without their formers.

        With a `run`, its tasks' rows become the whole content instead; without rows the table is emptied, if there is
        one. In mode merge the rows take the place of those with the same keys (see `merging`).

        Each try begins with the table as it was seen last: what another writer did in between is never undone. A data
        file with rows of formers and of others is written again without them.

        Returns the id of the newest snapshot with rows of these tasks; None if there are no rows at all.
        Raises SchemaConflict and RunSuperseded for good, CommitConflict and SourceUnavailable for now.
        """
        gone = formers or {}
        waiting = [task for task in tasks if run or gone.get(task.id) or (task.staged and task.staged.files)]
        failure: Exception | None = None
        seen = self._seen.pop((out.database, out.table), None)  # by `committed`, a moment ago
        for _ in range(TRIES if waiting or run else 0):
            with ours(self.calls, out.address):
                table, seen = seen or self._load(out.database, out.table), None
                if table is None and not with_files(waiting):
                    return None
                table = table or self._create(out, waiting)
                present = tagged(table, waiting)
                missing = [task for task in waiting if task.id not in present]
                if (waiting and not missing) or (run and settled(table, run, out.address)):
                    return next(iter(present.values()), None) or _snapshot(table)
                change = (
                    prepare_run(table, out, waiting, run)
                    if run
                    else prepare(table, out, missing, [each for task in missing for each in gone.get(task.id, ())])
                )
            try:
                with self.calls(out.address):
                    return _snapshot(change.commit_transaction()) if change.is_something else None
            except ConfigError:
                raise
            except Exception as error:  # whatever it was, it may have happened after the change: look again
                failure = error
        if failure is not None:
            raise given_up(out.address, failure) from failure
        return None

    def rows(self, database: str, table: str, limit: int, wanted: Wanted = ALL) -> pa.Table:
        """The first of the wanted rows that the table gives, in no particular order."""
        with ours(self.calls, f"iceberg:{database}.{table}"):
            return self._existing(database, table).scan(_sought(wanted), limit=limit).to_arrow()

    def exists(self, database: str, table: str) -> bool:
        """Whether there is such a table."""
        with ours(self.calls, f"iceberg:{database}.{table}"):
            return self._load(database, table) is not None

    def count(self, database: str, table: str) -> int:
        """All rows of the table's current snapshot."""
        with ours(self.calls, f"iceberg:{database}.{table}"):
            return self._existing(database, table).scan().count()

    def rows_by_key(self, database: str, table: str, *, bucket: str, prefix: str = "") -> dict[tuple[str, str], int]:
        """Rows by key and identity, of one bucket's keys under a prefix; empty if the table has none that tell.

        Reads three columns, batch by batch: memory grows with the number of objects, not of rows.
        """
        wanted = _sought(Wanted({"_bucket": bucket}, prefix))
        with ours(self.calls, f"iceberg:{database}.{table}"):
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

    def lacks(self, out: Iceberg | Parquet) -> str | None:
        """Which of table and database is missing although the destination may not make it; None if all is well (F80).

        Asks the catalogue nothing where both may be made.
        """
        if out.auto_create_table and out.auto_create_database:
            return None
        with ours(self.calls, out.address):
            if self._load(out.database, out.table) is not None:
                return None
            if not out.auto_create_table:
                return "table"
            return None if self.catalog().namespace_exists(out.database) else "database"

    def _create(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> Table:
        if not out.auto_create_table:
            raise not_to_be_made(out.address, "table")
        fields = fields_of(out, tasks)
        schema = Schema(*(NestedField(i, name, kind) for i, (name, kind) in enumerate(fields.items(), start=1)))
        location = root(self.warehouse, "iceberg", out.database, out.table) if self.places_tables else None
        catalog, name = self.catalog(), (out.database, out.table)
        for _ in range(2):
            try:
                with fitting(out):
                    return catalog.create_table(name, schema, location, spec(out, schema), properties=_properties(out))
            except TableAlreadyExistsError:
                return catalog.load_table(name)
            except NoSuchNamespaceError:
                if not out.auto_create_database:
                    raise not_to_be_made(out.address, "database") from None
                _create_namespace(catalog, out.database)
        raise SourceUnavailable("the new database cannot be seen yet", where=out.address)


def _properties(out: Iceberg | Parquet) -> dict[str, str]:
    """Of a new table. Whole bounds, not their first 16 letters, find the few files with an object's or a key's rows."""
    return _PROPERTIES | {f"write.metadata.metrics.column.{name}": "full" for name in (*NEEDED, *out.merge_keys)}


def _sought(wanted: Wanted) -> BooleanExpression:
    sought: BooleanExpression = AlwaysTrue()
    for name, value in wanted.equal.items():
        sought = And(sought, EqualTo(term=name, value=value))
    return And(sought, StartsWith(term="_key", value=wanted.prefix)) if wanted.prefix else sought


def _snapshot(table: Table) -> str:
    snapshot = table.current_snapshot()
    assert snapshot is not None, "each of our changes makes one"
    return str(snapshot.snapshot_id)


def _create_namespace(catalog: Catalog, name: str) -> None:
    try:
        catalog.create_namespace(name)
    except Exception:  # catalogues differ in how they say that somebody was first
        if not catalog.namespace_exists(name):
            raise

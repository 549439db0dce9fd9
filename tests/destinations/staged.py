"""Rows, tasks and places to put them, for tests of destinations."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.fs
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Staged, StagedFile, Task, TaskState
from chalicelib.destinations.files import Limits
from chalicelib.destinations.iceberg.tables import IcebergTables
from chalicelib.destinations.parquet.datasets import ParquetDatasets
from chalicelib.destinations.staging import Stage, Staging
from chalicelib.records.origin import ORIGIN_COLUMNS
from chalicelib.records.types.schema import arrow_schema
from tests.destinations.scripted import hasty
from tests.fakes.documents import FakeDocuments
from tests.fakes.lake import FakeLake
from tests.fakes.registry import FakeRegistry

LOADED_AT = datetime(2026, 3, 1, tzinfo=UTC)
STAGED_AT = datetime(2026, 3, 1, 0, 5, tzinfo=UTC)  # before any test runs, as staging is before committing
ID = Column(name="id", type=ColumnType.LONG)
AT = Column(name="at", type=ColumnType.TIMESTAMP)
NOTE = Column(name="note", type=ColumnType.STRING)


def batch(columns: tuple[Column, ...], *rows: tuple[Any, ...], origin: bool = True) -> pa.RecordBatch:
    schema = pa.schema([*arrow_schema(columns), *(ORIGIN_COLUMNS if origin else ())])
    extra = ("bucket", "key", "e:1", LOADED_AT) if origin else ()
    return pa.RecordBatch.from_pylist([dict(zip(schema.names, (*row, *extra), strict=True)) for row in rows], schema)


def numbers(start: int, stop: int) -> pa.RecordBatch:
    return batch((ID,), *((number,) for number in range(start, stop)))


def load(staging: Staging, columns: tuple[Column, ...], *rows: tuple[Any, ...]) -> None:
    """One object read to its end."""
    staging.write(batch(columns, *rows), columns)
    staging.keep()


def task(number: int, files: tuple[StagedFile, ...], job: str = "a01", at: datetime = STAGED_AT) -> Task:
    return Task(
        job=job,
        number=number,
        pipeline="p",
        table="t",
        members=(),
        state=TaskState.STAGED,
        due_at=at,
        attempt=1,
        staged=Staged((), files, at),
    )


def rows_in(paths: Sequence[str], select: str, suffix: str) -> list[Any]:
    """Rows of Parquet files as DuckDB sees them; where one column is asked for, its values."""
    if not paths:
        return []
    source = "read_parquet($paths, union_by_name => true, hive_partitioning => false)"
    with duckdb.connect() as connection:
        rows = connection.execute(f"select {select} from {source} {suffix}", {"paths": paths}).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


@dataclass(frozen=True, slots=True)
class Place:
    """A destination with everything around it, in a folder."""

    kind: Literal["iceberg", "parquet"]
    folder: Path
    lake: FakeLake
    stage: Stage
    tables: IcebergTables | ParquetDatasets
    catalog: Callable[[], Catalog]

    def out(self, **options: Any) -> Iceberg | Parquet:
        kind = Iceberg if self.kind == "iceberg" else Parquet
        return kind.model_validate({"type": self.kind, "database": "db", "table": "t", **options})

    def staged(self, number: int, *rows: tuple[Any, ...], columns: tuple[Column, ...] = (ID,), **options: Any) -> Task:
        """A task with one object."""
        staging = self.stage(self.out(**options), f"a01/{number}", 1)
        load(staging, columns, *rows)
        return task(number, staging.finish())

    def files(self) -> list[str]:
        """What a reader finds: the table's files, or those in the folder."""
        if self.kind == "iceberg":
            return [scan.file.file_path for scan in self.catalog().load_table(("db", "t")).scan().plan_files()]
        return [f"file://{path}" for path in sorted(self.folder.glob("warehouse/**/*.parquet"))]

    def read(self, select: str = "*", suffix: str = "") -> list[Any]:
        """Rows as DuckDB sees the files."""
        return rows_in([path.removeprefix("file://") for path in self.files()], select, suffix)

    def ids(self) -> list[int]:
        return self.read("id", "order by id")


@contextmanager
def sql_catalog(folder: Path, kind: type[SqlCatalog] = SqlCatalog, **properties: str) -> Iterator[SqlCatalog]:
    catalog = kind("test", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse", **properties)
    hasty(catalog)
    try:
        yield catalog
    finally:
        catalog.close()


def place(kind: Literal["iceberg", "parquet"], folder: Path, catalog: Catalog, limits: Limits | None = None) -> Place:
    lake, warehouse = FakeLake(folder), f"file://{folder}/warehouse"
    tables = IcebergTables(lambda: catalog, warehouse) if kind == "iceberg" else datasets(lake, warehouse)
    return Place(kind, folder, lake, Stage(lake, warehouse, limits or Limits()), tables, lambda: catalog)


def datasets(lake: FakeLake, warehouse: str) -> ParquetDatasets:
    return ParquetDatasets(
        lake, FakeDocuments(), FakeRegistry(), warehouse, pyarrow.fs.LocalFileSystem, lambda: STAGED_AT
    )


def restaged(original: Task, files: Sequence[StagedFile]) -> Task:
    """The task as another attempt left it."""
    assert original.staged is not None
    return replace(original, attempt=original.attempt + 1, staged=replace(original.staged, files=tuple(files)))

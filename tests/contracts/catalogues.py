"""One table in each kind of catalogue, with a lake that fits it, and faults on the way to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

import boto3
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from chalicelib.aws.errors import translated
from chalicelib.aws.lake import S3Lake
from chalicelib.config.destination import Iceberg
from chalicelib.core.tasks import Task
from chalicelib.destinations.files import Limits
from chalicelib.destinations.iceberg.tables import IcebergTables
from chalicelib.destinations.staging import Stage
from chalicelib.local.emulator import Emulator
from tests.contracts import seaweed
from tests.contracts.seaweed import Seaweed
from tests.destinations.scripted import Scripted, scripted
from tests.destinations.staged import ID, load, rows_in, task
from tests.fakes.lake import FakeLake

Kind = Literal["sql", "glue", "rest"]
LAKE = "lake"  # the bucket of data files
SHARED = Limits()
numbers = count(1)


@dataclass(frozen=True, slots=True)
class Ground:
    """A table of its own in one catalogue."""

    catalog: Scripted
    tables: IcebergTables
    stage: Stage
    name: str
    folder: Path
    fetch: Callable[[str, Path], None]  # a data file to a path of ours

    def out(self, **options: Any) -> Iceberg:
        return Iceberg.model_validate({"type": "iceberg", "database": "db", "table": self.name, **options})

    def staged(self, number: int, *rows: tuple[Any, ...], columns: Any = (ID,), **options: Any) -> Task:
        """A task with one object."""
        staging = self.stage(self.out(**options), f"a01/{number}", 1)
        load(staging, columns, *rows)
        return task(number, staging.finish())

    def commit(self, *tasks: Task, **options: Any) -> str | None:
        return self.tables.commit(self.out(**options), tasks)

    def loaded(self) -> Table:
        return self.catalog.load_table(("db", self.name))

    def read(self, select: str = "*", suffix: str = "") -> list[Any]:
        """Rows as DuckDB sees the data files of the current snapshot."""
        paths = []
        for number, scan in enumerate(self.loaded().scan().plan_files()):
            assert not scan.delete_files
            paths.append(str(self.folder / f"{number}.parquet"))
            self.fetch(scan.file.file_path, Path(paths[-1]))
        return rows_in(paths, select, suffix)

    def ids(self) -> list[int]:
        return self.read("id", "order by id")


def in_sql(folder: Path) -> Iterator[Ground]:
    """SQLite, and files in a folder."""
    warehouse = f"file://{folder}/warehouse"
    catalog = scripted(SqlCatalog)("test", uri=f"sqlite:///{folder}/catalog.db", warehouse=warehouse)
    lake = FakeLake(folder)

    def fetch(path: str, to: Path) -> None:
        to.write_bytes(lake.read(path))

    stage = Stage(lake, warehouse, SHARED)
    try:
        yield Ground(catalog, IcebergTables(lambda: catalog, warehouse, translated), stage, name(), folder, fetch)
    finally:
        catalog.close()


def in_glue(emulator: Emulator, folder: Path) -> Ground:
    """The Glue and the S3 of the embedded AWS."""
    account = emulator.account("555555555555")
    env = account.env()
    keys = {"client.access-key-id": env["AWS_ACCESS_KEY_ID"], "client.secret-access-key": env["AWS_SECRET_ACCESS_KEY"]}
    endpoints = {"glue.endpoint": emulator.endpoint, "s3.endpoint": emulator.endpoint}
    warehouse = f"s3://{LAKE}/warehouse"
    properties = {**keys, **endpoints, "client.region": emulator.region, "warehouse": warehouse}
    return _on_s3(scripted(GlueCatalog)("test", **properties), account.client("s3"), warehouse, folder, ours=True)


def in_rest(started: Seaweed, folder: Path, uri: str | None = None) -> Ground:
    """A REST catalogue that says itself where a table's metadata lies; data files stay in a bucket of ours."""
    catalog = scripted(RestCatalog)("test", **started.properties | {"uri": uri or started.catalogue})
    session = boto3.Session(seaweed.ACCESS, seaweed.SECRET, region_name="us-east-1")
    client = session.client("s3", endpoint_url=started.s3)
    return _on_s3(catalog, client, f"s3://{LAKE}/warehouse", folder, ours=False)


def _on_s3(catalog: Scripted, client: Any, warehouse: str, folder: Path, *, ours: bool) -> Ground:
    buckets = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    if LAKE not in buckets:
        client.create_bucket(Bucket=LAKE)

    def fetch(path: str, to: Path) -> None:
        bucket, _, key = path.removeprefix("s3://").partition("/")
        to.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())

    tables = IcebergTables(lambda: catalog, warehouse, translated, places_tables=ours)
    return Ground(catalog, tables, Stage(S3Lake(client), warehouse, SHARED), name(), folder, fetch)


def name() -> str:
    """A table's name that was never given before."""
    return f"t{next(numbers)}"

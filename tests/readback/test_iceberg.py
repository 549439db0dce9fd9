"""Tools that others made find in our tables what must be there.

DuckDB and pyarrow read the planned files, polars the table, in every run. DuckDB's own Iceberg reader, Spark and
ClickHouse live in an environment of their own, over a gigabyte large: `make readback` makes it and runs these tests.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pytest

from chalicelib.local.account import without_aws
from chalicelib.local.emulator import ROOT
from tests.readback.readers import plain, rows_of
from tests.readback.tables import STATES, Wanted, made

PYTHON = ROOT / "build" / "readback" / "bin" / "python"
NAMES = [state.__name__ for state in STATES]
WITH_FILES = [name for name in NAMES if name != "emptied"]
CANNOT = {
    "spark": {"times": "Spark 3 has no times of day"},
    "chdb": {"far_dates": "ClickHouse's dates begin in 1900", "times": "ClickHouse reads times of day as numbers"},
}

needs_readers = pytest.mark.skipif(
    "TIDEGATE_READBACK" not in os.environ or not PYTHON.exists(), reason="`make readback` installs Spark and others"
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wanted]:
    return {wanted.name: wanted for wanted in made(tmp_path_factory.mktemp("tables"))}


def texts(rows: Any) -> list[list[Any]]:
    return sorted(([plain(value) for value in row] for row in rows), key=str)


@pytest.mark.parametrize("name", WITH_FILES)
def test_duckdb_reads_the_files(tables: dict[str, Wanted], name: str) -> None:
    wanted = tables[name]
    columns = ", ".join(f'"{column}"' for column in wanted.columns)
    source = "read_parquet($files, union_by_name => true, hive_partitioning => false)"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        asked = connection.sql(f"select {columns} from {source}", params={"files": list(wanted.files)})
        found = rows_of(asked.to_arrow_table())
    assert texts(found) == texts(wanted.rows)


@pytest.mark.parametrize("name", WITH_FILES)
def test_pyarrow_reads_the_files(tables: dict[str, Wanted], name: str) -> None:
    wanted = tables[name]
    parts = [ds.dataset(file, partitioning=None).to_table() for file in wanted.files]
    rows = [row for part in parts for row in part.to_pylist()]
    assert texts([row.get(column) for column in wanted.columns] for row in rows) == texts(wanted.rows)


@pytest.mark.filterwarnings("ignore:Iceberg scan planning")  # the planner of its own is tested below
@pytest.mark.parametrize("name", NAMES)
def test_polars_reads_the_table(tables: dict[str, Wanted], name: str) -> None:
    wanted = tables[name]
    scan = pl.scan_iceberg(f"file://{wanted.metadata}")
    assert texts(scan.select(wanted.columns).collect().rows()) == texts(wanted.rows)


@pytest.mark.parametrize("name", WITH_FILES)
def test_polars_reads_the_files(tables: dict[str, Wanted], name: str) -> None:
    wanted = tables[name]
    frames = [pl.scan_parquet(file, hive_partitioning=False).collect() for file in wanted.files]
    found = pl.concat(frames, how="diagonal_relaxed").select(wanted.columns)
    assert texts(found.rows()) == texts(wanted.rows)


@pytest.fixture(scope="module")
def seen(tables: dict[str, Wanted], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a tool in its own process sees of all tables that it can read; asked once."""
    known: dict[str, Any] = {}

    def ask(tool: str) -> Any:
        if tool not in known:
            able = [wanted for name, wanted in tables.items() if name not in CANNOT.get(tool, {})]
            known[tool] = run(tool, able, tmp_path_factory.mktemp(tool))
        return known[tool]

    return ask


def run(tool: str, tables: list[Wanted], folder: Path) -> Any:
    asked = [{key: getattr(table, key) for key in ("name", "metadata", "columns", "since")} for table in tables]
    environ = {**without_aws(os.environ), "TZ": "UTC", "READBACK_FOLDER": str(folder), "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        [PYTHON, Path(__file__).with_name("readers.py"), tool],
        input=json.dumps(asked),
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@needs_readers
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tool", ["duckdb", "polars", "chdb", "spark"])
def test_a_tool_of_its_own_reads_the_table(seen: Any, tables: dict[str, Wanted], tool: str, name: str) -> None:
    if reason := CANNOT.get(tool, {}).get(name):
        pytest.skip(reason)
    found, wanted = seen(tool)[name], tables[name]
    assert found["rows"] == texts(wanted.rows)
    assert found["count"] == wanted.count

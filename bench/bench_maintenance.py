"""What maintenance is worth: thousands of tiny objects, and what a query costs before and after.

    python bench/bench_maintenance.py [--objects 500] [--rows 100] [--group 5] [--every 200]

Objects of a few kilobytes are staged one by one by the loader's own stage, and committed a few at a time, so that the
table has a data file for each. Catalogue (SQLite) and files are on this machine's disk: a store far away would make
the difference larger, since a file costs a request or two. DuckDB reads the data files that the current snapshot
names. Then commits: how long one takes after so many of them, with a run of maintenance every `--every` commits (0: a
second curve is left out) and without any.
"""

import argparse
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from bench.disk import DiskLake, DiskSink
from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg
from chalicelib.config.maintenance import Maintenance
from chalicelib.core.tasks import Staged, Task, TaskState
from chalicelib.destinations.iceberg.tables import IcebergTables
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from chalicelib.destinations.staging import Stage
from chalicelib.records.origin import ORIGIN_COLUMNS
from chalicelib.records.types.schema import arrow_schema

COLUMNS = (
    Column(name="id", type=ColumnType.LONG),
    Column(name="at", type=ColumnType.TIMESTAMP),
    Column(name="carrier", type=ColumnType.STRING),
    Column(name="delay", type=ColumnType.DOUBLE),
)
SCHEMA = pa.schema([*arrow_schema(COLUMNS), *ORIGIN_COLUMNS])
OUT = Iceberg.model_validate({"type": "iceberg", "database": "db", "table": "t"})
START = datetime(2026, 1, 1, tzinfo=UTC)
QUERIES = {
    "count and sum of all": "select count(*), sum(delay) from read_parquet($paths)",
    "by carrier": "select carrier, avg(delay) from read_parquet($paths) group by 1",
    "one object by its key": "select count(*) from read_parquet($paths) where _key = 'in/000042.csv'",
}
ROUNDS = 5


class LocalLake(DiskLake):
    """The same, for URIs of files."""

    def create(self, path: str, *, hidden: bool) -> DiskSink:
        return super().create(path.removeprefix("file:///"), hidden=hidden)


class Bench:
    """A table in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        warehouse = f"file://{folder}/warehouse"
        self.catalog = SqlCatalog("bench", uri=f"sqlite:///{folder}/catalog.db", warehouse=warehouse)
        self.tables = IcebergTables(lambda: self.catalog, warehouse)
        self.keeper = IcebergUpkeep(lambda: self.catalog)
        self.stage = Stage(LocalLake(Path("/")), warehouse)

    def task(self, number: int, rows: int) -> Task:
        """One object of so many rows, staged."""
        chance = random.Random(number)
        at = START + timedelta(minutes=number)
        values = [
            (number * rows + row, at, f"carrier {chance.randrange(20)}", chance.random(), "b", key(number), "e:1", at)
            for row in range(rows)
        ]
        columns = [
            pa.array(column, field.type) for column, field in zip(zip(*values, strict=True), SCHEMA, strict=True)
        ]
        staging = self.stage(OUT, f"a01/{number}", 1)
        staging.write(pa.RecordBatch.from_arrays(columns, schema=SCHEMA), COLUMNS)
        staging.keep()
        staged = Staged((), staging.finish(), datetime.fromtimestamp(time.time(), UTC), out=OUT)
        return Task("a01", number, "p", OUT.address, (), TaskState.STAGED, staged.at, attempt=1, staged=staged)

    def commit(self, tasks: list[Task]) -> float:
        """Seconds of processor time of one commit: whatever else this machine does."""
        started = time.process_time()
        self.tables.commit(OUT, tasks)
        return time.process_time() - started

    def maintain(self, rules: Maintenance, later: timedelta = timedelta(0)) -> None:
        """Compaction and expiry, as if so much later."""
        now = datetime.fromtimestamp(time.time(), UTC) + later
        self.keeper.compact(OUT, rules, in_time=lambda: True)
        self.keeper.expire(OUT, rules, now=now, oldest_staged=None)

    def paths(self) -> list[str]:
        planned = self.catalog.load_table(("db", "t")).scan().plan_files()
        return [scan.file.file_path.removeprefix("file://") for scan in planned]


def key(number: int) -> str:
    return f"in/{number:06}.csv"


def queries(bench: Bench) -> dict[str, float]:
    """Median seconds of each query."""
    paths, found = bench.paths(), {}
    with duckdb.connect() as connection:
        connection.execute("set threads = 2")
        for name, query in QUERIES.items():
            times = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                connection.execute(query, {"paths": paths}).fetchall()
                times.append(time.perf_counter() - started)
            found[name] = statistics.median(times)
    return found


def state(bench: Bench) -> tuple[int, float, int, int, float]:
    """Files, their MiB, manifests, snapshots, KiB of metadata."""
    table = bench.catalog.load_table(("db", "t"))
    snapshot = table.current_snapshot()
    assert snapshot is not None
    paths = bench.paths()
    size = sum(Path(path).stat().st_size for path in paths) / 2**20
    metadata = Path(table.metadata_location.removeprefix("file://")).stat().st_size / 2**10
    return len(paths), size, len(snapshot.manifests(table.io)), len(table.snapshots()), metadata


def tiny_objects(objects: int, rows: int, group: int) -> Iterator[str]:
    """The first table: before and after."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        order = random.Random(1).sample(range(objects), objects)
        for start in range(0, objects, group):
            bench.commit([bench.task(number, rows) for number in order[start : start + group]])
        yield f"{objects} objects of {rows} rows, {group} in a commit:\n"
        yield "| | files | MiB | manifests | snapshots | metadata KiB | " + " | ".join(QUERIES) + " |"
        yield "|---|--:|--:|--:|--:|--:|" + "--:|" * len(QUERIES)
        yield row("before", bench)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        bench.maintain(Maintenance(max_snapshots=20), timedelta(hours=2))
        took = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        yield row("after", bench)
        yield f"\nMaintenance took {took:.1f} s; the process's peak of memory went from {before / 1024:.0f} to "
        yield f"{peak / 1024:.0f} MiB.\n"
        bench.catalog.close()


def row(name: str, bench: Bench) -> str:
    files, size, manifests, snapshots, metadata = state(bench)
    times = " | ".join(f"{seconds * 1000:.0f} ms" for seconds in queries(bench).values())
    return f"| {name} | {files:,} | {size:.1f} | {manifests} | {snapshots:,} | {metadata:,.0f} | {times} |"


def commits(count: int, every: int) -> Iterator[str]:
    """The second table: processor time of a commit, median of the last ten."""
    marks = [mark for mark in (10, 100, 500, 1000, 2000, 5000) if mark <= count]
    curves: list[list[float]] = []
    for maintained in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            bench, times, curve = Bench(Path(folder)), [], []
            for number in range(max(marks)):
                times.append(bench.commit([bench.task(number, 10)]))
                if number + 1 in marks:
                    curve.append(statistics.median(times[-10:]))
                if maintained and every and (number + 1) % every == 0:
                    bench.maintain(Maintenance(max_snapshots=every), timedelta(hours=2))
            curves.append(curve)
            bench.catalog.close()
    yield f"Milliseconds of processor time of a commit of one file, median of ten; maintenance every {every} commits:\n"
    yield "| after commits | without | with |\n|--:|--:|--:|"
    for mark, without, with_ in zip(marks, *curves, strict=True):
        yield f"| {mark:,} | {without * 1000:.0f} | {with_ * 1000:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--group", type=int, default=5)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--every", type=int, default=50)
    options = parser.parse_args()
    for line in tiny_objects(options.objects, options.rows, options.group):
        print(line, flush=True)
    for line in commits(options.commits, options.every):
        print(line, flush=True)


if __name__ == "__main__":
    main()

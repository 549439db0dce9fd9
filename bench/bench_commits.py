"""What a commit costs as a table's history grows: Tidegate with and without maintenance, beside pyiceberg's add_files.

    python bench/bench_commits.py [--commits 100] [--every 50] [--seconds 60] [--others 15]

Each commit brings one task with one tiny file, staged as loaders stage it; the staging is not measured. `--catalog
sql` is SQLite and files on the disk, `glue` the embedded AWS. The maintained variant ends after `--seconds`, the
others after `--others`. Maintenance is the product's own, called after every `--every` commits, by a clock that is two
hours ahead: else nothing would be old enough to go. At the end the table is compacted, and DuckDB reads it before and
after.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.catalog.sql import SqlCatalog

from bench.disk import DiskLake, DiskSink
from chalicelib.aws.lake import S3Lake
from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg
from chalicelib.config.maintenance import Maintenance
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Staged, Task, TaskState
from chalicelib.destinations.iceberg.tables import IcebergTables
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from chalicelib.destinations.staging import Stage
from chalicelib.local import emulator
from chalicelib.records.origin import with_origin

POINTS = (10, 100, 1000, 5000)
WINDOW = 10  # commits before a point, of which the median is told
ROWS = 20
ID, NOTE = Column(name="id", type=ColumnType.LONG), Column(name="note", type=ColumnType.STRING)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
AHEAD = timedelta(hours=2)
RULES = Maintenance(max_snapshots=100)


class FileLake(DiskLake):
    """Paths as pyiceberg takes them."""

    def create(self, path: str, *, hidden: bool) -> DiskSink:
        return super().create(path.removeprefix("file://"), hidden=hidden)


@dataclass
class Ground:
    """A catalogue and a lake that fit."""

    catalog: Catalog
    lake: Any
    warehouse: str
    fetch: Callable[[str, Path], Path]

    @property
    def tables(self) -> IcebergTables:
        return IcebergTables(lambda: self.catalog, self.warehouse)

    def staged(self, out: Iceberg, number: int) -> Task:
        """A task with one tiny object."""
        stage = Stage(self.lake, self.warehouse)(out, f"b01/{number}", 1)
        ref = ObjectRef("acme", f"exports/2026/11/22/part-{number:06}.csv", f"{number:032x}", 1000, NOW)
        names = [ID.name, NOTE.name]
        rows = pa.RecordBatch.from_arrays([range(number * ROWS, number * ROWS + ROWS), ["a note"] * ROWS], names)
        stage.write(with_origin(rows, ref, NOW), (ID, NOTE))
        stage.keep()
        staged = Staged((), stage.finish(), clock())
        return Task("b01", number, "bench", out.address, (), TaskState.STAGED, NOW, 1, staged)


@dataclass
class Variant:
    """One way to commit."""

    name: str
    commit: Callable[[Ground, Iceberg, Sequence[Task]], None]
    maintained: bool = False
    times: list[float] = field(default_factory=list)  # seconds of each commit
    cpu: list[float] = field(default_factory=list)  # seconds of our own CPU, whoever else uses the machine
    upkeep: list[float] = field(default_factory=list)


def by_tidegate(ground: Ground, out: Iceberg, tasks: Sequence[Task]) -> None:
    ground.tables.commit(out, tasks)


def by_add_files(check: bool) -> Callable[[Ground, Iceberg, Sequence[Task]], None]:
    def commit(ground: Ground, out: Iceberg, tasks: Sequence[Task]) -> None:
        name = (out.database, out.table)
        if not ground.catalog.table_exists(name):
            return ground.tables.commit(out, tasks) and None
        paths = [file.path for task in tasks if task.staged for file in task.staged.files]
        tags = {"tasks": ",".join(task.id for task in tasks)}
        ground.catalog.load_table(name).add_files(paths, snapshot_properties=tags, check_duplicate_files=check)
        return None

    return commit


def run(variant: Variant, ground: Ground, out: Iceberg, commits: int, every: int, seconds: float) -> None:
    """Commit until enough is done or time is over."""
    deadline = time.monotonic() + seconds
    for number in range(commits):
        tasks = [ground.staged(out, number)]
        started, worked = time.perf_counter(), time.process_time()
        variant.commit(ground, out, tasks)
        variant.times.append(time.perf_counter() - started)
        variant.cpu.append(time.process_time() - worked)
        if variant.maintained and number % every == every - 1:
            started = time.perf_counter()
            maintain(ground, out)
            variant.upkeep.append(time.perf_counter() - started)
        if time.monotonic() > deadline:
            return


def maintain(ground: Ground, out: Iceberg) -> None:
    """What the schedule does, by a clock that is ahead."""
    upkeep = IcebergUpkeep(lambda: ground.catalog)
    upkeep.compact(out, RULES, in_time=lambda: True)
    upkeep.expire(out, RULES, now=clock() + AHEAD, oldest_staged=None)


def history(ground: Ground, commits: int, every: int, seconds: float, others: float) -> None:
    """The table of commit times."""
    variants = [
        Variant("**Tidegate**, with maintenance", by_tidegate, maintained=True),
        Variant("Tidegate, without", by_tidegate),
        Variant("pyiceberg `add_files`, no check for duplicates", by_add_files(False)),
        Variant("pyiceberg `add_files`", by_add_files(True)),
    ]
    outs = [table(f"v{number}") for number in range(len(variants))]
    for variant, out in zip(variants, outs, strict=True):
        run(variant, ground, out, commits, every, seconds if variant.maintained else others)
        print(f"  {variant.name}: {len(variant.times)} commits", file=sys.stderr)
    points = [point for point in POINTS if point <= commits]
    for what, of in (("seconds a commit", "times"), ("CPU seconds a commit", "cpu")):
        print(f"| {what}, after | " + " | ".join(f"{point:,}" for point in points), end=" | ")
        print("commits a minute | of it maintenance |\n|---|" + "--:|" * (len(points) + 2))
        for variant in variants:
            cells = [told(getattr(variant, of), point) for point in points]
            spent, upkeep = sum(variant.times), sum(variant.upkeep)
            cells += [f"{60 * len(variant.times) / (spent + upkeep):.0f}", f"{100 * upkeep / (spent + upkeep):.0f} %"]
            print(f"| {variant.name} | " + " | ".join(cells) + " |")
        print()
    for variant, out in zip(variants[:2], outs[:2], strict=True):
        compared(ground, out, variant.name)


def told(times: Sequence[float], point: int) -> str:
    """The median of the commits before a point; of the last ones if it was not reached."""
    middle = statistics.median(times[:point][-WINDOW:])
    return f"{middle:.3f}" if len(times) >= point else f"({middle:.3f} at {len(times):,})"


def compared(ground: Ground, out: Iceberg, name: str) -> None:
    """How DuckDB reads the table before and after a last compaction."""
    before, files = queried(ground, out)
    started = time.perf_counter()
    maintain(ground, out)
    took = time.perf_counter() - started
    after, fewer = queried(ground, out)
    print(
        f"{name}: {files:,} files, read by DuckDB in {before:.3f} s; after a compaction of {took:.1f} s {fewer:,} ",
        end="",
    )
    print(f"files, {after:.3f} s: {before / after:.1f} times as fast")


def queried(ground: Ground, out: Iceberg) -> tuple[float, int]:
    """Seconds of one query over the table's files, and how many there are."""
    scans = list(ground.catalog.load_table((out.database, out.table)).scan().plan_files())
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        paths = [str(ground.fetch(scan.file.file_path, Path(folder) / f"{n}.parquet")) for n, scan in enumerate(scans)]
        times = []
        for _ in range(3):
            started = time.perf_counter()
            connection.execute("select count(*), sum(id), max(_key) from read_parquet($p)", {"p": paths}).fetchall()
            times.append(time.perf_counter() - started)
    return statistics.median(times), len(paths)


def groups(ground: Ground, sizes: Sequence[int], times: int) -> None:
    """The table of tasks a commit."""
    print("\n| tasks a commit | seconds a commit | tasks a minute |\n|--:|--:|--:|")
    out, number = table("groups"), 0
    for size in sizes:
        taken = []
        for _ in range(times):
            tasks = [ground.staged(out, number + each) for each in range(size)]
            number += size
            started = time.perf_counter()
            ground.tables.commit(out, tasks)
            taken.append(time.perf_counter() - started)
        middle = statistics.median(taken)
        print(f"| {size} | {middle:.3f} | {60 * size / middle:,.0f} |")


def clock() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


def table(name: str) -> Iceberg:
    return Iceberg.model_validate({"type": "iceberg", "database": "bench", "table": name})


@contextmanager
def in_sql(folder: Path) -> Iterator[Ground]:
    """SQLite, and files on the disk."""
    warehouse = f"file://{folder}/warehouse"
    catalog = SqlCatalog("bench", uri=f"sqlite:///{folder}/catalog.db", warehouse=warehouse)
    yield Ground(catalog, FileLake(folder), warehouse, lambda path, _: Path(path.removeprefix("file://")))
    catalog.close()


@contextmanager
def in_glue(folder: Path) -> Iterator[Ground]:
    """The Glue and the S3 of the embedded AWS."""
    with emulator.running(folder) as aws:
        account = aws.account()
        client = account.client("s3")
        client.create_bucket(Bucket="lake")
        keys = account.env()
        properties = {
            "client.access-key-id": keys["AWS_ACCESS_KEY_ID"],
            "client.secret-access-key": keys["AWS_SECRET_ACCESS_KEY"],
            "client.region": aws.region,
            "glue.endpoint": aws.endpoint,
            "s3.endpoint": aws.endpoint,
        }

        def fetch(path: str, to: Path) -> Path:
            to.write_bytes(client.get_object(Bucket="lake", Key=path.removeprefix("s3://lake/"))["Body"].read())
            return to

        yield Ground(GlueCatalog("bench", **properties), S3Lake(client), "s3://lake/warehouse", fetch)


GROUNDS: Mapping[str, Callable[[Path], Any]] = {"sql": in_sql, "glue": in_glue}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--others", type=float, default=15)
    parser.add_argument("--catalog", choices=GROUNDS, default="sql")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 10, 100])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, GROUNDS[options.catalog](Path(folder)) as ground:
        history(ground, options.commits, options.every, options.seconds, options.others)
        groups(ground, options.sizes, 10)


if __name__ == "__main__":
    main()

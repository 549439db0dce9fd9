"""One task from bytes to staged files: Tidegate's load beside the straight line that one would write by hand.

    python bench/bench_load.py [--mb 150] [--small 2000] [--rounds 3]

The same gzipped CSV for both, from local disk to local disk. Tidegate: begin, read pinned, decode, parse, set bad rows
aside, add origin columns, stage, tell the commit; its records and staging are the real ones, queues and stores are in
memory. By hand: igzip, pyarrow's CSV reader with its own threads, a Parquet writer (zstd 1, the same row groups) -
no ledger, no rejects, no origin columns, and a file that breaks breaks everything. Each run has a process of its own;
variants alternate. Compare within the table: absolute numbers belong to the machine.
"""

import argparse
import gzip
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from isal import igzip

from bench.disk import DiskLake
from bench.fake_aws import BUCKET, GRANT
from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.jobs import Job, JobKind
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Task, TaskState
from chalicelib.destinations.staging import Stage
from chalicelib.flows.load import Load
from chalicelib.records.types.schema import arrow_schema
from chalicelib.wiring import now
from tests.fakes.queue import FakeMetrics, FakeQueue
from tests.fakes.stores import FakeConnections, FakeJobs, FakeLedger, FakePipelines
from tests.fakes.sweeps import FakeHealth

TYPES = {
    "vendor": "long", "picked_up": "timestamp", "dropped_off": "timestamp", "passengers": "long", "distance": "double",
    "rate": "long", "stored": "boolean", "from": "long", "to": "long", "paid_by": "long", "fare": "double",
    "extra": "double", "tax": "double", "tip": "double", "tolls": "double", "total": "double", "agent": "string",
}  # fmt: skip
COLUMNS = tuple(Column(name=name, type=ColumnType(kind)) for name, kind in TYPES.items())
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", '"say, hello"', '"Safari/605.1.15 (KHTML, like Gecko)"']
SAMPLE, SMALL_ROWS, TASK_FILES, ROW_GROUP = 20_000, 100, 500, 100_000
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def line(rnd: random.Random) -> str:
    make: dict[str, Callable[[], str]] = {
        "long": lambda: str(rnd.randint(0, 265)),
        "double": lambda: f"{rnd.random() * 60:.2f}",
        "boolean": lambda: rnd.choice(("true", "false")),
        "string": lambda: rnd.choice(AGENTS),
        "timestamp": lambda: f"2024-{rnd.randint(1, 12):02}-{rnd.randint(1, 28):02} {rnd.randint(10, 23)}:07:11",
    }
    return ",".join(make[kind]() for kind in TYPES.values()) + "\n"


def prepare(folder: Path, megabytes: int, small: int) -> dict[str, int]:
    """One large object and many small ones; raw bytes of each kind."""
    rnd = random.Random(7)
    lines = [line(rnd) for _ in range(SAMPLE)]
    header, block = ",".join(TYPES).encode() + b"\n", "".join(lines).encode()
    times = max(1, megabytes * 1_000_000 // len(block))
    for kind in ("large", "small"):
        (folder / kind).mkdir()
    with gzip.open(folder / "large" / "0.csv.gz", "wb", compresslevel=6) as file:
        file.write(header)
        for _ in range(times):
            file.write(block)  # little by little: a child's peak of memory begins with what its parent held
    raw = 0
    for number in range(small):
        start = number * SMALL_ROWS % SAMPLE
        content = header + "".join(lines[start : start + SMALL_ROWS]).encode()
        (folder / "small" / f"{number:06}.csv.gz").write_bytes(gzip.compress(content, 6))
        raw += len(content)
    return {"large": len(header) + len(block) * times, "small": raw}


@dataclass
class DiskBuckets:
    root: Path

    def open(self, grant: Grant, ref: ObjectRef, *, prefix: str) -> "DiskBody":
        return DiskBody(self.root / ref.key)


class DiskBody(FileIO):
    encoding = None


def tidegate(source: Path, target: Path, *, origin: bool) -> int:
    parser = {"type": "csv", "skip_header_lines": 1, "columns": [each.model_dump() for each in COLUMNS]}
    out = {"type": "iceberg", "table": "bench", "origin_columns": origin}
    document = {"name": "bench", "connection": "acme", "in": {"bucket": BUCKET, "parser": parser}, "out": out}
    pipeline, lake, jobs = Pipeline.parse(document, where="bench"), DiskLake(target), FakeJobs()
    pipelines, connections = FakePipelines(), FakeConnections()
    pipelines.put(pipeline)
    connections.add(GRANT)
    load = Load(
        pipelines=pipelines,
        connections=connections,
        buckets=DiskBuckets(source),
        ledger=FakeLedger(),
        jobs=jobs,
        health=FakeHealth(),
        queue=FakeQueue(),
        stage=Stage(lake, "s3://lake"),
        secret=lambda name: name.encode(),
        metrics=FakeMetrics(),
        now=now,
        lease=timedelta(minutes=15),
        nudge_after=timedelta(minutes=1),
    )
    for number, members in enumerate(groups(sorted(source.iterdir()))):
        refs = tuple(ObjectRef(BUCKET, file.name, "e", file.stat().st_size, NOW) for file in members)
        job = Job(f"j{number}", JobKind.ARRIVAL, "bench", NOW, tasks=1, staging=1, unfinished=1)
        task = Task(job.id, 0, "bench", pipeline.out.address, refs, TaskState.PLANNED, NOW)
        assert jobs.start(job, [replace(task, revision=1)])
        load.task(job.id, 0)
    tasks = [task for job in jobs.jobs for task in jobs.tasks(job)]
    assert all(task.staged is not None for task in tasks)
    outcomes = [outcome for task in tasks if task.staged for outcome in task.staged.outcomes]
    assert all(outcome.kind == "loaded" and not outcome.rejects for outcome in outcomes), outcomes[:3]
    return sum(outcome.rows for outcome in outcomes)


def by_hand(source: Path, target: Path) -> int:
    rows = 0
    schema = pa.schema(
        [
            pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type)
            for f in arrow_schema(COLUMNS)
        ]
    )
    for number, members in enumerate(groups(sorted(source.iterdir()))):
        writer = pq.ParquetWriter(target / f"{number}.parquet", schema, compression="zstd", compression_level=1)
        waiting: list[pa.RecordBatch] = []
        for batch in read_by_hand(members, schema):
            waiting.append(batch)
            rows += batch.num_rows
            if sum(each.num_rows for each in waiting) >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(waiting), row_group_size=ROW_GROUP)
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting), row_group_size=ROW_GROUP)
        writer.close()
    return rows


def read_by_hand(files: Sequence[Path], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    convert = arrow_csv.ConvertOptions(
        column_types={field.name: field.type for field in schema}, null_values=[""], strings_can_be_null=True
    )
    for file in files:
        with igzip.IGzipFile(file, "rb") as raw:  # type: ignore[no-untyped-call]
            yield from arrow_csv.open_csv(raw, arrow_csv.ReadOptions(block_size=1 << 20), convert_options=convert)


def groups(files: Sequence[Path]) -> list[Sequence[Path]]:
    return [files[start : start + TASK_FILES] for start in range(0, len(files), TASK_FILES)]


VARIANTS: dict[str, Callable[[Path, Path], int]] = {
    "by hand": by_hand,
    "Tidegate": lambda source, target: tidegate(source, target, origin=True),
    "Tidegate, without origin columns": lambda source, target: tidegate(source, target, origin=False),
}


def child(name: str, source: Path) -> None:
    """One variant over one folder, in this process."""
    with tempfile.TemporaryDirectory(dir=source.parent) as target:
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        cpu, wall = time.process_time(), time.perf_counter()
        rows = VARIANTS[name](source, Path(target))
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "rows": rows, "base": base}
    print(json.dumps({**spent, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}))


def compare(source: Path, raw: int, rounds: int) -> None:
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for name in VARIANTS:
            command = [sys.executable, __file__, "--child", name, "--source", str(source)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=dict(os.environ))
            runs[name].append(json.loads(done.stdout))
    rows = {run["rows"] for each in runs.values() for run in each}
    assert len(rows) == 1, f"the variants read different numbers of rows: {rows}"
    files = len(list(source.iterdir()))
    print(f"\n{files:,} object{'s' * (files > 1)}, {raw / 1e6:.0f} MB of CSV in gzip, {next(iter(rows)):,} rows\n")
    print(
        "| | krows/s | MB/s | elapsed s | CPU s | CPU ms an object | speed, by hand = 1 | CPU, by hand = 1 | RSS MB |"
    )
    print("|---|" + "--:|" * 8)
    middle = {name: {k: statistics.median(run[k] for run in each) for k in each[0]} for name, each in runs.items()}
    hand = middle["by hand"]
    for name, one in middle.items():
        speeds = f"{one['rows'] / one['wall'] / 1e3:.0f} | {raw / one['wall'] / 1e6:.0f}"
        costs = f"{one['wall']:.1f} | {one['cpu']:.1f} | {one['cpu'] * 1000 / files:.1f}"
        ratios = f"{hand['wall'] / one['wall']:.2f} | {one['cpu'] / hand['cpu']:.2f}"
        print(f"| {name} | {speeds} | {costs} | {ratios} | {max(run['rss'] for run in runs[name])} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=150)
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.source)
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind, raw in prepare(Path(folder), options.mb, options.small).items():
            compare(Path(folder) / kind, raw, options.rounds)


if __name__ == "__main__":
    main()

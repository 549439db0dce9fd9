"""Tidegate's load, as the loader's Lambda runs it: from task messages to staged files, over HTTP from S3.

Real are the connection with its keys, pinned ranges, decoding, parsing, bad rows set aside, two filters, origin
columns, Parquet files, and all rules of tasks, leases and outcomes. In memory are the stores and queues, which
bench_control.py counts; the lake is a folder on the disk, as the others write to. The filters let every row pass and
add one column, so that all sides write the same rows. BENCH_LIMIT, in seconds, ends attempts early, as Lambda's time
limit does; the queue then gives the task to the next.
"""

import gc
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.session import Session

from bench.disk import DiskLake
from bench.peers.job import Job, run
from bench.served import etag
from chalicelib.aws.customers.buckets import Buckets
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.access.keys import Basic
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.jobs import Job as Run
from chalicelib.core.jobs import JobKind
from chalicelib.core.keys import Keys
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Task, TaskState, planned
from chalicelib.destinations.staging import Stage
from chalicelib.flows.load import Load
from chalicelib.wiring import now
from tests.fakes.queue import FakeMetrics, FakeQueue
from tests.fakes.stores import FakeConnections, FakeJobs, FakeLedger, FakePipelines
from tests.fakes.sweeps import FakeHealth

gc.set_threshold(50_000)  # as app.py does
NOW = datetime(2026, 11, 22, tzinfo=UTC)
TASK_OBJECTS = 500  # as the planner groups small ones
NUMBERS = dict.fromkeys(("events", "lines"), "number >= 0")
CONDITIONS = {"taxi": "total >= 0", **dict.fromkeys(("weblog", "small"), "status >= 100"), **NUMBERS}


def pipeline(job: Job) -> Pipeline:
    columns = [{"name": name, "type": kind} for name, kind in job.columns.items()]
    parser = {"type": "csv", "skip_header_lines": 1} if job.is_csv else {"type": "json"}
    document: dict[str, Any] = {
        "name": "bench",
        "connection": "acme",
        "in": {"bucket": job.bucket, "parser": {**parser, "columns": columns}},
        "filters": [
            {"type": "where", "condition": CONDITIONS[job.kind]},
            {"type": "add_time", "to_column": {"name": "time"}, "from_value": {"mode": "upload_time"}},
        ],
        "out": {"type": "iceberg", "table": "bench"},
    }
    return Pipeline.parse(document, where="bench")


def load(job: Job, pipelines: FakePipelines, jobs: FakeJobs, queue: FakeQueue) -> Load:
    connection = Basic(name="acme", region="us-east-1")
    connections = FakeConnections()
    connections.add(Grant(connection, "e" * 64, NOW))
    return Load(
        pipelines=pipelines,
        connections=connections,
        health=FakeHealth(),
        buckets=Buckets(Sessions(Session(), keys=lambda _: Keys("bench", "bench")), endpoint=job.endpoint),
        ledger=FakeLedger(),
        jobs=jobs,
        queue=queue,
        stage=Stage(DiskLake(Path(job.out)), "s3://lake"),
        secret=lambda name: name.encode(),
        metrics=FakeMetrics(),
        now=now,
        lease=timedelta(minutes=15),
        nudge_after=timedelta(minutes=1),
    )


def tasks(job: Job, wanted: Pipeline, refs: Sequence[ObjectRef]) -> list[Task]:
    groups = [refs[start : start + TASK_OBJECTS] for start in range(0, len(refs), TASK_OBJECTS)]
    return [planned(wanted, "job", number, members, due_at=NOW) for number, members in enumerate(groups)]


def work(job: Job, refs: Sequence[ObjectRef]) -> dict[str, float]:
    """Every message until there is none; how many there were."""
    wanted, pipelines, jobs, queue = pipeline(job), FakePipelines(), FakeJobs(), FakeQueue()
    pipelines.put(wanted)
    all_of_them = tasks(job, wanted, refs)
    count = len(all_of_them)
    kept = Run("job", JobKind.ARRIVAL, "bench", NOW, tasks=count, staging=count, unfinished=count)
    assert jobs.start(kept, [replace(task, revision=1) for task in all_of_them])
    flow, limit = load(job, pipelines, jobs, queue), float(os.environ.get("BENCH_LIMIT", "0"))
    queue.load(all_of_them)
    messages = 0
    while queue.loads:
        name, number = queue.loads.pop(0)
        messages += 1
        if limit:
            flow.task(name, number, now() + timedelta(seconds=limit))
        else:
            flow.task(name, number)
    check(jobs)
    return {"messages": messages}


def check(jobs: FakeJobs) -> None:
    staged = [task.staged for task in jobs.tasks("job") if task.state is TaskState.STAGED]
    outcomes = [outcome for each in staged if each is not None for outcome in each.outcomes]
    assert outcomes, "nothing was loaded"
    assert all(outcome.kind == "loaded" and not outcome.rejects for outcome in outcomes), outcomes[:3]


def references(job: Job) -> list[ObjectRef]:
    """As the planner hands them over: the task has them, and nobody asks S3."""
    from bench.data import DATA

    files = [DATA / key for key in job.keys]
    return [
        ObjectRef(job.bucket, key, etag(file), file.stat().st_size, NOW)
        for key, file in zip(job.keys, files, strict=True)
    ]


if __name__ == "__main__":
    found: list[ObjectRef] = references(Job.given())
    run(lambda job: work(job, found))

"""Many loaders stage into one table at once, some of them die, and every row is there once.

TIDEGATE_LOADERS=200 for two hundred of them, three tasks each.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import State
from chalicelib.core.tasks import TaskState
from chalicelib.destinations import tags
from chalicelib.local.customer import Customer
from chalicelib.local.project import Project
from chalicelib.local.runtime import Runtime
from chalicelib.local.stack import Stack
from tests.local.test_end_to_end import ROOT, Deployment
from tests.local.waiting import soon

pytestmark = pytest.mark.local

LOADERS = int(os.environ.get("TIDEGATE_LOADERS", "12"))
PROCESSES = 4
TASKS = 3  # for each loader
ROWS = 2
PATIENCE = 300 + 2 * LOADERS * TASKS  # seconds, far beyond what it takes
NAME = "crowd"
LEASE = str(60 + LOADERS)
PATIENT = {
    "TIDEGATE_CLAIM_LEASE": LEASE,
    "TIDEGATE_TASK_LEASE": LEASE,
    "TIDEGATE_NUDGE_AFTER": "30",
    "TIDEGATE_RESEND_AFTER": "60",
}  # seconds: nothing is taken for lost only because a small machine is busy


@contextmanager
def loaders(deployment: Deployment, go: Path) -> Iterator["list[subprocess.Popen[bytes]]"]:
    """Processes full of loaders, which wait for `go`."""
    command = [sys.executable, "-m", "tests.local.loaders", str(LOADERS // PROCESSES), str(go)]
    processes = [
        subprocess.Popen(command, env=deployment.environ(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def pipeline(customer: Customer) -> Pipeline:
    source = {"bucket": customer.bucket, "path_prefix": "crowd/", "parser": {"type": "csv"}, "max_task_files": 1}
    out = {"type": "iceberg", "database": "travel", "table": NAME}
    return Pipeline.parse({"name": NAME, "connection": "acme", "in": source, "out": out}, where="test")


def committed(deployment: Deployment, keys: Sequence[str]) -> bool:
    states = [(entry.state, entry.reason, entry.error) for entry in deployment.entries(NAME, keys).values()]
    assert not [each for each in states if each[0] is State.FAILED]
    return [each[0] for each in states] == [State.COMMITTED] * len(keys)


def put(customer: Customer, keys: Sequence[str]) -> None:
    def one(number: int) -> None:
        customer.put(keys[number], b"id,name\n" + f"{number},x\n".encode() * ROWS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(len(keys))))


def test_many_loaders_at_once_lose_no_task_and_double_none(stack: Stack, customer: Customer, tmp_path: Path) -> None:
    deployment = Deployment(stack, customer)
    deployment.pipelines.put(pipeline(customer))
    keys = [f"crowd/{number:05}.csv" for number in range(LOADERS * TASKS)]
    go = tmp_path / "go"
    runtime = Runtime(Project(), stack, workers=1, tick=5.0, environ={**os.environ, **PATIENT})
    runtime.pollers = [each for each in runtime.pollers if each.source.function.handler != "load"]
    with loaders(deployment, go) as processes, runtime:
        put(customer, keys)
        assert soon(lambda: len(deployment.entries(NAME, keys)) == len(keys), PATIENCE)
        go.touch()
        assert soon(lambda: bool(deployment.jobs.staged(f"iceberg:travel.{NAME}", limit=1)), PATIENCE)
        processes[0].kill()  # a quarter of all loaders, whatever they are at
        assert soon(lambda: committed(deployment, keys), PATIENCE)
        assert soon(deployment.quiet, PATIENCE)
    found = deployment.table(NAME)
    rows = found.scan().to_arrow()
    assert Counter(rows["_key"].to_pylist()) == dict.fromkeys(keys, ROWS)
    assert Counter(rows["id"].to_pylist()) == dict.fromkeys(range(len(keys)), ROWS)
    tasks = [task for entry in deployment.jobs.history(NAME, limit=10_000) for task in deployment.jobs.tasks(entry.id)]
    done = [task for task in tasks if task.state is TaskState.COMMITTED]
    named = [sorted(ids_of(snapshot, [task.id for task in done])) for snapshot in found.snapshots()]
    assert Counter(id_ for ids in named for id_ in ids) == dict.fromkeys([task.id for task in done], 1)
    assert sum(job.counts.get("rows", 0) for job in deployment.jobs.history(NAME, limit=10_000)) == ROWS * len(keys)
    print(f"{len(done)} tasks in {len(named)} commits, at most {max(map(len, named))} in one")


def ids_of(snapshot: object, ids: Sequence[str]) -> frozenset[str]:
    summary = snapshot.summary.additional_properties  # type: ignore[attr-defined]
    return tags.found(ids, summary.get(tags.PROPERTY, "{}"))

"""Objects that no invocation reads as a whole: in parts, and over many invocations, with the same rows in the end."""

import base64
import gzip
import io
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pytest
from pyarrow.fs import S3FileSystem

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.tasks import Task, TaskState
from chalicelib.local.customer import Customer
from chalicelib.local.project import Project
from chalicelib.local.runtime import Runtime
from chalicelib.local.stack import Stack
from tests.local.test_end_to_end import HURRY, ROOT, Deployment
from tests.local.waiting import soon

pytestmark = pytest.mark.local

PART = 1 << 20
CUT, PACKED = "cut/a.csv", "packed/a.csv.gz"


def text(rows: int, *, filler: int, line_ends: bool) -> bytes:
    """Rows that hardly pack; in some a value has line ends and what looks like a row."""
    chance = random.Random(7)
    lines = ["id,amount,note\n"]
    for number in range(rows):
        note = base64.b64encode(chance.randbytes(filler)).decode()
        if line_ends and number % 13 == 0:
            note = f'"{note[:9]}\n{number},0.5,""{note[9:19]}""\n"'
        lines.append(f"{number},{chance.randrange(10**6) / 100},{note}\n")
    return "".join(lines).encode()


CSV = text(36_000, filler=60, line_ends=True)
BIG = text(6_000, filler=1_450, line_ends=False)
GZ = gzip.compress(BIG, 1)


@pytest.fixture(scope="module")
def loaded(stack: Stack, customer: Customer) -> Deployment:
    """Three tables, made by functions in their own roles; the loading one hands over whenever it can."""
    deployment = Deployment(stack, customer)
    keys = {"cut_iceberg": CUT, "cut_parquet": CUT, "packed": PACKED}
    for name, key in keys.items():
        deployment.pipelines.put(pipeline(name, customer.bucket, key))
    runtime = Runtime(Project(), stack, workers=1, environ={**os.environ, **HURRY})
    runtime.pollers = [each for each in runtime.pollers if each.source.function.handler in ("arrive", "commit")]
    runtime.tickers = []
    with loading(deployment), runtime:
        customer.put(CUT, CSV)
        customer.put(PACKED, GZ)
        assert soon(lambda: all(deployment.committed(name, [key]) for name, key in keys.items()), seconds=120)
    return deployment


@contextmanager
def loading(deployment: Deployment) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.local.hasty"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=deployment.environ(), cwd=ROOT, **quiet)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def pipeline(name: str, bucket: str, key: str) -> Pipeline:
    source = {"bucket": bucket, "path": key, "split_size": PART, "parser": {"type": "csv"}}
    out = {"type": "parquet" if "parquet" in name else "iceberg", "database": "travel", "table": name}
    return Pipeline.parse({"name": name, "connection": "acme", "in": source, "out": out}, where="test")


def the_task(deployment: Deployment, name: str) -> Task:
    (job,) = deployment.jobs.history(name, limit=10)
    (task,) = deployment.jobs.tasks(job.id)
    assert job.counts["rows"] == task.staged.outcomes[0].rows  # type: ignore[union-attr]
    return task


def content(table: pa.Table) -> list[dict[str, Any]]:
    """The rows without their origin, in order."""
    rows: list[dict[str, Any]] = table.select(["id", "amount", "note"]).sort_by("id").to_pylist()
    return rows


def source(content_: bytes) -> list[dict[str, Any]]:
    """What an independent reader finds in it."""
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return content(pyarrow.csv.read_csv(io.BytesIO(content_), parse_options=options))


def dataset(stack: Stack, name: str) -> pa.Table:
    account = stack.account
    s3 = S3FileSystem(
        access_key=account.number, secret_key="local", region=account.region, endpoint_override=account.endpoint
    )
    return pyarrow.dataset.dataset(f"{stack.bucket}/warehouse/parquet/travel/{name}", filesystem=s3).to_table()


def test_an_object_in_parts_is_in_both_kinds_of_tables_as_it_was_in_one_change(loaded: Deployment) -> None:
    wanted = source(CSV)
    for name in ("cut_iceberg", "cut_parquet"):
        task = the_task(loaded, name)
        parts = loaded.jobs.tasks(f"{task.job}.p{task.number}.1")
        assert [part.state for part in parts] == [TaskState.READ] * (len(CSV) // PART)
        assert task.attempt == 1, "the parts fitted together"
    found = loaded.table("cut_iceberg")
    assert len(found.snapshots()) == 1
    assert content(found.scan().to_arrow()) == wanted
    assert content(dataset(loaded.stack, "cut_parquet")) == wanted


def test_a_packed_object_is_read_over_many_invocations_and_comes_in_one_change(loaded: Deployment) -> None:
    assert the_task(loaded, "packed").attempt > 3, "it was handed over, and over again"
    found = loaded.table("packed")
    assert len(found.snapshots()) == 1
    assert content(found.scan().to_arrow()) == source(BIG)

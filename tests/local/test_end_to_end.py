"""From a customer's bucket to rows, over the embedded AWS, as users and processes really behave."""

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.table import Table

from chalicelib.aws.connections import DynamoConnections
from chalicelib.aws.cursors import DynamoCursors
from chalicelib.aws.jobs import DynamoJobs
from chalicelib.aws.ledger import DynamoLedger
from chalicelib.aws.pipelines import DynamoPipelines
from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.jobs import JobState
from chalicelib.core.ledger import Entry, State
from chalicelib.local.customer import Customer, make_bucket
from chalicelib.local.project import Project
from chalicelib.local.runtime import Runtime
from chalicelib.local.stack import Stack
from tests.local.conftest import EXTERNAL_ID, reading
from tests.local.waiting import soon

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[2]
HURRY = {
    "TIDEGATE_CLAIM_LEASE": "2",
    "TIDEGATE_TASK_LEASE": "4",
    "TIDEGATE_NUDGE_AFTER": "1",
    "TIDEGATE_RESEND_AFTER": "3",
}
CSV = b"id,name\n1,a\n2,b\n3,c\n"
KEYS = ["in/a b+c/é.csv.gz", "in/100%25/x=1&y=2.csv", "in/日本/語.csv", "in/plain.csv", "in/a:b@c$d'e(f).csv"]
WALK = 32  # calls to AWS that one object's walk makes, about
KILLS = int(os.environ.get("TIDEGATE_KILL_POINTS", "6"))


class Deployment:
    """A stack, a customer, a pipeline; and what can be asked of them."""

    def __init__(self, stack: Stack, customer: Customer) -> None:
        self.stack, self.customer = stack, customer
        client = stack.account.client("dynamodb")
        self.ledger = DynamoLedger(client, f"{stack.name}-ledger")
        self.jobs = DynamoJobs(client, f"{stack.name}-jobs", f"{stack.name}-tasks")
        self.pipelines = DynamoPipelines(client, f"{stack.name}-pipelines")
        self.connections = DynamoConnections(client, f"{stack.name}-connections")
        self.connect("acme", customer.bucket)

    def connect(self, name: str, bucket: str) -> None:
        connection = AssumeRole(name=name, role_arn=self.customer.role_arn, buckets=(bucket,))
        self.connections.add(Grant(connection, EXTERNAL_ID, datetime.now(UTC)))  # noqa: TID251

    def pipeline(
        self,
        name: str,
        kind: str = "iceberg",
        prefix: str = "in/",
        bucket: str | None = None,
        connection: str = "acme",
    ) -> None:
        document = {
            "name": name,
            "connection": connection,
            "in": {"bucket": bucket or self.customer.bucket, "path_prefix": prefix, "parser": {"type": "csv"}},
            "out": {"type": kind, "database": "travel", "table": name},
        }
        self.pipelines.put(Pipeline.parse(document, where="test"))

    def environ(self) -> dict[str, str]:
        return {**os.environ, **self.stack.env(), **HURRY, "PYTHONPATH": str(ROOT)}

    def runtime(self) -> Runtime:
        return Runtime(Project(), self.stack, workers=1, tick=1.0, environ={**os.environ, **HURRY})

    def entries(self, name: str, keys: Sequence[str]) -> dict[str, Entry]:
        return dict(self.ledger.get(name, keys))

    def committed(self, name: str, keys: Sequence[str]) -> bool:
        found = self.entries(name, keys)
        assert all(entry.state is not State.FAILED for entry in found.values()), found
        return len(found) == len(keys) and all(entry.state is State.COMMITTED for entry in found.values())

    def tidegate(self, *arguments: str) -> list[Any]:
        """What a user's own terminal would show."""
        return [json.loads(line) for line in self.command(*arguments, "--json").splitlines()]

    def command(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "chalicelib.cli", *arguments]
        done = subprocess.run(command, env=self.environ(), cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def loaded(self, name: str, kind: str = "iceberg") -> Counter[str]:
        """Rows of each object in the table; of a dataset, as a user's own terminal shows them."""
        if kind == "iceberg":  # without a process of its own, which takes longer than all the rest
            return Counter(self.table(name).scan(selected_fields=("_key",)).to_arrow()["_key"].to_pylist())
        return Counter(row["_key"] for row in self.tidegate("rows", f"travel.{name}", "--limit", "100000"))

    def table(self, name: str) -> Table:
        """What anybody's pyiceberg finds."""
        account = self.stack.account
        keys = {"client.access-key-id": account.number, "client.secret-access-key": "local"}
        endpoints = {"glue.endpoint": account.endpoint, "s3.endpoint": account.endpoint}
        catalog = GlueCatalog("test", **keys, **endpoints, **{"client.region": account.region})
        return catalog.load_table(("travel", name))

    def repeat(self, entries: Sequence[Entry]) -> None:
        """Send notifications of these objects once more, last one first."""
        url = self.stack.queue_url("arrivals")
        for entry in reversed(entries):
            ref = entry.ref
            body = {
                "source": "aws.s3",
                "detail-type": "Object Created",
                "time": ref.created_at.isoformat(),
                "detail": {
                    "bucket": {"name": ref.bucket},
                    "object": {"key": ref.key, "size": ref.size, "etag": ref.etag, "sequencer": ref.sequencer},
                },
            }
            self.stack.account.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))

    def quiet(self) -> bool:
        """True if no message waits or is at work, outside the dead-letter queues."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = self.stack.account.client("sqs")
        urls = [self.stack.queue_url(short) for short in ("arrivals", "tasks", "commits.fifo")]
        found = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in urls]
        return all(int(value) == 0 for attributes in found for value in attributes.values())


@pytest.fixture(scope="module")
def deployment(stack: Stack, customer: Customer) -> Deployment:
    return Deployment(stack, customer)


@pytest.fixture(scope="module")
def running(deployment: Deployment) -> Iterator[None]:
    """One runtime for the tests that let it live: to start it costs more than what they do. They come last here."""
    with deployment.runtime():
        yield


@contextmanager
def mortal(deployment: Deployment, kill_at: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "tests.local.mortal", str(kill_at)]
    process = subprocess.Popen(
        command, env=deployment.environ(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_objects_announced_thrice_to_two_runtimes_are_in_both_tables_once(deployment: Deployment) -> None:
    deployment.pipeline("flights")
    deployment.pipeline("copies", "parquet")
    with ExitStack() as both:
        for _ in range(2):
            both.enter_context(deployment.runtime())
        for key in KEYS:
            deployment.customer.put(key, gzip.compress(CSV) if key.endswith("gz") else CSV)
        assert soon(lambda: len(deployment.entries("flights", KEYS)) == len(KEYS), seconds=40)
        for _ in range(2):
            deployment.repeat(list(deployment.entries("flights", KEYS).values()))
        assert soon(lambda: all(deployment.committed(name, KEYS) for name in ("flights", "copies")), seconds=60)
        assert soon(deployment.quiet, seconds=30)
        wanted = dict.fromkeys(KEYS, 3)
        assert deployment.loaded("flights") == wanted
        assert deployment.loaded("copies", "parquet") == wanted
    assert deployment.tidegate("rows", "travel.flights", "--count") == [{"count": 3 * len(KEYS)}]
    assert {row["state"] for row in deployment.tidegate("objects", "flights")} == {"committed"}
    jobs = deployment.tidegate("history", "flights")
    assert {job["state"] for job in jobs} == {"done"}
    assert sum(job["rows"] for job in jobs) == 3 * len(KEYS)


def test_a_runtime_killed_at_any_point_loses_no_row_and_doubles_none(deployment: Deployment) -> None:
    deployment.pipeline("killed", prefix="killed/")
    keys = []
    for number in range(KILLS):
        keys.append(f"killed/{number}.csv")
        deployment.customer.put(keys[-1], CSV)
        with mortal(deployment, 2 + number * WALK // KILLS) as process:
            assert soon(lambda: process.poll() is not None or deployment.committed("killed", keys), seconds=60)
    with mortal(deployment, 0):
        assert soon(lambda: deployment.committed("killed", keys), seconds=120), deployment.entries("killed", keys)
        assert soon(deployment.quiet, seconds=30)
    assert deployment.loaded("killed") == dict.fromkeys(keys, 3)
    jobs = deployment.tidegate("history", "killed", "--limit", "1000")
    assert sum(job["rows"] for job in jobs) == 3 * len(keys)


def test_uploads_without_notifications_then_a_sweep_then_late_notifications_are_exact(deployment: Deployment) -> None:
    """Issue: notifications were off for a while. A user repairs it with `tidegate run`, and they arrive after all."""
    silent = f"{deployment.customer.bucket}-silent"
    make_bucket(deployment.customer.account, silent)
    iam = deployment.customer.account.client("iam")
    iam.put_role_policy(RoleName="tidegate-reader", PolicyName="silent", PolicyDocument=json.dumps(reading(silent)))
    deployment.connect("silent", silent)
    deployment.pipeline("swept", bucket=silent, connection="silent")
    keys = [f"in/{minute:02}/é {number}.csv" for minute in range(10) for number in range(3)]
    for key in keys:
        deployment.customer.account.client("s3").put_object(Bucket=silent, Key=key, Body=CSV)
    with deployment.runtime():
        deployment.command("run", "swept", "--wait")
        assert soon(lambda: deployment.committed("swept", keys), seconds=60)
        deployment.repeat(list(deployment.entries("swept", keys).values()))
        deployment.command("run", "swept", "--full", "--wait")
        assert soon(deployment.quiet, seconds=30)
    assert deployment.loaded("swept") == dict.fromkeys(keys, 3)
    cursor = DynamoCursors(deployment.stack.account.client("dynamodb"), f"{deployment.stack.name}-pipelines")
    assert cursor.get("swept").last_path == max(keys)


@pytest.mark.usefixtures("running")
def test_bad_rows_are_shown_and_replaced_after_the_pipeline_is_mended(deployment: Deployment, tmp_path: Path) -> None:
    document = {
        "name": "mended",
        "connection": "acme",
        "in": {
            "bucket": deployment.customer.bucket,
            "path_prefix": "mended/",
            "parser": {"type": "csv", "skip_header_lines": 1, "columns": [{"name": "id", "type": "long"}]},
        },
        "filters": [{"type": "add_columns", "columns": [{"name": "kind", "type": "string", "default": "test"}]}],
        "out": {"type": "iceberg", "database": "travel", "table": "mended"},
    }
    parser = document["in"]["parser"]  # type: ignore[index]
    keys = ["mended/a.csv", "mended/b.csv"]
    file = tmp_path / "mended.json"
    file.write_text(json.dumps(document))
    deployment.command("apply", str(file))
    for key in keys:
        deployment.customer.put(key, b"id\n1\ntwo\n3\n")
    assert soon(lambda: deployment.committed("mended", keys), seconds=60)
    shown = deployment.tidegate("rejects", "mended")
    assert [(row["_key"], row["line"], row["byte_offset"], row["text"]) for row in shown] == [
        (key, 3, 5, "two") for key in keys
    ]
    assert "id: 'two' is not a long" in deployment.command("rejects", "mended")
    parser["columns"] = [{"name": "number", "type": "string"}]
    file.write_text(json.dumps(document))
    deployment.command("apply", str(file))
    assert "Would be loaded again: 2 objects." in deployment.command("replay", "mended", "--rejected", "--dry-run")
    (replayed,) = deployment.tidegate("replay", "mended", "--rejected")
    assert (replayed["objects"], replayed["rows"], replayed["rejects"]) == (2, 4, 2)
    (job,) = replayed["jobs"]
    assert soon(lambda: deployment.jobs.job(job).state is JobState.DONE, seconds=60)  # type: ignore[union-attr]
    assert deployment.loaded("mended") == dict.fromkeys(keys, 3)
    rows = deployment.tidegate("rows", "travel.mended")
    assert Counter((row["number"], row["kind"]) for row in rows) == {(n, "test"): 2 for n in ("1", "two", "3")}
    assert deployment.tidegate("rejects", "mended") == []


@pytest.mark.usefixtures("running")
def test_parquet_archives_and_the_objects_themselves_come_through(deployment: Deployment, tmp_path: Path) -> None:
    """What reads in any order (footers, a zip's directory) and what reads nothing at all, over real range requests."""
    table = io.BytesIO()
    pq.write_table(
        pa.table({"id": range(20_000), "name": [f"n{i}" for i in range(20_000)]}), table, row_group_size=5000
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        for name in ("a.csv", "b.csv"):
            entries.writestr(f"day/{name}", CSV)
        entries.writestr("readme.txt", "not a table")
    parsers: dict[str, dict[str, Any]] = {
        "columnar": {"parser": {"type": "parquet", "columns": [{"name": "id", "type": "long"}]}},
        "zipped": {"parser": {"type": "csv"}, "decoders": [{"type": "zip", "match_name": r"\.csv$"}]},
        "catalogued": {"parser": {"type": "objects"}},
    }
    for name, source in parsers.items():
        source |= {"bucket": deployment.customer.bucket, "path_prefix": f"{name}/"}
        document = {"name": name, "connection": "acme", "in": source}
        document["out"] = {"type": "iceberg", "database": "travel", "table": name}
        document["filters"] = [{"type": "file_metadata", "columns": [{"name": "entry", "value": "entry"}]}]
        deployment.pipelines.put(Pipeline.parse(document, where="test"))
    bodies = {"columnar": table.getvalue(), "zipped": archive.getvalue(), "catalogued": b"any bytes"}
    for name, body in bodies.items():
        deployment.customer.put(f"{name}/x", body)
    assert soon(lambda: all(deployment.committed(name, [f"{name}/x"]) for name in parsers), seconds=90)
    assert deployment.tidegate("rows", "travel.columnar", "--count") == [{"count": 20_000}]
    zipped = Counter(row["entry"] for row in deployment.tidegate("rows", "travel.zipped", "--limit", "100"))
    assert zipped == {"day/a.csv": 3, "day/b.csv": 3}
    (described,) = deployment.tidegate("rows", "travel.catalogued")
    assert (described["key"], described["size"], described["name"]) == ("catalogued/x", 9, "x")
    seed = tmp_path / "seed.yml"
    seed.write_text(f"connection: acme\nin: {{type: s3, bucket: {deployment.customer.bucket}, path_prefix: zipped/}}\n")
    load = tmp_path / "load.yml"
    deployment.command("guess", str(seed), "-o", str(load))
    (shown,) = deployment.tidegate("preview", str(load))
    assert [row["id"] for row in shown["rows"]][:3] == [1, 2, 3]


@pytest.mark.usefixtures("running")
def test_rows_leave_with_their_object_and_by_an_undo_and_come_back_by_a_replay(
    deployment: Deployment, tmp_path: Path
) -> None:
    source = {"bucket": deployment.customer.bucket, "path_prefix": "leaving/", "parser": {"type": "csv"}}
    out = {"type": "iceberg", "database": "travel", "table": "leaving", "on_delete": "delete_rows"}
    file = tmp_path / "leaving.json"
    file.write_text(json.dumps({"name": "leaving", "connection": "acme", "in": source, "out": out}))
    keys = ["leaving/a.csv", "leaving/b.csv"]
    deployment.command("apply", str(file))
    for key in keys:
        deployment.customer.put(key, CSV)
    assert soon(lambda: deployment.committed("leaving", keys), seconds=60)
    job = next(row["job"] for row in deployment.tidegate("objects", "leaving") if row["key"] == keys[1])
    bucket = deployment.customer.bucket
    deployment.customer.account.client("s3").delete_object(Bucket=bucket, Key=keys[0])
    assert soon(lambda: deployment.entries("leaving", keys)[keys[0]].reason == "deleted", seconds=60)
    assert deployment.loaded("leaving") == {keys[1]: 3}
    (undone,) = deployment.tidegate("undo", job, "--wait")
    assert undone["rows"] == 3
    assert deployment.loaded("leaving") == {}
    assert deployment.entries("leaving", keys)[keys[1]].reason == "undone"
    (found,) = deployment.tidegate("replay", "leaving", "--job", job, "--dry-run")
    assert (found["rows"], found["rows_in"], found["read"]) == (0, 3, 1)
    deployment.command("replay", "leaving", "--job", job, "--wait")
    assert deployment.loaded("leaving") == {keys[1]: 3}
    deployment.customer.put(keys[0], CSV)
    assert soon(lambda: deployment.committed("leaving", keys), seconds=60)
    assert deployment.loaded("leaving") == dict.fromkeys(keys, 3)
    (audit,) = deployment.tidegate("audit", "leaving", "--rows")
    assert audit["findings"] == {}


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("kind", ["iceberg", "parquet"])
def test_each_run_replaces_the_whole_content(deployment: Deployment, tmp_path: Path, kind: str) -> None:
    name = f"whole_{kind}"
    document = {
        "name": name,
        "connection": "acme",
        "in": {
            "bucket": deployment.customer.bucket,
            "path_prefix": f"{name}/",
            "incremental": False,
            "max_task_files": 1,
            "parser": {"type": "csv"},
        },
        "out": {"type": kind, "database": "travel", "table": name, "mode": "replace"},
    }
    file = tmp_path / "whole.json"
    file.write_text(json.dumps(document))
    s3 = deployment.customer.account.client("s3")
    deployment.command("apply", str(file))
    for key in ("a", "b"):
        deployment.customer.put(f"{name}/{key}.csv", CSV)
    deployment.command("run", name, "--wait")
    assert deployment.loaded(name, kind) == {f"{name}/a.csv": 3, f"{name}/b.csv": 3}
    s3.delete_object(Bucket=deployment.customer.bucket, Key=f"{name}/a.csv")
    deployment.customer.put(f"{name}/b.csv", CSV + b"4,d\n")
    deployment.customer.put(f"{name}/c.csv", CSV)
    deployment.command("run", name, "--wait")
    assert deployment.loaded(name, kind) == {f"{name}/b.csv": 4, f"{name}/c.csv": 3}


@pytest.mark.usefixtures("running")
def test_a_load_yml_is_issued_once_and_again_for_what_is_new(deployment: Deployment, tmp_path: Path) -> None:
    """As Treasure Data's connector:issue: neither name nor destination in the file, and no notification is needed."""
    load = tmp_path / "load.yml"
    source = {"type": "s3", "bucket": deployment.customer.bucket, "path_prefix": "issued/", "parser": {"type": "csv"}}
    load.write_text(json.dumps({"in": source, "out": {"mode": "append"}}))
    told = [str(load), "--connection", "acme", "--database", "Travel", "--table", "issued", "--wait"]
    deployment.customer.put("issued/a.csv", CSV)
    (first,) = deployment.tidegate("issue", *told)
    assert (first["pipeline"], first["table"]) == ("travel.issued", "iceberg:travel.issued")
    assert (first["state"], first["loaded"], first["rows"]) == ("done", 1, 3)
    deployment.customer.put("issued/b.csv", CSV)
    assert "Objects: 1, rows: 3" in deployment.command("issue", *told)
    assert deployment.loaded("issued") == {"issued/a.csv": 3, "issued/b.csv": 3}

"""`tidegate demo`: a customer, real data, rows in two tables; then every notification again, and the rows stay.

Everything happens as in the cloud: two AWS accounts, a role with an external id, S3's own notifications.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from chalicelib import wiring
from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import Entry, State
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Kind
from chalicelib.errors import TidegateError
from chalicelib.local.account import CUSTOMERS
from chalicelib.local.customer import Customer, notify, open_customer
from chalicelib.local.project import ROOT
from chalicelib.local.up import Local, Options, running

SAMPLES = ROOT / "samples"
BUCKET = "acme-exports"
ROLE = "tidegate-reader"
PIPELINES = ("flights", "airports")
PATIENCE = 50.0  # seconds

READ = """
   To read them with other tools, keep the data: `tidegate demo --data DIR`, then `tidegate local up --data DIR`,
   export what it prints, and in Python, with DuckDB over Iceberg:

     import duckdb, os
     from pyiceberg.catalog import load_catalog
     catalog = load_catalog("lake", type="glue", **{
         "s3.endpoint": os.environ["AWS_ENDPOINT_URL"], "s3.region": os.environ["AWS_REGION"]})
     flights = catalog.load_table("travel.flights").scan().to_arrow()
     print(duckdb.sql("SELECT origin, count(*), avg(dep_delay) FROM flights GROUP BY 1"))"""

Say = Callable[[str], None]


def demo(data: Path | None, say: Say) -> None:
    """Show the whole walk and prove that nothing is loaded twice.

    Raises TidegateError if rows are missing or doubled.
    """
    with _folder(data) as folder:
        started = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        with (
            (folder / "application.log").open("ab") as log,
            running(Options(data=folder, port=0), output=log) as local,
            _environment(local.env()),
        ):
            say(f"1. The embedded AWS and the application are up on {local.emulator.endpoint}.")
            _walk(local, say)
            say(
                f"\nDone in {time.monotonic() - started:.0f} s."
                + (f" All state and the application's log: {folder}" if data else "")
            )


def _walk(local: Local, say: Say) -> None:
    customer = _customer(local, say)
    for name in PIPELINES:
        wiring.admin().apply(_pipeline(name))
        say(f"3. Pipeline {name} is applied (samples/{name}.yml).")
    expected = _upload(customer, say)
    entries = _await(expected)
    _show(entries, say)
    before = _counts()
    bodies = [_notification(entry) for entry in entries]
    for body in reversed(bodies):
        _send(local, body)
    say(f"\n6. All {len(bodies)} notifications were sent again, in reverse order.")
    _drain(local)
    after = _counts()
    say(f"   Rows before: {before}. Rows after: {after}.")
    if after != before or not all(before.values()):
        raise TidegateError("the second delivery changed the tables", where="demo", remedy="This is a bug; report it")
    _show_rows(local, say)


def _customer(local: Local, say: Say) -> Customer:
    connection = AssumeRole(name="acme", role_arn=f"arn:aws:iam::{CUSTOMERS}:role/{ROLE}", buckets=(BUCKET,))
    known = wiring.connections().get("acme")
    grant = known or wiring.connecting().connect(connection)
    pasted = {sheet.kind: sheet.document for sheet in sheets(wiring.facts(connection.name))}
    customer = open_customer(
        local.emulator.account(CUSTOMERS), BUCKET, role=ROLE, trust=pasted[Kind.TRUST], permissions=pasted[Kind.ROLE]
    )
    notify(customer, local.stack.queue_arn("arrivals"))
    say(f"2. Account {CUSTOMERS} has bucket {BUCKET} and a role that opens with external id {grant.external_id[:8]}….")
    return customer


def _pipeline(name: str) -> Pipeline:
    path = SAMPLES / f"{name}.yml"
    return Pipeline.parse(yaml.safe_load(path.read_text()), where=str(path))


def _upload(customer: Customer, say: Say) -> dict[str, list[str]]:
    """Put the sample objects into the customer's bucket: the keys, by pipeline."""
    keys: dict[str, list[str]] = {}
    for name in PIPELINES:
        for path in sorted((SAMPLES / name).iterdir()):
            key = f"{name}/{path.name}"
            customer.put(key, path.read_bytes())
            keys.setdefault(name, []).append(key)
            say(f"4. s3://{customer.bucket}/{key} is uploaded ({path.stat().st_size:,} bytes).")
    return keys


def _await(expected: Mapping[str, Sequence[str]]) -> list[Entry]:
    """The ledger's word on each object, once all are committed."""
    deadline = time.monotonic() + PATIENCE
    while True:
        entries = [e for name, keys in expected.items() for e in wiring.ledger().get(name, keys).values()]
        wanted = sum(len(keys) for keys in expected.values())
        if len(entries) == wanted and all(entry.state is State.COMMITTED for entry in entries):
            return entries
        if time.monotonic() > deadline or any(entry.state is State.FAILED for entry in entries):
            states = {entry.key: f"{entry.state} {entry.error or ''}" for entry in entries}
            raise TidegateError(f"not all objects arrived: {states}", where="demo", remedy="Read the log above")
        time.sleep(0.1)


def _show(entries: Sequence[Entry], say: Say) -> None:
    say("\n5. What happened to each object (seconds after it was created):")
    say(f"   {'object':<32}{'rows':>6}{'rejects':>9}{'claimed':>9}{'read':>8}{'staged':>8}{'committed':>11}")
    for entry in entries:
        times = (entry.claimed_at, entry.read_at, entry.staged_at, entry.committed_at)
        after = [f"{(at - entry.ref.created_at).total_seconds():.1f}" if at else "" for at in times]
        say(f"   {entry.key:<32}{entry.rows:>6}{entry.rejects:>9}{after[0]:>9}{after[1]:>8}{after[2]:>8}{after[3]:>11}")


def _notification(entry: Entry) -> str:
    """What S3 said of this object, once more."""
    ref = entry.ref
    event = {
        "eventName": "ObjectCreated:Put",
        "eventTime": ref.created_at.isoformat(),
        "s3": {
            "bucket": {"name": ref.bucket},
            "object": {"key": ref.key, "size": ref.size, "eTag": ref.etag, "sequencer": ref.sequencer},
        },
    }
    return json.dumps({"Records": [event]})


def _send(local: Local, body: str) -> None:
    local.stack.account.client("sqs").send_message(QueueUrl=local.stack.queue_url("arrivals"), MessageBody=body)


def _drain(local: Local) -> None:
    """Wait until no message is left in any queue."""
    sqs = local.stack.account.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline, quiet = time.monotonic() + PATIENCE, 0
    while quiet < 3 and time.monotonic() < deadline:  # thrice, since work moves from queue to queue
        left = 0
        for short in ("arrivals", "tasks", "commits.fifo"):
            found = sqs.get_queue_attributes(QueueUrl=local.stack.queue_url(short), AttributeNames=names)["Attributes"]
            left += sum(int(found[name]) for name in names)
        quiet = 0 if left else quiet + 1
        time.sleep(0.2)


def _counts() -> dict[str, int]:
    return {
        "travel.flights": wiring.iceberg().count("travel", "flights"),
        "travel.airports": wiring.parquet().count("travel", "airports"),
    }


def _show_rows(local: Local, say: Say) -> None:
    say("\n7. The first rows of travel.flights:")
    shown = ["time_hour", "carrier", "flight", "origin", "dest", "dep_delay", "_key"]
    for row in wiring.iceberg().rows("travel", "flights", 5).select(shown).to_pylist():
        say("   " + "  ".join(f"{value}" for value in row.values()))
    say(READ)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data
        return
    with TemporaryDirectory(prefix="tidegate-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def _environment(environ: Mapping[str, str]) -> Iterator[None]:
    """This process as a client of the embedded AWS, like any other command."""
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

"""The whole way of objects through the application's own doors, stage by stage, with AWS's calls and our CPU counted.

Run in a process whose environment is `stand_in.environment`: the doors are those of app.py, the stores, clients and
tables the real ones. Messages are handed on as Lambda does: up to a hundred arrivals a call, one task, ten commits.
"""

import json
import logging
import os
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen
from uuid import uuid4

import app
from bench.data import DATA, WEBLOG
from bench.stand_in import SOURCE, counted, etag, taken
from chalicelib import wiring
from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.sweeps import SCHEDULED
from chalicelib.local.context import Context

ARRIVALS, COMMITS = 100, 10  # messages that one call of a door gets
NOW = datetime(2026, 11, 22, tzinfo=UTC)
GRANT = Grant(AssumeRole(name="acme", role_arn="arn:aws:iam::111122223333:role/bench"), "e" * 64, NOW)


def context() -> Context:
    """What Lambda says of a call."""
    arn = "arn:aws:lambda:us-east-1:111111111111:function:bench"
    return Context("bench", 2048, arn, str(uuid4()), deadline=time.monotonic() + 600)


@dataclass
class Stage:
    """What one door has cost."""

    cpu: float = 0.0  # seconds
    wall: float = 0.0
    invocations: int = 0
    calls: Counter[str] = field(default_factory=Counter)  # of AWS, and its units

    def only(self, of: str) -> dict[str, int]:
        """The calls of a service, or units, without that word in front."""
        return {name.removeprefix(of): count for name, count in self.calls.items() if name.startswith(of) and count}

    @property
    def requests(self) -> int:
        """All calls of AWS."""
        return sum(count for name, count in self.calls.items() if ":" in name)


@dataclass
class Way:
    """Doors and what they have cost so far."""

    endpoint: str
    stages: dict[str, Stage] = field(default_factory=dict)
    pipeline: Pipeline = field(init=False)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens in here under this name, as one call of a door."""
        stage = self.stages.setdefault(name, Stage())
        before, cpu, wall = counted(self.endpoint), time.process_time(), time.perf_counter()
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # EMF and log lines
            yield
        stage.cpu += time.process_time() - cpu
        stage.wall += time.perf_counter() - wall
        stage.invocations += 1
        stage.calls += counted(self.endpoint) - before

    def begin(self, columns: Mapping[str, str] = WEBLOG) -> None:
        """A connection and a pipeline; clients are made and imports done, so that they are in no stage."""
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")  # a call of a door that counts nothing
        wiring.connections().add(GRANT)
        self.pipeline = pipeline(columns)
        wiring.pipelines().put(self.pipeline)
        for part in (wiring.discover, wiring.load, wiring.commit, wiring.sweeping, wiring.catalog):
            part()

    def all(self, keys: Sequence[str], *, by_sweep: bool = False, at_once: int = ARRIVALS) -> None:
        """From word of these objects to rows that count."""
        if by_sweep:
            self.sweep()
        else:
            self.arrive(keys, at_once=at_once)
        self.load()
        self.commit()
        if by_sweep:
            self.turn()  # the cursor moves

    def arrive(self, keys: Sequence[str], *, at_once: int = ARRIVALS) -> None:
        """Notifications of these keys, so many in a call, to claimed objects and tasks that are sent."""
        for event in events([notification([key]) for key in keys], at_once):
            with self.stage("arrive"):
                done(app.arrive(event, context()))

    def sweep(self) -> None:
        """A listing to claimed objects and tasks that are sent."""
        with self.stage("sweep"):
            assert wiring.sweeping().trigger(self.pipeline, wiring.now(), full=True)
        taken(self.endpoint, "sweeps")
        self.turn()

    def turn(self) -> None:
        """One message of the queue of sweeps."""
        [event] = events([json.dumps({"pipeline": self.pipeline.name, "name": SCHEDULED})], 1)
        with self.stage("sweep"):
            done(app.sweep(event, context()))

    def load(self) -> int:
        """Every task that waits, to staged files; how many there were."""
        found = list(events(taken(self.endpoint, "tasks"), 1))
        for event in found:
            with self.stage("load"):
                done(app.load(event, context()))
        return len(found)

    def commit(self) -> None:
        """Every staged task to rows that count."""
        for event in events(taken(self.endpoint, "commits.fifo"), COMMITS):
            with self.stage("commit"):
                done(app.commit(event, context()))

    def tick(self) -> None:
        """A minute has passed."""
        with self.stage("tick"):
            wiring.tick()

    def rows(self) -> int:
        """How many the table has."""
        return wiring.iceberg().count("bench", "bench")


def pipeline(columns: Mapping[str, str]) -> Pipeline:
    """CSV with these columns to a table."""
    declared = [{"name": column, "type": kind} for column, kind in columns.items()]
    parser = {"type": "csv", "skip_header_lines": 1, "columns": declared}
    source = {"bucket": SOURCE, "path_prefix": "", "parser": parser}
    out = {"type": "iceberg", "database": "bench", "table": "bench"}
    document = {"name": "bench", "connection": "acme", "in": source, "out": out}
    return Pipeline.parse(document, where="bench")


def notification(keys: Sequence[str]) -> str:
    """What S3 says of new objects."""
    records = [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": "2026-11-21T00:00:00.000Z",
            "s3": {
                "bucket": {"name": SOURCE},
                "object": {
                    "key": quote(key),
                    "size": (DATA / key).stat().st_size,
                    "eTag": etag(key.encode()),
                    "sequencer": "0062F3C4D5E6A7B8C9",
                },
            },
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


def events(bodies: Sequence[str], most: int) -> Iterator[dict[str, Any]]:
    """Messages as a door gets them."""
    for start in range(0, len(bodies), most):
        records = [
            {"messageId": str(uuid4()), "receiptHandle": "r", "body": body, "attributes": {}, "messageAttributes": {},
             "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:111111111111:bench",
             "awsRegion": "us-east-1"}
            for body in bodies[start : start + most]
        ]  # fmt: skip
        yield {"Records": records}


def done(answer: Any) -> None:
    assert answer == {"batchItemFailures": []}, answer


def grow(endpoint: str, keys: Sequence[str]) -> None:
    """More objects in the customer's bucket."""
    with urlopen(Request(f"{endpoint}/_grow", data=json.dumps(list(keys)).encode(), method="POST")):
        pass


def peak() -> int:
    """MB resident at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)

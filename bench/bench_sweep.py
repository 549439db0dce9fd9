"""What a sweep costs: calls, read units, CPU and memory, by key, merged with the whole ledger, and where all is new.

    python bench/bench_sweep.py [--keys 1000000] [--small 100000]

The flow, the stores, the listing and botocore are the real ones; S3, STS and DynamoDB are canned (fake_aws.py) and
run in another process, so CPU and memory are the client's alone. Each case has a process of its own. There is no
network latency here, and no throttling: elapsed time is a lower bound, CPU is what to look at.
"""

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from botocore.session import Session

from bench.fake_aws import BUCKET, GRANT, PIPELINE, PREFIX, canned, environment, key, stats
from chalicelib.aws.cursors import DynamoCursors
from chalicelib.aws.customers.listing import Listing
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.aws.jobs import DynamoJobs
from chalicelib.aws.ledger import DynamoLedger
from chalicelib.aws.sweeps import DynamoSweeps
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.cursors import Cursor
from chalicelib.core.sweeps import SCHEDULED, SweepState
from chalicelib.flows.sweep import Sweeping
from chalicelib.wiring import now
from tests.fakes.queue import FakeMetrics, FakeQueue
from tests.fakes.stores import FakeConnections, FakePipelines

HEAD = (
    "| case | keys in the bucket | new | list calls | DynamoDB calls | ledger entries read | read units | write units "
)
HEAD += "| CPU s | CPU s per million keys listed | elapsed s | peak RSS MB | of that before the sweep |"


def at_the_end(total: int, new: int, number: int) -> bool:
    return number >= total - new


def at_the_front(total: int, new: int, number: int) -> bool:
    return number < new


def everywhere(total: int, new: int, number: int) -> bool:
    return number % (total // new) == total // new // 2


PLACES = {"path": at_the_end, "first": at_the_front, "spread": everywhere, "fresh": at_the_front}


def pipeline() -> Pipeline:
    source = {"bucket": BUCKET, "path_prefix": PREFIX, "parser": {"type": "json"}, "suffix": ".gz"}
    out = {"type": "iceberg", "table": "bench"}
    return Pipeline.parse({"name": PIPELINE, "connection": "acme", "in": source, "out": out}, where="bench")


def sweeping(endpoint: str) -> Sweeping:
    sessions = Sessions(Session())
    client = sessions.client("dynamodb")
    jobs = DynamoJobs(client, "bench-jobs", "bench-tasks")
    pipelines, connections = FakePipelines(), FakeConnections()
    pipelines.put(pipeline())
    connections.add(GRANT)
    return Sweeping(
        pipelines=pipelines,
        connections=connections,
        listing=Listing(sessions, endpoint),
        ledger=DynamoLedger(client, "bench-ledger"),
        jobs=jobs,
        sweeps=DynamoSweeps(client, "bench-sweeps", jobs),
        cursors=DynamoCursors(client, "bench-pipelines"),
        queue=FakeQueue(),
        metrics=FakeMetrics(),
        now=now,
        lease=timedelta(minutes=15),
        budget=timedelta(hours=2),  # one turn: memory has no chance to be given back in between
    )


def rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def run(endpoint: str, *, full: bool, after: str | None) -> dict[str, Any]:
    """One sweep to the end of its listing, in this process."""
    gc.set_threshold(50_000)  # as app.py sets it: with Python's own a page costs half as much again
    flow = sweeping(endpoint)
    if after is not None:
        flow.cursors.swap(Cursor(PIPELINE, last_path=after, revision=1))
    flow.listing.page(GRANT, BUCKET, PREFIX, limit=1)  # credentials, connections and imports are not the sweep's
    list(flow.ledger.span(PIPELINE, key(0), key(0)))
    before, base = stats(endpoint), rss()
    cpu, wall = time.process_time(), time.perf_counter()
    assert flow.trigger(pipeline(), now(), full=full)
    flow.turn(PIPELINE, SCHEDULED)
    spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "rss": rss(), "base": base}
    sweep = flow.sweeps.get(PIPELINE, SCHEDULED)
    assert sweep is not None
    assert sweep.state is SweepState.DRAINING, sweep
    assert sweep.error is None, sweep.error
    counts = {name: count - before.get(name, 0) for name, count in stats(endpoint).items()}
    return {**spent, "accepted": sweep.accepted, "tasks": sweep.next_task, "stats": counts}


def case(name: str, total: int, kind: str, new: int) -> tuple[str, dict[str, Any]]:
    """The case in a process of its own; a row of the table, and the numbers."""
    with canned(total, partial(PLACES[kind], total, new)) as endpoint:
        after = key(total - new - 1) if kind == "path" else ""
        command = [sys.executable, __file__, "--child", endpoint, "--after", after]
        done = subprocess.run(command, env=environment(endpoint), check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["accepted"] == new, f"{found['accepted']} of {new} new objects were taken"
    counts = found["stats"]
    calls = sum(counts.get(each, 0) for each in ("read calls", "query calls", "transactions"))
    per_million = found["cpu"] * 1e6 / counts["keys listed"]
    row = (
        f"| {name} | {total:,} | {new:,} | {counts['list calls']:,} | {calls:,} "
        f"| {counts.get('ledger items read', 0):,} | {counts['read units']:,.0f} | {counts['write units']:,.0f} "
        f"| {found['cpu']:.1f} | {per_million:.0f} | {found['wall']:.1f} | {found['rss']} | {found['base']} |"
    )
    return row, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--after", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run(options.child, full=not options.after, after=options.after or None)))
        return
    large, small = options.keys, options.small
    print(HEAD + "\n|---|" + "--:|" * (HEAD.count("|") - 2))
    row, path = case("by key, after the cursor", large, "path", 1000)
    print(row, flush=True)
    results = {}
    for name, total in (("small", small), ("large", large)):
        row, results[name] = case("full merge", total, "spread", total // 1000)
        print(row, flush=True)
    row, lonely = case("full merge, one new key at the front", large, "first", 1)
    print(row, flush=True)
    fresh = {}
    for total in (small // 5, small):
        row, fresh[total] = case("full merge, all new", total, "fresh", total)
        print(row, flush=True)
    cost = {name: found["cpu"] / found["stats"]["keys listed"] for name, found in results.items()}
    print(f"\nCPU per key, {large:,} keys beside {small:,}: {cost['large'] / cost['small']:.2f} times")
    first, second = (found["cpu"] / total for total, found in fresh.items())
    print(f"CPU per new key, {small:,} keys beside {small // 5:,}: {second / first:.2f} times")
    assert path["stats"]["list calls"] <= 3, "a sweep by key lists only what is new"
    assert path["stats"].get("ledger items read", 0) <= 1000, "a sweep by key does not read the ledger"
    every = (*results.values(), *fresh.values(), lonely)
    assert max(each["rss"] for each in every) < 200, "memory must not grow with the bucket"


if __name__ == "__main__":
    main()

"""What remembering an object costs the client: Tidegate's claim and mark beside the least there is, one PutItem.

    python bench/bench_claim.py [--objects 2000] [--rounds 5]

DynamoDB is canned (fake_aws.py) and runs in another process; the ledger, its rules and botocore are the real ones.
A claim reads the entry and writes it; a mark reads it again, in another Lambda, and writes it again. The yardstick
does less: one conditional put of a ready-made item, which tells duplicates apart and knows nothing of crashes.
Rounds alternate. Compare within the table: absolute numbers belong to the machine.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from botocore.session import Session

from bench.fake_aws import BUCKET, NOW, PIPELINE, PREFIX, as_stored, canned, environment, key, loaded, ref, stats
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.aws.jobs import DynamoJobs
from chalicelib.aws.ledger import DynamoLedger
from chalicelib.config.pipeline import Pipeline
from chalicelib.core import ledger as rules
from chalicelib.core.ledger import Entry, Owner
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Outcome, OutcomeKind
from chalicelib.flows.claim import Claims, rewrite

Refs = list[ObjectRef]


def all_new(_: int) -> bool:
    return True


def pipeline() -> Pipeline:
    source = {"bucket": BUCKET, "path_prefix": PREFIX, "parser": {"type": "json"}}
    out = {"type": "iceberg", "table": "bench"}
    return Pipeline.parse({"name": PIPELINE, "connection": "acme", "in": source, "out": out}, where="bench")


def claim(ledger: DynamoLedger, jobs: DynamoJobs, wanted: Pipeline, refs: Refs) -> None:
    owner = Owner("arrival-0123456789abcdef01234567", 0)
    claimed = Claims(ledger, jobs, timedelta(minutes=15)).take(wanted, {owner: refs}, now=NOW)
    assert len(claimed.won[owner]) == len(refs)


def mark(ledger: DynamoLedger, refs: Refs) -> None:
    owner = Owner("arrival-0123456789abcdef01234567", 0)
    members = {each.key: each for each in refs}

    def marked(entry: Entry) -> Entry | None:
        outcome = Outcome(entry.key, OutcomeKind.LOADED, rows=12_345, read_at=NOW)
        return rules.mark(entry, owner, members[entry.key], outcome, staged_at=NOW, now=NOW, snapshot="6" * 19)

    rewrite(ledger, PIPELINE, members, marked)


def plain_put(client: Any, items: dict[str, Any], refs: Refs) -> None:
    for each in refs:
        client.put_item(
            TableName="bench-ledger", Item=items[each.key], ConditionExpression="attribute_not_exists(pipeline)"
        )


def measured(work: Callable[[Refs], None], refs: Refs, at_once: int) -> float:
    """CPU milliseconds an object."""
    groups = [refs[start : start + at_once] for start in range(0, len(refs), at_once)]
    started = time.process_time()
    for group in groups:
        work(group)
    return (time.process_time() - started) * 1000 / len(refs)


def compare(endpoint: str, count: int, rounds: int) -> None:
    client = Sessions(Session()).client("dynamodb")
    ledger, jobs = DynamoLedger(client, "bench-ledger"), DynamoJobs(client, "bench-jobs", "bench-tasks")
    put, take, note = partial(plain_put, client), partial(claim, ledger, jobs, pipeline()), partial(mark, ledger)
    found: dict[str, list[float]] = {}
    units: dict[str, float] = {}
    for turn in range(rounds + 1):
        numbers = range(turn * 10 * count, turn * 10 * count + 2 * count)
        refs, few = [ref(number) for number in numbers], count // 4
        plain, single, many = refs[:few], refs[few : 2 * few], refs[count:]
        items = {key(number): as_stored(loaded(number)) for number in numbers[:few]}
        runs: list[tuple[str, Callable[[Refs], None], Refs, int]] = [
            ("one conditional PutItem", partial(put, items), plain, 1),
            ("claim, one by one", take, single, 1),
            ("mark, one by one", note, single, 1),
            ("claim, 100 at once", take, many, 100),
            ("mark, 100 at once", note, many, 100),
        ]
        for name, work, chosen, at_once in runs:
            before = stats(endpoint).get("write units", 0)
            spent = measured(work, chosen, at_once)
            units[name] = (stats(endpoint)["write units"] - before) / len(chosen)
            if turn:  # the first warms up
                found.setdefault(name, []).append(spent)
    print("| | CPU ms an object, median | least | most | write units an object |\n|---|--:|--:|--:|--:|")
    for name, times in found.items():
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} | {max(times):.2f} | {units[name]:.0f} |")
    middle = {name: statistics.median(times) for name, times in found.items()}
    least = middle["one conditional PutItem"]
    for how in ("one by one", "100 at once"):
        print(f"\nclaim and mark, {how}: {(middle[f'claim, {how}'] + middle[f'mark, {how}']) / least:.2f} PutItems")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with canned(0, all_new) as endpoint:
        os.environ |= environment(endpoint)
        compare(endpoint, options.objects, options.rounds)


if __name__ == "__main__":
    main()

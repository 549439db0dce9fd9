"""What each object costs beside its bytes: AWS's calls and our CPU on the whole way, by stage.

    python bench/bench_control.py [--objects 100] [--way sweep] [--calls]

Objects of 20 KB in gzip (bench/data.py) pass the application's own doors, from word of them to rows that count: as
notifications, 1, 10 or 100 in a call of the door as they come in seldom or often, and found by a sweep. AWS is in
memory in another process (stand_in.py): CPU is ours alone, elapsed time a lower bound. A first object goes ahead, so
that clients, credentials and the table are there. `--calls` prints each call by its name instead, for the shapes of
docs/cost.md.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.data import DATA, SMALL_ROWS, small
from bench.stand_in import environment, stand_in

PRICES = {  # $ a million, AWS's list prices of us-east-1; docs/cost.md says more
    "write units": 0.625,
    "read units": 0.125,
    "PUT": 5.0,  # and POST, LIST
    "GET": 0.4,  # and HEAD
    "SQS": 0.4,  # requests: sent, fetched and deleted, ten messages in each of the last two
    "GB-seconds": 16.67,
    "invocations": 0.2,
    "Glue": 1.0,
}
GB = 1.769  # of a function that has one CPU to itself
STAGES = ("arrive", "sweep", "load", "commit", "tick")
AT_ONCE = {"1 a call": 1, "10 a call": 10, "100 a call": 100, "sweep": 100}
SHAPES = [("1 a call", 1), ("10 a call", 10), ("100 a call", 100), ("sweep", 500)]


def run(case: str, endpoint: str, objects: int) -> None:
    """One case in this process."""
    from bench.whole_way import Way, peak

    way = Way(endpoint)
    way.begin()
    way.all(first())
    way.stages.clear()
    before = peak()
    way.all(small(objects).keys, by_sweep=case == "sweep", at_once=AT_ONCE[case])
    way.tick()
    assert way.rows() == (objects + 1) * SMALL_ROWS, way.rows()
    stages = {name: vars(stage) for name, stage in way.stages.items()}
    print(json.dumps({"stages": stages, "peak": peak(), "before": before}))


def measured(case: str, objects: int) -> dict[str, Any]:
    """The case in a process of its own."""
    with stand_in(DATA, [*small(objects).keys, *first()]) as endpoint:
        command = [sys.executable, __file__, "--child", case, "--endpoint", endpoint, "--objects", str(objects)]
        done = subprocess.run(command, env=environment(endpoint), check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def first() -> list[str]:
    """The object that goes ahead."""
    return small(7).keys[:1]


def requests(calls: dict[str, int], of: str = "") -> int:
    """Calls of AWS, or of one service."""
    return sum(count for name, count in calls.items() if ":" in name and name.startswith(of))


def units(calls: dict[str, int], kind: str) -> float:
    """Capacity units of DynamoDB; those of reads that need not be consistent are counted by halves."""
    whole = sum(count for name, count in calls.items() if name.startswith(f"{kind} units"))
    return whole + sum(count for name, count in calls.items() if name.startswith(f"half {kind} units")) / 2


def dollars(stages: dict[str, Any], objects: int, *, told: bool) -> dict[str, float]:
    """What a million such objects cost; `told`: S3 sends a message for each."""
    calls: Counter[str] = Counter()
    for stage in stages.values():
        calls.update(stage["calls"])
    s3 = {name: count for name, count in calls.items() if name.startswith("s3 ")}
    reads = sum(count for name, count in s3.items() if name.endswith(("GetObject", "HeadObject")))
    invoked = sum(stage["invocations"] for stage in stages.values())
    fetched = invoked + (objects / 10 - stages["arrive"]["invocations"] if told else 0)
    counts = {
        "DynamoDB": units(calls, "write") * PRICES["write units"] + units(calls, "read") * PRICES["read units"],
        "S3": reads * PRICES["GET"] + (sum(s3.values()) - reads) * PRICES["PUT"],
        "SQS": (requests(calls, "sqs:") + objects * told + 2 * fetched) * PRICES["SQS"],
        "functions": sum(stage["cpu"] for stage in stages.values()) * GB * PRICES["GB-seconds"]
        + invoked * PRICES["invocations"],
        "Glue": requests(calls, "glue:") * PRICES["Glue"],
    }
    return {name: count / objects for name, count in counts.items()}


def whole_way(objects: int, ways: Sequence[str]) -> None:
    """A table for each way in: by stage, per object."""
    for case in ways:
        at_once = AT_ONCE[case]
        found = measured(case, objects)
        told = "found by a sweep" if case == "sweep" else f"notifications, {at_once} in a call of the door"
        print(f"\n{objects:,} objects, {told}; {found['peak']} MB resident at most\n")
        print("| stage | calls of the door | CPU ms | AWS calls | DynamoDB | S3 | SQS | write units | read units |")
        print("|---|" + "--:|" * 8)
        total: Counter[str] = Counter()
        for stage in STAGES:
            if stage in found["stages"]:
                told = found["stages"][stage]
                row(stage, told["invocations"], told["cpu"], told["calls"], objects)
                total.update({name: count for name, count in told["calls"].items() if stage != "tick"})
        cpu = sum(told["cpu"] for stage, told in found["stages"].items() if stage != "tick")
        row("**all but the tick**", sum(t["invocations"] for t in found["stages"].values()) - 1, cpu, total, objects)
        found["stages"].pop("tick")
        cost = dollars(found["stages"], objects, told=case != "sweep")
        parts = ", ".join(f"{name} {price:.2f}" for name, price in cost.items())
        print(f"\n$ {sum(cost.values()):.2f} per million objects: {parts}", flush=True)


def row(stage: str, invocations: int, cpu: float, calls: dict[str, int], objects: int) -> None:
    """All but the first number are per object."""
    counts = [requests(calls), *(requests(calls, of) for of in ("dynamodb:", "s3 ", "sqs:"))]
    cells = [cpu * 1000, *counts, units(calls, "write"), units(calls, "read")]
    print(f"| {stage} | {invocations:,} | " + " | ".join(f"{cell / objects:.2f}" for cell in cells) + " |", flush=True)


def each_call() -> None:
    """Which calls there are, for each shape."""
    found = [measured(case, objects)["stages"] for case, objects in SHAPES]
    print(
        "| stage | call | "
        + " | ".join(f"{objects} by sweep" if case == "sweep" else f"{objects} at once" for case, objects in SHAPES)
        + " |"
    )
    print("|---|---|" + "--:|" * len(SHAPES))
    for stage in STAGES:
        names = sorted({name for each in found for name in each.get(stage, {"calls": {}})["calls"]})
        for name in names:
            counts = [each.get(stage, {"calls": {}})["calls"].get(name, 0) for each in found]
            print(f"| {stage} | {name} | " + " | ".join(f"{count:,}" for count in counts) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100)
    parser.add_argument("--way", choices=AT_ONCE, action="append")
    parser.add_argument("--calls", action="store_true")
    parser.add_argument("--child", choices=AT_ONCE, help=argparse.SUPPRESS)
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run(options.child, options.endpoint, options.objects)
    elif options.calls:
        each_call()
    else:
        whole_way(options.objects, options.way or list(AT_ONCE))


if __name__ == "__main__":
    main()

"""How cost grows: ten times the objects, ten times the rows, ten times the history.

    python bench/bench_growth.py [--objects 50] [--mb 5] [--keys 20000] [--commits 20]

Each case has a process of its own, and AWS one beside it (stand_in.py, fake_aws.py), so CPU, memory and calls are
ours alone. Objects: found by a sweep, loaded and committed. Rows: one object of so many MB before packing, the same
way. History, in the ledger: a sweep of a bucket of which all but 100 objects are loaded already, by key and merged
with the whole ledger; in the table: one object after the other, with the product's own maintenance after every ten
commits, by a clock two hours ahead; told is one of the last ten commits, with its share of the maintenance.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import bench_sweep
from bench.data import DATA, Made, large, small
from bench.stand_in import environment, stand_in

TIMES, EVERY = 10, 10  # EVERY: commits between two maintenances
HEAD = "| | | CPU s | elapsed s | AWS calls | MB resident at most | of that before |\n|---|--:|--:|--:|--:|--:|--:|"


@dataclass(frozen=True)
class Spent:
    """What a case took."""

    cpu: float
    wall: float
    calls: float
    peak: int
    before: int

    def row(self, what: str, much: str) -> str:
        return (
            f"| {what} | {much} | {self.cpu:.2f} | {self.wall:.1f} | {self.calls:,.0f} | {self.peak} | {self.before} |"
        )


def objects(endpoint: str, made: Made) -> Spent:
    """All of them found by one sweep, and committed; a first object has gone ahead."""
    from bench.whole_way import Way, grow, peak

    way = Way(endpoint)
    way.begin(columns=made.columns)
    way.sweep()  # of an empty bucket: imports and clients are nobody's cost
    way.stages.clear()
    grow(endpoint, made.keys)
    before = peak()
    way.all(made.keys, by_sweep=True)
    assert way.rows() > 0
    stages = way.stages.values()
    calls = sum(stage.requests for stage in stages)
    return Spent(sum(each.cpu for each in stages), sum(each.wall for each in stages), calls, peak(), before)


def history(endpoint: str, commits: int) -> Spent:
    """One object after the other; what the last commits took, each, with their share of the maintenance before them."""
    from bench.whole_way import Way, grow, peak
    from chalicelib import wiring
    from chalicelib.config.maintenance import Maintenance
    from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep

    keys = small(commits).keys
    grow(endpoint, keys)
    way = Way(endpoint)
    way.begin()
    out, upkeep, rules = way.pipeline.out, IcebergUpkeep(wiring.catalog), Maintenance(max_snapshots=20)
    before = peak()
    for number, key in enumerate(keys, start=1):
        if number == max(1, commits - EVERY + 1):
            way.stages.clear()
        way.arrive([key])
        way.load()
        way.commit()
        if number % EVERY == 0:
            with way.stage("maintain"):
                upkeep.compact(out, rules, in_time=lambda: True)
                upkeep.expire(out, rules, now=wiring.now() + timedelta(hours=2), oldest_staged=None)
    told = [way.stages[name] for name in ("commit", "maintain") if name in way.stages]
    last = min(EVERY, commits)
    cpu, wall, calls = (sum(getattr(each, of) for each in told) / last for of in ("cpu", "wall", "requests"))
    return Spent(cpu, wall, calls, peak(), before)


def child(case: str, endpoint: str, much: int) -> None:
    """One case in this process."""
    if case == "history":
        spent = history(endpoint, much)
    else:
        spent = objects(endpoint, small(much) if case == "objects" else large("taxi", much))
    print(json.dumps(vars(spent)))


def measured(case: str, much: int) -> Spent:
    """The case in a process of its own."""
    with stand_in(DATA, []) as endpoint:
        command = [sys.executable, __file__, "--child", case, "--endpoint", endpoint, "--much", str(much)]
        done = subprocess.run(command, env=environment(endpoint), check=True, stdout=subprocess.PIPE)
    return Spent(**json.loads(done.stdout))


def ledger(kind: str, keys: int, new: int) -> Spent:
    """A sweep that finds `new` objects among all that are loaded."""
    started = time.perf_counter()
    _, found = bench_sweep.case(kind, keys, "path" if kind == "by key" else "spread", new)
    counts: dict[str, Any] = found["stats"]
    calls = sum(counts.get(each, 0) for each in ("list calls", "read calls", "query calls", "transactions"))
    return Spent(found["cpu"], time.perf_counter() - started, calls, found["rss"], found["base"])


def told(what: str, small_: Spent, large_: Spent, much: tuple[str, str]) -> None:
    """Two rows and what ten times as much costs."""
    print(small_.row(what, much[0]))
    print(large_.row(what, much[1]))
    ratios = [large_.cpu / small_.cpu, large_.wall / small_.wall, large_.calls / small_.calls]
    cells = " | ".join(f"{ratio:.1f} ×" for ratio in ratios)
    print(f"| | | {cells} | {large_.peak - small_.peak:+} | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=50)
    parser.add_argument("--mb", type=int, default=5)
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--commits", type=int, default=20)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    parser.add_argument("--much", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.endpoint, options.much)
        return
    print(HEAD, flush=True)
    for case, least, name in (("objects", options.objects, "objects"), ("rows", options.mb, "MB of rows, one object")):
        found = [measured(case, much) for much in (least, least * TIMES)]
        told(name, found[0], found[1], (f"{least:,}", f"{least * TIMES:,}"))
    for kind in ("by key", "full merge"):
        found = [ledger(kind, keys, 100) for keys in (options.keys, options.keys * TIMES)]
        told(
            f"keys loaded before a sweep, {kind}",
            found[0],
            found[1],
            (f"{options.keys:,}", f"{options.keys * TIMES:,}"),
        )
    found = [measured("history", much) for much in (options.commits, options.commits * TIMES)]
    told("commits before, a commit", found[0], found[1], (f"{options.commits:,}", f"{options.commits * TIMES:,}"))


if __name__ == "__main__":
    main()

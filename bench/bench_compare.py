"""From S3 to Parquet: Tidegate's whole load flow beside the achievable straight line and the peers, in one run.

    python bench/bench_compare.py [--quick] [--kinds taxi events] [--only tidegate hand polars] [--peers made]
                                  [--mb 400] [--objects 2000] [--rounds 5] [--limit 60] [--plain] [--save]

Every variant is a process that does one job and ends; they take turns, on two cores and then on one. The rows of each
are read back once and must be those of the straight line. `--peers`: all (made if need be), made (those that are
there), none. `--save` writes bench/results/compare-DATE.{md,svg}. `--limit` adds Tidegate with so many seconds an
attempt; with `--only tidegate --mb 10000` it shows memory, and that no row is lost or repeated between attempts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import compare_report, data, environments
from bench.peers.job import Job
from bench.served import Server, served

ROOT = Path(__file__).parents[1]
SLOW = {"dlt", "awswrangler", "pandas"}  # rounds of these are few: they take ten times as long
ACCESS = {
    "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true", "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required", "RUNTIME__DLTHUB_TELEMETRY": "false",
}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One side: what it is called, and the process that does the job."""

    name: str
    python: Path
    module: str
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is compared, and how often."""

    variants: Sequence[Variant]
    rounds: int
    slow_rounds: int
    one_core: frozenset[str]  # names of those that also run on one core; empty: all
    timeout: float


@dataclass
class Result:
    """What was seen of one kind of data."""

    made: data.Made
    runs: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)  # by name and cores
    digests: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def differing(self) -> list[str]:
        """Those whose rows are not the first one's."""
        told = {name: {**digest, "written": 0} for name, digest in self.digests.items()}
        return [name for name, digest in told.items() if digest != next(iter(told.values()))]


def compare(made: data.Made, plan: Plan, server: Server, lake: Path) -> Result:
    """Rounds of all variants, on two cores and on one."""
    result = Result(made)
    for cores in (2, 1):
        for turn in range(plan.rounds):
            for variant in plan.variants:
                few = turn >= plan.slow_rounds and variant.name in SLOW
                left_out = cores == 1 and plan.one_core and variant.name not in plan.one_core
                if not few and not left_out and variant.name not in result.failures:
                    one_run(result, variant, server, lake, cores, plan.timeout)
    return result


def one_run(result: Result, variant: Variant, server: Server, lake: Path, cores: int, timeout: float) -> None:
    made = result.made
    with tempfile.TemporaryDirectory(dir=lake) as out:
        job = Job(made.kind, server.endpoint, "bench", made.keys, made.columns, out)
        spent = run(variant, job, cores, timeout)
        if "error" in spent:
            result.failures[variant.name] = spent["error"]
            return
        result.runs.setdefault((variant.name, cores), []).append(spent)
        if variant.name not in result.digests:
            reading = [sys.executable, str(ROOT / "bench" / "rows.py"), out, json.dumps(made.columns)]
            told = subprocess.run(reading, check=True, stdout=subprocess.PIPE)
            result.digests[variant.name] = json.loads(told.stdout)
    wall, cpu, rss = spent["wall"], spent["cpu"], spent["rss"]
    print(f"  {made.kind} {cores} {variant.name}: {wall:.2f} s, CPU {cpu:.2f} s, {rss:.0f} MB", file=sys.stderr)


def run(variant: Variant, job: Job, cores: int, timeout: float) -> dict[str, Any]:
    """One job in a process of its own, pinned to its cores; `error` if it failed or took too long."""
    threads = {name: str(cores) for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS")}
    environment = {**os.environ, **ACCESS, **threads, **variant.environment}
    allowed = sorted(os.sched_getaffinity(0))[-cores:]
    try:
        done = subprocess.run(
            [str(variant.python), "-m", variant.module],
            input=json.dumps(asdict(job)),  # 10,000 keys are too many for an argument
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {timeout:.0f} s"}
    if done.returncode or not done.stdout.strip():
        print(f"{variant.name} failed on {job.kind}:\n{done.stderr[-2000:]}", file=sys.stderr)
        return {"error": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def variants(options: argparse.Namespace) -> list[Variant]:
    """Those that are wanted and can be had; the straight line first, for all others are held against it."""
    own = Path(sys.executable)
    found = [Variant("by hand", own, "bench.hand"), Variant("Tidegate", own, "bench.ours")]
    if options.limit:
        limit = {"BENCH_LIMIT": str(options.limit)}
        found.append(Variant(f"Tidegate, {options.limit:g} s an attempt", own, "bench.ours", limit))
    for peer in environments.NAMES if options.peers != "none" else ():
        if options.only and peer not in options.only:
            continue
        python = environments.make(peer) if options.peers == "all" else environments.interpreter(peer)
        if python is None:
            print(f"{peer} is left out: its environment is not there (--peers all makes it)", file=sys.stderr)
        else:
            found.append(Variant(peer, python, f"bench.peers.{peer}"))
    wanted = {name.replace("hand", "by hand").replace("tidegate", "Tidegate") for name in options.only or ()}
    return [each for each in found if not wanted or each.name.split(",")[0] in wanted]


def sizes(options: argparse.Namespace) -> dict[str, int]:
    """MB of each kind before packing, or objects."""
    if options.quick:
        usual = {"taxi": 30, "events": 6, "small": 100}
    else:
        usual = {"taxi": 400, "weblog": 200, "events": 200, "lines": 200, "small": 2000}
    given = {**dict.fromkeys(data.SHAPES, options.mb), "small": options.objects}
    return {kind: given[kind] or usual.get(kind, 30) for kind in options.kinds or usual}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kinds", nargs="*", choices=[*data.SHAPES, "small"])
    parser.add_argument("--only", nargs="*", help="tidegate, hand, or peers")
    parser.add_argument("--peers", choices=("all", "made", "none"))
    parser.add_argument("--mb", type=int, default=0)
    parser.add_argument("--objects", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=900)
    parser.add_argument("--limit", type=float, default=0)
    parser.add_argument("--plain", action="store_true", help="large objects are not packed")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    options.peers = options.peers or ("made" if options.quick else "all")
    return options


def main() -> None:
    options = parsed()
    rounds = options.rounds or (2 if options.quick else 5)
    one_core = frozenset({"by hand", "Tidegate", "polars"} if options.quick else ())
    plan = Plan(variants(options), rounds, 1 if options.quick else 2, one_core, options.timeout)
    results = []
    with tempfile.TemporaryDirectory(dir=data.DATA.parent) as lake:
        for kind, size in sizes(options).items():
            made = data.small(size) if kind == "small" else data.large(kind, size, packed=not options.plain)
            with served({"bench": data.DATA, "lake": Path(lake)}) as server:
                results.append(compare(made, plan, server, Path(lake)))
    report = compare_report.Report(server.name, results, plan)
    print(report.markdown())
    if options.save:
        report.save()
    if any(result.differing() for result in results) or any("Tidegate" in result.failures for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()

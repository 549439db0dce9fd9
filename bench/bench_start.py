"""What it costs to open each door for the first time: a fresh process, with compiled bytecode and without.

    python bench/bench_start.py [--rounds 5]

A door imports app.py and makes its flow with all its clients, as its first message would; commit and maintain open the
catalogue too. Nothing is called. Each measurement is a process of its own, and rounds alternate between doors and
between a package with bytecode and one without, which Lambda cannot write; Python's own library has its bytecode both
times, as there. CPU is that of the whole process, the interpreter's start included.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOORS = {
    "arrive": "wiring.discover()",
    "load": "wiring.load()",
    "sweep": "wiring.sweeping()",
    "commit": "wiring.commit(), wiring.iceberg(), wiring.catalog()",
    "tick": "wiring.recover(), wiring.schedules(), wiring.revalidate(), wiring.maintaining(), wiring.reminding()",
    "maintain": "wiring.maintaining(), __import__('chalicelib.destinations.iceberg.upkeep'), wiring.catalog()",
}
CHILD = """
import json, resource, sys, time
import app
from chalicelib import wiring
imported = time.process_time()
{made}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([imported * 1000, time.process_time() * 1000, len(sys.modules), used.ru_maxrss / 1024]))
"""
SETTINGS = {"TIDEGATE_WAREHOUSE": "s3://lake/warehouse", "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1"}
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}  # nobody checks them
HEAD = "| door | CPU ms to import the app | CPU ms until its flow is made | least | elapsed ms | modules | resident MB "
HEAD += "| without bytecode: CPU ms | elapsed ms |"


def opened(door: str, cache: Path, *, write: bool = False) -> Mapping[str, float]:
    """One start: milliseconds, modules and megabytes."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_", "PYTHON"))}
    environ = clean | SETTINGS | KEYS | {"PYTHONPYCACHEPREFIX": str(cache)}
    environ |= {} if write else {"PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", CHILD.format(made=DOORS[door])]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE)
    elapsed = (time.perf_counter() - started) * 1000
    app, cpu, modules, resident = json.loads(done.stdout)
    return {"app": app, "cpu": cpu, "elapsed": elapsed, "modules": modules, "resident": resident}


def caches(folder: Path) -> dict[str, Path]:
    """Folders of bytecode: one of everything, and one of Python's own library only."""
    full, bare = folder / "with", folder / "without"
    for door in DOORS:
        opened(door, full, write=True)
    shutil.copytree(full, bare)
    for product in (ROOT, Path(sysconfig.get_path("purelib"))):
        shutil.rmtree(bare / product.relative_to("/"), ignore_errors=True)
    return {"with": full, "without": bare}


def row(door: str, runs: Mapping[str, list[Mapping[str, float]]]) -> str:
    """A line of the table: medians."""

    def middle(kind: str, name: str) -> float:
        return statistics.median(run[name] for run in runs[kind])

    least = min(run["cpu"] for run in runs["with"])
    numbers = [middle("with", "app"), middle("with", "cpu"), least, middle("with", "elapsed")]
    numbers += [middle("with", "modules"), middle("with", "resident")]
    numbers += [middle("without", "cpu"), middle("without", "elapsed")]
    return f"| {door} | " + " | ".join(f"{number:.0f}" for number in numbers) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    runs: dict[str, dict[str, list[Any]]] = {door: {"with": [], "without": []} for door in DOORS}
    with tempfile.TemporaryDirectory() as folder:
        kinds = caches(Path(folder))
        for _ in range(options.rounds):
            for door, found in runs.items():
                for kind, cache in kinds.items():
                    found[kind].append(opened(door, cache))
    print(HEAD + "\n|---|" + "--:|" * (HEAD.count("|") - 2))
    for door, found in runs.items():
        print(row(door, found))


if __name__ == "__main__":
    main()

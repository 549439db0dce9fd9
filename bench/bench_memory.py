"""How much memory an object takes, whatever its size and shape: each in a process of its own, at two sizes.

    python bench/bench_memory.py                                     # a few cases, in less than a minute
    python bench/bench_memory.py --all --mb 60 --times 5             # all of them
    python bench/bench_memory.py --mb 100 --only "5,000 columns"     # those whose name holds this
    python bench/bench_memory.py --mb 1000 --times 10 --only .gz     # 1 GB and 10 GB

From ranges to staged files by the load's own way: ranges of 8 MiB, pages, origin columns, rejects, Parquet, parts of
8 MiB. Objects repeat a piece that lies on the disk (memory_objects.py), and what is written is thrown away. What grows
with the object's size would show as a difference between the two columns.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

MB = 1_000_000
SOME = ("csv.gz", "jsonl.gz", "parquet", "orc", "csv, 1,000 partitions", "csv, 5,000 columns")


class Parts:
    """A file that goes out in parts of 8 MiB, as one to S3 does."""

    def __init__(self) -> None:
        self._part = bytearray()

    def write(self, data: bytes) -> int:
        self._part += data
        while len(self._part) >= 8 << 20:
            bytes(self._part[: 8 << 20])
            del self._part[: 8 << 20]
        return len(data)

    def finish(self) -> None:
        self._part.clear()

    abort = finish


class Nowhere:
    """Tidegate's own bucket, of which nothing is left."""

    def create(self, path: str, *, hidden: bool) -> Parts:
        return Parts()


def load(case: str, folder: Path) -> dict[str, float]:
    """One object from its ranges to staged files; what came of it."""
    from bench.bench_formats import SETTING
    from bench.memory_objects import CASES, Repeated
    from chalicelib.aws.customers.bodies import ObjectBody
    from chalicelib.config.pipeline import Pipeline
    from chalicelib.destinations.staging import Stage
    from chalicelib.records.origin import with_origin
    from chalicelib.records.rejected import REJECTED, rejected
    from chalicelib.records.stream import open_rows

    kind = CASES[case]
    document: dict[str, Any] = {"name": "bench", "connection": "acme", "filters": [*kind.filters]}
    document["in"] = {"bucket": "bench", "parser": kind.parser, "max_expansion_ratio": 100_000}
    document["out"] = {"type": "iceberg", "table": "bench", **kind.out}
    pipeline = Pipeline.parse(document, where="bench")
    fetch, stage = Repeated(folder), Stage(Nowhere(), "s3://lake")  # type: ignore[arg-type]
    rows, rejects = (stage(out, "bench/0", 1) for out in (pipeline.out, pipeline.out.rejects))
    before, began, bad = peak(), time.process_time(), 0
    for entry in open_rows(ObjectBody(fetch, size=fetch.size), pipeline.source, pipeline.filters, SETTING):
        settled = entry.infer()
        columns = entry.shape(settled)
        for page in entry.pages(settled):
            rows.write(with_origin(page.batch, SETTING.ref, SETTING.run_at), columns)
            if page.rejects:
                bad += len(page.rejects)
                told = rejected(page.rejects, SETTING.ref, pipeline="p", job="j", entry=None, at=SETTING.run_at)
                rejects.write(told, REJECTED)
    rows.keep()
    rejects.keep()
    files = rows.finish()
    rejects.finish()
    count = sum(file.rows for file in files)
    found = {"rows": count + bad, "files": len(files), "out": sum(file.size for file in files)}
    return found | {"before": before, "peak": peak(), "cpu": time.process_time() - began}


def peak() -> int:
    """MB that this process has had; other than getrusage's, not what its parent had before."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024 // MB


def child(step: str, case: str, size: int, folder: Path) -> None:
    """Make an object, or load it: in a process of its own each."""
    if step == "load":
        print(json.dumps(load(case, folder)))
        return
    from bench.memory_objects import CASES

    CASES[case].make(size, folder)


def measured(case: str, size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--case", case, "--bytes", str(size), "--folder", folder, "--step"]
        subprocess.run([*command, "make"], check=True)
        done = subprocess.run([*command, "load"], check=False, stdout=subprocess.PIPE)
        return json.loads(done.stdout) if done.returncode == 0 else {}  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=20, help="decoded size of the smaller object")
    parser.add_argument("--times", type=int, default=3, help="by which the larger one is larger; 1: there is none")
    parser.add_argument("--only", help="cases whose name holds this")
    parser.add_argument("--all", action="store_const", const="", dest="only", help="all cases")
    parser.add_argument("--step", choices=["make", "load"])
    parser.add_argument("--case")
    parser.add_argument("--bytes", type=int)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.step:
        child(options.step, options.case, options.bytes, options.folder)
        return
    sizes = sorted({options.mb, options.mb * options.times})
    print(f"| object | rows | files | {' | '.join(f'peak MB at {size:,} MB' for size in sizes)} | before | MB/CPU-s |")
    print(f"|---|--:|--:|{'--:|' * len(sizes)}--:|--:|")
    for case in cases(options.only):
        found = [measured(case, size * MB) for size in sizes]
        peaks = [f"{one['peak']:.0f}" if one else "died" for one in found]
        big = found[-1] or {"rows": 0, "files": 0, "before": 0, "cpu": 1e9}
        told = [f"{big['rows']:,.0f}", f"{big['files']:,.0f}", *peaks, f"{big['before']:.0f}"]
        print(f"| {' | '.join([case, *told])} | {sizes[-1] / big['cpu']:.1f} |", flush=True)


def cases(only: str | None) -> list[str]:
    """Their names, asked of a child: what this process holds is no child's to begin with."""
    command = [sys.executable, "-c", "from bench.memory_objects import CASES; print('\\n'.join(CASES))"]
    root = Path(__file__).parents[1]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root).stdout
    return [name for name in told.splitlines() if (name in SOME if only is None else only in name)]


if __name__ == "__main__":
    main()

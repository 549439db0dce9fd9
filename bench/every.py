"""Every benchmark, one after the other.

    python bench/every.py [--quick]

Quick: sizes that show that each of them works and about what it says, all in less than three minutes on two cores.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
QUICK = {  # None: too long at any size that says something
    "bench_claim": "--objects 200 --rounds 2",
    "bench_commits": "--commits 10 --every 5 --seconds 3 --others 1 --sizes 1 10",
    "bench_compare": "--quick",
    "bench_control": "--objects 10",
    "bench_decoders": "--mb 2",
    "bench_formats": "--mb 4 --rounds 1",
    "bench_growth": None,
    "bench_listing": "--pages 5 --rounds 2",
    "bench_maintenance": "--objects 20 --rows 20 --commits 10 --every 5",
    "bench_memory": "--only csv.gz --mb 4 --times 1",
    "bench_parquet": "--rows 20000 --rounds 1",
    "bench_patterns": "",
    "bench_start": "--rounds 1",
    "bench_sweep": "--keys 10000 --small 2000",
}


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    took = []
    for file in sorted(HERE.glob("bench_*.py")):
        short = QUICK.get(file.stem, "") if quick else ""
        if short is None:
            print(f"\n{file.stem} is left out: a hundred commits take too long", flush=True)
            continue
        arguments = short.split()
        print(f"\n{file.relative_to(HERE.parent)} {' '.join(arguments)}\n", flush=True)
        started = time.monotonic()
        subprocess.run([sys.executable, file, *arguments], check=True)
        took.append((file.stem, time.monotonic() - started))
    told = ", ".join(f"{name} {seconds:.0f}" for name, seconds in took)
    print(f"\n{sum(seconds for _, seconds in took):.0f} seconds: {told}")


if __name__ == "__main__":
    main()

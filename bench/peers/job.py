"""What each side of a comparison is given and tells: needs nothing but Python, for it runs in every peer's environment.

A job is JSON on standard input: `endpoint`, `bucket` and `keys` to read, `kind` and `columns` (name and type) of the
data, `out`, a folder on the disk for the Parquet files. What is told is one line of JSON: CPU seconds of the process
and its children, elapsed seconds, and the peak of its resident memory in MB. Imports are not counted: a Lambda pays
them once, and bench_start.py measures ours. Rows are counted and compared by whoever ordered the job.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """What is to be read and where it is to be written."""

    kind: str
    endpoint: str
    bucket: str
    keys: list[str]
    columns: dict[str, str]  # type by name: long, double, boolean, string, timestamp, or json for what is nested
    out: str

    @classmethod
    @cache
    def given(cls) -> "Job":
        """The one that this process reads from its input, however often it is asked for."""
        return cls(**json.load(sys.stdin))

    @property
    def is_csv(self) -> bool:
        """All kinds are, but those of events."""
        return self.kind not in ("events", "lines")

    @property
    def cores(self) -> int:
        """Those that this process may use."""
        return len(os.sched_getaffinity(0))

    @property
    def paths(self) -> list[str]:
        """The objects as bucket/key."""
        return [f"{self.bucket}/{key}" for key in self.keys]

    @property
    def urls(self) -> list[str]:
        """The objects as S3 addresses."""
        return [f"s3://{self.bucket}/{key}" for key in self.keys]

    def of_type(self, *kinds: str) -> list[str]:
        """Names of the columns of these types."""
        return [name for name, kind in self.columns.items() if kind in kinds]

    def path(self, name: str = "rows.parquet") -> str:
        """A file in the folder for what is written."""
        return str(Path(self.out) / name)


def run(work: Callable[[Job], dict[str, float] | None]) -> None:
    """Do this process's job and tell what it took, and what `work` says beyond that."""
    job = Job.given()
    before, started = _cpu(), time.perf_counter()
    told = work(job) or {}
    spent = {**told, "wall": time.perf_counter() - started, "cpu": _cpu() - before, "rss": _peak()}
    print(json.dumps(spent), flush=True)
    os._exit(0)  # some libraries' threads outlive their work, or abort at the end


def _cpu() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def _peak() -> float:
    """MB. Not ru_maxrss, which begins with what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024

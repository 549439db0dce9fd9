"""Queues as lists, and metrics as counters."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from chalicelib.core.tasks import Task


@dataclass
class FakeQueue:
    """Messages that a test delivers when it likes, as often as it likes."""

    loads: list[tuple[str, int]] = field(default_factory=list)
    commits: list[tuple[str, int]] = field(default_factory=list)
    sweeps: list[tuple[str, str]] = field(default_factory=list)
    maintenance: list[str] = field(default_factory=list)

    def load(self, tasks: Sequence[Task]) -> None:
        self.loads += [(task.job, task.number) for task in tasks]

    def sweep(self, pipeline: str, name: str, *, delay: int = 0) -> None:
        self.sweeps.append((pipeline, name))

    def maintain(self, table: str) -> None:
        self.maintenance.append(table)

    def commit(self, tasks: Sequence[Task]) -> None:
        self.commits += [(task.job, task.number) for task in tasks]


@dataclass
class FakeMetrics:
    totals: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, value: float, **dimensions: str) -> None:
        self.totals[name] += int(value)
        if "reason" in dimensions:
            self.totals[dimensions["reason"]] += int(value)

    def seconds(self, name: str, value: float, **dimensions: str) -> None:
        self.totals[name] += 1

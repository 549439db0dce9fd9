"""What a comparison shows: a table for each kind of data, and a chart of all."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import chart, environments

if TYPE_CHECKING:
    from bench.bench_compare import Plan, Result

RESULTS = Path(__file__).parent / "results"
TITLES = {
    "taxi": "numbers and times in CSV",
    "weblog": "text in CSV",
    "events": "nested JSON Lines",
    "lines": "the flat columns of nested JSON Lines",
    "small": "small objects of CSV",
}


@dataclass(frozen=True)
class Report:
    """Results of one run and what they were measured on."""

    server: str
    results: "Sequence[Result]"
    plan: "Plan"

    def markdown(self, chart_file: str | None = None) -> str:
        today = datetime.now(UTC).date()  # noqa: TID251 - no flow of Tidegate's
        loads = os.getloadavg()
        parts = [
            f"# From S3 to Parquet, {today}",
            f"{machine()}, load average {loads[0]:.1f} at the end. S3 is {self.server} on the loopback address. "
            f"{self.versions()} Medians of {self.plan.rounds} rounds in turns ({self.plan.slow_rounds} of the slow "
            "ones), least and greatest in brackets; ratios are to the straight line by hand, and hold anywhere; "
            "seconds belong to the machine. [How we measure](../README.md).",
        ]
        if chart_file:
            parts.append(f"![Rows per second of CPU, and rows per second]({chart_file})")
        return "\n\n".join([*parts, *map(section, self.results)]) + "\n"

    def versions(self) -> str:
        own = [f"{name} {_version(name)}" for name in ("pyarrow", "obstore", "isal")]
        names = {variant.name for variant in self.plan.variants} & set(environments.NAMES)
        theirs = [f"{name} {environments.version(name)}" for name in sorted(names - {"pyarrow"})]
        return f"Tidegate and by hand: {', '.join(own)}; peers: {', '.join(theirs) or 'none'}."

    def save(self) -> None:
        today = datetime.now(UTC).date()  # noqa: TID251 - no flow of Tidegate's
        name = f"compare-{today}"
        (RESULTS / f"{name}.svg").write_text(chart.drawn(self.panels()), encoding="utf-8")
        (RESULTS / f"{name}.md").write_text(self.markdown(f"{name}.svg"), encoding="utf-8")

    def panels(self) -> list[chart.Panel]:
        """CPU on one core, which is steady, and the clock on two."""
        found = []
        for result in self.results:
            rows = _rows(result)
            for what, of, cores in (("a second of CPU, one core", "cpu", 1), ("a second, two cores", "wall", 2)):
                bars = {name: rows / 1000 / _middle(runs, of) for name, runs in _runs(result, cores).items()}
                found.append(chart.Panel(f"{TITLES[result.made.kind]}: thousand rows {what}", bars))
        return found


def section(result: "Result") -> str:
    made, rows = result.made, _rows(result)
    objects = f"{len(made.keys):,} objects" if len(made.keys) > 1 else "1 object"
    packed = "in gzip" if made.keys[0].endswith(".gz") else "not packed"
    parts = [f"## {made.kind}: {TITLES[made.kind]}", f"{objects}, {made.raw / 1e6:,.0f} MB {packed}, {rows:,} rows."]
    parts += [table(result, cores) for cores in (2, 1) if _runs(result, cores)]
    differing = result.differing()
    if differing:
        parts.append(f"**Rows differ** from the first one's: {', '.join(differing)}.")
    for name, each in _runs(result, 2).items():
        if each[0].get("messages", 1) > 1:
            parts.append(f"{name}: {each[0]['messages']:,} messages of the queue of tasks.")
    parts += [f"{name} failed: {why}" for name, why in result.failures.items()]
    return "\n\n".join(parts)


def table(result: "Result", cores: int) -> str:
    runs, rows, made = _runs(result, cores), _rows(result), result.made
    many = len(made.keys) > 1
    columns: dict[str, Callable[[str, list[dict[str, Any]]], str]] = {
        "krows/s": lambda _, each: f"{rows / 1e3 / _middle(each, 'wall'):,.0f}",
        "MB/s": lambda _, each: f"{made.raw / 1e6 / _middle(each, 'wall'):,.0f}",
        "seconds": lambda _, each: _spread(each, "wall"),
        "CPU seconds": lambda _, each: _spread(each, "cpu"),
        "CPU s/GB": lambda _, each: f"{_middle(each, 'cpu') / made.raw * 1e9:,.1f}",
        "peak MB": lambda _, each: f"{max(run['rss'] for run in each):,.0f}",
        "written MB": lambda name, _: f"{result.digests[name]['written'] / 1e6:,.1f}",
    }
    if many:
        columns["objects/s"] = lambda _, each: f"{len(made.keys) / _middle(each, 'wall'):,.0f}"
        columns["CPU ms/object"] = lambda _, each: f"{_middle(each, 'cpu') * 1000 / len(made.keys):.2f}"
    first = next(iter(runs.values()))
    columns["speed"] = lambda _, each: f"{_middle(first, 'wall') / _middle(each, 'wall'):.2f}"
    columns["rows per CPU s"] = lambda _, each: f"{_middle(first, 'cpu') / _middle(each, 'cpu'):.2f}"
    head = f"| {'two cores' if cores == 2 else 'one core'} | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}"
    lines = []
    for name, each in runs.items():
        shown = "**Tidegate**" if name == "Tidegate" else name
        lines.append(f"| {shown} | {' | '.join(make(name, each) for make in columns.values())} |")
    return "\n".join([head, *lines])


def machine() -> str:
    """Cores, processor, system and Python."""
    told = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    model = next((value.strip() for name, value in told.items() if name.strip() == "model name"), platform.machine())
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{os.cpu_count()} cores ({model}), {system}, Python {platform.python_version()}"


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _runs(result: "Result", cores: int) -> dict[str, list[dict[str, Any]]]:
    return {name: runs for (name, number), runs in result.runs.items() if number == cores}


def _rows(result: "Result") -> int:
    return int(next(iter(result.digests.values()))["rows"])


def _middle(runs: Sequence[dict[str, Any]], what: str) -> float:
    return float(statistics.median(run[what] for run in runs))


def _spread(runs: Sequence[dict[str, Any]], what: str) -> str:
    seen = [run[what] for run in runs]
    return f"{statistics.median(seen):.2f} ({min(seen):.2f}–{max(seen):.2f})"

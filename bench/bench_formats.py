"""How fast bytes become batches: Tidegate's records beside plain pyarrow, on the same generated data, in one run.

    python bench/bench_formats.py [--mb 48] [--rounds 5]

Both sides read from memory and throw the batches away; types are given, so that nobody guesses. Rounds alternate.
Compare within a table: absolute numbers belong to the machine.
"""

import argparse
import gzip
import io
import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.json as arrow_json
from isal import igzip

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.formats import Parser
from chalicelib.config.parsers.csv import Csv
from chalicelib.config.parsers.json import Json
from chalicelib.config.source import Source
from chalicelib.core.objects import ObjectRef
from chalicelib.records.stream import Setting, open_rows
from chalicelib.records.types.schema import arrow_schema

TYPES = {
    "vendor": "long", "picked_up": "timestamp", "dropped_off": "timestamp", "passengers": "long", "distance": "double",
    "rate": "long", "stored": "boolean", "from": "long", "to": "long", "paid_by": "long", "fare": "double",
    "extra": "double", "tax": "double", "tip": "double", "tolls": "double", "total": "double", "agent": "string",
}  # fmt: skip
COLUMNS = tuple(Column(name=name, type=ColumnType(kind)) for name, kind in TYPES.items())
MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
SETTING = Setting(ObjectRef("bench", "rides", "etag", 1, MOMENT), run_at=MOMENT, secret=str.encode)
CSV, JSON = Csv(type="csv"), Json(type="json")
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", 'say, "hello"', "Safari/605.1.15 (KHTML, like Gecko)"]

Row = dict[str, str]


def rows(count: int) -> list[Row]:
    """Taxi rides, and what the customer's browser said."""
    rnd = random.Random(7)
    make: dict[str, Callable[[], str]] = {
        "long": lambda: str(rnd.randint(0, 265)),
        "double": lambda: f"{rnd.random() * 60:.2f}",
        "boolean": lambda: rnd.choice(("true", "false")),
        "string": lambda: rnd.choice(AGENTS),
        "timestamp": lambda: f"2024-{rnd.randint(1, 12):02}-{rnd.randint(1, 28):02} {rnd.randint(10, 23)}:07:11",
    }
    return [{name: make[kind]() for name, kind in TYPES.items()} for _ in range(count)]


def as_csv(sample: list[Row], *, quoted: bool) -> bytes:
    def line(row: Row) -> str:
        agent = row["agent"]
        shown = '"' + agent.replace('"', '""') + '"' if quoted else agent.replace(",", "").replace('"', "")
        return ",".join([*row.values()][:-1]) + f",{shown}\n"

    return "".join(map(line, sample)).encode()


def as_json(sample: list[Row], *, nested: bool) -> bytes:
    def line(row: Row) -> str:
        texts = ("timestamp", "string")
        fields = [f'"{name}":{json.dumps(row[name]) if kind in texts else row[name]}' for name, kind in TYPES.items()]
        return "{" + ",".join(fields) + (',"tags":{"a":[1,2,3],"b":"x"}' if nested else "") + "}\n"

    return "".join(map(line, sample)).encode()


def ours(data: bytes, parser: Parser, columns: tuple[Column, ...] = COLUMNS) -> int:
    entries = open_rows(io.BytesIO(data), Source(bucket="bench", parser=parser), (), SETTING)
    return sum(page.batch.num_rows + len(page.rejects) for entry in entries for page in entry.pages(columns))


def unpacked(data: bytes) -> io.BufferedIOBase:
    return igzip.IGzipFile(fileobj=io.BytesIO(data)) if data[:2] == b"\x1f\x8b" else io.BytesIO(data)


def plain_csv(data: bytes, *, threads: bool) -> int:
    types = {field.name: field.type for field in arrow_schema(COLUMNS)} | dict.fromkeys(
        ("picked_up", "dropped_off"), pa.timestamp("us")
    )
    reader = arrow_csv.open_csv(
        unpacked(data),
        arrow_csv.ReadOptions(use_threads=threads, block_size=1 << 20),
        arrow_csv.ParseOptions(newlines_in_values=True),
        arrow_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )
    return sum(batch.num_rows for batch in reader)


def plain_json(data: bytes) -> int:
    schema = pa.schema([f if f.name != "tags" else pa.field("tags", pa.string()) for f in arrow_schema(COLUMNS)])
    reader = arrow_json.open_json(
        unpacked(data),
        arrow_json.ReadOptions(block_size=1 << 20),
        arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )
    return sum(batch.num_rows for batch in reader)


def measure(variants: dict[str, Callable[[], int]], size: int, rounds: int) -> list[str]:
    wall: dict[str, list[float]] = {name: [] for name in variants}
    cpu: dict[str, list[float]] = {name: [] for name in variants}
    counts = set()
    for _ in range(rounds):
        for name, run in variants.items():
            started, used = time.perf_counter(), time.process_time()
            counts.add(run())
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - used)
    if len(counts) != 1:
        raise SystemExit(f"the variants read different numbers of rows: {counts}")
    first = next(iter(variants))
    lines = []
    for name in variants:
        seconds, used = statistics.median(wall[name]), statistics.median(cpu[name])
        ratios = f"{statistics.median(wall[first]) / seconds:.2f} | {statistics.median(cpu[first]) / used:.2f}"
        lines.append(f"| {name} | {size / seconds / 1e6:.0f} | {size / used / 1e6:.0f} | {ratios} |")
    return lines


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mb", type=int, default=48)
    options.add_argument("--rounds", type=int, default=5)
    wanted = options.parse_args()
    sample = rows(wanted.mb * 1_000_000 // 120)
    header = ",".join(TYPES).encode() + b"\n"
    text, quotes = header + as_csv(sample, quoted=False), header + as_csv(sample, quoted=True)
    packed, lines, nested = gzip.compress(text, 6), as_json(sample, nested=False), as_json(sample, nested=True)
    half = [line.replace(b".", b"x", 1) if n % 5000 == 0 else line for n, line in enumerate(text.split(b"\n"))]
    dirty = b"\n".join(half)
    tagged = (*COLUMNS, Column(name="tags", type=ColumnType.JSON))
    tables: dict[str, tuple[int, dict[str, Callable[[], int]]]] = {
        name: (
            len(raw),
            {
                "plain pyarrow, 1 thread + igzip": lambda data=data: plain_csv(data, threads=False),
                "plain pyarrow, its threads + igzip": lambda data=data: plain_csv(data, threads=True),
                "**Tidegate**": lambda data=data: ours(data, CSV),
            },
        )
        for name, raw, data in (("CSV", text, text), ("CSV in gzip", text, packed), ("CSV, quoted", quotes, quotes))
    }
    tables["CSV, a bad value in every 5,000 rows (plain pyarrow on the clean one)"] = (
        len(dirty),
        {"plain pyarrow, 1 thread": lambda: plain_csv(text, threads=False), "**Tidegate**": lambda: ours(dirty, CSV)},
    )
    tables["JSON Lines"] = (
        len(lines),
        {"plain pyarrow, its threads": lambda: plain_json(lines), "**Tidegate**": lambda: ours(lines, JSON)},
    )
    tables["JSON Lines, nested (plain pyarrow drops the nested value)"] = (
        len(nested),
        {"plain pyarrow, its threads": lambda: plain_json(nested), "**Tidegate**": lambda: ours(nested, JSON, tagged)},
    )
    for title, (size, variants) in tables.items():
        print(f"\n{title}: {size / 1e6:.0f} MB, {len(sample):,} rows\n")
        print("| reader | MB/s | MB per CPU s | wall ratio | CPU ratio |\n|---|--:|--:|--:|--:|")
        print("\n".join(measure(variants, size, wanted.rounds)))
    print(f"\npeak RSS {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB, the data itself included")


if __name__ == "__main__":
    main()

"""What do the settings of our Parquet files cost, and what do they spare whoever reads them?

    .venv/bin/python bench/bench_parquet.py [--rows 500000] [--rounds 3]

Two made-up tables: flights as an airline's CSV has them, and events with JSON text, both with origin columns. Each
variant differs from ours in what its name says. Writing is processor seconds of one thread; files are read by DuckDB
on one thread: all of it, one hour of its time column, and one object's rows. Ratios are to ours, in the same run.
"""

import argparse
import io
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chalicelib.destinations.encoding import WRITER
from chalicelib.destinations.files import Limits

START = datetime(2026, 3, 1, tzinfo=UTC)
OBJECTS = 50  # files of the customer's bucket that the rows came from
GROUP = Limits().row_group_rows
WORDS = [
    "gate",
    "delay",
    "crew",
    "weather",
    "connection",
    "baggage",
    "fuel",
    "slot",
    "runway",
    "inspection",
    "transfer",
]


def flights(rows: int) -> pa.Table:
    rnd = random.Random(1)
    airports = ["".join(rnd.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=3)) for _ in range(300)]
    tails = [f"N{rnd.randrange(100, 999)}{rnd.choice('ABCDEFGH')}{rnd.choice('ABCDEFGH')}" for _ in range(4000)]
    weights = [1 / (place + 1) for place in range(300)]
    gaps = [rnd.expovariate(1 / 20) for _ in range(rows)]
    at, times = START, []
    for gap in gaps:
        at += timedelta(seconds=gap)
        times.append(at.replace(microsecond=0))
    columns: dict[str, Any] = {
        "id": range(1_000_000, 1_000_000 + rows),
        "departed_at": pa.array(times, pa.timestamp("us", tz="UTC")),
        "carrier": rnd.choices(["AA", "DL", "UA", "WN", "B6", "AS", "NK", "F9"], weights[:8], k=rows),
        "tail": rnd.choices(tails, k=rows),
        "origin": rnd.choices(airports, weights, k=rows),
        "dest": rnd.choices(airports, weights, k=rows),
        "delay": [None if rnd.random() < 0.02 else int(rnd.gammavariate(0.5, 40)) - 10 for _ in range(rows)],
        "distance": [rnd.randrange(80, 2800) for _ in range(rows)],
        "fuel": [round(rnd.gauss(9000, 2500), 2) for _ in range(rows)],
        "fare": pa.array([Decimal(rnd.randrange(4900, 99900)).scaleb(-2) for _ in range(rows)], pa.decimal128(9, 2)),
        "cancelled": [rnd.random() < 0.015 for _ in range(rows)],
    }
    return with_origin(pa.table(columns))


def events(rows: int) -> pa.Table:
    rnd = random.Random(2)
    agents = [f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0" for n in range(90, 130)]
    times, at = [], START
    for _ in range(rows):
        at += timedelta(milliseconds=rnd.randrange(1, 9000))
        times.append(at)
    payload = [
        f'{{"cart":{{"items":{rnd.randrange(9)},"total":{rnd.random() * 300:.2f}}},"ref":"{rnd.choice(WORDS)}",'
        f'"session":"{rnd.getrandbits(64):016x}"}}'
        for _ in range(rows)
    ]
    columns: dict[str, Any] = {
        "event_id": [f"{rnd.getrandbits(128):032x}" for _ in range(rows)],
        "at": pa.array(times, pa.timestamp("us", tz="UTC")),
        "user": [f"u{int(rnd.paretovariate(0.8)) % 200_000}" for _ in range(rows)],
        "kind": rnd.choices(["view", "click", "cart", "buy"], [70, 20, 7, 3], k=rows),
        "url": [f"https://shop.example/{rnd.choice(WORDS)}/{rnd.randrange(20_000)}" for _ in range(rows)],
        "agent": rnd.choices(agents, k=rows),
        "payload": payload,
        "message": [" ".join(rnd.choices(WORDS, k=rnd.randrange(3, 12))) for _ in range(rows)],
    }
    return with_origin(pa.table(columns))


def with_origin(table: pa.Table) -> pa.Table:
    rows = table.num_rows
    objects = [number * OBJECTS // rows for number in range(rows)]
    return (
        table.append_column("_bucket", pa.repeat(pa.scalar("acme-exports"), rows))
        .append_column("_key", pa.array([f"exports/2026/03/part-{number:05}.csv.gz" for number in objects]))
        .append_column("_identity", pa.array([f"e:{number * 7919:032x}" for number in objects]))
        .append_column("_loaded_at", pa.repeat(pa.scalar(START, pa.timestamp("us", tz="UTC")), rows))
    )


def variants(table: pa.Table) -> dict[str, tuple[dict[str, Any], int]]:
    """Name: writer settings, rows of a row group."""
    longs = [field.name for field in table.schema if pa.types.is_int64(field.type) or pa.types.is_timestamp(field.type)]
    doubles = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    plain = [name for name in table.column_names if name not in longs]
    first = table.column_names[0]
    changed: dict[str, dict[str, Any]] = {
        "ours": {},
        "zstd 3": {"compression_level": 3},
        "zstd 6": {"compression_level": 6},
        "snappy": {"compression": "snappy", "compression_level": None},
        "lz4": {"compression": "lz4", "compression_level": None},
        "no dictionary": {"use_dictionary": False},
        "dictionary up to 4 MiB": {"dictionary_pagesize_limit": 4 << 20},
        "dictionary up to 1 MiB, as pyarrow has it": {"dictionary_pagesize_limit": 1 << 20},
        "dictionary up to 64 KiB": {"dictionary_pagesize_limit": 64 << 10},
        "pages of 256 KiB": {"data_page_size": 256 << 10},
        "no page index": {"write_page_index": False},
        "4,000 rows a page": {"max_rows_per_page": 4000},
        "data pages 2.0": {"data_page_version": "2.0"},
        "no statistics": {"write_statistics": False},
        "longs and times as deltas": {
            "use_dictionary": plain,
            "column_encoding": dict.fromkeys(longs, "DELTA_BINARY_PACKED"),
        },
        "Bloom filter on the first column": {"bloom_filter_options": {first: {"ndv": GROUP, "fpp": 0.05}}},
    }
    if doubles:
        kept = [name for name in table.column_names if name not in doubles]
        changed["doubles split in bytes"] = {
            "use_dictionary": kept,
            "column_encoding": dict.fromkeys(doubles, "BYTE_STREAM_SPLIT"),
        }
    else:
        changed["texts as delta lengths"] = {
            "use_dictionary": [name for name in table.column_names if name not in texts],
            "column_encoding": dict.fromkeys(texts, "DELTA_LENGTH_BYTE_ARRAY"),
        }
    found = {name: ({**WRITER, **change}, GROUP) for name, change in changed.items()}
    found["row groups of 25,000"] = (dict(WRITER), 25_000)
    found["row groups of 250,000"] = (dict(WRITER), 250_000)
    return found


def write(path: Path, table: pa.Table, settings: dict[str, Any], group: int) -> float:
    began = time.process_time()
    with pq.ParquetWriter(path, table.schema, **settings) as writer:
        for start in range(0, table.num_rows, group):
            writer.write_table(table.slice(start, group), row_group_size=group)
    return time.process_time() - began


def queries(path: Path, table: pa.Table) -> dict[str, str]:
    source, time_column, first = f"read_parquet('{path}')", table.column_names[1], table.column_names[0]
    middle = table[0][table.num_rows // 2].as_py()
    literal = f"'{middle}'" if isinstance(middle, str) else str(middle)
    at = table[time_column][table.num_rows // 2].as_py()
    every = ", ".join(f'bit_xor(hash("{name}"))' for name in table.column_names)  # statistics cannot answer it
    return {
        "all": f"select {every} from {source}",
        "hour": f"select count(*), {every} from {source} where \"{time_column}\" >= timestamptz '{at}' "
        f"and \"{time_column}\" < timestamptz '{at + timedelta(hours=1)}'",
        "id": f"select * from {source} where {first} = {literal}",
        "object": f"select {every} from {source} where _key = 'exports/2026/03/part-00025.csv.gz'",
    }


def best(action: Callable[[], object], rounds: int) -> float:
    found = []
    for _ in range(rounds):
        began = time.process_time()
        action()
        found.append(time.process_time() - began)
    return min(found)


def measure(name: str, table: pa.Table, rounds: int) -> None:
    print(f"\n{name}: {table.num_rows:,} rows, {table.nbytes / 1e6:.0f} MB of Arrow memory\n")
    heads = ["", "MB per CPU s", "write", "MB", "size", "all", "hour", "id", "object"]
    print("| " + " | ".join(heads) + " |\n|---" + "|--:" * (len(heads) - 1) + "|")
    kinds = variants(table)
    writes: dict[str, list[float]] = {kind: [] for kind in kinds}
    reads: dict[str, dict[str, list[float]]] = {kind: {} for kind in kinds}
    sizes = {}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute("set threads = 1; set timezone = 'UTC'")
        write(Path(folder) / "warm.parquet", table, WRITER, GROUP)
        for _ in range(rounds):
            for number, (kind, (settings, group)) in enumerate(kinds.items()):
                path = Path(folder) / f"{number}.parquet"
                writes[kind].append(write(path, table, settings, group))
                sizes[kind] = path.stat().st_size
                for query, sql in queries(path, table).items():
                    seconds = best(lambda sql=sql: connection.execute(sql).to_arrow_table(), 2)  # type: ignore[misc]
                    reads[kind].setdefault(query, []).append(seconds)
    wrote = {kind: statistics.median(times) for kind, times in writes.items()}
    took = {kind: {query: statistics.median(times) for query, times in all_.items()} for kind, all_ in reads.items()}
    for kind in kinds:
        cells = [f"{table.nbytes / 1e6 / wrote[kind]:.0f}", f"{wrote[kind] / wrote['ours']:.2f}"]
        cells += [f"{sizes[kind] / 1e6:.1f}", f"{sizes[kind] / sizes['ours']:.2f}"]
        cells += [f"{took[kind][query] / took['ours'][query]:.2f}" for query in took[kind]]
        print(f"| {f'**{kind}**' if kind == 'ours' else kind} | " + " | ".join(cells) + " |")
    told = ", ".join(f"{query} {seconds * 1000:.0f} ms" for query, seconds in took["ours"].items())
    print(f"\nOurs is read in: {told}.")


def dictionaries() -> None:
    """How far a dictionary may grow: one text column of one row group, each value somewhere in it again."""
    rnd = random.Random(3)
    limits = (64, 128, 256, 512, 1024)
    print("\nOne column of 100,000 texts of 20 characters, KB by the limit of its dictionary\n")
    print("| different texts | " + " | ".join(f"{limit} KiB" for limit in limits) + " |\n" + "|--:" * 6 + "|")
    for distinct in (2_000, 5_000, 10_000, 30_000):
        texts = [f"{rnd.getrandbits(80):020x}" for _ in range(distinct)]
        table = pa.table({"text": rnd.choices(texts, k=GROUP)})
        sizes = []
        for limit in limits:
            file = io.BytesIO()
            with pq.ParquetWriter(file, table.schema, **{**WRITER, "dictionary_pagesize_limit": limit << 10}) as writer:
                writer.write_table(table, row_group_size=GROUP)
            sizes.append(file.tell() // 1000)
        print(f"| {distinct:,} | " + " | ".join(map(str, sizes)) + " |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    measure("Flights", flights(given.rows), given.rounds)
    measure("Events", events(given.rows // 2), given.rounds)
    dictionaries()


if __name__ == "__main__":
    main()

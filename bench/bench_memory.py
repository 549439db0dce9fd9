"""How much memory an object takes, whatever its size: each format in a process of its own, at two sizes.

    python bench/bench_memory.py [--mb 30] [--times 5]

An endless body gives the bytes; the load's own path makes pages of them and throws them away. What grows with the
object's size would show as a difference between the two columns. Parquet and ORC lie on disk, as they need a footer.
"""

import argparse
import bz2
import gzip
import io
import json
import lzma
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).parents[1]))

import fastavro
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.orc as arrow_orc
import pyarrow.parquet as pq

from bench.bench_formats import SETTING, as_csv, as_json, rows
from chalicelib.config.pipeline import Pipeline
from chalicelib.records.stream import open_rows

MIB = 1 << 20
SHORT = b"1,2,a row of sixty letters that has not as many values as it should\n"
PIECE = 5000  # rows that are repeated
EXPAND = [
    {"type": "explode", "column": "items"},
    {"type": "expand_json", "json_column_name": "items", "expanded_columns": [{"name": "id", "type": "long"}]},
]


class Endless(io.RawIOBase):
    """`head`, then `piece` so many times, then `tail`."""

    def __init__(self, piece: bytes, times: int, head: bytes = b"", tail: bytes = b"") -> None:
        self._parts: Iterator[bytes] = iter([head, *[piece] * times, tail])
        self._rest = b""

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def bodies(kind: str, size: int, folder: Path) -> BinaryIO:
    """An object of about `size` decoded bytes."""
    sample = rows(PIECE)
    names, text = (",".join(sample[0]) + "\n").encode(), as_csv(sample, quoted=True)
    if kind == "csv in zip":
        return zipped(folder / "x.zip", names, text, size)
    if kind == "avro":
        return avro(sample, size)
    if kind in ("parquet", "orc"):
        return columnar(kind, folder, names + text, size)
    lines = as_json(sample, nested=True)
    elements = lines.replace(b"\n", b",")
    items = json.dumps([{"id": i} for i in range(200)]).replace('"', '""')
    pieces: dict[str, tuple[bytes, bytes, bytes]] = {
        "csv": (text, names, b""),
        "csv, every row bad": (SHORT * 10_000, names, b""),
        "csv, exploded and expanded": (f'1,"{items}"\n'.encode() * 50, b"n,items\n", b""),
        "json lines": (lines, b"", b""),
        "json, one array on one line": (elements, b"[", b"{}]"),
        "json, array under root": (elements, b'{"data":{"rows":[', b"{}]}}"),
        "fixed width": (b"0000000001some text      \n" * 10_000, b"", b""),
    }
    if kind in pieces:
        piece, head, tail = pieces[kind]
        return Endless(piece, size // len(piece), head, tail)  # type: ignore[return-value]
    pack = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}[kind.rpartition(" ")[2]]
    return Endless(pack(text * 4), size // (4 * len(text)), pack(names))  # type: ignore[return-value]


KINDS = (
    "csv", "csv, every row bad", "csv in gzip", "csv in bzip2", "csv in xz", "csv in zip", "csv, exploded and expanded",
    "json lines", "json, one array on one line", "json, array under root", "fixed width", "avro", "parquet", "orc",
)  # fmt: skip


def zipped(path: Path, head: bytes, piece: bytes, size: int) -> BinaryIO:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.csv", "w", force_zip64=True) as to,
    ):
        to.write(head)
        for _ in range(size // len(piece)):
            to.write(piece)
    return path.open("rb")


def avro(sample: list[dict[str, str]], size: int) -> BinaryIO:
    fields = [{"name": name, "type": "string"} for name in sample[0]]
    file = io.BytesIO()
    fastavro.writer(file, {"type": "record", "name": "ride", "fields": fields}, sample, codec="deflate")
    data = file.getvalue()
    marker = data[-16:]  # ends the header, and every block
    head = data.index(marker) + 16
    unpacked = sum(len(value) + 1 for row in sample for value in row.values())
    return Endless(data[head:], size // unpacked, head=data[:head])  # type: ignore[return-value]


def columnar(kind: str, folder: Path, text: bytes, size: int) -> BinaryIO:
    table = arrow_csv.read_csv(io.BytesIO(text))
    path = folder / kind
    times = max(1, size // len(text))
    if kind == "parquet":
        with pq.ParquetWriter(path, table.schema) as writer:
            for _ in range(times // 20 + 1):  # a row group is 100,000 rows
                writer.write_table(pa.concat_tables([table] * 20), row_group_size=100_000)
    else:
        with arrow_orc.ORCWriter(path) as to:
            for _ in range(times):
                to.write(table)
    return path.open("rb")


def pipeline(kind: str) -> Pipeline:
    parsers: dict[str, dict[str, Any]] = {
        "json, array under root": {"type": "json", "root": "/data/rows", "flatten_json_array": True},
        "fixed width": {
            "type": "fixed_width",
            "columns": [{"name": "n", "type": "long", "width": 10}, {"name": "s", "type": "string", "width": 15}],
        },
    }
    parser = parsers.get(kind, {"type": kind.partition(" ")[0].strip(",")})
    document: dict[str, Any] = {"name": "bench", "connection": "acme", "out": {"type": "iceberg", "table": "bench"}}
    document["in"] = {"bucket": "bench", "parser": parser, "max_expansion_ratio": 100_000}
    if kind == "csv, exploded and expanded":
        document["filters"] = EXPAND
    return Pipeline.parse(document, where="bench")


def child(kind: str, size: int, folder: Path) -> None:
    """One format at one size; prints what it took."""
    made, body = pipeline(kind), bodies(kind, size, folder)
    before, began = peak(), time.process_time()
    count = 0
    for entry in open_rows(body, made.source, made.filters, SETTING):
        for page in entry.pages(entry.infer()):
            count += page.batch.num_rows + len(page.rejects)
    print(json.dumps({"rows": count, "before": before, "peak": peak(), "cpu": time.process_time() - began}))


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measured(kind: str, size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", kind, "--bytes", str(size), "--folder", folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=30)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--child")
    parser.add_argument("--bytes", type=int)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.bytes, options.folder)
        return
    large = options.mb * options.times
    print(f"| object | rows | peak MB at {options.mb} MB | peak MB at {large} MB | before reading | MB/CPU-s |")
    print("|---|--:|--:|--:|--:|--:|")
    for kind in KINDS:
        small, big = measured(kind, options.mb * MIB), measured(kind, large * MIB)
        cells = (kind, f"{big['rows']:,.0f}", *(f"{n:.0f}" for n in (small["peak"], big["peak"], big["before"])))
        print(f"| {' | '.join(cells)} | {large / big['cpu']:.1f} |")


if __name__ == "__main__":
    main()

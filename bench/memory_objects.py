"""Objects of any size and shape, made of a piece that is repeated: nothing of them is held in memory.

An object is a folder with the files `head`, `piece` and `tail`, and `times`, how often the piece comes. Each piece can
be packed once however often it comes: gzip's are whole deflate blocks that look back at nothing before them.
"""

import bz2
import io
import json
import lzma
import os
import random
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.orc as arrow_orc
import pyarrow.parquet as pq
from isal import isal_zlib

from bench.bench_formats import as_csv, as_json, rows
from chalicelib.aws.customers.bodies import Part

MIB = 1 << 20
PIECE = 5000  # rows of taxi rides that are repeated
WIDE = 5000  # columns
SHORT = b"1,2,a row of sixty letters that has not as many values as it should\n"
EXPAND = (
    {"type": "explode", "column": "items"},
    {"type": "expand_json", "json_column_name": "items", "expanded_columns": [{"name": "id", "type": "long"}]},
)

Make = Callable[[int, Path], None]
"""Puts an object of about so many decoded bytes into a folder."""


class Repeated:
    """The bytes of an object that lies in a folder (aws.customers.bodies.Fetch)."""

    def __init__(self, folder: Path) -> None:
        self._files = {name: os.open(folder / name, os.O_RDONLY) for name in ("head", "piece", "tail")}
        head, piece, tail = (os.fstat(file).st_size for file in self._files.values())
        self._head, self._piece = head, piece
        self._tail = head + piece * int((folder / "times").read_text())  # where it begins
        self.size = self._tail + tail

    def __call__(self, start: int | None, length: int) -> Part:
        """As S3 answers to a range."""
        if start is None and self.size > length:
            return Part(memoryview(b""), self.size)
        data = b"".join(self._parts(start or 0, min(self.size, (start or 0) + length)))
        return Part(memoryview(data), self.size)

    def _parts(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            if start < self._head:
                data = os.pread(self._files["head"], min(end, self._head) - start, start)
            elif start >= self._tail:
                data = os.pread(self._files["tail"], end - start, start - self._tail)
            else:
                inside = (start - self._head) % self._piece
                data = os.pread(self._files["piece"], min(end - start, self._piece - inside), inside)
            start += len(data)
            yield data


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of object, and how it is read and written."""

    make: Make
    parser: Mapping[str, Any]
    out: Mapping[str, Any] = field(default_factory=dict)
    filters: Sequence[Mapping[str, Any]] = ()


def put(folder: Path, piece: bytes, times: int, head: bytes = b"", tail: bytes = b"") -> None:
    """The object of these parts."""
    for name, data in {"head": head, "piece": piece, "tail": tail, "times": str(times).encode()}.items():
        (folder / name).write_bytes(data)


def plain(content: Callable[[], tuple[bytes, bytes, bytes]], size: int, folder: Path) -> None:
    """An object as it is: head, piece, tail."""
    head, piece, tail = content()
    put(folder, piece, max(1, size // len(piece)), head, tail)


def in_gzip(content: Callable[[], tuple[bytes, bytes, bytes]], size: int, folder: Path) -> None:
    """An object in one gzip member, whatever its size."""
    head, piece, _ = content()
    times = max(1, size // len(piece))
    crc = isal_zlib.crc32(head)
    for _ in range(times):
        crc = isal_zlib.crc32(piece, crc)
    length = (len(head) + len(piece) * times) & 0xFFFFFFFF
    start, end = b"\x1f\x8b\x08\0\0\0\0\0\0\xff", crc.to_bytes(4, "little") + length.to_bytes(4, "little")
    put(folder, _deflated(piece), times, start + _deflated(head), b"\x03\0" + end)


def in_members(
    pack: Callable[[bytes], bytes], content: Callable[[], tuple[bytes, bytes, bytes]], size: int, folder: Path
) -> None:
    """An object in many members, one after the other."""
    head, piece, _ = content()
    put(folder, pack(piece * 4), max(1, size // (4 * len(piece))), pack(head))


def in_zip(content: Callable[[], tuple[bytes, bytes, bytes]], size: int, folder: Path) -> None:
    """The only entry of an archive."""
    head, piece, _ = content()
    put(folder, b"", 0)
    with (
        zipfile.ZipFile(folder / "head", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.csv", "w", force_zip64=True) as to,
    ):
        to.write(head)
        for _ in range(size // len(piece)):
            to.write(piece)


def _deflated(data: bytes) -> bytes:
    pack = zlib.compressobj(6, wbits=-15)
    return pack.compress(data) + pack.flush(zlib.Z_FULL_FLUSH)


def rides() -> tuple[bytes, bytes, bytes]:
    """Taxi rides as CSV."""
    sample = rows(PIECE)
    return (",".join(sample[0]) + "\n").encode(), as_csv(sample, quoted=True), b""


def bad_rides() -> tuple[bytes, bytes, bytes]:
    """Rows that have too few values, all of them."""
    return rides()[0], SHORT * 10_000, b""


def items() -> tuple[bytes, bytes, bytes]:
    """A row becomes two hundred."""
    text = json.dumps([{"id": i} for i in range(200)]).replace('"', '""')
    return b"n,items\n", f'1,"{text}"\n'.encode() * 50, b""


def json_rides(*, head: bytes = b"", between: bytes = b"\n", tail: bytes = b"") -> tuple[bytes, bytes, bytes]:
    """Taxi rides as JSON."""
    return head, as_json(rows(PIECE), nested=True).replace(b"\n", between), tail


def fixed() -> tuple[bytes, bytes, bytes]:
    """A number and a text."""
    return b"", b"0000000001some text      \n" * 10_000, b""


def names(columns: int) -> list[str]:
    return [f"c{number}" for number in range(columns)]


def values(rnd: random.Random, columns: int) -> list[Any]:
    """A third of them numbers with a fraction, a third whole ones, a third texts."""
    makes: list[Callable[[], Any]] = [
        lambda: round(rnd.random() * 1e6, 3),
        lambda: rnd.randint(0, 999_999_999),
        lambda: f"{rnd.randint(0, 1 << 40):010x}",
    ]
    return [makes[number % 3]() for number in range(columns)]


def wide(columns: int = WIDE, partitions: int = 0, many: int = 100) -> tuple[bytes, bytes, bytes]:
    """Rows of many columns as CSV; `part` is one of so many partitions, in no order."""
    rnd = random.Random(7)
    lines = (",".join(map(str, [rnd.randrange(max(1, partitions)), *values(rnd, columns - 1)])) for _ in range(many))
    return ("part," + ",".join(names(columns - 1)) + "\n").encode(), ("\n".join(lines) + "\n").encode(), b""


def wide_bad() -> tuple[bytes, bytes, bytes]:
    """Rows of many columns, in each of which one value does not fit."""
    head, piece, _ = wide()
    return head, b"".join(b"x" + line for line in piece.splitlines(keepends=True)), b""


def wide_json(columns: int = WIDE) -> tuple[bytes, bytes, bytes]:
    """Rows of many columns as JSON Lines."""
    rnd = random.Random(7)
    lines = (json.dumps(dict(zip(names(columns), values(rnd, columns), strict=True))) for _ in range(100))
    return b"", ("\n".join(lines) + "\n").encode(), b""


def texts(length: int, quote: bytes = b"") -> tuple[bytes, bytes, bytes]:
    """Long values."""
    letters = (f"{random.Random(7).getrandbits(4 << 20):x}" * (length // MIB + 1))[:length].encode()
    return b"n,text\n", b"1," + quote + letters + quote + b"\n", b""


def long_json(length: int) -> tuple[bytes, bytes, bytes]:
    """Long values in JSON Lines."""
    return b"", b'{"n":1,"text":"' + texts(length)[1][2:-1] + b'"}\n', b""


def table(columns: int | None) -> pa.Table:
    """Taxi rides, or rows of many columns."""
    head, piece, _ = rides() if columns is None else wide(columns)
    return arrow_csv.read_csv(io.BytesIO(head + piece), arrow_csv.ReadOptions(block_size=64 * MIB))


def avro(size: int, folder: Path, *, columns: int | None = None, block: int = 16_000) -> None:
    """Records in blocks of so many bytes."""
    made = table(columns)
    kinds = {pa.int64(): "long", pa.float64(): "double", pa.string(): "string"}
    data = made.cast(pa.schema([(f.name, f.type if f.type in kinds else pa.string()) for f in made.schema]))
    schema = {
        "type": "record",
        "name": "ride",
        "fields": [{"name": f.name, "type": kinds[f.type]} for f in data.schema],
    }
    file = io.BytesIO()
    records = data.to_pylist() * max(1, block // max(1, data.nbytes))
    fastavro.writer(file, schema, records, codec="deflate", sync_interval=block)
    whole = file.getvalue()
    marker = whole[-16:]  # ends the header, and every block
    head = whole.index(marker) + 16
    put(folder, whole[head:], max(1, size * len(data) // (data.nbytes * len(records))), whole[:head])


def parquet(size: int, folder: Path, *, columns: int | None = None, group: int = 32 * MIB) -> None:
    """Row groups of so many bytes."""
    put(folder, b"", 0)
    made = table(columns)
    batch = pa.concat_tables([made] * max(1, group // made.nbytes))
    with pq.ParquetWriter(folder / "head", batch.schema, use_dictionary=False) as writer:
        for _ in range(max(1, size // batch.nbytes)):
            writer.write_table(batch, row_group_size=len(batch))


def orc(size: int, folder: Path, *, columns: int | None = None, stripe: int = 64 * MIB) -> None:
    """Stripes of so many bytes."""
    put(folder, b"", 0)
    made = table(columns)
    with arrow_orc.ORCWriter(folder / "head", stripe_size=stripe, compression="zstd") as writer:
        for _ in range(max(1, size // made.nbytes)):
            writer.write(made)


def declared(columns: int = WIDE) -> list[dict[str, str]]:
    """The columns of `wide`."""
    kinds = ("double", "long", "string")
    return [{"name": "part", "type": "long"}] + [
        {"name": name, "type": kinds[number % 3]} for number, name in enumerate(names(columns - 1))
    ]


CSV, JSON = {"type": "csv", "skip_header_lines": 1}, {"type": "json"}
BY_PART = {"partition_by": ["part"]}
LONG = {**CSV, "max_quoted_size_limit": 16 * MIB}
FIXED = {
    "type": "fixed_width",
    "columns": [{"name": "n", "type": "long", "width": 10}, {"name": "s", "type": "string", "width": 15}],
}
one_array = partial(json_rides, head=b"[", between=b",", tail=b"{}]")
under_root = partial(json_rides, head=b'{"data":{"rows":[', between=b",", tail=b"{}]}}")

CASES: dict[str, Case] = {
    "csv": Case(partial(plain, rides), {"type": "csv"}),
    "csv, every row bad": Case(partial(plain, bad_rides), {"type": "csv"}),
    "csv.gz": Case(partial(in_gzip, rides), {"type": "csv"}),
    "csv.bz2": Case(partial(in_members, bz2.compress, rides), {"type": "csv"}),
    "csv.xz": Case(partial(in_members, lzma.compress, rides), {"type": "csv"}),
    "csv.zip": Case(partial(in_zip, rides), {"type": "csv"}),
    "csv, exploded and expanded": Case(partial(plain, items), {"type": "csv"}, filters=EXPAND),
    "jsonl": Case(partial(plain, json_rides), JSON),
    "jsonl.gz": Case(partial(in_gzip, json_rides), JSON),
    "json, one array on one line": Case(partial(plain, one_array), JSON),
    "json, array under root": Case(
        partial(plain, under_root), {"type": "json", "root": "/data/rows", "flatten_json_array": True}
    ),
    "fixed width": Case(partial(plain, fixed), FIXED),
    "avro": Case(avro, {"type": "avro"}),
    "avro, blocks of 32 MiB": Case(partial(avro, block=32 * MIB), {"type": "avro"}),
    "parquet": Case(parquet, {"type": "parquet"}),
    "parquet, one row group": Case(partial(parquet, group=1 << 40), {"type": "parquet"}),
    "orc": Case(orc, {"type": "orc"}),
    "orc, stripes of 256 MiB": Case(partial(orc, stripe=256 * MIB), {"type": "orc"}),
    "csv, 1,000 partitions": Case(
        partial(plain, partial(wide, 20, 1000, 20_000)), {**CSV, "columns": declared(20)}, BY_PART
    ),
    "csv, 5,000 columns": Case(partial(plain, wide), {**CSV, "columns": declared()}),
    "csv, 5,000 columns, inferred": Case(partial(plain, wide), CSV),
    "csv, 5,000 columns, every row bad": Case(partial(plain, wide_bad), {**CSV, "columns": declared()}),
    "csv, 5,000 columns, 100 partitions": Case(
        partial(plain, partial(wide, WIDE, 100, 400)), {**CSV, "columns": declared()}, BY_PART
    ),
    "csv, 1,000 columns, 1,000 partitions": Case(
        partial(plain, partial(wide, 1000, 1000, 2000)), {**CSV, "columns": declared(1000)}, BY_PART
    ),
    "jsonl, 5,000 columns": Case(partial(plain, wide_json), {"type": "json", "columns": declared()}),
    "jsonl, 5,000 columns, inferred": Case(partial(plain, wide_json), JSON),
    "avro, 5,000 columns": Case(partial(avro, columns=WIDE), {"type": "avro"}),
    "parquet, 5,000 columns": Case(partial(parquet, columns=WIDE), {"type": "parquet"}),
    "parquet, 5,000 columns, one row group": Case(partial(parquet, columns=WIDE, group=1 << 40), {"type": "parquet"}),
    "orc, 5,000 columns": Case(partial(orc, columns=WIDE), {"type": "orc"}),
    "csv, values of 1 MiB": Case(partial(plain, partial(texts, MIB)), LONG),
    "csv, quoted values of 1 MiB": Case(partial(plain, partial(texts, MIB, b'"')), LONG),
    "csv, values of 8 MiB": Case(partial(plain, partial(texts, 8 * MIB)), LONG),
    "jsonl, values of 1 MiB": Case(partial(plain, partial(long_json, MIB)), JSON),
    "jsonl, values of 8 MiB": Case(partial(plain, partial(long_json, 8 * MIB)), JSON),
}

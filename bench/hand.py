"""What can be achieved: the straight line from S3 to Parquet that one would write by hand, knowing all that we know.

No ledger, no rejects, no filters, no origin columns, no commit; whatever breaks breaks everything. Bodies by obstore,
gzip by igzip, blocks cut at newlines (none is inside quotes in this data), two threads of Arrow's parsers with types
given, and a Parquet writer (zstd 1, groups of 100,000 rows) in a thread of its own.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import RawIOBase
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import obstore
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.json as arrow_json
import pyarrow.parquet as pq
from isal import igzip
from obstore.store import S3Store

from bench.peers.job import Job, run

BLOCK, GROUP, PARSERS, READERS, GETS = 4 << 20, 100_000, 2, 8, 64
TYPES = {
    "long": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(), "string": pa.string(),
    "timestamp": pa.timestamp("us"),
}  # fmt: skip
ITEM = pa.struct({"sku": pa.string(), "price": pa.float64(), "count": pa.int64()})
ADDRESS = pa.struct({"city": pa.string(), "street": pa.string(), "zip": pa.string()})
NESTED = {
    "user": pa.struct({"id": pa.int64(), "name": pa.string(), "address": ADDRESS}),
    "device": pa.struct({"agent": pa.string(), "screen": pa.list_(pa.int64()), "battery": pa.float64()}),
    "items": pa.list_(ITEM),
    "tags": pa.list_(pa.string()),
}


def store(job: Job) -> S3Store:
    return S3Store(
        job.bucket,
        config={
            "endpoint": job.endpoint,
            "region": "us-east-1",
            "access_key_id": "bench",
            "secret_access_key": "bench",
            "virtual_hosted_style_request": False,
        },
        client_options={"allow_http": True},
    )


class Stream(RawIOBase):
    """A body as a file."""

    def __init__(self, chunks: Iterable[Any]) -> None:
        self.chunks, self.rest = iter(chunks), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.rest:
            self.rest = memoryview(next(self.chunks, b""))
        taken = self.rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self.rest = self.rest[len(taken) :]
        return len(taken)


def unpacked(job: Job, key: str) -> Any:
    body = Stream(obstore.get(store(job), key).stream(min_chunk_size=1 << 20))
    return igzip.IGzipFile(fileobj=body, mode="rb") if key.endswith(".gz") else body  # type: ignore[no-untyped-call]


def blocks(file: Any) -> Iterator[bytes]:
    """Pieces of about BLOCK bytes that end with a newline."""
    rest = b""
    while piece := file.read(BLOCK):
        cut = piece.rfind(b"\n") + 1
        yield rest + piece[:cut]
        rest = piece[cut:]
    if rest:
        yield rest


def parsed(pieces: Iterable[bytes], parse: Callable[[bytes], pa.Table]) -> Iterator[pa.Table]:
    """In order; so many pieces at once as there are parsers, and one more that waits."""
    with ThreadPoolExecutor(PARSERS) as pool:
        running: deque[Any] = deque()
        for piece in pieces:
            running.append(pool.submit(parse, piece))
            if len(running) > PARSERS:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def csv_parser(columns: dict[str, str]) -> Callable[[bytes], pa.Table]:
    convert = arrow_csv.ConvertOptions(
        column_types={name: TYPES[kind] for name, kind in columns.items()}, null_values=[""], strings_can_be_null=True
    )

    def parse(piece: bytes) -> pa.Table:
        read = arrow_csv.ReadOptions(use_threads=False, block_size=len(piece) + 1, column_names=list(columns))
        return arrow_csv.read_csv(pa.BufferReader(piece), read, convert_options=convert)

    return parse


def json_parser(columns: dict[str, str]) -> Callable[[bytes], pa.Table]:
    schema = pa.schema([(name, NESTED.get(name) or TYPES[kind]) for name, kind in columns.items()])
    options = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")

    def parse(piece: bytes) -> pa.Table:
        read = arrow_json.ReadOptions(use_threads=False, block_size=len(piece) + 1)
        return arrow_json.read_json(pa.BufferReader(piece), read, options)

    return parse


def written(tables: Iterable[pa.Table], path: str) -> int:
    """The number of rows; written by another thread while the next are parsed."""
    queue: Queue[pa.Table | None] = Queue(maxsize=1)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            writer = None
            while (table := queue.get()) is not None:
                writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=1)
                writer.write_table(table, row_group_size=GROUP)
            if writer is not None:
                writer.close()
        except BaseException as error:
            failed.append(error)
            while queue.get() is not None:
                pass

    thread = Thread(target=write)
    thread.start()
    rows = 0
    try:
        for group in groups(tables):
            rows += group.num_rows
            queue.put(group)
    finally:
        queue.put(None)
        thread.join()
    for error in failed:
        raise error
    return rows


def groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Whole row groups, and what remains."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(each.num_rows for each in waiting) >= GROUP:
            together = pa.concat_tables(waiting)
            whole = together.num_rows // GROUP * GROUP
            yield together.slice(0, whole)
            waiting = [together.slice(whole)]
    if waiting:
        yield pa.concat_tables(waiting)


def delimited(job: Job) -> int:
    """One large CSV."""
    pieces = headless(blocks(unpacked(job, job.keys[0])))
    return written(parsed(pieces, csv_parser(job.columns)), job.path())


def headless(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces)
    yield first[first.index(b"\n") + 1 :]
    yield from pieces


def lines(job: Job) -> int:
    """One large file of JSON Lines."""
    return written(parsed(blocks(unpacked(job, job.keys[0])), json_parser(job.columns)), job.path())


def small(job: Job) -> int:
    """Many small CSVs with one header: fetched and unpacked side by side, parsed in blocks of the usual size."""
    bucket = store(job)

    def fetched(key: str) -> bytes:
        body: bytes = igzip.decompress(obstore.get(bucket, key).bytes())  # type: ignore[no-untyped-call]
        return body[body.index(b"\n") + 1 :]

    def together() -> Iterator[bytes]:
        waiting: list[bytes] = []
        for body in ahead(fetched, job.keys):
            waiting.append(body)
            if sum(map(len, waiting)) >= BLOCK:
                yield b"".join(waiting)
                waiting = []
        yield b"".join(waiting)

    return written(parsed(filter(None, together()), csv_parser(job.columns)), job.path())


def ahead(fetch: Callable[[str], bytes], keys: list[str]) -> Iterator[bytes]:
    with ThreadPoolExecutor(READERS) as pool:
        running: deque[Any] = deque()
        for key in keys:
            running.append(pool.submit(fetch, key))
            if len(running) >= GETS:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


WAYS = {"taxi": delimited, "weblog": delimited, "events": lines, "lines": lines, "small": small}

if __name__ == "__main__":
    run(lambda job: {"rows": WAYS[job.kind](job)})

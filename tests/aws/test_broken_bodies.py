"""Connections that break anywhere: an object's bytes are the same, and none of another identity come among them (F88).

Obstore asks from where the connection broke; botocore, for keys that obstore cannot ask for, asks for that range again.
"""

import io
import random
import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chalicelib.aws.customers.buckets import Buckets
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.access.keys import Anonymous
from chalicelib.core.connections import Grant
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import ObjectChanged, SourceUnavailable
from tests.fakes.serving import serving
from tests.wired import session

PART = 64 << 10
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GRANT = Grant(Anonymous(name="open"), "", NOW)
CLIENTS = {"obstore": "a.csv", "botocore": "a//b.csv"}  # by the keys that make us choose one


@dataclass
class Shelf:
    """An object, and where connections break: after so many bytes of so manieth answer."""

    data: bytes
    breaks: dict[int, int] = field(default_factory=dict)
    becomes: bytes | None = None  # at the first break
    heeds: bool = True  # If-Match
    resets: bool = False  # the connection is not closed but torn
    asked: list[tuple[int, int]] = field(default_factory=list)  # start and end of each range
    given: int = 0  # bytes
    broken: int = 0  # answers

    @property
    def etag(self) -> str:
        return md5(self.data, usedforsecurity=False).hexdigest()


class Handler(BaseHTTPRequestHandler):
    shelf: Shelf
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        shelf = self.shelf
        if shelf.heeds and self.headers["If-Match"] != f'"{shelf.etag}"':
            self.send_response(412)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert found is not None
        start, end = int(found[1]), min(int(found[2]) + 1, len(shelf.data))
        place = shelf.breaks.get(len(shelf.asked))
        shelf.asked.append((start, end))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(shelf.data)}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", f'"{shelf.etag}"')
        self.end_headers()
        body = shelf.data[start:end][:place]
        self.wfile.write(body)
        shelf.given += len(body)
        if len(body) < end - start:
            self.drop()

    def drop(self) -> None:
        shelf = self.shelf
        shelf.broken += 1
        shelf.data, shelf.becomes = shelf.becomes or shelf.data, None
        self.close_connection = True
        if shelf.resets:
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def opened(shelf: Shelf, client: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.RawIOBase]:
    ref = ObjectRef("acme", CLIENTS[client], shelf.etag, len(shelf.data), NOW)
    with serving(Handler, shelf=shelf) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with Buckets(Sessions(session()), url, part=PART).open(GRANT, ref, prefix="") as body:
            yield body


def some(seed: int, size: int = 10 * PART + 17) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("resets", [False, True], ids=["closed", "torn"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_bytes_are_the_same_wherever_connections_break(
    monkeypatch: pytest.MonkeyPatch, client: str, seed: int, resets: bool
) -> None:
    rnd = random.Random(seed)
    shelf = Shelf(some(seed), {number: rnd.randrange(PART) for number in rnd.sample(range(10), 4)}, resets=resets)
    expected = shelf.data
    for body in opened(shelf, client, monkeypatch):
        assert body.read() == expected
    parts = {start // PART for start, _ in shelf.asked}
    assert parts == set(range(11))
    assert shelf.broken > 1
    assert len(shelf.asked) == 11 + shelf.broken
    assert all(end - start <= PART and start // PART == (end - 1) // PART for start, end in shelf.asked)


def test_what_came_before_the_break_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(some(3), {2: 50_000, 3: 10_000, 7: 1, 8: 0})
    for body in opened(shelf, "obstore", monkeypatch):
        assert body.read() == shelf.data
    assert shelf.given == len(shelf.data)
    assert shelf.asked[2:5] == [
        (2 * PART, 3 * PART),
        (2 * PART + 50_000, 3 * PART),
        (2 * PART + 60_000, 3 * PART),
    ]


def test_no_more_than_the_broken_range_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(some(4), {2: 50_000, 7: 1000})
    for body in opened(shelf, "botocore", monkeypatch):
        assert body.read() == shelf.data
    assert shelf.given == len(shelf.data) + 50_000 + 1000
    assert shelf.asked[2] == shelf.asked[3]
    assert shelf.asked[7] == shelf.asked[8]


@pytest.mark.parametrize("heeds", [True, False], ids=["by the server", "by ourselves"])
def test_an_object_that_changes_as_the_connection_breaks_is_never_mixed(
    monkeypatch: pytest.MonkeyPatch, client: str, heeds: bool
) -> None:
    before, after = some(5), some(6)
    shelf = Shelf(before, {3: 20_000}, becomes=after, heeds=heeds)
    got = b""
    for body in opened(shelf, client, monkeypatch):
        # obstore sees the other ETag and gives the range up; the next attempt is told that the object has changed
        with pytest.raises((ObjectChanged, SourceUnavailable) if client == "obstore" and not heeds else ObjectChanged):
            while piece := body.read(5000):
                got += piece
    assert got
    assert before.startswith(got)


def test_a_parquet_object_is_read_in_any_order_over_connections_that_break(
    monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    table = pa.table({name: random.Random(name).randbytes(8 * 20_000).hex(" ", 8).split() for name in "abc"})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=5000, compression="none", use_dictionary=False)
    shelf = Shelf(file.getvalue(), {2: 900, 5: 1, 9: 3000})
    for body in opened(shelf, client, monkeypatch):
        assert pq.read_table(pa.PythonFile(body, mode="r")).equals(table)

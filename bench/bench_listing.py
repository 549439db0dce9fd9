"""What a page of 1,000 keys costs: Tidegate's listing beside botocore's paginator, from the same canned pages.

    python bench/bench_listing.py [--pages 20] [--rounds 5]

The server is a process of its own on the loopback address, so that only the client's CPU is counted. Rounds
alternate. Compare within the table: absolute numbers belong to the machine. A tenth of the objects lies in an archive
and was restored.
"""

import argparse
import gc
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from botocore.session import Session

from chalicelib.aws.customers.listing import Listing
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.connections import Grant

LIMIT = 1000
USUAL = "<StorageClass>STANDARD</StorageClass>"
RESTORED = (
    "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
    "<RestoreExpiryDate>2026-02-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus>"
)
BUCKET, PREFIX = "acme", "exports/"
GRANT = Grant(
    AssumeRole(name="acme", role_arn="arn:aws:iam::111122223333:role/bench"), "e" * 64, datetime(2026, 1, 1, tzinfo=UTC)
)
KEY = "<AccessKeyId>K</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
CREDENTIALS = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
    f"{KEY}<Expiration>2099-01-01T00:00:00Z</Expiration>"
    "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
).encode()


def key(number: int) -> str:
    return f"{PREFIX}year=2026/month=01/part-{number:09}-3f2a9c1e7b5d.snappy.json.gz"


def contents(number: int) -> str:
    storage = f"{RESTORED}<StorageClass>GLACIER</StorageClass>" if number % 10 == 0 else USUAL
    return (
        f"<Contents><Key>{quote(key(number))}</Key><LastModified>2026-01-01T00:00:{number % 60:02}.000Z</LastModified>"
        f"<ETag>&quot;{number:032x}&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
        f"<ChecksumType>FULL_OBJECT</ChecksumType><Size>{number}</Size>{storage}</Contents>"
    )


def page(number: int, *, last: bool) -> bytes:
    """What S3 sends for keys `number * LIMIT` and on; its token is the number of the next page."""
    objects = "".join(contents(each) for each in range(number * LIMIT, (number + 1) * LIMIT))
    more = "" if last else f"<NextContinuationToken>{number + 1}</NextContinuationToken>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><Prefix>{PREFIX}</Prefix>{more}<KeyCount>{LIMIT}</KeyCount><MaxKeys>{LIMIT}</MaxKeys>"
        f"<EncodingType>url</EncodingType><IsTruncated>{str(not last).lower()}</IsTruncated>{objects}"
        "</ListBucketResult>"
    ).encode()


class Handler(BaseHTTPRequestHandler):
    """STS for whoever posts, S3 for whoever gets."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one go
    pages: tuple[bytes, ...]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(CREDENTIALS)

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        after = query.get("start-after", "")
        begun = int(after.split("part-")[1].split("-")[0]) // LIMIT + 1 if after else 0
        self.reply(self.pages[int(query.get("continuation-token", begun))])

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def serve(count: int, port: Connection) -> None:
    Handler.pages = tuple(page(number, last=number == count - 1) for number in range(count))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_port)
    server.serve_forever()


def ours(sessions: Sessions, url: str) -> Callable[[], int]:
    listing = Listing(sessions, url)

    def walk() -> int:
        found, after = 0, ""
        while True:
            got = listing.page(GRANT, BUCKET, PREFIX, start_after=after)
            found += len(got.objects)
            if got.next_after is None:
                return found
            after = got.next_after

    return walk


def paginator(sessions: Sessions) -> Callable[[], int]:
    pages = sessions.customer(GRANT, BUCKET, PREFIX).get_paginator("list_objects_v2")
    return lambda: sum(len(got["Contents"]) for got in pages.paginate(Bucket=BUCKET, Prefix=PREFIX))


def measured(walk: Callable[[], int], count: int) -> tuple[float, float]:
    """CPU and elapsed milliseconds of one page."""
    cpu, wall = time.process_time(), time.perf_counter()
    assert walk() == count * LIMIT
    return (time.process_time() - cpu) * 1000 / count, (time.perf_counter() - wall) * 1000 / count


def compare(url: str, count: int, rounds: int) -> None:
    sessions = Sessions(Session())
    walks = {"tidegate": ours(sessions, url), "botocore": paginator(sessions)}
    for walk in walks.values():
        walk()
    runs = [{name: measured(walk, count) for name, walk in walks.items()} for _ in range(rounds)]
    print("| lister | CPU ms a page, median | least | most | elapsed ms a page | CPU s for 1,000,000 keys |")
    print("|---|--:|--:|--:|--:|--:|")
    for name in walks:
        cpu, wall = [run[name][0] for run in runs], statistics.median(run[name][1] for run in runs)
        middle = statistics.median(cpu)
        print(f"| {name} | {middle:.1f} | {min(cpu):.1f} | {max(cpu):.1f} | {wall:.1f} | {middle:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    gc.set_threshold(50_000)  # as app.py sets it
    receive, send = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(target=serve, args=(options.pages, send), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{receive.recv()}"
        account = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}  # nobody checks them
        os.environ |= account | {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        compare(url, options.pages, options.rounds)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()

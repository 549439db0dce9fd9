"""A canned AWS for benchmarks, in a process of its own, so that only the client's CPU is counted.

One server on the loopback address answers as STS, as S3's listing and as DynamoDB. The bucket has keys by number; the
ledger says of all those that are not `new` that they are loaded. What is written is kept; conditions are not checked.
Calls, items and capacity units are counted by AWS's rules.
"""

import json
import math
import multiprocessing
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import urlopen

from chalicelib.aws.ledger import DynamoLedger
from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.connections import Grant
from chalicelib.core.ledger import Entry, Owner, State
from chalicelib.core.objects import ObjectRef

BUCKET, PREFIX, PIPELINE = "acme-exports", "exports/", "bench"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIZE = 48_213  # bytes of each object
LIST_LIMIT, PAGE_BYTES = 1000, 1 << 20
KEYS = {"ledger": ("pipeline", "key"), "jobs": ("job",), "tasks": ("job", "number"), "sweeps": ("pipeline", "name")}
KEYS["pipelines"] = ("kind", "name")
GRANT = Grant(AssumeRole(name="acme", role_arn="arn:aws:iam::111122223333:role/bench"), "e" * 64, NOW)
SECRETS = "<AccessKeyId>K</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
CREDENTIALS = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
    f"{SECRETS}<Expiration>2099-01-01T00:00:00Z</Expiration>"
    "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
).encode()

Item = dict[str, Any]


def key(number: int) -> str:
    return f"{PREFIX}year=2026/month=01/part-{number:09}-3f2a9c1e7b5d.snappy.json.gz"


def number_of(name: str) -> int:
    return int(name.split("part-")[1].split("-")[0])


def ref(number: int) -> ObjectRef:
    return ObjectRef(BUCKET, key(number), f"{number:032x}", SIZE, NOW - timedelta(days=1))


def loaded(number: int) -> Entry:
    """What the ledger keeps of a loaded object, with all that it gathers on its way there."""
    at = NOW - timedelta(hours=1, microseconds=17)
    owner = Owner("sweep-0123456789abcdef01234567", 4711)
    times = {"discovered_at": at, "claimed_at": at, "read_at": at, "staged_at": at, "committed_at": at}
    seen = ObjectRef(BUCKET, key(number), f"{number:032x}", SIZE, at, sequencer="0062F3C4D5E6A7B8C9")
    done = {"state": State.COMMITTED, "owner": owner, "attempts": 1, "rows": 12_345, "snapshot": "6" * 19}
    return Entry(PIPELINE, seen, revision=2, **times, **done)  # type: ignore[arg-type]


class _Capture:
    """A client that remembers what it is told to put."""

    item: Item

    def put_item(self, **arguments: Any) -> None:
        self.item = arguments["Item"]


def as_stored(entry: Entry) -> Item:
    """The item that the ledger makes of an entry, whatever its layout."""
    client = _Capture()
    DynamoLedger(client, "bench-ledger").swap([entry])  # type: ignore[arg-type]
    return client.item


def item_bytes(value: Any) -> int:
    """An item's size by DynamoDB's rules: names and values; maps and lists cost three bytes and one an element."""
    if set(value) <= {"S", "N", "B", "BOOL", "NULL", "M", "L"} and len(value) == 1:
        kind, inner = next(iter(value.items()))
        if kind == "N":
            return len(inner.strip("-0.")) // 2 + 2
        if kind == "M":
            return 3 + len(inner) + item_bytes(inner)
        if kind == "L":
            return 3 + len(inner) + sum(item_bytes(each) for each in inner)
        return len(inner.encode()) if kind == "S" else len(inner) * 3 // 4 if kind == "B" else 1
    return sum(len(name.encode()) + item_bytes(each) for name, each in value.items())


@dataclass
class Contents:
    """`total` keys in the bucket, and the ledger's word on those that are not new."""

    total: int
    is_new: Callable[[int], bool]
    tables: dict[str, dict[tuple[str, ...], Item]] = field(default_factory=dict)
    stats: Counter[str] = field(default_factory=Counter)
    sample: Item = field(init=False)
    size: int = field(init=False)
    template: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.sample = as_stored(loaded(0))
        self.size = item_bytes(self.sample)
        self.template = _cut(self.sample)

    def stored(self, table: str, named: Item) -> str | None:
        found = self.tables.get(table, {}).get(self.name(table, named))
        if found is not None:
            return json.dumps(found)
        if table == "ledger" and not self.is_new(number := number_of(named["key"]["S"])):
            return _entry(number, self.template)
        return None

    def name(self, table: str, item: Item) -> tuple[str, ...]:
        return tuple(next(iter(item[part].values())) for part in KEYS[table])

    def list_objects(self, query: dict[str, str]) -> str:
        after = query.get("start-after", "")
        first = number_of(after) + 1 if after else 0
        last = min(first + min(LIST_LIMIT, int(query["max-keys"])), self.total)
        self.stats["list calls"] += 1
        self.stats["keys listed"] += last - first
        objects = "".join(map(_contents, range(first, last)))
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{PREFIX}</Prefix><KeyCount>{last - first}</KeyCount><MaxKeys>1000</MaxKeys>"
            f"<EncodingType>url</EncodingType><IsTruncated>{str(last < self.total).lower()}</IsTruncated>{objects}"
            "</ListBucketResult>"
        )

    def batch_get_item(self, asked: Any) -> str:
        [(table, request)] = asked["RequestItems"].items()
        found = [text for named in request["Keys"] if (text := self.stored(_short(table), named)) is not None]
        self.stats["read calls"] += 1
        self.stats[f"{_short(table)} items read"] += len(found)
        self.stats["read units"] += len(request["Keys"])  # consistent, and none is larger than 4 KB
        return f'{{"Responses":{{"{table}":[{",".join(found)}]}},"UnprocessedKeys":{{}}}}'

    def query(self, asked: Any) -> str:
        table = _short(asked["TableName"])
        self.stats["query calls"] += 1
        if table != "ledger":
            wanted = next(iter(asked["ExpressionAttributeValues"].values()))["S"]
            items = [json.dumps(item) for name, item in self.tables.get(table, {}).items() if name[0] == wanted]
            self.stats["read units"] += 1
            return f'{{"Items":[{",".join(items)}],"Count":{len(items)},"ScannedCount":{len(items)}}}'
        return self._span(asked)

    def _span(self, asked: Any) -> str:
        values = asked["ExpressionAttributeValues"]
        start = asked.get("ExclusiveStartKey")
        first = number_of(start["key"]["S"]) + 1 if start else number_of(values[":first"]["S"])
        numbers = [n for n in range(first, number_of(values[":last"]["S"]) + 1) if not self.is_new(n)]
        page = numbers[: PAGE_BYTES // self.size]
        template = self._projected(asked)
        items = ",".join(_entry(number, template) for number in page)
        last = {"pipeline": {"S": PIPELINE}, "key": {"S": key(page[-1])}} if len(page) < len(numbers) else None
        self.stats["ledger items read"] += len(page)
        self.stats["read units"] += math.ceil(len(page) * self.size / 4096) / 2  # type: ignore[assignment]
        more = f',"LastEvaluatedKey":{json.dumps(last)}' if last else ""
        return f'{{"Items":[{items}],"Count":{len(page)},"ScannedCount":{len(page)}{more}}}'

    def _projected(self, asked: Any) -> list[str]:
        expression = asked.get("ProjectionExpression")
        if expression is None:
            return self.template
        names: dict[str, str] = asked.get("ExpressionAttributeNames", {})
        lean: Item = {}
        for path in expression.replace(" ", "").split(","):
            _pick(self.sample, lean, [names.get(part, part) for part in path.split(".")])
        return _cut(lean)

    def put_item(self, asked: Any) -> str:
        self._put(asked, 1)
        return "{}"

    def transact_write_items(self, asked: Any) -> str:
        self.stats["transactions"] += 1
        for write in asked["TransactItems"]:
            if "Put" in write:
                self._put(write["Put"], 2)
            else:
                self._update(write["Update"])
        return "{}"

    def _put(self, put: Any, factor: int) -> None:
        table, item = _short(put["TableName"]), put["Item"]
        self.tables.setdefault(table, {})[self.name(table, item)] = item
        self.stats["write units"] += factor * math.ceil(item_bytes(item) / 1024)

    def _update(self, update: Any) -> None:
        table, names = _short(update["TableName"]), update["ExpressionAttributeNames"]
        item = self.tables[table][self.name(table, update["Key"])]
        self.stats["write units"] += 2
        for name, sign, token in re.findall(r"(#\d+) (= )?(:\d+)", update["UpdateExpression"]):
            value = update["ExpressionAttributeValues"][token]
            before = int(item.get(names[name], {"N": "0"})["N"]) if not sign else 0
            item[names[name]] = value if sign else {"N": str(before + int(value["N"]))}


def _cut(item: Item) -> list[str]:
    """An item's text, cut at what differs from entry to entry."""
    return re.split(f"({re.escape(key(0))}|{0:032x})", json.dumps(item))


def _entry(number: int, template: list[str]) -> str:
    parts = list(template)
    for i in range(1, len(parts), 2):
        parts[i] = f"{number:032x}" if parts[i] == f"{0:032x}" else key(number)
    return "".join(parts)


def _pick(source: Item, target: Item, path: list[str]) -> None:
    head, *rest = path
    if head in source and rest:
        _pick(source[head]["M"], target.setdefault(head, {"M": {}})["M"], rest)
    elif head in source:
        target[head] = source[head]


def _short(table: str) -> str:
    return table.removeprefix("bench-")


def _contents(number: int) -> str:
    return (
        f"<Contents><Key>{quote(key(number))}</Key><LastModified>2026-11-21T00:00:{number % 60:02}.000Z</LastModified>"
        f"<ETag>&quot;{number:032x}&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
        f"<ChecksumType>FULL_OBJECT</ChecksumType><Size>{SIZE}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


class _Handler(BaseHTTPRequestHandler):
    """DynamoDB for whoever names a target, STS for the rest that posts, S3 for whoever gets."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one go
    contents: Contents

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if not target:
            self._reply(CREDENTIALS, "application/xml")
            return
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", target).lower()
        self._reply(getattr(self.contents, method)(json.loads(body)).encode(), "application/x-amz-json-1.0")

    def do_GET(self) -> None:
        if self.path == "/stats":
            self._reply(json.dumps(self.contents.stats).encode(), "application/json")
            return
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self._reply(self.contents.list_objects(query).encode(), "application/xml")

    def _reply(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _serve(total: int, is_new: Callable[[int], bool], port: Connection) -> None:
    _Handler.contents = Contents(total, is_new)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    port.send(server.server_port)
    server.serve_forever()


@contextmanager
def canned(total: int, is_new: Callable[[int], bool]) -> Iterator[str]:
    """The endpoint of a server with `total` keys, gone at the end."""
    receive, send = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(target=_serve, args=(total, is_new, send), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{receive.recv()}"
    finally:
        server.terminate()
        server.join()


def stats(endpoint: str) -> dict[str, float]:
    with urlopen(f"{endpoint}/stats") as answer:
        found: dict[str, float] = json.load(answer)
    return found


def environment(endpoint: str) -> dict[str, str]:
    """What makes botocore talk to the server; nobody checks the keys."""
    account = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**os.environ, **account, "AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true"}

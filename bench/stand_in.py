"""AWS as far as Tidegate's doors need it, in memory and in a process of its own, so that only our own CPU is counted.

One asyncio server on the loopback address is S3 (the customer's bucket and ours), DynamoDB (stand_in_dynamodb.py),
SQS, STS and Glue. It does what is asked, conditions included, and counts each call by service and operation. Nobody
checks signatures; there is no latency and no throttling: elapsed times are lower bounds.
"""

import asyncio
import gc
import hashlib
import json
import multiprocessing
import os
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from urllib.request import urlopen
from uuid import uuid4

from bench.stand_in_dynamodb import Dynamo, Refused, tables

STACK, SOURCE, LAKE = "bench", "acme-exports", "bench-lake"
WRITTEN, WRITTEN_HTTP = "2026-11-21T00:00:00.000Z", "Sat, 21 Nov 2026 00:00:00 GMT"
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
STS = {
    "AssumeRole": "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>K</AccessKeyId>"
    "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
    "</Credentials></AssumeRoleResult></AssumeRoleResponse>",
    "GetCallerIdentity": "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111111111111</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>",
}

Answer = tuple[int, bytes, dict[str, str]]


@dataclass(frozen=True)
class Request:
    """What a client asks."""

    method: str
    path: str  # bucket and key, unquoted
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


def etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass
class S3:
    """A customer's bucket, whose objects are files, and ours, which is in memory."""

    root: Path
    keys: list[str]  # of the customer's bucket, in order
    stats: Counter[str]
    sizes: dict[str, int] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)  # by bucket and key
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sizes = {key: (self.root / key).stat().st_size for key in self.keys}

    def answer(self, asked: Request) -> Answer:
        bucket, _, key = asked.path.partition("/")
        whose = "lake" if bucket == LAKE else "source"
        operation = self._operation(asked, key)
        self.stats[f"s3 {whose}:{operation}"] += 1
        if operation == "ListObjectsV2":
            return self._listed(asked.query) if whose == "source" else self._lake(bucket, asked.query)
        return getattr(self, f"_{asked.method.lower()}")(asked, f"{bucket}/{key}")  # type: ignore[no-any-return]

    def _operation(self, asked: Request, key: str) -> str:
        named = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
        if not key:
            return "ListObjectsV2" if asked.method == "GET" else "HeadBucket"
        if asked.method == "POST":
            return "CreateMultipartUpload" if "uploads" in asked.query else "CompleteMultipartUpload"
        if "uploadId" in asked.query:
            return "UploadPart" if asked.method == "PUT" else "AbortMultipartUpload"
        return named[asked.method]

    def _found(self, at: str) -> tuple[bytes, str] | None:
        bucket, _, key = at.partition("/")
        if bucket == SOURCE and key in self.sizes:
            return (self.root / key).read_bytes(), etag(key.encode())
        return (self.stored[at], etag(self.stored[at])) if at in self.stored else None

    def _get(self, asked: Request, at: str) -> Answer:
        found = self._found(at)
        if found is None:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
        data, tag = found
        headers = {"ETag": f'"{tag}"', "Last-Modified": WRITTEN_HTTP, "Accept-Ranges": "bytes"}
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.headers.get("range", ""))
        if span is None:
            return 200, data, headers
        start = int(span[1]) if span[1] else max(0, len(data) - int(span[2]))
        end = min(len(data), int(span[2]) + 1) if span[1] and span[2] else len(data)
        if start >= len(data):
            return 416, b"<Error><Code>InvalidRange</Code></Error>", {}
        return 206, data[start:end], {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}

    def _head(self, asked: Request, at: str) -> Answer:
        return self._get(asked, at)

    def _put(self, asked: Request, at: str) -> Answer:
        known = self._found(at)
        if "uploadId" in asked.query:
            self.uploads[asked.query["uploadId"]][int(asked.query["partNumber"])] = asked.body
        elif self._clashes(asked.headers, known[1] if known else None):
            return 412, b"<Error><Code>PreconditionFailed</Code></Error>", {}
        else:
            self.stored[at] = asked.body
        return 200, b"", {"ETag": f'"{etag(asked.body)}"'}

    def _clashes(self, headers: dict[str, str], known: str | None) -> bool:
        over = headers.get("if-match", known or "").strip('"')
        return ("if-none-match" in headers and known is not None) or ("if-match" in headers and over != known)

    def _post(self, asked: Request, at: str) -> Answer:
        if "uploads" in asked.query:
            upload = uuid4().hex
            self.uploads[upload] = {}
            answer = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            return 200, answer.encode(), {}
        parts = self.uploads.pop(asked.query["uploadId"])
        self.stored[at] = b"".join(data for _, data in sorted(parts.items()))
        tag = etag(self.stored[at])
        answer = f'<CompleteMultipartUploadResult><ETag>"{tag}"</ETag></CompleteMultipartUploadResult>'
        return 200, answer.encode(), {}

    def _delete(self, asked: Request, at: str) -> Answer:
        self.stored.pop(at, None)
        return 204, b"", {}

    def _listed(self, query: dict[str, str]) -> Answer:
        prefix, after = query.get("prefix", ""), query.get("start-after", "")
        found = [key for key in self.keys if key.startswith(prefix) and key > after]
        page = found[: int(query.get("max-keys", "1000"))]
        objects = "".join(
            f"<Contents><Key>{quote(key)}</Key><LastModified>{WRITTEN}</LastModified><ETag>&quot;{etag(key.encode())}"
            f"&quot;</ETag><Size>{self.sizes[key]}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        more = str(len(page) < len(found)).lower()
        head = f"<Name>{SOURCE}</Name><Prefix>{quote(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
        head += f"<MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>"
        return 200, f"<ListBucketResult {XMLNS}>{head}{objects}</ListBucketResult>".encode(), {}

    def _lake(self, bucket: str, query: dict[str, str]) -> Answer:
        start = f"{bucket}/{query.get('prefix', '')}"
        found = sorted(at.partition("/")[2] for at in self.stored if at.startswith(start))
        objects = "".join(f"<Contents><Key>{quote(key)}</Key><Size>1</Size></Contents>" for key in found)
        answer = f"<ListBucketResult {XMLNS}><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
        return 200, answer.encode(), {}


@dataclass
class Glue:
    """One catalogue."""

    stats: Counter[str]
    tables: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def answer(self, operation: str, asked: Any) -> Any:
        self.stats[f"glue:{operation}"] += 1
        if operation in ("CreateDatabase", "GetDatabase"):
            return {"Database": {"Name": "bench"}}
        told = asked.get("TableInput", {})
        at = (asked["DatabaseName"], asked.get("Name") or told["Name"])
        if operation == "GetTable" and at not in self.tables:
            raise Refused("EntityNotFoundException")
        if operation == "CreateTable" and at in self.tables:
            raise Refused("AlreadyExistsException")
        if operation in ("CreateTable", "UpdateTable"):
            version = int(self.tables.get(at, {}).get("VersionId", "-1")) + 1
            known = asked.get("VersionId")
            if known is not None and int(known) != version - 1:
                raise Refused("ConcurrentModificationException")
            self.tables[at] = {**told, "DatabaseName": at[0], "VersionId": str(version)}
        return {"Table": self.tables[at]}


@dataclass
class Sqs:
    """Queues that the benchmark empties itself."""

    stats: Counter[str]
    queues: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))

    def answer(self, operation: str, asked: Any) -> Any:
        self.stats[f"sqs:{operation}"] += 1
        if operation == "GetQueueUrl":
            return {"QueueUrl": f"http://127.0.0.1/111111111111/{asked['QueueName']}"}
        name = asked["QueueUrl"].rpartition("/")[2]
        entries = asked["Entries"]
        self.stats["sqs messages"] += len(entries)
        self.queues[name].extend(each["MessageBody"] for each in entries)
        done = [
            {"Id": each["Id"], "MessageId": uuid4().hex, "MD5OfMessageBody": etag(each["MessageBody"].encode())}
            for each in entries
        ]
        return {"Successful": done}


class Aws:
    """All of it, by request."""

    def __init__(self, root: Path, keys: Sequence[str]) -> None:
        self.stats: Counter[str] = Counter()
        self.s3 = S3(root, sorted(keys), self.stats)
        self.services = {
            "DynamoDB_20120810": Dynamo(tables(STACK), self.stats),
            "AmazonSQS": Sqs(self.stats),
            "AWSGlue": Glue(self.stats),
        }

    def answer(self, asked: Request) -> Answer:
        target, _, operation = asked.headers.get("x-amz-target", "").rpartition(".")
        if target:
            return self._json(target, operation, asked.body)
        if asked.path == "_stats":
            return 200, json.dumps(self.stats).encode(), {}
        if asked.path == "_take":
            return 200, json.dumps(self._taken(asked.query["queue"])).encode(), {}
        if asked.path == "_grow":
            self.s3 = S3(self.s3.root, sorted({*self.s3.keys, *json.loads(asked.body)}), self.stats)
            return 200, b"", {}
        if not asked.path and asked.method == "POST":
            action = parse_qs(asked.body.decode())["Action"][0]
            self.stats[f"sts:{action}"] += 1
            return 200, STS[action].encode(), {"Content-Type": "text/xml"}
        return self.s3.answer(asked)

    def _json(self, target: str, operation: str, body: bytes) -> Answer:
        kind = {"Content-Type": "application/x-amz-json-1.0"}
        try:
            return 200, json.dumps(self.services[target].answer(operation, json.loads(body))).encode(), kind
        except Refused as refused:
            return 400, json.dumps(refused.body).encode(), kind

    def _taken(self, queue: str) -> list[str]:
        sqs = self.services["AmazonSQS"]
        assert isinstance(sqs, Sqs)
        found = list(sqs.queues[queue])
        sqs.queues[queue].clear()
        return found


class Wire(asyncio.Protocol):
    """One kept connection: HTTP/1.1 as AWS's clients speak it."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.waiting, self.continued = aws, bytearray(), False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while (asked := self._request()) is not None:
            status, body, headers = self.aws.answer(asked)
            told = {"Content-Length": str(len(body)), **headers}
            lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in told.items()), "", ""]
            self.transport.write("\r\n".join(lines).encode() + (b"" if asked.method == "HEAD" else body))

    def _request(self) -> Request | None:
        end = self.waiting.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.waiting[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "expect" in headers and not self.continued:
            self.continued = True
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "transfer-encoding" in headers:
            whole = _unchunked(self.waiting, end + 4)
        else:
            length = int(headers.get("content-length", "0"))
            stop = end + 4 + length
            whole = (bytes(self.waiting[end + 4 : stop]), stop) if len(self.waiting) >= stop else None
        if whole is None:
            return None
        body, stop = whole
        if "aws-chunked" in headers.get("content-encoding", ""):
            body = (_unchunked(bytearray(body), 0) or (b"", 0))[0]
        del self.waiting[:stop]
        self.continued = False
        method, target, _ = first.split(" ")
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        return Request(method, unquote(url.path).lstrip("/"), query, headers, body)


def _unchunked(data: bytearray, at: int) -> tuple[bytes, int] | None:
    """The bytes of a body in chunks, and where it ends; None if it is not all there."""
    found = bytearray()
    while (line := data.find(b"\r\n", at)) >= 0:
        length = int(data[at:line].split(b";")[0], 16)
        if length == 0:
            end = data.find(b"\r\n\r\n", at)  # after the trailers, if there are any
            return (bytes(found), end + 4) if end >= 0 else None
        if len(data) < line + 2 + length + 2:
            return None
        found += data[line + 2 : line + 2 + length]
        at = line + 2 + length + 2
    return None


def _serve(root: Path, keys: Sequence[str], port: Connection) -> None:
    async def run() -> None:
        aws = Aws(root, keys)
        server = await asyncio.get_running_loop().create_server(lambda: Wire(aws), "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    gc.disable()
    asyncio.run(run())


@contextmanager
def stand_in(root: Path, keys: Sequence[str]) -> Iterator[str]:
    """The endpoint of an AWS whose customer's bucket has these files below `root`; gone at the end."""
    receive, send = multiprocessing.get_context("spawn").Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(root, keys, send), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{receive.recv()}"
    finally:
        server.terminate()
        server.join()


def counted(endpoint: str) -> Counter[str]:
    """Calls and units so far."""
    with urlopen(f"{endpoint}/_stats") as answer:
        return Counter(json.load(answer))


def taken(endpoint: str, queue: str) -> list[str]:
    """The bodies of all messages of a queue, which are gone then."""
    with urlopen(f"{endpoint}/_take?queue={STACK}-{queue}") as answer:
        found: list[str] = json.load(answer)
    return found


def environment(endpoint: str) -> dict[str, str]:
    """What makes the doors talk to the server; nobody checks the keys."""
    account = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_EC2_METADATA_DISABLED": "true"}
    place = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}
    ours = {"TIDEGATE_STACK": STACK, "TIDEGATE_BUCKET": LAKE, "POWERTOOLS_METRICS_NAMESPACE": "bench"}
    return {**os.environ, **account, **place, **ours}

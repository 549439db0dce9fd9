"""A server with STS and one S3 object, which records what it is asked and misbehaves on demand."""

import re
from datetime import UTC, datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chalicelib.aws.customers.buckets import Buckets
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.connections import Grant
from tests.wired import session

PART = 1000
DATA = bytes(range(256)) * 20  # six parts
ETAG = md5(DATA, usedforsecurity=False).hexdigest()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GRANT = Grant(AssumeRole(name="acme", role_arn="arn:aws:iam::111122223333:role/tidegate"), "e" * 64, NOW)
AWKWARD = [
    "a b+c/é.csv.gz",
    "100%",
    "a%20b",
    "日本/e\u0301",
    " x ",
    "q?versionId=1&b#c",
    "*[x]{y}|z",
    "....",
    "\u0085x",
]


def reading(endpoint: str) -> Buckets:
    return Buckets(Sessions(session()), endpoint, part=PART)


class Wire:
    """A server with STS and one object. It records requests, and misbehaves on demand."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []  # path with query, headers
        self.breaks: list[int] = []  # how many bytes each of the next answers gives before the connection drops
        self.refusal: tuple[int, str] | None = None  # status, code
        self.ends = datetime(2099, 1, 1, tzinfo=UTC)  # of the credentials that STS gives
        self.short: int | None = None  # bytes that every answer has, whatever was asked
        self.refuses_roles = False
        self.given = 0  # times that STS was asked
        self.listed: list[str] | None = None  # keys that ListObjectsV2 shows; None: it is denied
        handler = type("Handler", (_Handler,), {"wire": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def gets(self) -> list[tuple[str, Any]]:
        return [(path, headers) for path, headers in self.requests if "list-type" not in path]


class _Handler(BaseHTTPRequestHandler):
    wire: Wire
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wire.given += 1
        if self.wire.refuses_roles:
            self.reply(403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
            return
        key = f"<AccessKeyId>KEY{self.wire.given}</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
        end = f"<SessionToken>T</SessionToken><Expiration>{self.wire.ends.isoformat()}</Expiration>"
        answer = f"<Credentials>{key}{end}</Credentials>"
        self.reply(200, f"<AssumeRoleResponse><AssumeRoleResult>{answer}</AssumeRoleResult></AssumeRoleResponse>")

    def do_GET(self) -> None:
        self.wire.requests.append((self.path, self.headers))
        if "list-type=2" in self.path:
            keys = self.wire.listed
            contents = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys or ())
            status = 200 if keys is not None else 403
            self.reply(
                status,
                f"<ListBucketResult>{contents}</ListBucketResult>" if keys is not None else error("AccessDenied"),
            )
        elif self.wire.refusal is not None:
            self.reply(self.wire.refusal[0], error(self.wire.refusal[1]))
        else:
            self.give()

    def give(self) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"])
        assert found is not None
        start, end = int(found[1]), min(int(found[2]) + 1, len(DATA))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(DATA)}")
        end = end if self.wire.short is None else start + self.wire.short
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", f'"{ETAG}"')
        self.end_headers()
        given = self.wire.breaks.pop(0) if self.wire.breaks else end - start
        self.wfile.write(DATA[start : min(end, start + given)])
        self.close_connection = given < end - start

    def reply(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at `requests`."""


def error(code: str) -> str:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>because</Message></Error>'

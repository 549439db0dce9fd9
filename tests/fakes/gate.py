"""A server with STS and one S3 object, which looks at the keys of each request, by a clock of its own."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.connection import Connection
from chalicelib.core.keys import Keys
from chalicelib.core.objects import ObjectRef
from tests.wired import session

DATA = bytes(range(256)) * 20
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
OURS = "OURS"  # our own access key
KEY = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")
NO_KEY = ("", "")


def etag(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()


def ref(key: str = "in/a.bin") -> ObjectRef:
    return ObjectRef("acme-exports", key, etag(DATA), len(DATA), START)


@dataclass(repr=False)
class Gate:
    """What AWS does; `ends`: when keys end, None: never."""

    now: datetime = START  # AWS's clock
    lifetime: timedelta = timedelta(minutes=15)  # of the sessions that STS gives
    ends: dict[str, datetime | None] = field(default_factory=lambda: {OURS: None})
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)  # by role: status, code
    denies: bool = False  # S3 says AccessDenied
    skewed: bool = False  # S3 says that our clock is too far off
    asked: list[dict[str, str]] = field(default_factory=list)  # of STS: parameters, with `by` and `region`
    refused: int = 0  # requests to S3
    used: list[str] = field(default_factory=list)  # keys of the requests to S3 that were answered
    tells_time: bool = True
    late: timedelta = timedelta()  # how far our clock is behind AWS's
    data: bytes = DATA  # of the one object
    meanwhile: Callable[[int], None] = lambda _: None  # before each request to S3, with its number from 0
    vault: dict[str, Keys] = field(default_factory=dict)  # by connection

    def __post_init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"gate": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def passes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def clock(self) -> datetime:
        """What our own machine believes."""
        return self.now - self.late

    def keys(self, connection: Connection) -> Keys | None:
        return self.vault.get(connection.name)

    def paste(self, access_key: str, expires_at: datetime | None = None, *, name: str = "acme") -> None:
        self.vault[name] = Keys(access_key, "secret", "token" if expires_at else None, expires_at)
        self.ends[access_key] = expires_at

    def sessions(self, **changes: Any) -> Sessions:
        return Sessions(
            session(OURS, "secret", "eu-central-1"), **{"keys": self.keys, "now": self.clock, "environ": {}} | changes
        )

    def opinion_of_late(self) -> tuple[int, str] | None:
        """Why S3 refuses every request now."""
        if self.skewed:
            return 403, "RequestTimeTooSkewed"
        return (403, "AccessDenied") if self.denies else None

    def opinion(self, key: str) -> tuple[int, str] | None:
        """Why a request with this key is refused."""
        if key and key not in self.ends:
            return 403, "InvalidAccessKeyId"
        end = self.ends.get(key)
        return (400, "ExpiredToken") if end is not None and end <= self.now else None


class _Handler(BaseHTTPRequestHandler):
    gate: Gate
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet, or the kernel waits 40 ms between them

    def do_POST(self) -> None:
        said = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        by, region = self.signed()
        asked = {name: values[0] for name, values in said.items()} | {"by": by, "region": region}
        self.gate.asked.append(asked)
        refused = self.gate.opinion(by) or self.gate.refuses.get(asked["RoleArn"])
        if refused:
            code = f"<Error><Code>{refused[1]}</Code><Message>because</Message></Error>"
            self.reply(refused[0], f"<ErrorResponse>{code}</ErrorResponse>".encode())
            return
        key = f"KEY{len(self.gate.asked)}"
        self.gate.ends[key] = end = self.gate.now + self.gate.lifetime
        given = f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
        given = f"<Credentials>{given}<Expiration>{end.isoformat()}</Expiration></Credentials>"
        answer = f"<AssumeRoleResponse><AssumeRoleResult>{given}</AssumeRoleResult></AssumeRoleResponse>"
        self.reply(200, answer.encode())

    def do_GET(self) -> None:
        key, _ = self.signed()
        self.gate.meanwhile(len(self.gate.used) + self.gate.refused)
        refused = self.gate.opinion(key) or self.gate.opinion_of_late()
        if refused:
            self.gate.refused += 1
            text = f"<Error><Code>{refused[1]}</Code><Message>because</Message></Error>".encode()
            self.reply(refused[0], text if self.command == "GET" else b"")
            return
        self.gate.used.append(key)
        if "list-type=2" in self.path:
            self.reply(200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
        assert found is not None
        data = self.gate.data
        start, end = int(found[1]), min(int(found[2] or len(data)) + 1, len(data))
        told = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"} if "Range" in self.headers else {}
        self.reply(206 if told else 200, data[start:end], {"ETag": f'"{etag(data)}"'} | told)

    def do_HEAD(self) -> None:
        self.do_GET()

    def signed(self) -> tuple[str, str]:
        found = KEY.search(self.headers.get("Authorization", ""))
        return (found[1], found[2]) if found else NO_KEY

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        if self.gate.tells_time:
            self.send_header("Date", format_datetime(self.gate.now, usegmt=True))
        self.send_header("Last-Modified", format_datetime(START, usegmt=True))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at `asked` and `used`."""

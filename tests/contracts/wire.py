"""A wire to a REST catalogue on which commits go wrong as they do in networks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.fakes.serving import serving

Headers = dict[str, str]
FAULTS = ("refused", "lost", "cut", "twice")
"""Not passed on and answered 503; passed on and answered 504; passed on and hung up; passed on twice."""

_HOP = {"transfer-encoding", "connection", "content-length", "keep-alive"}


@dataclass
class Wire:
    """Passes everything on to the catalogue; `faults` happen to the next commits, one each."""

    target: str
    uri: str = ""
    faults: list[str] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)

    def pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(urlsplit(self.target).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


@contextmanager
def wire(target: str) -> Iterator[Wire]:
    """The wire at an address of its own, until the block ends."""
    made = Wire(target)
    with serving(_Handler, to=made) as made.uri:
        yield made


class _Handler(BaseHTTPRequestHandler):
    to: Wire

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        commits = self.command == "POST" and "/tables/" in self.path
        fault = self.to.faults.pop(0) if commits and self.to.faults else ""
        if fault:
            self.to.happened.append(fault)
        if fault == "refused":
            return self._say(503, {}, b"{}")
        status, told, content = self.to.pass_on(self.command, self.path, headers, body)
        if fault == "twice":
            status, told, content = self.to.pass_on(self.command, self.path, headers, body)
        if fault == "cut":
            self.close_connection = True
            return self.connection.close()
        if fault == "lost":
            return self._say(504, {}, b"{}")
        return self._say(status, told, content)

    do_GET = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815 - http.server's names

    def _say(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

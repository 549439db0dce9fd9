"""A proxy on this machine, which demands a password and writes down what it is asked."""

import base64
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.fakes.serving import serving


@dataclass
class Proxy:
    """What came: `CONNECT host:port` and `GET url` as they were asked; nothing leaves for anywhere but this machine."""

    secret: str | None = field(default=None, repr=False)  # user:password
    asked: list[str] = field(default_factory=list)
    refused: int = 0
    port: int = 0

    def lets(self, given: str | None) -> bool:
        """True if the password is right, or none is wanted."""
        return self.secret is None or given == f"Basic {base64.b64encode(self.secret.encode()).decode()}"


@contextmanager
def running(secret: str | None = None) -> Iterator[Proxy]:
    proxy = Proxy(secret)
    with serving(_Handler, proxy=proxy) as url:
        proxy.port = urlsplit(url).port or 0
        yield proxy


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        """Noted, and refused: what comes after it would be TLS."""
        self._lets()
        self._say(502)

    def _pass_on(self) -> None:
        if not self._lets():
            return self._say(407)
        parts = urlsplit(self.path)
        if parts.hostname != "127.0.0.1":
            return self._say(404)
        target = HTTPConnection(parts.netloc, timeout=10)
        try:
            kept = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
            target.request(self.command, parts._replace(scheme="", netloc="").geturl(), headers=kept)
            answer = target.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(content)
        except (OSError, socket.gaierror):
            self._say(502)
        finally:
            target.close()

    do_GET = do_HEAD = _pass_on  # noqa: N815 - http.server's names

    def _lets(self) -> bool:
        self.proxy.asked.append(f"{self.command} {self.path}")
        lets = self.proxy.lets(self.headers.get("Proxy-Authorization"))
        self.proxy.refused += not lets
        return lets

    def _say(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

"""A static S3 on the loopback address that is not the bottleneck, in processes of its own.

nginx answers GET, HEAD, Range and If-Match from folders (Debian: `apt-get install nginx-light`); a small Python server
behind it lists and keeps, for those who must list or write. Without nginx the small server answers everything, which
costs several times as much and is said in the results. Nobody checks signatures.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000; client_max_body_size 0;
  open_file_cache max=20000; default_type application/octet-stream;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} reuseport backlog=1024;
    error_page 418 = @keeper;
    if ($request_method !~ ^(GET|HEAD)$) {{ return 418; }}
    if ($args ~ "list-type|prefix=|uploads|location") {{ return 418; }}
    {locations}
    location @keeper {{ proxy_pass http://127.0.0.1:{keeper}; proxy_request_buffering off; proxy_http_version 1.1; }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """Where it answers, and what answers."""

    endpoint: str
    name: str


def etag(path: Path) -> str:
    """As nginx makes it, without quotes."""
    told = path.stat()
    return f"{int(told.st_mtime):x}-{told.st_size:x}"


@contextmanager
def served(buckets: Mapping[str, Path]) -> Iterator[Server]:
    """A server of these folders, by the name of their bucket; gone at the end."""
    folders = json.dumps({name: str(path) for name, path in buckets.items()})
    with tempfile.TemporaryDirectory() as folder, _running([sys.executable, __file__, folders]) as keeper:
        assert keeper.stdout is not None
        port = int(keeper.stdout.readline())
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if nginx is None:
            print("nginx is not there (apt-get install nginx-light): a plain Python server is", file=sys.stderr)
            yield Server(f"http://127.0.0.1:{port}", "a plain Python server")
            return
        front = _free_port()
        settings = _settings(Path(folder), buckets, front, port)
        with _running([nginx, "-c", str(settings), "-p", folder, "-e", f"{folder}/errors"]):
            _await(front)
            yield Server(f"http://127.0.0.1:{front}", "nginx")


def _settings(folder: Path, buckets: Mapping[str, Path], front: int, keeper: int) -> Path:
    locations = "".join(f"location /{name}/ {{ alias {path.resolve()}/; }}\n" for name, path in buckets.items())
    user = "user root;" if os.getuid() == 0 else ""  # whose files nobody else may read, perhaps
    text = NGINX.format(folder=folder, port=front, keeper=keeper, locations=locations, user=user)
    file = folder / "nginx.conf"
    file.write_text(text, encoding="utf-8")
    return file


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _await(port: int) -> None:
    for _ in range(100):
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("nginx does not answer")


class _Keeper(BaseHTTPRequestHandler):
    """S3 as far as the peers need it: objects as files, uploads in parts, and a listing of a page."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    buckets: Mapping[str, Path]

    def do_GET(self) -> None:
        path, query = self._asked()
        if path is None or not self._name()[1]:
            self._reply(200, self._listing(query))
        elif not path.is_file():
            self._reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.headers.get("If-Match", f'"{etag(path)}"') != f'"{etag(path)}"':
            self._reply(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self._send(path)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        path, query = self._asked()
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        part = f".part-{int(query['partNumber'][0]):05}" if "partNumber" in query else ""
        target = path.with_name(path.name + part)
        with target.open("wb") as file:
            file.write(self.rfile.read(int(self.headers["Content-Length"])))
        self._reply(200, b"", ETag='"kept"')

    def do_POST(self) -> None:
        path, query = self._asked()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path is not None and "uploads" in query:
            self._reply(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        elif path is not None and "uploadId" in query:
            with path.open("wb") as whole:
                for part in sorted(path.parent.glob(f"{path.name}.part-*")):
                    whole.write(part.read_bytes())
                    part.unlink()
            done = '<CompleteMultipartUploadResult><ETag>"kept"</ETag></CompleteMultipartUploadResult>'
            self._reply(200, done.encode())
        else:
            for key in re.findall(rb"<Key>(.*?)</Key>", body):
                (self.buckets[self._name()[0]] / key.decode()).unlink(missing_ok=True)
            self._reply(200, b"<DeleteResult></DeleteResult>")

    def do_DELETE(self) -> None:
        path, _ = self._asked()
        if path is not None and path.is_file():
            path.unlink()
        self._reply(204, b"")

    def _name(self) -> tuple[str, str]:
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        return bucket, key

    def _asked(self) -> tuple[Path | None, dict[str, list[str]]]:
        bucket, key = self._name()
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return (self.buckets[bucket] / key if key else None), query

    def _listing(self, query: dict[str, list[str]]) -> bytes:
        """All at once: no bucket of a benchmark has more keys than a client takes."""
        bucket = self._name()[0]
        root, prefix = self.buckets[bucket], query.get("prefix", [""])[0]
        delimiter, found, folders = query.get("delimiter", [""])[0], [], set()
        for path in sorted((root / prefix).parent.rglob("*")):
            key = path.relative_to(root).as_posix()
            if not path.is_file() or not key.startswith(prefix):
                continue
            below, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if cut:
                folders.add(prefix + below + cut)
            else:
                found.append(_entry(path, quote(key) if "encoding-type" in query else escape(key)))
        commons = "".join(f"<CommonPrefixes><Prefix>{each}</Prefix></CommonPrefixes>" for each in sorted(folders))
        about = (
            f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found) + len(folders)}</KeyCount>"
        )
        coding = "<EncodingType>url</EncodingType>" if "encoding-type" in query else ""
        rest = f"<MaxKeys>1000</MaxKeys>{coding}<IsTruncated>false</IsTruncated>{''.join(found)}{commons}"
        space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        return f"<ListBucketResult {space}>{about}{rest}</ListBucketResult>".encode()

    def _send(self, path: Path) -> None:
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        start, end = 0, size
        if asked:
            start = int(asked[1]) if asked[1] else size - int(asked[2])
            end = min(size, int(asked[2]) + 1) if asked[1] and asked[2] else size
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{size}"} if asked else {}
        self._head(206 if asked else 200, end - start, path, **headers)
        if self.command == "GET":
            with path.open("rb") as file:
                self.wfile.flush()
                self.connection.sendfile(file, start, end - start)

    def _reply(self, status: int, body: bytes, **headers: str) -> None:
        self._head(status, len(body), None, **headers)
        self.wfile.write(body if self.command != "HEAD" else b"")

    def _head(self, status: int, length: int, path: Path | None, **headers: str) -> None:
        self.send_response(status)
        if path is not None:
            about = {"ETag": f'"{etag(path)}"', "Last-Modified": formatdate(path.stat().st_mtime, usegmt=True)}
            headers = {**about, **headers}
        for name, value in {"Content-Length": str(length), "Accept-Ranges": "bytes", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _entry(path: Path, key: str) -> str:
    told = path.stat()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(told.st_mtime))
    return (
        f"<Contents><Key>{key}</Key><LastModified>{moment}</LastModified><ETag>&quot;{etag(path)}&quot;</ETag>"
        f"<Size>{told.st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def _serve(buckets: Mapping[str, Path]) -> None:
    _Keeper.buckets = buckets
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Keeper)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _serve({name: Path(path) for name, path in json.loads(sys.argv[1]).items()})

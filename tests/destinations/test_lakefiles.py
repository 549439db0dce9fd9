"""pyiceberg's files in S3: how many calls they take."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.io import load_file_io

from chalicelib.destinations.iceberg.lakefiles import NAME, LakeFiles
from tests.fakes.serving import serving

PATH = "s3://lake/warehouse/metadata/00001-3f2a9c1e.metadata.json"


@dataclass
class Store:
    """What was asked of a bucket."""

    asked: list[str] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    refuses: bool = False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    store: Store

    def do_PUT(self) -> None:
        self.store.asked.append(f"PUT {self.path}")
        self.store.bodies[self.path] = self.body()
        self.reply(403 if self.store.refuses else 200)

    def do_POST(self) -> None:
        self.store.asked.append(f"POST {self.path}")
        self.body()
        self.reply(501)

    def do_GET(self) -> None:
        self.store.asked.append(f"{self.command} {self.path}")
        self.reply(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        return True

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def reply(self, status: int) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        self.send_header("ETag", '"e"')
        self.end_headers()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def files(store: Store) -> Iterator[LakeFiles]:
    with serving(Handler, store=store) as url:
        keys = {"s3.endpoint": url, "s3.access-key-id": "K", "s3.secret-access-key": "S", "s3.region": "us-east-1"}
        made = load_file_io({**keys, "py-io-impl": NAME}, PATH)
        assert isinstance(made, LakeFiles)
        yield made


def test_a_small_file_is_one_call(store: Store, files: LakeFiles) -> None:
    with files.new_output(PATH).create() as output:
        output.write(b"{}")
    assert store.asked == ["PUT /lake/warehouse/metadata/00001-3f2a9c1e.metadata.json"]
    assert b"{}" in store.bodies["/lake/warehouse/metadata/00001-3f2a9c1e.metadata.json"]


def test_a_file_that_may_not_be_written_is_an_error(store: Store, files: LakeFiles) -> None:
    store.refuses = True
    output = files.new_output(PATH).create()
    output.write(b"{}")
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        output.close()


def test_the_options_of_the_catalogue_are_those_of_the_files(files: LakeFiles) -> None:
    _, (options,) = files.fs_by_scheme("s3", "lake").__reduce__()
    assert options["access_key"] == "K"
    assert options["region"] == "us-east-1"
    assert options["allow_delayed_open"]


def test_a_catalogue_gives_its_tables_these_files(tmp_path: object) -> None:
    catalog = load_catalog("c", type="sql", uri=f"sqlite:///{tmp_path}/c.db", **{"py-io-impl": NAME})
    assert isinstance(catalog._load_file_io({}, PATH), LakeFiles)


def test_tables_with_the_same_options_share_their_connections_and_others_do_not() -> None:
    def opened(**more: str) -> object:
        keys = {"s3.endpoint": "http://127.0.0.1:1", "s3.access-key-id": "K", "s3.secret-access-key": "S"}
        return LakeFiles({**keys, "s3.region": "us-east-1", **more}).fs_by_scheme("s3", "lake")

    first = opened(location="s3://lake/one")
    assert opened(location="s3://lake/two") is first
    tokens = [opened(**{"s3.session-token": str(number)}) for number in range(20)]
    assert len({id(each) for each in tokens}) == 20
    assert opened(**{"s3.session-token": "19"}) is tokens[19]
    assert opened() is not first, "what was used longest ago is forgotten"

"""A REST catalogue that others made: SeaweedFS, whose table buckets speak it as S3 Tables do, signatures included."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import NoSuchNamespaceError, RESTError

from chalicelib.local.emulator import HOST, free_port
from tests import planted

WEED = Path(sys.executable).with_name("weed")
ACCESS, SECRET = "catalogue", planted.CATALOGUE_SECRET
TABLES = "tables"  # the bucket of tables, which the catalogue keeps
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Seaweed:
    """A running SeaweedFS."""

    catalogue: str  # the address of its Iceberg REST catalogue
    s3: str

    @property
    def properties(self) -> dict[str, str]:
        """What pyiceberg has to know."""
        return {
            "uri": self.catalogue,
            "warehouse": f"s3://{TABLES}",
            "rest.sigv4-enabled": "true",
            "rest.signing-region": "us-east-1",
            "rest.signing-name": "s3tables",
            "s3.endpoint": self.s3,
            "s3.region": "us-east-1",
            "client.access-key-id": ACCESS,
            "client.secret-access-key": SECRET,
        }


@contextmanager
def running(data: Path) -> Iterator[Seaweed]:
    """SeaweedFS on this machine's own address, its files in `data`, until the block ends."""
    ports = {name: free_port() for name in _PORTS}
    data.mkdir(parents=True, exist_ok=True)
    options = [f"-{option}={ports[name]}" for name, option in _PORTS.items()]
    environ = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "HOME": str(data), "TMPDIR": str(data)}
    with (data / "log").open("wb") as log:
        child = subprocess.Popen(
            [WEED, "mini", f"-dir={data}", f"-tableBucket={TABLES}", *_SMALL, *options],
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=data,
        )
    try:
        started = Seaweed(f"http://{HOST}:{ports['iceberg']}", f"http://{HOST}:{ports['s3']}")
        _await(child, started, data / "log")
        yield started
    finally:
        child.kill()  # what it holds is a test's
        child.wait()


_PORTS = {
    "iceberg": "s3.port.iceberg",
    "s3": "s3.port",
    "s3-calls": "s3.port.grpc",
    "master": "master.port",
    "master-calls": "master.port.grpc",
    "volume": "volume.port",
    "volume-calls": "volume.port.grpc",
    "filer": "filer.port",
    "filer-calls": "filer.port.grpc",
}
_SMALL = [
    f"-ip={HOST}",
    f"-ip.bind={HOST}",
    "-master.telemetry=false",
    "-webdav=false",
    "-admin.ui=false",
    "-s3.port.lance=0",
]


def _await(child: "subprocess.Popen[bytes]", started: Seaweed, log: Path) -> None:
    """Until the catalogue has its warehouse, which it makes after it begins to answer."""
    deadline = time.monotonic() + PATIENCE
    while not _is_ready(started):
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"SeaweedFS did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def _is_ready(started: Seaweed) -> bool:
    try:
        RestCatalog("test", **started.properties).list_namespaces()
    except (OSError, RESTError, NoSuchNamespaceError):
        return False
    return True

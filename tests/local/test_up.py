"""`local up`: emulator, stack and runtime together, through a stop, a kill and a second start."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chalicelib.local.account import CUSTOMERS, Account, account_of
from chalicelib.local.customer import Customer, make_bucket, notify
from chalicelib.local.emulator import ROOT, free_port
from chalicelib.local.stack import existing
from tests.local.waiting import soon

pytestmark = pytest.mark.local

UP = """
import sys
from pathlib import Path
from chalicelib.local.project import Project
from chalicelib.local.up import Options, up
data, port, root = sys.argv[1:]
up(Options(Path(data), int(port), visibility=1, tick=3600, project=Project(Path(root), "small")))
"""


@contextmanager
def up(data: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`up` in a process of its own, from its banner on."""
    command = [sys.executable, "-c", UP, str(data), str(port), str(Path(__file__).parent / "small")]
    environ = {**os.environ, "SMALL_JOURNAL": str(data / "journal"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE) as started:
        assert started.stdout
        banner = ""
        while "Ctrl-C stops it" not in banner:
            line = started.stdout.readline().decode()
            assert line, banner
            banner += line
        assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}" in banner
        try:
            yield started
        finally:
            started.terminate()


def bodies(data: Path, did: str) -> list[str]:
    """What the functions wrote down of one kind."""
    path = data / "journal"
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [each["body"] for each in entries if each["did"] == did]


def test_an_object_in_a_customers_bucket_wakes_the_application(tmp_path: Path) -> None:
    port = free_port()
    with up(tmp_path, port):
        ours = Account("111111111111", f"http://127.0.0.1:{port}")
        stack = existing(ours, "tidegate")
        assert account_of(stack.env()) == ours
        customer = Customer(Account(CUSTOMERS, ours.endpoint), "acme-exports", "")
        make_bucket(customer.account, customer.bucket)
        notify(customer, stack.queue_arn("arrivals"))
        customer.put("a b+c/é.csv.gz", b"hello")
        assert soon(lambda: any("a+b%2Bc/%C3%A9.csv.gz" in body for body in bodies(tmp_path, "end")))


def test_terminated_or_killed_it_goes_on_where_it_was(tmp_path: Path) -> None:
    port = free_port()
    with up(tmp_path, port) as first:
        ours = Account("111111111111", f"http://127.0.0.1:{port}")
        stack = existing(ours, "tidegate")
        url = stack.queue_url("arrivals")
        ours.client("s3").put_object(Bucket=stack.bucket, Key="k", Body=b"bytes")
        ours.client("sqs").send_message(QueueUrl=url, MessageBody="sleep 2")
        assert soon(lambda: bodies(tmp_path, "start") != [])
        first.send_signal(signal.SIGKILL)
        first.wait()
    with up(tmp_path, port) as second:
        assert soon(lambda: bodies(tmp_path, "end") == ["sleep 2"])
        assert bodies(tmp_path, "start") == ["sleep 2", "sleep 2"]
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    with up(tmp_path, port):
        assert existing(ours, "tidegate") == stack
        assert ours.client("s3").get_object(Bucket=stack.bucket, Key="k")["Body"].read() == b"bytes"

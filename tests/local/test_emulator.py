"""The embedded AWS starts, keeps its state, and does not outlive whoever started it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.errors import ConfigError
from chalicelib.local import emulator as embedded
from chalicelib.local.account import Account, account_of
from chalicelib.local.emulator import Emulator
from tests.local.waiting import soon

pytestmark = pytest.mark.local

KEY = {"key": {"S": "k"}}


def make_table(account: Account) -> None:
    account.client("dynamodb").create_table(
        TableName="kept",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
    )
    account.client("dynamodb").put_item(TableName="kept", Item=KEY)


def item(account: Account) -> Any:
    return account.client("dynamodb").get_item(TableName="kept", Key=KEY).get("Item")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").exists() else True


def test_every_key_of_twelve_digits_is_an_account(emulator: Emulator) -> None:
    for number in ("111111111111", "333333333333"):
        assert emulator.account(number).client("sts").get_caller_identity()["Account"] == number


def test_the_environment_leads_back_to_the_account(emulator: Emulator) -> None:
    assert account_of(emulator.env()) == emulator.account()


def test_one_account_does_not_read_the_bucket_of_another(emulator: Emulator) -> None:
    owner, other = (emulator.account(number).client("s3") for number in ("333333333333", "444444444444"))
    owner.create_bucket(Bucket="private-to-three")
    owner.put_object(Bucket="private-to-three", Key="k", Body=b"secret")
    with pytest.raises(ClientError, match="AccessDenied"):
        other.get_object(Bucket="private-to-three", Key="k")


def test_it_listens_on_the_loopback_address_only(emulator: Emulator) -> None:
    assert emulator.endpoint.startswith("http://127.0.0.1:")
    port = int(emulator.endpoint.rsplit(":", 1)[1])
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables for row in table]
    assert {row[1] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"} == {f"0100007F:{port:04X}"}


def test_a_stop_and_a_start_keep_tables_messages_and_objects(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as first:
        make_table(first.account())
        url = first.account().client("sqs").create_queue(QueueName="q")["QueueUrl"]
        first.account().client("sqs").send_message(QueueUrl=url, MessageBody="waiting")
        first.account("222222222222").client("s3").create_bucket(Bucket="kept")
        first.account("222222222222").client("s3").put_object(Bucket="kept", Key="a b+c/é", Body=b"bytes")
    with embedded.running(tmp_path) as second:
        assert not second.was_killed
        assert item(second.account()) == KEY
        url = second.account().client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
        assert second.account().client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "waiting"
        stored = second.account("222222222222").client("s3").get_object(Bucket="kept", Key="a b+c/é")
        assert stored["Body"].read() == b"bytes"


PARENT = """
import json, sys, time
from pathlib import Path
from chalicelib.local import emulator
with emulator.running(Path(sys.argv[1]), port=int(sys.argv[2])) as it:
    print(json.dumps({"pid": it.pid, "endpoint": it.endpoint}), flush=True)
    time.sleep(60)
"""


def test_after_its_parent_is_killed_it_keeps_its_state_and_goes(tmp_path: Path) -> None:
    port = embedded.free_port()
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(port)]
    with subprocess.Popen(command, cwd=embedded.ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        known = json.loads(parent.stdout.readline())
        make_table(Account("111111111111", known["endpoint"]))
        parent.send_signal(signal.SIGKILL)
    with embedded.running(tmp_path, port=port) as again:  # at once, on the same port: it waits for the other to go
        assert item(again.account()) == KEY
        assert not again.was_killed
    assert soon(lambda: not alive(known["pid"]))


def test_it_tells_when_the_one_before_had_no_time_to_write_its_state(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as first:
        first.account().client("s3").create_bucket(Bucket="survives")
        first.account().client("s3").put_object(Bucket="survives", Key="k", Body=b"bytes")
        make_table(first.account())
        os.kill(first.pid, signal.SIGKILL)
    with embedded.running(tmp_path) as second:
        assert second.was_killed
        assert second.account().client("s3").get_object(Bucket="survives", Key="k")["Body"].read() == b"bytes"
        assert second.account().client("dynamodb").list_tables()["TableNames"] == []
    with embedded.running(tmp_path) as third:
        assert not third.was_killed


def test_a_taken_port_is_an_error_with_a_remedy(tmp_path: Path, emulator: Emulator) -> None:
    port = int(emulator.endpoint.rsplit(":", 1)[1])
    with pytest.raises(ConfigError, match=r"in use.*--port"), embedded.running(tmp_path, port=port):
        pass


def test_a_missing_installation_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    environ = {embedded.PYTHON_VARIABLE: str(tmp_path / "nowhere")}
    with pytest.raises(ConfigError, match=r"not installed.*make"), embedded.running(tmp_path, environ=environ):
        pass

"""The runtime does what Lambda's event source mappings do, with real processes on real queues."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.local.emulator import ROOT, Emulator
from chalicelib.local.project import Project
from chalicelib.local.runtime import Runtime
from chalicelib.local.stack import Stack, provision, read_template
from tests.local.conftest import fresh_account
from tests.local.waiting import soon

pytestmark = pytest.mark.local

SMALL = Project(Path(__file__).parent / "small", "small")
NEVER = 3600.0
ATTEMPTS = 3


def impatient(emulator: Emulator) -> Stack:
    """A stack whose queues hide a message for one second and bury it after three deliveries."""
    template = read_template()
    for resource in template["Resources"].values():
        if "RedrivePolicy" in resource.get("Properties", {}):
            resource["Properties"]["RedrivePolicy"]["maxReceiveCount"] = ATTEMPTS
    account = fresh_account(emulator)
    return provision(account, f"tide{account.number.rstrip('0')}", template, visibility=1)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    leading_astray = {"AWS_PROFILE": "production", "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9"}
    return {**os.environ, **leading_astray, "SMALL_JOURNAL": str(tmp_path_factory.mktemp("small") / "journal")}


@pytest.fixture(scope="module")
def busy(emulator: Emulator, environ: dict[str, str]) -> Iterator[Stack]:
    """A stack on which a runtime works."""
    stack = impatient(emulator)
    with Runtime(SMALL, stack, environ=environ, tick=NEVER):
        yield stack


@pytest.fixture(scope="module")
def idle(emulator: Emulator) -> Stack:
    """A stack on which nobody works."""
    return impatient(emulator)


class Diary:
    """One test's messages, told from other tests' by a mark at their end, and what the functions wrote of them."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._mark = f" {uuid4().hex}"

    def send(self, stack: Stack, short: str, *bodies: str, **more: Any) -> str:
        """Put messages into a queue; the id of the last."""
        sqs, url = stack.account.client("sqs"), stack.queue_url(short)
        for body in bodies:
            unique = {"MessageDeduplicationId": uuid4().hex} if short.endswith(".fifo") else {}
            sent = sqs.send_message(QueueUrl=url, MessageBody=body + self._mark, **unique, **more)
        identity: str = sent["MessageId"]
        return identity

    def read(self, did: str) -> list[dict[str, Any]]:
        """The entries of one kind, marks taken off."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        entries = [json.loads(line) for line in lines]
        mine = [each for each in entries if each["did"] == did and each.get("body", "").endswith(self._mark)]
        return [{**each, "body": each["body"].removesuffix(self._mark)} for each in mine]

    def bodies(self, did: str) -> list[str]:
        """The bodies of the entries of one kind, in order."""
        return [each["body"] for each in self.read(did)]

    def received(self, stack: Stack, short: str) -> list[str]:
        """The bodies of my messages that can be received from a queue now."""
        sqs, url = stack.account.client("sqs"), stack.queue_url(short)
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", [])
        return [each["Body"].removesuffix(self._mark) for each in messages if each["Body"].endswith(self._mark)]


@pytest.fixture
def diary(environ: dict[str, str]) -> Diary:
    return Diary(environ["SMALL_JOURNAL"])


def left_in(stack: Stack, short: str) -> int:
    """How many messages a queue holds, hidden or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    sqs = stack.account.client("sqs")
    known = sqs.get_queue_attributes(QueueUrl=stack.queue_url(short), AttributeNames=names)["Attributes"]
    return sum(int(known[name]) for name in names)


@contextmanager
def process(stack: Stack, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A runtime in a process of its own, as `python -m chalicelib.local`."""
    command = [sys.executable, "-m", "chalicelib.local", "--tick", str(NEVER)]
    command += ["--root", str(SMALL.root), "--module", SMALL.module]
    clean = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(command, cwd=ROOT, env={**clean, **stack.env()}, stdout=subprocess.PIPE) as started:
        assert started.stdout
        assert started.stdout.readline() == b"listening\n"
        try:
            yield started
        finally:
            started.terminate()


def test_each_message_wakes_its_function_once_and_is_gone(busy: Stack, diary: Diary) -> None:
    diary.send(busy, "arrivals", "one", "two", "three")
    assert soon(lambda: len(diary.read("end")) == 3)
    assert soon(lambda: left_in(busy, "arrivals") == 0)
    assert sorted(diary.bodies("start")) == ["one", "three", "two"]


def test_the_event_is_the_one_that_lambda_makes(busy: Stack, diary: Diary) -> None:
    attribute = {"colour": {"DataType": "String", "StringValue": "red"}}
    identity = diary.send(busy, "tasks", '{"task": "é"}', MessageAttributes=attribute)
    assert soon(lambda: diary.read("load") != [])
    (record,) = diary.read("load")[0]["event"]["Records"]
    assert record.pop("receiptHandle")
    attributes = record.pop("attributes")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= attributes.keys()
    body = record.pop("body")
    assert body.startswith('{"task": "é"}')
    assert record == {
        "messageId": identity,
        "messageAttributes": {
            "colour": {"stringValue": "red", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
        },
        "md5OfBody": hashlib.md5(body.encode()).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": busy.queue_arn("tasks"),
        "awsRegion": "us-east-1",
    }


def test_a_fifo_message_tells_its_group(busy: Stack, diary: Diary) -> None:
    diary.send(busy, "commits.fifo", "look", MessageGroupId="travel.flights")
    assert soon(lambda: diary.read("start") != [])
    assert diary.read("start")[0]["attributes"]["MessageGroupId"] == "travel.flights"


def test_context_and_environment_are_those_of_config_json_and_the_stack(busy: Stack, diary: Diary) -> None:
    diary.send(busy, "tasks", "look")
    assert soon(lambda: diary.read("end") != [])
    entry = diary.read("load")[0]
    name, number = "tidegate-dev-load", busy.account.number
    assert entry["context"] == {
        "function_name": name,
        "memory_limit_in_mb": 512,
        "invoked_function_arn": f"arn:aws:lambda:us-east-1:{number}:function:{name}",
    }
    assert 0 < entry["left"] <= 2000
    assert entry["environ"] == {
        "SMALL_COLOUR": "blue",
        "TIDEGATE_STACK": busy.name,
        "AWS_ENDPOINT_URL": busy.account.endpoint,
        "AWS_PROFILE": None,
        "AWS_ENDPOINT_URL_SQS": None,
    }


def test_of_a_batch_only_the_reported_messages_come_back(idle: Stack, environ: dict[str, str], diary: Diary) -> None:
    diary.send(idle, "arrivals", "good", "fail", "fine")
    with Runtime(SMALL, idle, environ=environ, tick=NEVER, workers=1):
        assert soon(lambda: diary.bodies("start").count("fail") == ATTEMPTS)
    assert (diary.bodies("start").count("good"), diary.bodies("start").count("fine")) == (1, 1)


def test_a_message_that_always_fails_ends_among_the_dead(busy: Stack, diary: Diary) -> None:
    diary.send(busy, "arrivals", "fail", "good")
    buried: list[str] = []

    def found() -> bool:
        buried.extend(diary.received(busy, "arrivals-dead"))
        return buried != []

    assert soon(found)
    assert buried == ["fail"]
    assert diary.bodies("start").count("fail") == ATTEMPTS
    assert diary.bodies("end").count("good") == 1


@pytest.mark.parametrize("death", ["raise", "exit"])
def test_a_function_that_breaks_is_tried_again_and_the_next_message_is_served(
    death: str, busy: Stack, diary: Diary
) -> None:
    diary.send(busy, "tasks", death)
    assert soon(lambda: diary.bodies("start").count(death) >= 2)
    diary.send(busy, "tasks", "next")
    assert soon(lambda: diary.bodies("end") == ["next"])


def test_a_function_over_its_timeout_is_killed_and_replaced(busy: Stack, diary: Diary) -> None:
    diary.send(busy, "tasks", "sleep 60")
    assert soon(lambda: len(diary.read("start")) >= 2)
    first, second = diary.read("start")[:2]
    assert first["pid"] != second["pid"]
    assert diary.read("end") == []


def test_a_call_longer_than_the_visibility_timeout_is_not_repeated(busy: Stack, diary: Diary) -> None:
    diary.send(busy, "arrivals", "sleep 2.5")
    assert soon(lambda: diary.read("end") != [])
    assert soon(lambda: left_in(busy, "arrivals") == 0)
    assert len(diary.read("start")) == 1


def test_a_group_keeps_its_order_and_two_groups_run_side_by_side(busy: Stack, diary: Diary) -> None:
    names = {"a": ["sleep 0.3 a1", "sleep 0.3 a2", "sleep 0.3 a3"], "b": ["sleep 0.3 b1", "sleep 0.3 b2"]}
    for group, bodies in names.items():
        diary.send(busy, "commits.fifo", *bodies, MessageGroupId=group)
    assert soon(lambda: len(diary.read("end")) == 5)
    starts, ends = ({each["body"]: each["at"] for each in diary.read(did)} for did in ("start", "end"))
    for bodies in names.values():
        times = [time for body in bodies for time in (starts[body], ends[body])]
        assert times == sorted(times)
    assert len({each["pid"] for each in diary.read("end")}) == 2


def test_the_schedule_ticks_at_once_and_then_at_its_interval(idle: Stack, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    environ = {**os.environ, "SMALL_JOURNAL": str(path)}
    with Runtime(SMALL, idle, environ=environ, tick=0.2, clock=lambda: 1_800_000_000.0):
        assert soon(lambda: path.exists() and path.read_text().count("\n") >= 3)
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert {each["time"] for each in events} == {"2027-01-15T08:00:00Z"}
    assert {(each["source"], each["detail-type"]) for each in events} == {("aws.events", "Scheduled Event")}
    assert len({each["id"] for each in events}) == len(events)


def test_stopping_lets_a_call_finish(idle: Stack, environ: dict[str, str], diary: Diary) -> None:
    runtime = Runtime(SMALL, idle, environ=environ, tick=NEVER)
    runtime.start()
    diary.send(idle, "arrivals", "sleep 1")
    assert soon(lambda: diary.read("start") != [])
    runtime.stop()
    assert len(diary.read("end")) == 1
    assert left_in(idle, "arrivals") == 0


def test_a_killed_runtime_takes_its_calls_with_it_and_another_does_them(
    idle: Stack, environ: dict[str, str], diary: Diary
) -> None:
    with process(idle, environ) as doomed:
        diary.send(idle, "arrivals", "sleep 1.5")
        assert soon(lambda: diary.read("start") != [])
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    with process(idle, environ):
        assert soon(lambda: diary.read("end") != [])
        assert soon(lambda: left_in(idle, "arrivals") == 0)
    killed, second = diary.read("start")
    counts = [int(each["attributes"]["ApproximateReceiveCount"]) for each in (killed, second)]
    assert counts[0] == 1 < counts[1], (
        "the second call is a redelivery; a poll that died on the way may count as one too"
    )
    assert [each["pid"] for each in diary.read("end")] == [second["pid"]]


def test_two_runtimes_share_the_work_and_repeat_none(idle: Stack, environ: dict[str, str], diary: Diary) -> None:
    bodies = [f"sleep 0.1 {number}" for number in range(12)]
    with process(idle, environ), process(idle, environ):
        diary.send(idle, "tasks", *bodies)
        assert soon(lambda: len(diary.read("end")) == len(bodies))
        assert soon(lambda: left_in(idle, "tasks") == 0)
    assert sorted(diary.bodies("start")) == sorted(bodies)


def test_without_workers_the_functions_run_in_this_process(idle: Stack, environ: dict[str, str], diary: Diary) -> None:
    runtime = Runtime(SMALL, idle, environ=environ, workers=0)
    before = dict(os.environ)
    diary.send(idle, "arrivals", "good", "fail")
    diary.send(idle, "tasks", "raise")
    try:
        assert sum(each.step() for each in runtime.pollers) == 3
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert {each["pid"] for each in diary.read("start")} == {os.getpid()}
    assert (left_in(idle, "arrivals"), left_in(idle, "tasks")) == (1, 1)

"""The doors of app.py, opened with the events that Lambda hands them."""

import json
import logging
import logging.handlers
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import boto3
import pytest

import app
from chalicelib import wiring
from chalicelib.config.connection import parse_connection
from chalicelib.core.jobs import JobState
from chalicelib.core.keys import Keys
from chalicelib.core.ledger import Entry, State
from chalicelib.core.notifications import parse
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import SCHEDULED, SweepState
from chalicelib.core.tasks import TaskState
from chalicelib.core.upkeep import Phase
from chalicelib.errors import BadMessage
from tests.examples import grant, pipeline
from tests.wired import forget, quicken

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"
KEY = "flights/2013-01-01.csv"


@dataclass(frozen=True)
class Context:
    """What Lambda says of the call."""

    function_name: str = "tidegate"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:111111111111:function:tidegate"
    aws_request_id: str = "5b1f0c2a-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 600_000


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def body(name: str, record: int = 0) -> str:
    return str(event(name)["Records"][record]["body"])


def keys(name: str, record: int = 0) -> list[str]:
    return [ref.key for ref in parse(body(name, record)).created]


@pytest.fixture
def account(dynamo: Any, boto: boto3.Session) -> Iterator[Any]:
    """Our account with its tables and queues, and nothing remembered from another test; the SQS client."""
    sqs = boto.client("sqs")
    resources = json.loads((ROOT / ".chalice" / "resources.json").read_text())["Resources"]
    for resource in resources.values():
        if resource["Type"] == "AWS::SQS::Queue":
            name = resource["Properties"]["QueueName"]["Fn::Sub"].replace("${AWS::StackName}", "tidegate")
            sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if name.endswith(".fifo") else {})
    forget()
    quicken()
    yield sqs
    forget()


def messages(sqs: Any, queue: str) -> list[str]:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return [
        message["Body"] for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    ]


def test_every_event_file_is_described() -> None:
    described = (EVENTS / "README.md").read_text()
    assert [path.name for path in sorted(EVENTS.glob("*.json")) if f"`{path.name}`" not in described] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s3_put", [KEY]),
        ("s3_put_via_sns", [KEY]),
        ("s3_put_via_eventbridge", ["flights/a b+c/é.csv"]),
        ("s3_two_records", [KEY, "flights/2013-01-02.csv.gz"]),
        ("s3_test_event", []),
    ],
)
def test_an_arrival_names_its_objects(name: str, expected: list[str]) -> None:
    assert keys(name) == expected


def test_odd_keys_arrive_as_they_were_written() -> None:
    assert keys("s3_odd_keys") == [
        "flights/a b.csv",
        "flights/a+b.csv",
        "flights/100%.csv",
        "flights/%C3%A9.csv",
        "flights/été/日本.csv",
        'flights/year=2013/(copy) & "more".csv',
        "flights//a..b/.csv",
    ]


@pytest.mark.parametrize("record", [0, 1, 2])
def test_garbage_is_refused(record: int) -> None:
    with pytest.raises(BadMessage):
        parse(body("s3_garbage", record))


def test_a_bucket_that_nobody_reads_is_counted_and_its_message_is_done(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.arrive(event("s3_put"), Context()) == {"batchItemFailures": []}
    assert messages(account, "tidegate-tasks") == []
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [line["ObjectsInUnknownBuckets"] for line in counted] == [[1.0]]


def test_garbage_is_delivered_again_and_its_neighbour_is_done(account: Any) -> None:
    wiring.pipelines().put(pipeline(path_prefix="flights/"))
    answer = app.arrive(event("s3_garbage"), Context())
    bad = [record["messageId"] for record in event("s3_garbage")["Records"][:3]]
    assert answer == {"batchItemFailures": [{"itemIdentifier": id_} for id_ in bad]}
    assert wiring.ledger().get("flights", ["flights/2013-01-02.csv.gz"]).keys() == {"flights/2013-01-02.csv.gz"}
    assert len(messages(account, "tidegate-tasks")) == 1


def test_a_test_event_is_nothing_to_do(account: Any) -> None:
    wiring.pipelines().put(pipeline(path_prefix="flights/"))
    assert app.arrive(event("s3_test_event"), Context()) == {"batchItemFailures": []}
    assert messages(account, "tidegate-tasks") == []


def test_one_object_passes_every_door(account: Any) -> None:
    """Without a connection there is nothing to read, so that the object ends as refused; the doors are the same."""
    wiring.pipelines().put(pipeline(path_prefix="flights/"))
    assert app.arrive(event("s3_put"), Context()) == {"batchItemFailures": []}
    assert messages(account, "tidegate-tasks") == [body("sqs_task")]
    assert app.load(event("sqs_task"), Context()) == {"batchItemFailures": []}
    assert messages(account, "tidegate-commits.fifo") == [body("sqs_commit")]
    assert app.commit(event("sqs_commit"), Context()) == {"batchItemFailures": []}
    entry = wiring.ledger().get("flights", [KEY])[KEY]
    assert (entry.state, entry.reason) == (State.REFUSED, Reason.DENIED)


def test_a_message_that_comes_again_makes_no_second_task(account: Any) -> None:
    wiring.pipelines().put(pipeline(path_prefix="flights/"))
    app.arrive(event("s3_put"), Context())
    app.arrive(event("s3_put_via_sns"), Context())
    app.arrive(event("s3_put"), Context())
    assert set(messages(account, "tidegate-tasks")) == {body("sqs_task")}


def test_a_task_that_nobody_stored_is_done(account: Any) -> None:
    assert app.load(event("sqs_task"), Context()) == {"batchItemFailures": []}
    assert app.commit(event("sqs_commit"), Context()) == {"batchItemFailures": []}


def test_an_object_that_was_deleted_is_remembered_as_gone(account: Any) -> None:
    wiring.pipelines().put(pipeline(path_prefix="flights/"))
    app.arrive(event("s3_removed"), Context())
    assert wiring.ledger().get("flights", [KEY]) == {}, "what was never seen is not missed"
    app.arrive(event("s3_put"), Context())
    assert app.arrive(event("s3_removed"), Context()) == {"batchItemFailures": []}
    (removal,) = parse(body("s3_removed")).removed
    assert wiring.ledger().get("flights", [KEY])[KEY].removed_at == removal.removed_at


def test_a_sweep_that_nobody_started_is_done(account: Any) -> None:
    assert app.sweep(event("sqs_sweep"), Context()) == {"batchItemFailures": []}


def test_a_session_passes_the_doors_of_tick_and_sweep(account: Any) -> None:
    """Without a connection there is nothing to list, so that the sweep ends with that error; the doors are the same."""
    wiring.pipelines().put(pipeline(path_prefix="flights/"))
    wiring.schedules().run_now("flights")
    assert messages(account, "tidegate-sweeps") == [body("sqs_sweep")]
    app.tick(event("tick"), Context())
    assert messages(account, "tidegate-sweeps") == [body("sqs_sweep")], "nobody has taken its turn yet"
    assert app.sweep(event("sqs_sweep"), Context()) == {"batchItemFailures": []}
    sweep = wiring.sweeps().get("flights", SCHEDULED)
    assert sweep is not None
    job = wiring.jobs().job(sweep.job)
    assert job is not None
    assert (sweep.state, job.state, job.error) == (
        SweepState.CANCELLED,
        JobState.FAILED,
        "its pipeline or connection was deleted",
    )


def test_a_tick_leaves_alone_what_is_not_due(account: Any) -> None:
    wiring.pipelines().put(pipeline(path_prefix="flights/"))
    app.arrive(event("s3_put"), Context())
    before = json.loads(body("sqs_task"))
    app.tick(event("tick"), Context())
    task = wiring.jobs().task(before["job"], before["task"])
    assert task is not None
    assert (task.state, task.revision) == (TaskState.PLANNED, 1)


def test_keys_that_end_soon_pass_the_tick_as_a_warning_and_a_metric(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = wiring.now() + timedelta(minutes=90)
    pasted = Keys("ASIAPLANTEDPLANTED12", "planted-secret", "planted-token", ends)
    wiring.connecting().connect(parse_connection({"name": "acme", "auth_method": "session"}, where="test"), pasted)
    said = logging.handlers.QueueHandler(Queue())
    logging.getLogger("tidegate").addHandler(said)
    try:
        for _ in range(2):
            app.tick(event("tick"), Context())
    finally:
        logging.getLogger("tidegate").removeHandler(said)
    warning = said.queue.get_nowait()
    assert warning.levelname == "WARNING"
    assert "connection acme: ok, expires in 1 h. Paste new keys with" in warning.getMessage()
    assert said.queue.empty(), "once an hour"
    printed = capsys.readouterr().out
    counted = [json.loads(line) for line in printed.splitlines() if "CredentialsExpiring" in line]
    assert [line["CredentialsExpiring"] for line in counted] == [[1.0], [1.0]]
    assert "planted" not in (printed + warning.getMessage()).lower()


def test_changing_or_deleting_a_pipeline_keeps_its_ledger(account: Any) -> None:
    admin = wiring.admin()
    wiring.connecting().connect(grant().connection)
    admin.apply(pipeline(path_prefix="flights/"))
    (ref,) = parse(body("s3_put")).created
    loaded = Entry("flights", ref, State.COMMITTED, discovered_at=ref.created_at, rows=842, revision=1)
    assert wiring.ledger().swap([loaded]) == frozenset()
    admin.apply(pipeline(path_prefix="", min_task_size=1))
    admin.delete("flights")
    admin.apply(pipeline(path_prefix="flights/"))
    app.arrive(event("s3_put"), Context())
    assert wiring.ledger().get("flights", [KEY]) == {KEY: loaded}
    assert messages(account, "tidegate-tasks") == []


def test_a_tables_time_passes_the_doors_of_tick_and_maintain(account: Any, boto: boto3.Session) -> None:
    boto.client("s3").create_bucket(Bucket="tidegate-lake")
    wiring.pipelines().put(pipeline(path_prefix="flights/"))
    app.tick(event("tick"), Context())
    assert messages(account, "tidegate-maintenance") == [], "its first run is one period away"
    states = wiring.maintaining().states
    for state in states.all().values():
        states.swap(replace(state, next_at=wiring.now(), revision=state.revision + 1))
    app.tick(event("tick"), Context())
    assert body("sqs_maintain") in messages(account, "tidegate-maintenance")
    assert app.maintain(event("sqs_maintain"), Context()) == {"batchItemFailures": []}
    state = states.get("iceberg:travel.flights")
    assert state is not None
    assert (state.phase, state.last and state.last.table) == (Phase.IDLE, "iceberg:travel.flights")


def test_maintenance_that_nobody_asked_for_is_done(account: Any) -> None:
    assert app.maintain(event("sqs_maintain"), Context()) == {"batchItemFailures": []}

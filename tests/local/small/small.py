"""A Chalice application that does what its messages say and keeps a journal: the runtime's counterpart in tests."""

import json
import os
import time
from pathlib import Path
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

ENVIRON = ("SMALL_COLOUR", "TIDEGATE_STACK", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ENDPOINT_URL_SQS")

app = Chalice(app_name="tidegate")


def note(entry: dict[str, Any]) -> None:
    """One line in the journal; a line this short is written whole."""
    with Path(os.environ["SMALL_JOURNAL"]).open("a") as journal:
        journal.write(json.dumps(entry | {"pid": os.getpid(), "at": time.time()}) + "\n")


def obey(record: dict[str, Any]) -> bool:
    """Do what the body says; whether the message is done."""
    what, *rest = record["body"].split()
    note({"did": "start", "body": record["body"], "attributes": record["attributes"]})
    if what == "raise":
        raise ValueError(record["body"])
    if what == "exit":
        os._exit(7)
    if what == "sleep":
        time.sleep(float(rest[0]))
    note({"did": "end", "body": record["body"]})
    return what != "fail"


@app.on_sqs_message(queue="tidegate-arrivals", batch_size=10)
def arrive(event: SQSEvent) -> Any:
    """Obey each message of the batch and report those that fail."""
    records = event.to_dict()["Records"]
    failures = [each["messageId"] for each in records if not obey(each)]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failures]}


@app.on_sqs_message(queue="tidegate-tasks", batch_size=1)
def load(event: SQSEvent) -> Any:
    """Obey, and write down all that Lambda says."""
    context = event.context
    known = {name: getattr(context, name) for name in ("function_name", "memory_limit_in_mb", "invoked_function_arn")}
    environ = {name: os.environ.get(name) for name in ENVIRON}
    left = context.get_remaining_time_in_millis()
    body = event.to_dict()["Records"][0]["body"]
    note({"did": "load", "body": body, "event": event.to_dict(), "context": known, "environ": environ, "left": left})
    obey(event.to_dict()["Records"][0])


@app.on_sqs_message(queue="tidegate-commits.fifo", batch_size=1)
def commit(event: SQSEvent) -> Any:
    """Obey, in the order of the group."""
    obey(event.to_dict()["Records"][0])


@app.schedule(Rate(1, unit=Rate.MINUTES))
def tick(event: CloudWatchEvent) -> None:
    """Write down that a minute has passed."""
    note({"did": "tick", "event": event.to_dict()})

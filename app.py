"""Every way into the system, on one screen. Start reading here.

Each door opens its envelope and calls one flow. Queue and schedule handlers stay in this file: Lambda imports the
module that a handler is defined in, and a handler defined elsewhere would never see this file's middleware.
"""

import gc
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from chalice.app import Chalice, CloudWatchEvent, ConvertToMiddleware, Rate, SQSEvent

from chalicelib import wiring
from chalicelib.core.visible import json_line
from chalicelib.errors import TidegateError

gc.set_threshold(50_000)  # a door loads much and throws nothing away: looking for cycles costs it a tenth of its start
app = Chalice(app_name="tidegate")
log = Logger(service="tidegate", json_serializer=partial(json_line, compact=True))
app.register_middleware(ConvertToMiddleware(log.inject_lambda_context(clear_state=True)))


@app.middleware("all")
def measured(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Whatever a handler counted is printed when it ends, however it ends."""
    try:
        return get_response(event)
    finally:
        wiring.metrics().flush()


@app.on_sqs_message(queue="tidegate-arrivals", batch_size=100, maximum_batching_window_in_seconds=1)
def arrive(event: SQSEvent) -> Any:
    """S3 says that objects were created."""
    failed = wiring.discover().arrivals({each["messageId"]: each["body"] for each in event.to_dict()["Records"]})
    for id_, error in failed.items():
        if isinstance(error, TidegateError):
            log.warning(str(error), message_id=id_)
        else:
            log.error("an error that should not exist", message_id=id_, exc_info=error)
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


@app.on_sqs_message(queue="tidegate-tasks", batch_size=1)
def load(event: SQSEvent) -> Any:
    """A task is to be read, parsed and staged."""

    context: Any = event.context  # Lambda's, which Chalice takes for a dict
    until = wiring.hand_over_at(context.get_remaining_time_in_millis())

    def one(body: str) -> None:
        job, number = _task(body)
        log.append_keys(job=job, task=number)
        wiring.load().task(job, number, until)

    return _each(event, one)


@app.on_sqs_message(queue="tidegate-commits.fifo", batch_size=10)
def commit(event: SQSEvent) -> Any:
    """Tasks are staged: make them count, all that are ready for the same table in one change."""
    records = event.to_dict()["Records"]
    hints = {record["messageId"]: _task(record["body"]) for record in records}
    failed = wiring.commit().tasks(hints.values())
    for (job, task), error in failed.items():
        log.error(str(error), job=job, task=task)
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_, hint in hints.items() if hint in failed]}


@app.on_sqs_message(queue="tidegate-sweeps", batch_size=1)
def sweep(event: SQSEvent) -> Any:
    """A listing goes on: find what nobody announced."""

    def one(body: str) -> None:
        message = json.loads(body)
        log.append_keys(pipeline=message["pipeline"], sweep=message["name"])
        wiring.sweeping().turn(message["pipeline"], message["name"])

    return _each(event, one)


@app.on_sqs_message(queue="tidegate-maintenance", batch_size=1)
def maintain(event: SQSEvent) -> Any:
    """A table's time has come: put small files together, forget old snapshots, delete what nobody needs."""

    def one(body: str) -> None:
        table = json.loads(body)["table"]
        log.append_keys(table=table)
        report = wiring.maintaining().run(table)
        log.info("nothing to do" if report is None else "maintained", report=report and asdict(report))

    return _each(event, one)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def tick(event: CloudWatchEvent) -> None:
    """A minute has passed: start what is due, and set going again whatever a crash left behind."""
    wiring.tick()


def _task(body: str) -> tuple[str, int]:
    message = json.loads(body)
    return str(message["job"]), int(message["task"])


def _each(event: SQSEvent, one: Callable[[str], None]) -> Any:
    """Do each message's body by itself: one that fails is delivered again, its neighbours are done (P6).

    As powertools' batch processor does, whose import took a door a tenth of its start.
    """
    failed = []
    for record in event.to_dict()["Records"]:
        id_ = record["messageId"]
        log.append_keys(message_id=id_)
        try:
            one(record["body"])
        except TidegateError as error:
            log.warning(str(error))
            failed.append(id_)
        except Exception:
            log.exception("an error that should not exist")
            failed.append(id_)
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}

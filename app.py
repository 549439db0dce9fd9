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
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
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


@app.on_sqs_message(queue="tidegate-arrivals", batch_size=10)
def arrive(event: SQSEvent) -> Any:
    """S3 says that objects were created."""

    def one(record: SQSRecord) -> None:
        wiring.discover().arrival(record.message_id, record.body)

    return _each(event, one)


@app.on_sqs_message(queue="tidegate-tasks", batch_size=1)
def load(event: SQSEvent) -> Any:
    """A task is to be read, parsed and staged."""

    def one(record: SQSRecord) -> None:
        job, number = _task(record.body)
        log.append_keys(job=job, task=number)
        wiring.load().task(job, number)

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

    def one(record: SQSRecord) -> None:
        message = json.loads(record.body)
        log.append_keys(pipeline=message["pipeline"], sweep=message["name"])
        wiring.sweeping().turn(message["pipeline"], message["name"])

    return _each(event, one)


@app.on_sqs_message(queue="tidegate-maintenance", batch_size=1)
def maintain(event: SQSEvent) -> Any:
    """A table's time has come: put small files together, forget old snapshots, delete what nobody needs."""

    def one(record: SQSRecord) -> None:
        table = json.loads(record.body)["table"]
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


def _each(event: SQSEvent, one: Callable[[SQSRecord], None]) -> Any:
    """Do each message by itself: one that fails is delivered again, its neighbours are done (P6)."""

    def logged(record: SQSRecord) -> None:
        log.append_keys(message_id=record.message_id)
        try:
            one(record)
        except TidegateError as error:
            log.warning(str(error))
            raise
        except Exception:
            log.exception("an error that should not exist")
            raise

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event.to_dict(), logged, processor)

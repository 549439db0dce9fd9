"""Messages to the doors: tasks to load, tables to commit, sweeps to go on with, tables to maintain."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

from chalicelib.aws.errors import translated
from chalicelib.core.tasks import Task
from chalicelib.errors import SourceUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

BATCH = 10  # most that one call sends


@dataclass(frozen=True, slots=True)
class SqsQueue:
    """The queues behind the doors. A message names a task; everything else is looked up."""

    client: "SQSClient"
    tasks: str  # queue name
    commits: str  # queue name, FIFO
    sweeps: str  # queue name
    maintenance: str  # queue name

    def load(self, tasks: Sequence[Task]) -> None:
        """Ask for each task to be loaded."""
        self._send(self.tasks, [{"Id": str(i), "MessageBody": _body(task)} for i, task in enumerate(tasks)])

    def commit(self, tasks: Sequence[Task]) -> None:
        """Ask for each task to be committed by its table's only writer.

        The group is the table; the deduplication id is random, since asking twice must never be asking not at all.
        """
        self._send(
            self.commits,
            [
                {
                    "Id": str(i),
                    "MessageBody": _body(task),
                    "MessageGroupId": _group(task.table),
                    "MessageDeduplicationId": uuid4().hex,
                }
                for i, task in enumerate(tasks)
            ],
        )

    def sweep(self, pipeline: str, name: str, *, delay: int = 0) -> None:
        """Ask for a sweep's next turn, in `delay` seconds (at most 900)."""
        body = json.dumps({"pipeline": pipeline, "name": name})
        self._send(self.sweeps, [{"Id": "0", "MessageBody": body, "DelaySeconds": delay}])

    def maintain(self, table: str) -> None:
        """Ask for the maintenance of a table, by its address."""
        self._send(self.maintenance, [{"Id": "0", "MessageBody": json.dumps({"table": table})}])

    def _send(self, queue: str, entries: list["SendMessageBatchRequestEntryTypeDef"]) -> None:
        for batch in _batches(entries):
            with translated(f"queue {queue}"):
                answer = self.client.send_message_batch(QueueUrl=_url(self.client, queue), Entries=batch)
            if answer.get("Failed"):
                raise SourceUnavailable(f"{len(answer['Failed'])} messages were not taken", where=f"queue {queue}")


def _batches(
    entries: list["SendMessageBatchRequestEntryTypeDef"],
) -> Iterator[list["SendMessageBatchRequestEntryTypeDef"]]:
    for start in range(0, len(entries), BATCH):
        yield entries[start : start + BATCH]


def _body(task: Task) -> str:
    return json.dumps({"job": task.job, "task": task.number})


def _group(table: str) -> str:
    """The table's address as a message group: at most 128 characters."""
    return table if len(table) <= 128 else table[-128:]


@cache
def _url(client: "SQSClient", queue: str) -> str:
    with translated(f"queue {queue}"):
        return client.get_queue_url(QueueName=queue)["QueueUrl"]

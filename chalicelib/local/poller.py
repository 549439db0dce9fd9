"""One of Lambda's event source mappings: a queue's messages wake a function."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chalicelib.local.events import Message, scheduled_event, sqs_event, unfinished
from chalicelib.local.invoker import Invoker
from chalicelib.local.project import Function, QueueSource
from chalicelib.local.roles import Role
from chalicelib.local.stack import Stack

log = logging.getLogger("chalicelib.local")

LONG_POLL = 1  # seconds; also the longest that stopping waits for an idle poller
RECEIVE_LIMIT = 10  # messages, of one ReceiveMessage


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as a poller needs it. `visibility` in seconds."""

    sqs: Any
    url: str
    arn: str
    region: str
    visibility: int

    def receive(self, limit: int, wait: int) -> list[Message]:
        """Up to `limit` messages, waiting up to `wait` seconds for the first."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=min(limit, RECEIVE_LIMIT),
            WaitTimeSeconds=wait,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def delete(self, messages: Sequence[Message]) -> None:
        """Be done with these messages."""
        if messages:
            self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries(messages))

    def hide(self, messages: Sequence[Message]) -> None:
        """Let nobody see these messages for another visibility timeout."""
        extended = [{**each, "VisibilityTimeout": self.visibility} for each in entries(messages)]
        self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=extended)


@dataclass(frozen=True, slots=True)
class Poller:
    """Hands one queue's messages to one function; what is not done stays for the queue to deliver again."""

    source: QueueSource
    queue: Queue
    invoker: Invoker

    def step(self, wait: int = LONG_POLL) -> int:
        """Receive, call, delete what is done; how many messages there were."""
        messages = self.queue.receive(self.source.batch_size, wait)
        if messages:
            self._handle(messages)
        return len(messages)

    def _handle(self, messages: Sequence[Message]) -> None:
        started = time.monotonic()
        with self._hidden(messages):
            outcome = self.invoker.invoke(sqs_event(messages, self.queue.arn, self.queue.region))
        left = {each["MessageId"] for each in messages} if outcome.failure else unfinished(messages, outcome.value)
        self.queue.delete([each for each in messages if each["MessageId"] not in left])
        spent = time.monotonic() - started
        say = log.warning if left else log.info
        done, name = len(messages) - len(left), self.source.function.handler
        say("%s: %d of %d messages done in %.2f s %s", name, done, len(messages), spent, outcome.failure)

    @contextmanager
    def _hidden(self, messages: Sequence[Message]) -> Iterator[None]:
        """Keep the messages hidden for as long as the function works on them.

        In AWS the visibility timeout is longer than the function's. Here it is short, so that a killed runtime's
        messages come back soon, and is extended while we live.
        """
        if self.queue.visibility > self.source.function.timeout:
            yield
            return
        done = threading.Event()
        keeper = threading.Thread(target=self._keep_hidden, args=(messages, done), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()

    def _keep_hidden(self, messages: Sequence[Message], done: threading.Event) -> None:
        while not done.wait(self.queue.visibility / 3):
            try:
                self.queue.hide(messages)
            except Exception as error:  # the worst that follows is a second delivery
                log.warning("%s: messages may be delivered again: %s", self.source.function.handler, error)


@dataclass(frozen=True, slots=True)
class Ticker:
    """Wakes a function that waits for a time."""

    function: Function
    stack: Stack
    invoker: Invoker

    def step(self, at: float) -> None:
        """Call the function for the time `at`, in seconds since 1970. A failed tick is left: another comes."""
        outcome = self.invoker.invoke(scheduled_event(self.stack.account, self.function.name, at))
        if outcome.failure:
            log.warning("%s: %s", self.function.handler, outcome.failure)


def entries(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages as the batch calls of SQS name them."""
    return [{"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(messages)]


def open_queue(stack: Stack, name: str, role: Role | None = None) -> Queue:
    """The queue called `name` in the stack's account, as Lambda reads it: by the function's own role."""
    sqs = role.client("sqs") if role else stack.account.client("sqs")
    url = stack.account.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    known = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "VisibilityTimeout"])["Attributes"]
    return Queue(sqs, url, known["QueueArn"], stack.account.region, int(known["VisibilityTimeout"]))

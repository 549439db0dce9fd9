"""The JSON that Lambda hands to functions, and what it makes of their answers."""

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from chalicelib.local.account import Account

Message = Mapping[str, Any]
"""One message as SQS's ReceiveMessage gives it."""


def sqs_event(messages: Sequence[Message], queue_arn: str, region: str) -> dict[str, Any]:
    """The event by which Lambda hands over a batch of messages."""
    return {"Records": [record(message, queue_arn, region) for message in messages]}


def record(message: Message, queue_arn: str, region: str) -> dict[str, Any]:
    """One message, in Lambda's spelling of it."""
    attributes = message.get("MessageAttributes", {})
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {name: message_attribute(value) for name, value in attributes.items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def message_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    """One attribute that the sender put on a message."""
    known: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        known["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        known["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode("ascii")
    return known


def scheduled_event(account: Account, rule: str, at: float, id: UUID | None = None) -> dict[str, Any]:
    """The event of a schedule's rule; `at` in seconds since 1970."""
    return {
        "version": "0",
        "id": str(id or uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account.number,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
        "region": account.region,
        "resources": [f"arn:aws:events:{account.region}:{account.number}:rule/{rule}"],
        "detail": {},
    }


def unfinished(messages: Sequence[Message], answer: object) -> frozenset[str]:
    """The ids of the messages that stay in the queue, from what the function returned.

    No answer, or one without failures, means that all are done. An answer that names no message of this batch, or
    that has another shape, means that none is: so Lambda does with ReportBatchItemFailures.
    """
    everything = frozenset(message["MessageId"] for message in messages)
    if not isinstance(answer, Mapping) or not answer.get("batchItemFailures"):
        return frozenset()
    failures = answer["batchItemFailures"]
    if not isinstance(failures, list) or not all(isinstance(each, Mapping) for each in failures):
        return everything
    named = {each.get("itemIdentifier") for each in failures}
    return everything & named if named <= everything else everything

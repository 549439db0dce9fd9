"""Cursors in DynamoDB, beside their pipelines; a cursor moves by compare-and-swap only (F39)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.items import Codec, put, read, swap_condition, wire
from chalicelib.core.cursors import Cursor

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_codec = Codec(Cursor)


@dataclass(frozen=True, slots=True)
class DynamoCursors:
    """Where each pipeline's next listing may start."""

    client: "DynamoDBClient"
    table: str

    def get(self, pipeline: str) -> Cursor:
        """The pipeline's cursor, at the start if it never moved."""
        key = wire({"kind": "cursor", "name": pipeline})
        found = read(self.client, f"cursor of {pipeline}", self.table, [key])
        return _codec.value(found[0]) if found else Cursor(pipeline)

    def swap(self, cursor: Cursor) -> bool:
        """Store the cursor if the stored revision is the one before it."""
        item = _codec.item(cursor, kind="cursor", name=cursor.pipeline)
        arguments = {"TableName": self.table, "Item": item, **swap_condition(cursor.revision)}
        return put(self.client, f"cursor of {cursor.pipeline}", arguments)

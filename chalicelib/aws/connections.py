"""Connections in DynamoDB. External ids are no secrets, yet they are written once and never changed (F5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.aws.errors import translated
from chalicelib.aws.items import Codec, put, read, wire
from chalicelib.core.connections import Grant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_codec = Codec(Grant)


@dataclass(frozen=True, slots=True)
class DynamoConnections:
    """Ways into customers' accounts, by name."""

    client: "DynamoDBClient"
    table: str

    def get(self, name: str) -> Grant | None:
        """The connection of this name, with its external id."""
        found = read(self.client, f"connection {name}", self.table, [wire({"name": name})])
        return _codec.value(found[0]) if found else None

    def all(self) -> Sequence[Grant]:
        """Every connection, by name."""
        with translated("connections"):
            pages = self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
            found = [_codec.value(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda grant: grant.connection.name)

    def add(self, grant: Grant) -> bool:
        """Store a new connection; False if the name is taken."""
        condition = {
            "ConditionExpression": "attribute_not_exists(#name)",
            "ExpressionAttributeNames": {"#name": "name"},
        }
        return self._put(grant, condition)

    def put(self, grant: Grant) -> bool:
        """Store a connection that is there already; False if it is not, or is another one of this name (F5)."""
        condition = {
            "ConditionExpression": "external_id = :id",
            "ExpressionAttributeValues": wire({":id": grant.external_id}),
        }
        return self._put(grant, condition)

    def remove(self, name: str) -> bool:
        """Forget a connection, external id and all; False if there is none."""
        with translated(f"connection {name}"):
            answer = self.client.delete_item(TableName=self.table, Key=wire({"name": name}), ReturnValues="ALL_OLD")
        return "Attributes" in answer

    def _put(self, grant: Grant, condition: dict[str, Any]) -> bool:
        name = grant.connection.name
        arguments = {"TableName": self.table, "Item": _codec.item(grant, name=name), **condition}
        return put(self.client, f"connection {name}", arguments)

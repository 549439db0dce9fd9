"""Where tables' maintenance stands, beside the pipelines' documents: kind `upkeep` and the table's address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.items import Codec, put, query, read, swap_condition, wire
from chalicelib.core.upkeep import UpkeepState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KIND = "upkeep"

_codec = Codec(UpkeepState)


@dataclass(frozen=True, slots=True)
class DynamoUpkeep:
    """States by address, one revision after the other."""

    client: "DynamoDBClient"
    table: str

    def all(self) -> Mapping[str, UpkeepState]:
        """Every state by address, read consistently."""
        request = {
            "TableName": self.table,
            "KeyConditionExpression": "kind = :kind",
            "ExpressionAttributeValues": wire({":kind": KIND}),
            "ConsistentRead": True,
        }
        found = map(_codec.value, query(self.client, "maintenance of tables", None, request))
        return {state.table: state for state in found}

    def get(self, table: str) -> UpkeepState | None:
        """The state of this table, read consistently."""
        found = read(self.client, _where(table), self.table, [wire({"kind": KIND, "name": table})])
        return _codec.value(found[0]) if found else None

    def swap(self, state: UpkeepState) -> bool:
        """Store the state if the stored revision is the one before it."""
        item = _codec.item(state, kind=KIND, name=state.table)
        return put(
            self.client, _where(state.table), {"TableName": self.table, "Item": item, **swap_condition(state.revision)}
        )


def _where(table: str) -> str:
    return f"maintenance of {table}"

"""Whether connections let us in, in DynamoDB, by compare-and-swap."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.items import Codec, put, read, swap_condition, wire
from chalicelib.core.health import Health

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_codec = Codec(Health)


@dataclass(frozen=True, slots=True)
class DynamoHealth:
    """One item a connection that ever failed, in the pipelines' table."""

    client: "DynamoDBClient"
    table: str

    def get(self, connection: str) -> Health:
        """The connection's health; sound if nothing is stored."""
        key = wire({"kind": "health", "name": connection})
        found = read(self.client, f"health of {connection}", self.table, [key])
        return _codec.value(found[0]) if found else Health(connection)

    def swap(self, health: Health) -> bool:
        """Store the health if the stored revision is the one before it."""
        item = _codec.item(health, kind="health", name=health.connection)
        arguments = {"TableName": self.table, "Item": item, **swap_condition(health.revision)}
        return put(self.client, f"health of {health.connection}", arguments)

"""Where schedules stand, beside the pipelines' documents: kind `schedule` and the pipeline's name.

The sparse index `due` holds those that run some day, by when; a paused one has no `next_at` and is not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.aws.items import Codec, put, query, read, stamp, swap_condition, wire
from chalicelib.core.schedule import ScheduleState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHARD = "0"  # one partition takes 1,000 writes a second: sixty thousand sessions between two ticks

_codec = Codec(ScheduleState)


@dataclass(frozen=True, slots=True)
class DynamoSchedules:
    """Schedule states by pipeline, one revision after the other."""

    client: "DynamoDBClient"
    table: str

    def get(self, pipeline: str) -> ScheduleState | None:
        """The state of this pipeline's schedule, read consistently."""
        found = self._read([pipeline])
        return found[0] if found else None

    def swap(self, state: ScheduleState) -> bool:
        """Store the state if the stored revision is the one before it."""
        keys = {"kind": "schedule", "name": state.pipeline}
        if state.next_at is not None:
            keys |= {"due_shard": SHARD, "next_at": stamp(state.next_at)}
        arguments = {"TableName": self.table, "Item": _codec.item(state, **keys), **swap_condition(state.revision)}
        return put(self.client, _where(state.pipeline), arguments)

    def due(self, now: datetime, *, limit: int) -> Sequence[ScheduleState]:
        """States whose time has come, the longest waiting first; may lag behind by moments."""
        request = {
            "TableName": self.table,
            "IndexName": "due",
            "KeyConditionExpression": "due_shard = :shard AND next_at <= :now",
            "ExpressionAttributeValues": wire({":shard": SHARD, ":now": stamp(now)}),
        }
        names = [item["name"]["S"] for item in query(self.client, "due schedules", limit, request)]
        found = [(state.next_at, state) for state in self._read(names) if state.next_at is not None]
        return [state for _, state in sorted(found, key=lambda pair: pair[0])]

    def remove(self, state: ScheduleState) -> bool:
        """Forget the state if it is still this revision."""
        with translated(_where(state.pipeline)):
            try:
                self.client.delete_item(
                    TableName=self.table,
                    Key=_key(state.pipeline),
                    ConditionExpression="revision = :revision",
                    ExpressionAttributeValues=wire({":revision": state.revision}),
                )
            except self.client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _read(self, pipelines: Sequence[str]) -> list[ScheduleState]:
        found = read(self.client, "schedules", self.table, [_key(pipeline) for pipeline in pipelines])
        return [_codec.value(item) for item in found]


def _key(pipeline: str) -> dict[str, dict[str, str]]:
    return wire({"kind": "schedule", "name": pipeline})


def _where(pipeline: str) -> str:
    return f"schedule of {pipeline}"

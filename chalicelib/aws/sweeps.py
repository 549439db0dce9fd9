"""Sweeps in DynamoDB: one item each. A stretch of listing, its task and its job move in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalicelib.aws.items import Codec, plain, put, query, read, stamp, swap_condition, transact, wire
from chalicelib.aws.jobs import DynamoJobs
from chalicelib.core.jobs import JobChange
from chalicelib.core.sweeps import Stored, Sweep
from chalicelib.core.tasks import Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ALL = "all"  # the one partition of the index of sweeps that are not over: there are few

_codec = Codec(Sweep)


@dataclass(frozen=True, slots=True)
class DynamoSweeps:
    """Sweeps by pipeline and name."""

    client: "DynamoDBClient"
    table: str
    jobs: DynamoJobs

    def get(self, pipeline: str, name: str) -> Sweep | None:
        """The sweep, read consistently."""
        found = read(self.client, f"sweep of {pipeline}", self.table, [wire({"pipeline": pipeline, "name": name})])
        return _codec.value(found[0]) if found else None

    def all(self, pipeline: str) -> Sequence[Sweep]:
        """The pipeline's last sweep and its backfills."""
        request = {
            "TableName": self.table,
            "KeyConditionExpression": "pipeline = :pipeline",
            "ExpressionAttributeValues": wire({":pipeline": pipeline}),
            "ConsistentRead": True,
        }
        return [_codec.value(item) for item in query(self.client, f"sweeps of {pipeline}", None, request)]

    def swap(self, sweep: Sweep) -> bool:
        """Store the sweep if the stored revision is the one before it."""
        return put(self.client, f"sweep of {sweep.pipeline}", self._put(sweep))

    def advance(self, sweep: Sweep, tasks: Sequence[Task], change: JobChange) -> Stored:
        """Store the sweep, its new tasks and what they change in its job, or nothing."""
        own = [{"Put": self._put(sweep)}, *([] if change.is_empty else [{"Update": self.jobs.change(change)}])]
        writes: list[dict[str, Any]] = [*own, *({"Put": self.jobs.new(task)} for task in tasks)]
        failed = transact(self.client, f"sweep of {sweep.pipeline}", writes)  # type: ignore[arg-type]
        if not failed:
            return Stored.DONE
        return Stored.TASK_EXISTS if min(failed) >= len(own) else Stored.LOST

    def due(self, now: datetime, *, limit: int) -> Sequence[Sweep]:
        """Sweeps that are not over although their time has come; may lag behind by moments."""
        request = {
            "TableName": self.table,
            "IndexName": "due",
            "KeyConditionExpression": "open_shard = :all AND due_at <= :now",
            "ExpressionAttributeValues": wire({":all": ALL, ":now": stamp(now)}),
        }
        keys = [plain(item) for item in query(self.client, "index due of sweeps", limit, request)]
        names = [wire({"pipeline": key["pipeline"], "name": key["name"]}) for key in keys]
        return [_codec.value(item) for item in read(self.client, "sweeps", self.table, names)]

    def _put(self, sweep: Sweep) -> dict[str, Any]:
        item = _codec.item(sweep, open_shard=None if sweep.is_over else ALL, due_at=stamp(sweep.due_at))
        return {"TableName": self.table, "Item": item, **swap_condition(sweep.revision)}

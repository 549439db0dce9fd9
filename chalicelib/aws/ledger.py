"""The ledger in DynamoDB: partition key pipeline, sort key the S3 key itself, one item an object.

S3 keys have at most 1,024 bytes, just what a sort key holds, and both sort by UTF-8 bytes: a listing and the
ledger can be merged as they come. Identity stands beside the key, never in it.

An entry is kept whole as JSON text, beside what keys, conditions and filters name. botocore takes each attribute apart
in Python: with every field an attribute of its own, a full sweep took four times the CPU (bench/bench_sweep.py).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from chalicelib.aws.items import WRITES, Item, put, read, stamp, stream, swap_condition, transact, wire
from chalicelib.core.ledger import OPEN, Entry, State
from chalicelib.core.selection import Reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WHOLE = "entry_json"

_adapter = TypeAdapter(Entry)
_WORK = frozenset({State.PENDING, State.CLAIMED})


@dataclass(frozen=True, slots=True)
class DynamoLedger:
    """Entries by compare-and-swap on their revision."""

    client: "DynamoDBClient"
    table: str

    def get(self, pipeline: str, keys: Collection[str]) -> Mapping[str, Entry]:
        """The entries of these keys, read consistently; 100 a call."""
        names = [wire({"pipeline": pipeline, "key": key}) for key in keys]
        found = (_entry(item) for item in read(self.client, self._where(pipeline), self.table, names))
        return {entry.key: entry for entry in found}

    def swap(self, entries: Sequence[Entry]) -> frozenset[str]:
        """Store each entry whose stored revision is the one before it; the keys of the others.

        100 conditional puts make one transaction: a tenth of the client CPU of single ones, at twice the write units
        (bench/bench_claim.py). It is cancelled whole, so the losers are dropped and the rest is sent again.
        """
        lost: set[str] = set()
        for start in range(0, len(entries), WRITES):
            lost |= self._swap(list(entries[start : start + WRITES]))
        return frozenset(lost)

    def _swap(self, entries: list[Entry]) -> set[str]:
        lost: set[str] = set()
        while len(entries) > 1:
            where = self._where(entries[0].pipeline)
            failed = transact(self.client, where, [{"Put": self._put(entry)} for entry in entries])  # type: ignore[typeddict-item]
            if not failed:
                return lost
            lost |= {entries[i].key for i in failed}
            entries = [entry for i, entry in enumerate(entries) if i not in failed]
        for entry in entries:
            if not put(self.client, self._where(entry.pipeline), self._put(entry)):
                lost.add(entry.key)
        return lost

    def _put(self, entry: Entry) -> dict[str, Any]:
        return {"TableName": self.table, "Item": _item(entry), **swap_condition(entry.revision)}

    def open(self, pipeline: str, *, due: datetime, limit: int) -> Sequence[Entry]:
        """Pending entries, and claims whose lease ended before `due`, from the sparse index."""
        return self._query(
            limit,
            "pipeline = :pipeline AND #open BETWEEN :first AND :last",
            {":pipeline": pipeline, ":first": "work#", ":last": f"work#{stamp(due)}"},
            IndexName="open",
            ExpressionAttributeNames={"#open": "open"},
        )

    def refused(self, pipeline: str, reason: Reason, *, limit: int) -> Sequence[Entry]:
        """Entries refused for this reason, from the sparse index."""
        return self._query(
            limit,
            "pipeline = :pipeline AND #open = :open",
            {":pipeline": pipeline, ":open": f"{State.REFUSED}#{reason}"},
            IndexName="open",
            ExpressionAttributeNames={"#open": "open"},
        )

    def entries(
        self, pipeline: str, *, prefix: str = "", state: State | None = None, limit: int = 100
    ) -> Sequence[Entry]:
        """Entries in key order, of one state if one is named."""
        condition = "pipeline = :pipeline" + (" AND begins_with(#key, :prefix)" if prefix else "")
        values = {":pipeline": pipeline} | ({":prefix": prefix} if prefix else {})
        names = {"#key": "key"} if prefix else {}
        extra: dict[str, Any] = {}
        if state is not None:
            values[":state"], names["#state"] = state.value, "state"
            extra["FilterExpression"] = "#state = :state"
        if names:
            extra["ExpressionAttributeNames"] = names
        return self._query(limit, condition, values, ConsistentRead=True, **extra)

    def span(self, pipeline: str, first: str, last: str) -> Iterator[Entry]:
        """The entries from one key to another, both included, in key order, as they are asked for; may lag a moment.

        One read unit takes 8 KB of neighbouring entries, where single reads round each up to 4 KB.
        """
        condition = "pipeline = :pipeline AND #key BETWEEN :first AND :last"
        values = {":pipeline": pipeline, ":first": first, ":last": last}
        return self._stream(None, condition, values, ExpressionAttributeNames={"#key": "key"})

    def _query(self, limit: int, condition: str, values: Mapping[str, str], **arguments: Any) -> list[Entry]:
        return list(self._stream(limit, condition, values, **arguments))

    def _stream(
        self, limit: int | None, condition: str, values: Mapping[str, str], **arguments: Any
    ) -> Iterator[Entry]:
        request = {
            "TableName": self.table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": wire(values),
            "ProjectionExpression": WHOLE,
            **arguments,
        }
        return (_entry(item) for item in stream(self.client, self._where(values[":pipeline"]), limit, request))

    def _where(self, pipeline: str) -> str:
        return f"ledger of {pipeline}"


def _item(entry: Entry) -> Item:
    names = {"pipeline": entry.pipeline, "key": entry.key, "state": entry.state.value, "open": _open(entry)}
    fields = wire({name: value for name, value in names.items() if value is not None})
    whole = _adapter.dump_json(entry, by_alias=True, exclude_none=True).decode()
    return {**fields, "revision": {"N": str(entry.revision)}, WHOLE: {"S": whole}}


def _entry(item: Item) -> Entry:
    return _adapter.validate_json(item[WHOLE]["S"])


def _open(entry: Entry) -> str | None:
    """The index key that only unfinished entries carry: what is to be done, and since when."""
    if entry.state not in OPEN:
        return None
    if entry.state in _WORK and entry.lease_until is not None:
        return f"work#{stamp(entry.lease_until)}"
    return f"{entry.state}#{entry.reason or ''}"

"""Frozen values to DynamoDB items and back, and the writes that a condition can refuse."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from chalicelib.aws.attributes import attribute, value_of
from chalicelib.aws.errors import translated
from chalicelib.errors import Throttled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

T = TypeVar("T")
Item = dict[str, Any]  # DynamoDB's wire form: {"name": {"S": "…"}}

WRITES = 100  # most that one transaction takes
READS = 100  # most that one batch read takes
ROUNDS = 10  # of a transaction that met another one on the same items


class Codec(Generic[T]):
    """One type of value as items: its fields under their names, plus whatever keys an index needs."""

    def __init__(self, kind: type[T]) -> None:
        self._adapter = TypeAdapter(kind)

    def item(self, value: T, **keys: str | int | None) -> Item:
        """The value as an item; keys that are None are left out, and so are not indexed."""
        fields = self._adapter.dump_python(value, mode="json", by_alias=True, exclude_none=True)
        return wire({**fields, **{name: key for name, key in keys.items() if key is not None}})

    def value(self, item: Item) -> T:
        """The value that `item` was made from; attributes that are no fields are ignored."""
        return self._adapter.validate_python(plain(item))


def wire(fields: Mapping[str, Any]) -> Item:
    """Plain JSON types in DynamoDB's wire form."""
    return {name: attribute(value) for name, value in fields.items()}


def plain(item: Item) -> dict[str, Any]:
    """DynamoDB's wire form as plain types; numbers are Decimals."""
    return {name: value_of(value) for name, value in item.items()}


def stamp(time: datetime) -> str:
    """A UTC time whose text sorts as the time does."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def swap_condition(revision: int) -> dict[str, Any]:
    """The condition of a put that replaces revision - 1, or nothing where revision is 1."""
    if revision == 1:
        return {
            "ConditionExpression": "attribute_not_exists(#revision)",
            "ExpressionAttributeNames": {"#revision": "revision"},
        }
    return {
        "ConditionExpression": "#revision = :before",
        "ExpressionAttributeNames": {"#revision": "revision"},
        "ExpressionAttributeValues": {":before": {"N": str(revision - 1)}},
    }


def put(client: "DynamoDBClient", where: str, arguments: Mapping[str, Any]) -> bool:
    """One conditional PutItem; False if its condition did not hold."""
    with translated(where):
        try:
            client.put_item(**arguments)
        except client.exceptions.ConditionalCheckFailedException:
            return False
    return True


def transact(client: "DynamoDBClient", where: str, writes: Sequence["TransactWriteItemTypeDef"]) -> frozenset[int]:
    """All of the writes or none: the indexes of those whose conditions failed, empty if all were made.

    A transaction that merely met another one on the same items is sent again. Raises Throttled if it always does.
    """
    reasons: list[str] = []
    for _ in range(ROUNDS):
        reasons = _attempt(client, where, writes)
        failed = frozenset(i for i, reason in enumerate(reasons) if reason == "ConditionalCheckFailed")
        if failed or not reasons:
            return failed
    raise Throttled(f"a transaction was cancelled {ROUNDS} times ({', '.join(sorted(set(reasons)))})", where=where)


def _attempt(client: "DynamoDBClient", where: str, writes: Sequence["TransactWriteItemTypeDef"]) -> list[str]:
    """The reasons for which a transaction was cancelled, one for each write; empty if it was not."""
    with translated(where):
        try:
            client.transact_write_items(TransactItems=writes)
        except client.exceptions.TransactionCanceledException as error:
            return _reasons(error)
    return []


def _reasons(error: ClientError) -> list[str]:
    found: Any = error.response.get("CancellationReasons", [])
    return [reason.get("Code", "None") for reason in found]


def read(client: "DynamoDBClient", where: str, table: str, keys: Sequence[Item]) -> list[Item]:
    """The items under these keys, read consistently; those that do not exist are left out."""
    found: list[Item] = []
    for start in range(0, len(keys), READS):
        request: dict[str, Any] = {table: {"Keys": list(keys[start : start + READS]), "ConsistentRead": True}}
        while request:
            with translated(where):
                answer = client.batch_get_item(RequestItems=request)
            found.extend(answer["Responses"].get(table, []))
            request = dict(answer.get("UnprocessedKeys", {}))
    return found


def stream(client: "DynamoDBClient", where: str, limit: int | None, arguments: Mapping[str, Any]) -> Iterator[Item]:
    """The items of a Query as they are asked for, up to a limit; one page is in memory at a time."""
    left = limit
    start: dict[str, Any] = {}
    while left is None or left > 0:
        request: dict[str, Any] = {**arguments, **({} if left is None else {"Limit": left}), **start}
        with translated(where):
            page = client.query(**request)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        left = None if left is None else left - len(page["Items"])
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def query(client: "DynamoDBClient", where: str, limit: int | None, arguments: Mapping[str, Any]) -> list[Item]:
    """The items of a Query, up to a limit, all at once."""
    return list(stream(client, where, limit, arguments))

"""As much of DynamoDB as Tidegate asks for, in memory: conditions, transactions, indexes, pages, and what they cost.

Tables and indexes are those of `.chalice/resources.json`. Capacity units are counted by AWS's rules: a write is one
unit a KB, in a transaction two; a consistent read one unit for 4 KB, else half of one; an index that a write changes
costs the units of what changes in it.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

Item = dict[str, Any]
Place = tuple[Any, ...]

RESOURCES = Path(__file__).parents[1] / ".chalice" / "resources.json"
PAGE = 1 << 20  # bytes of one answer to a query
TERM = re.compile(
    r"(attribute_not_exists|attribute_exists|begins_with)\((\S+?)(?:, *(:\w+))?\)"
    r"|(\S+) BETWEEN (:\w+) AND (:\w+)|(\S+) (<=|>=|<>|=|<|>) (:\w+)"
)
STEP = re.compile(r"(#?\w+) (= )?(:\w+)")


class Refused(Exception):
    """An error as DynamoDB words it."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **more}


def size(item: Mapping[str, Any]) -> int:
    """Bytes of an item by DynamoDB's rules: names and values; maps and lists cost three bytes and one an element."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Mapping[str, Any]) -> int:
    [(kind, inner)] = value.items()
    if kind == "N":
        return len(inner.strip("-0.")) // 2 + 2
    if kind == "M":
        return 3 + len(inner) + size(inner)
    if kind == "L":
        return 3 + len(inner) + sum(map(_size, inner))
    return len(inner.encode()) if kind == "S" else len(inner) * 3 // 4 if kind == "B" else 1


def plain(value: Mapping[str, Any]) -> Any:
    """What is compared and sorted: Python orders text by code point, which is the order of UTF-8 bytes."""
    [(kind, inner)] = value.items()
    return float(inner) if kind == "N" else inner


@dataclass
class Rows:
    """The items of a table or of an index: by partition, in order within it."""

    names: tuple[str, ...]  # of the partition key and, if there is one, the sort key
    parts: dict[Any, dict[Place, Item]] = field(default_factory=dict)
    sorted: dict[Any, list[Place]] = field(default_factory=dict)

    def place(self, item: Item) -> Place | None:
        """Where an item stands; None if it lacks a key: it is not in this index."""
        if any(name not in item for name in self.names):
            return None
        return tuple(plain(item[name]) for name in self.names)

    def put(self, at: Place, item: Item) -> None:
        part = self.parts.setdefault(at[0], {})
        if at not in part:
            self.sorted.pop(at[0], None)
        part[at] = item

    def drop(self, at: Place) -> None:
        if self.parts.get(at[0], {}).pop(at, None) is not None:
            self.sorted.pop(at[0], None)

    def ordered(self, partition: Any) -> list[Place]:
        if partition not in self.sorted:
            self.sorted[partition] = sorted(self.parts.get(partition, ()))
        return self.sorted[partition]


@dataclass
class Index:
    """A sparse index; `whole`: it holds all attributes."""

    rows: Rows
    whole: bool


@dataclass
class Table:
    """One table with its indexes."""

    name: str
    rows: Rows
    indexes: dict[str, Index]
    keys: tuple[str, ...]

    def get(self, key: Item) -> Item | None:
        at = self.rows.place(key)
        assert at is not None, key
        return self.rows.parts.get(at[0], {}).get(at)

    def write(self, key: Item, after: Item | None) -> tuple[int, int]:
        """Units of the table's write and of its indexes'."""
        at, before = self.rows.place(key), self.get(key)
        assert at is not None
        self.rows.drop(at) if after is None else self.rows.put(at, after)
        largest = max(size(each) for each in (before, after, {}) if each is not None)
        return max(1, math.ceil(largest / 1024)), sum(self._index(each, at, before, after) for each in self._all())

    def _all(self) -> list[Index]:
        return list(self.indexes.values())

    def _index(self, index: Index, at: Place, before: Item | None, after: Item | None) -> int:
        was = index.rows.place(before) if before is not None else None
        comes = index.rows.place(after) if after is not None else None
        units = 0
        if was is not None and was != comes:
            index.rows.drop((*was, *at))
            units += math.ceil(self._shown(index, before) / 1024)
        if comes is not None and after is not None:
            index.rows.put((*comes, *at), after)
            if was != comes or index.whole:
                units += math.ceil(self._shown(index, after) / 1024)
        return units

    def _shown(self, index: Index, item: Item | None) -> int:
        assert item is not None
        names = {*self.keys, *index.rows.names}
        return size(item if index.whole else {name: item[name] for name in names if name in item})


def tables(stack: str) -> dict[str, Table]:
    """Those of the application's own template."""
    found = {}
    for resource in json.loads(RESOURCES.read_text())["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            told = resource["Properties"]
            name = told["TableName"]["Fn::Sub"].replace("${AWS::StackName}", stack)
            keys = _keys(told)
            indexes = {
                each["IndexName"]: Index(Rows(_keys(each)), each["Projection"]["ProjectionType"] == "ALL")
                for each in told.get("GlobalSecondaryIndexes", ())
            }
            found[name] = Table(name.removeprefix(f"{stack}-"), Rows(keys), indexes, keys)
    return found


def _keys(told: Mapping[str, Any]) -> tuple[str, ...]:
    by_kind = {each["KeyType"]: each["AttributeName"] for each in told["KeySchema"]}
    return tuple(by_kind[kind] for kind in ("HASH", "RANGE") if kind in by_kind)


@dataclass
class Dynamo:
    """Answers calls, and counts them with their units."""

    tables: dict[str, Table]
    stats: Counter[str]

    def answer(self, operation: str, asked: Any) -> Any:
        method = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        return method(asked)

    def _count(self, operation: str, *named: str) -> None:
        shorts = "+".join(dict.fromkeys(self.tables[name].name for name in named))
        self.stats[f"dynamodb:{operation} {shorts}"] += 1

    def batch_get_item(self, asked: Any) -> Any:
        self._count("BatchGetItem", *asked["RequestItems"])
        answers: dict[str, list[Item]] = {}
        for name, request in asked["RequestItems"].items():
            table = self.tables[name]
            found = [table.get(key) for key in request["Keys"]]
            answers[name] = [item for item in found if item is not None]
            for item in found:
                units = max(1, math.ceil(size(item) / 4096)) if item is not None else 1
                self.stats[f"read units {table.name}"] += units
        return {"Responses": answers, "UnprocessedKeys": {}}

    def get_item(self, asked: Any) -> Any:
        self._count("GetItem", asked["TableName"])
        item = self.tables[asked["TableName"]].get(asked["Key"])
        self.stats[f"read units {self.tables[asked['TableName']].name}"] += 1
        return {"Item": item} if item is not None else {}

    def put_item(self, asked: Any) -> Any:
        self._count("PutItem", asked["TableName"])
        if not self._holds(asked, asked["Item"]):
            raise Refused("ConditionalCheckFailedException")
        self._write(asked["TableName"], asked["Item"], asked["Item"], 1)
        return {}

    def delete_item(self, asked: Any) -> Any:
        self._count("DeleteItem", asked["TableName"])
        before = self.tables[asked["TableName"]].get(asked["Key"])
        self._write(asked["TableName"], asked["Key"], None, 1)
        return {"Attributes": before} if before is not None else {}

    def update_item(self, asked: Any) -> Any:
        self._count("UpdateItem", asked["TableName"])
        if not self._holds(asked, asked["Key"]):
            raise Refused("ConditionalCheckFailedException")
        self._write(asked["TableName"], asked["Key"], self._updated(asked), 1)
        return {}

    def transact_write_items(self, asked: Any) -> Any:
        writes = [next(iter(each.items())) for each in asked["TransactItems"]]
        self._count("TransactWriteItems", *(write["TableName"] for _, write in writes))
        places = {(w["TableName"], self.tables[w["TableName"]].rows.place(_key(k, w))) for k, w in writes}
        assert len(places) == len(writes) <= 100, "one transaction takes 100 items, each of them once"
        held = [self._holds(write, _key(kind, write)) for kind, write in writes]
        if not all(held):
            reasons = [{"Code": "None" if each else "ConditionalCheckFailed"} for each in held]
            raise Refused("TransactionCanceledException", CancellationReasons=reasons)
        for kind, write in writes:
            after = write["Item"] if kind == "Put" else self._updated(write) if kind == "Update" else None
            if kind != "ConditionCheck":
                self._write(write["TableName"], _key(kind, write), after, 2)
        return {}

    def query(self, asked: Any) -> Any:
        table = self.tables[asked["TableName"]]
        self._count("Query", asked["TableName"])
        index = table.indexes.get(asked.get("IndexName", ""))
        rows = index.rows if index else table.rows
        terms = compiled(asked["KeyConditionExpression"])
        partition = _value(asked, next(t for t in terms if _name(asked, t[1]) == rows.names[0])[2][0])
        after = asked.get("ExclusiveStartKey")
        start = None
        if after is not None:
            start = (*(rows.place(after) or ()), *((table.rows.place(after) or ()) if index else ()))
        order = rows.ordered(partition)
        found: list[Item] = []
        scanned = bytes_ = 0
        last: Item | None = None
        newest: Item = {}
        for at in order if asked.get("ScanIndexForward", True) else reversed(order):
            if start is not None and (at <= start if asked.get("ScanIndexForward", True) else at >= start):
                continue
            item = rows.parts[partition][at]
            if not all(_met(asked, term, item) for term in terms):
                continue
            if scanned == asked.get("Limit") or bytes_ > PAGE:
                names = {*table.keys, *rows.names}
                last = {name: newest[name] for name in names}
                break
            scanned, bytes_, newest = scanned + 1, bytes_ + size(item), item
            if all(_met(asked, term, item) for term in compiled(asked.get("FilterExpression", ""))):
                found.append(item if index is None or index.whole else _shown(item, table, index))
        units = max(1, math.ceil(bytes_ / 4096)) * (2 if asked.get("ConsistentRead") else 1)
        self.stats[f"half read units {table.name}"] += units
        wanted = asked.get("ProjectionExpression")
        items = [_projected(asked, wanted, item) for item in found] if wanted else found
        more = {"LastEvaluatedKey": last} if last else {}
        return {"Items": items, "Count": len(items), "ScannedCount": scanned, **more}

    def scan(self, asked: Any) -> Any:
        table = self.tables[asked["TableName"]]
        self._count("Scan", asked["TableName"])
        items = [item for part in table.rows.parts.values() for item in part.values()]
        self.stats[f"half read units {table.name}"] += max(1, math.ceil(sum(map(size, items)) / 4096)) * 2
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}

    def _holds(self, write: Any, key: Item) -> bool:
        item = self.tables[write["TableName"]].get(key) or {}
        return all(_met(write, term, item) for term in compiled(write.get("ConditionExpression", "")))

    def _updated(self, write: Any) -> Item:
        item = dict(self.tables[write["TableName"]].get(write["Key"]) or write["Key"])
        for token, sets, value in STEP.findall(write["UpdateExpression"]):
            name, given = _name(write, token), write["ExpressionAttributeValues"][value]
            before = int(item.get(name, {"N": "0"})["N"]) if not sets else 0
            item[name] = given if sets else {"N": str(before + int(given["N"]))}
        return item

    def _write(self, name: str, key: Item, after: Item | None, factor: int) -> None:
        table = self.tables[name]
        units, of_indexes = table.write(key, after)
        self.stats[f"write units {table.name}"] += units * factor
        self.stats[f"write units of indexes {table.name}"] += of_indexes


def _key(kind: str, write: Any) -> Item:
    found: Item = write["Item"] if kind == "Put" else write["Key"]
    return found


def _shown(item: Item, table: Table, index: Index) -> Item:
    return {name: item[name] for name in {*table.keys, *index.rows.names}}


def _projected(asked: Any, wanted: str, item: Item) -> Item:
    names = [_name(asked, token.strip()) for token in wanted.split(",")]
    return {name: item[name] for name in names if name in item}


Term = tuple[str, str, tuple[str, ...]]


@lru_cache(maxsize=256)
def compiled(expression: str) -> tuple[Term, ...]:
    """Terms that all have to hold: what is asked, of which name, with which values."""
    terms: list[Term] = []
    for call, of, value, between, low, high, left, sign, right in TERM.findall(expression):
        if call:
            terms.append((call, of, (value,) if value else ()))
        elif between:
            terms.append(("BETWEEN", between, (low, high)))
        else:
            terms.append((sign, left, (right,)))
    assert bool(terms) == bool(expression.strip()), f"not understood: {expression}"
    return tuple(terms)


CHECKS: dict[str, Callable[..., bool]] = {
    "=": lambda found, value: found == value,
    "<>": lambda found, value: found != value,
    "<=": lambda found, value: found <= value,
    ">=": lambda found, value: found >= value,
    "<": lambda found, value: found < value,
    ">": lambda found, value: found > value,
    "BETWEEN": lambda found, low, high: low <= found <= high,
    "begins_with": lambda found, value: found.startswith(value),
}


def _met(asked: Any, term: Term, item: Item) -> bool:
    check, token, values = term
    name = _name(asked, token)
    if check in ("attribute_exists", "attribute_not_exists"):
        return (name in item) == (check == "attribute_exists")
    return name in item and CHECKS[check](plain(item[name]), *(_value(asked, value) for value in values))


def _name(asked: Any, token: str) -> str:
    return str(asked.get("ExpressionAttributeNames", {}).get(token, token))


def _value(asked: Any, token: str) -> Any:
    return plain(asked["ExpressionAttributeValues"][token])

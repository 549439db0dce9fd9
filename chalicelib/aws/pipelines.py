"""Pipeline documents in DynamoDB, found by name or by bucket, and their settled columns.

Three kinds of items share the table, so that each question is one consistent read: `pipeline` and the name;
`bucket#B` and the name, a copy for whoever hears from bucket B; `columns` and the name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.aws.items import plain, put, query, read, swap_condition, transact, wire
from chalicelib.config.columns import Column
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.columns import merge
from chalicelib.errors import Throttled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

ROUNDS = 20  # of settling columns against other tasks that do the same


@dataclass(frozen=True, slots=True)
class DynamoPipelines:
    """Pipelines, and the columns their rows turned out to have."""

    client: "DynamoDBClient"
    table: str

    def get(self, name: str) -> Pipeline | None:
        """The pipeline of this name."""
        found = self._read("pipeline", name)
        return _pipeline(found) if found else None

    def all(self) -> Sequence[Pipeline]:
        """Every pipeline, by name."""
        return self._query("pipeline")

    def watching(self, bucket: str) -> Sequence[Pipeline]:
        """The pipelines that read from this bucket."""
        return self._query(f"bucket#{bucket}")

    def put(self, pipeline: Pipeline) -> None:
        """Store the pipeline, new or changed. Its ledger and its columns stay (P10)."""
        before = self.get(pipeline.name)
        document = pipeline.document()
        kinds = ("pipeline", f"bucket#{pipeline.source.bucket}")
        items = (wire({"kind": kind, "name": pipeline.name, "document": document}) for kind in kinds)
        writes: list[TransactWriteItemTypeDef] = [{"Put": {"TableName": self.table, "Item": item}} for item in items]
        if before is not None and before.source.bucket != pipeline.source.bucket:
            writes.append(self._delete(f"bucket#{before.source.bucket}", pipeline.name))
        transact(self.client, f"pipeline {pipeline.name}", writes)

    def remove(self, name: str) -> bool:
        """Forget the document, not the ledger; False if there is none."""
        pipeline = self.get(name)
        if pipeline is None:
            return False
        kinds = ("pipeline", f"bucket#{pipeline.source.bucket}")
        transact(self.client, f"pipeline {name}", [self._delete(kind, name) for kind in kinds])
        return True

    def columns(self, name: str) -> tuple[Column, ...]:
        """The columns settled so far."""
        return _columns(self._read("columns", name))

    def settle(self, name: str, seen: tuple[Column, ...], *, grow: bool = True) -> tuple[Column, ...]:
        """The pipeline's columns after an object with `seen`; without `grow` only if none were known.

        Whoever writes first decides a column's place and type, and all tasks see the same decision.
        """
        for _ in range(ROUNDS):
            stored = self._read("columns", name)
            known = _columns(stored)
            merged = merge(known, seen) if grow or not known else known
            if merged == known:
                return known
            revision = int(stored["revision"]) + 1 if stored else 1
            documents = [column.document() for column in merged]
            item = wire({"kind": "columns", "name": name, "columns": documents, "revision": revision})
            arguments = {"TableName": self.table, "Item": item, **swap_condition(revision)}
            if put(self.client, f"columns of {name}", arguments):
                return merged
        raise Throttled("the columns changed again and again", where=f"columns of {name}")

    def _read(self, kind: str, name: str) -> dict[str, Any] | None:
        found = read(self.client, f"pipeline {name}", self.table, [wire({"kind": kind, "name": name})])
        return plain(found[0]) if found else None

    def _query(self, kind: str) -> list[Pipeline]:
        request = {
            "TableName": self.table,
            "KeyConditionExpression": "kind = :kind",
            "ExpressionAttributeValues": wire({":kind": kind}),
            "ConsistentRead": True,
        }
        return [_pipeline(plain(item)) for item in query(self.client, "pipelines", None, request)]

    def _delete(self, kind: str, name: str) -> "TransactWriteItemTypeDef":
        return {"Delete": {"TableName": self.table, "Key": wire({"kind": kind, "name": name})}}


def _pipeline(item: dict[str, Any]) -> Pipeline:
    return Pipeline.parse(item["document"], where=f"stored pipeline {item['name']}")


def _columns(item: dict[str, Any] | None) -> tuple[Column, ...]:
    return tuple(Column.model_validate(column) for column in item["columns"]) if item else ()

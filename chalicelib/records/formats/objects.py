"""Objects: one row for each object, of what S3 tells about it; its bytes are never read (F79).

There is no body, so this is not opened by `records.stream.open_rows`: whoever loads asks `Buckets.describe` instead.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.parsers.objects import Objects
from chalicelib.core.descriptions import Description
from chalicelib.records.columnar.pages import page, wanted
from chalicelib.records.pages import Page, Rows
from chalicelib.records.rescue import asked
from chalicelib.records.types.schema import arrow_schema

_KINDS = {
    "bucket": ColumnType.STRING,
    "key": ColumnType.STRING,
    "name": ColumnType.STRING,
    "version_id": ColumnType.STRING,
    "etag": ColumnType.STRING,
    "size": ColumnType.LONG,
    "last_modified": ColumnType.TIMESTAMP,
    "storage_class": ColumnType.STRING,
    "content_type": ColumnType.STRING,
    "content_encoding": ColumnType.STRING,
    "metadata": ColumnType.JSON,
    "tags": ColumnType.JSON,
    "sse": ColumnType.STRING,
    "kms_key": ColumnType.STRING,
    "restore": ColumnType.STRING,
    "archive_status": ColumnType.STRING,
}


def object_rows(describe: Callable[[], Description], parser: Objects) -> Rows:
    """The one row of an object; `describe` is called when it is needed, and once."""
    return _ObjectRows(describe, parser)


class _ObjectRows:
    def __init__(self, describe: Callable[[], Description], parser: Objects) -> None:
        self._describe = describe
        self._parser = parser
        self._seen: Description | None = None

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or all that there are; tags only if they are asked for."""
        if self._parser.columns is not None:
            return self._parser.columns
        return tuple(
            Column(name=name, type=kind) for name, kind in _KINDS.items() if name != "tags" or self._parser.tags
        )

    def fields(self) -> tuple[str, ...] | None:
        """See records.pages.Rows."""
        return None

    def head(self, columns: tuple[Column, ...]) -> Page:
        """See records.pages.Rows."""
        self._seen = self._seen or self._describe()
        known = tuple(Column(name=name, type=kind) for name, kind in _KINDS.items())
        batch = pa.RecordBatch.from_pylist([_row(self._seen)], schema=arrow_schema(known))
        return page(batch.select(wanted(batch.schema, asked(columns)[0]) or ["key"]), columns)

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        yield self.head(columns)


def _row(shown: Description) -> dict[str, Any]:
    ref = shown.ref
    return {
        "bucket": ref.bucket,
        "key": ref.key,
        "name": ref.key.rpartition("/")[2],
        "version_id": ref.version_id,
        "etag": ref.etag,
        "size": shown.size,
        "last_modified": shown.last_modified,
        "storage_class": shown.storage_class,
        "content_type": shown.content_type,
        "content_encoding": shown.content_encoding,
        "metadata": _json(shown.metadata),
        "tags": _json(shown.tags),
        "sse": shown.sse,
        "kms_key": shown.kms_key,
        "restore": shown.restore,
        "archive_status": shown.archive_status,
    }


def _json(pairs: Mapping[str, str] | None) -> str | None:
    return None if pairs is None else json.dumps(dict(pairs), ensure_ascii=False, separators=(",", ":"))

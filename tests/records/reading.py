"""Short ways to read bytes in these tests."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.decoders import Decoder
from chalicelib.config.filters import Filter
from chalicelib.config.formats import Parser
from chalicelib.config.parsers.csv import Csv
from chalicelib.config.parsers.json import Json
from chalicelib.config.source import Source
from chalicelib.core.objects import ObjectRef
from chalicelib.records.stream import Entry, Page, Readable, Reject, Rows, Setting, open_rows
from tests.records.bodies import SAMPLES, Trickle

__all__ = ["SAMPLES", "Trickle"]  # others take them from here

SETTING = Setting(
    ObjectRef("bucket", "in/a.csv", "etag", 100, datetime(2026, 1, 2, tzinfo=UTC), version_id="v1"),
    run_at=datetime(2026, 1, 3, tzinfo=UTC),
    secret=lambda name: name.encode(),
)


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=ColumnType(kind)) for name, kind in types.items())


def csv(**settings: Any) -> Csv:
    return Csv.model_validate({"type": "csv", **settings})


def json(**settings: Any) -> Json:
    return Json.model_validate({"type": "json", **settings})


@dataclass
class Read:
    """Everything that was in an object."""

    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    rejects: list[Reject]

    @property
    def tuples(self) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.rows]

    @property
    def types(self) -> dict[str, str]:
        return {column.name: column.type.value for column in self.columns}


def entries(
    body: Readable,
    parser: Parser,
    decoders: tuple[Decoder, ...] | None = None,
    filters: tuple[Filter, ...] = (),
    setting: Setting = SETTING,
) -> Iterator[Entry]:
    """What the object holds, as load and preview open it."""
    return open_rows(body, Source(bucket="bucket", parser=parser, decoders=decoders), filters, setting)


def read(
    data: bytes,
    parser: Parser,
    wanted: tuple[Column, ...] | None = None,
    decoders: tuple[Decoder, ...] | None = None,
    filters: tuple[Filter, ...] = (),
) -> Read:
    """Everything in an object; of an archive's entries one after the other."""
    result = Read((), [], [])
    for entry in entries(io.BytesIO(data), parser, decoders, filters):
        part = read_rows(entry, wanted)
        result = Read(result.columns or part.columns, result.rows + part.rows, result.rejects + part.rejects)
    return result


def read_rows(rows: Rows | Entry, wanted: tuple[Column, ...] | None = None) -> Read:
    found = rows.infer() if wanted is None else wanted
    pages: Iterator[Page] = rows.pages(found)
    result = Read(found, [], [])
    for page in pages:
        page.batch.validate(full=True)
        result.rows += page.batch.to_pylist()
        result.rejects += page.rejects
    return result

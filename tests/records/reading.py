"""Short ways to read bytes in these tests."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.formats import Csv, Decoder, Json, Parser
from chalicelib.records.stream import Page, Reject, Rows, open_rows

SAMPLES = Path(__file__).parents[1] / "samples"


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=ColumnType(kind)) for name, kind in types.items())


def csv(**settings: Any) -> Csv:
    return Csv.model_validate({"type": "csv", **settings})


def json(**settings: Any) -> Json:
    return Json.model_validate({"type": "json", **settings})


@dataclass
class Trickle:
    """A body that gives at most `step` bytes a read, as networks do."""

    data: bytes
    step: int = 1 << 30

    def read(self, size: int, /) -> bytes:
        size = min(size, self.step)
        piece, self.data = self.data[:size], self.data[size:]
        return piece


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


def read(
    data: bytes, parser: Parser, wanted: tuple[Column, ...] | None = None, decoders: tuple[Decoder, ...] | None = None
) -> Read:
    return read_rows(open_rows(io.BytesIO(data), parser, decoders), wanted)


def read_rows(rows: Rows, wanted: tuple[Column, ...] | None = None) -> Read:
    found = rows.infer() if wanted is None else wanted
    pages: Iterator[Page] = rows.pages(found)
    result = Read(found, [], [])
    for page in pages:
        page.batch.validate(full=True)
        result.rows += page.batch.to_pylist()
        result.rejects += page.rejects
    return result

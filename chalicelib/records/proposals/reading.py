"""Reading samples as the load would: what a proposal is checked with."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.config.source import Source
from chalicelib.core.objects import UNKNOWN_TIME, ObjectRef
from chalicelib.errors import ConfigError, DataError
from chalicelib.records.pages import Reject
from chalicelib.records.stream import Entry, Setting, open_rows

_LIMITS = ("stop_on_invalid_record", "max_bad_rows", "max_bad_percent")  # they would end a look at the samples


@dataclass(slots=True)
class Looked:
    """What the load's reader finds in samples."""

    columns: tuple[Column, ...] = ()
    texts: dict[str, list[pa.Array]] = field(default_factory=dict)
    rows: int = 0
    rejects: list[Reject] = field(default_factory=list)
    trouble: str | None = None  # why an object could not be followed any further

    def column(self, name: str) -> pa.Array:
        """All values of one column."""
        chunks = self.texts.get(name, [])
        return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())


def look(samples: Sequence[tuple[bytes, bool]], parser: Mapping[str, Any]) -> Looked:
    """The rows of some decoded bytes, each with whether they are whole; the reject at a cut end is none."""
    limitless = {name: value for name, value in parser.items() if name not in _LIMITS}
    source = Source.parse({"bucket": "sample", "decoders": [], "parser": limitless}, where="the guessed parser")
    found = Looked()
    for data, whole in samples:
        try:
            for entry in _entries(data, source):
                _read(entry, found, whole=whole)
        except DataError as error:
            found.trouble = found.trouble or str(error)
    return found


def _entries(data: bytes, source: Source) -> Iterator[Entry]:
    ref = ObjectRef("sample", "sample", "", len(data), UNKNOWN_TIME)
    return open_rows(io.BytesIO(data), source, (), Setting(ref, UNKNOWN_TIME, _no_secret))


def _read(entry: Entry, found: Looked, *, whole: bool) -> None:
    columns = entry.infer()
    known = {column.name for column in found.columns}
    found.columns += tuple(column for column in columns if column.name not in known)
    records = 0
    rejects: list[Reject] = []
    for page in entry.pages(columns):
        records += page.batch.num_rows + len(page.rejects)
        found.rows += page.batch.num_rows
        rejects += page.rejects
        for column, array in zip(columns, page.batch.columns, strict=True):
            found.texts.setdefault(column.name, []).append(array)
    if not whole and rejects and rejects[-1].record == records:
        rejects.pop()
    found.rejects += rejects


def _no_secret(name: str) -> bytes:
    raise ConfigError(f"a parser asked for the secret {name}")

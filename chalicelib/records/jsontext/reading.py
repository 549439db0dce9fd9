"""Batches of JSON text to pages: by Arrow at once, or record by record (records.pages)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa
import re2

from chalicelib.config.columns import Column
from chalicelib.config.parsers.json import Json
from chalicelib.records.jsontext.batches import Batch
from chalicelib.records.jsontext.convert import Records, rescuable
from chalicelib.records.jsontext.fast import Fast
from chalicelib.records.jsontext.nested import INEXACT
from chalicelib.records.jsontext.pointer import Path, at, path
from chalicelib.records.jsontext.split import NO_OBJECT, Piece
from chalicelib.records.merging import without_columns
from chalicelib.records.pages import Page, Reject
from chalicelib.records.rescue import Rescued, Taken, beside
from chalicelib.records.types.schema import arrow_schema

_PIECE = 1 << 16  # bytes that are read again around a bad record, and whose objects live at the same time
_INEXACT_RECORD = re.compile(INEXACT)
_INEXACT_BATCH = re2.compile(INEXACT)

Parsed = tuple[dict[str, Any] | None, str]  # the record, or why there is none


@dataclass(frozen=True)
class Reading:
    """What every batch of one object is read with."""

    parser: Json
    columns: tuple[Column, ...]
    strict: bool = False  # a key that is no column rejects its row
    rescues: bool = False  # or is rescued, as what does not fit its column (records.rescue)
    rewritten: bool = False  # the bytes are not those of the object: offsets mean nothing

    def page(self, batch: Batch) -> Page:
        """The batch's rows, and its rejects."""
        rows = self._at_once(batch.data) if batch.known is None else None
        if rows is not None:
            return Page(rows, ())
        parts = list(batch.parts(_PIECE))
        if len(parts) == 1:
            return self._split(batch)
        return _together([self._part(part) for part in parts])

    def _part(self, batch: Batch) -> Page:
        rows = self._at_once(batch.data)
        return Page(rows, ()) if rows is not None else self._split(batch)

    def _split(self, batch: Batch) -> Page:
        """What cannot be read at once as it stands, split into records."""
        pieces = batch.pieces(self.parser)
        sound = [batch.data[piece.start : piece.end] for piece in pieces if piece.why is None]
        bad = {index: piece.why for index, piece in enumerate(pieces) if piece.why is not None}
        text = b"\n".join(sound)
        rows = None
        if sound and len(text) + 1 != len(batch.data):  # not the very text that Arrow has just refused
            rows = self._at_once(text)
        if rows is None and self.rescues and sound:
            rows = self._with_left(text, sound)
        if rows is None:
            indices = [index for index in range(len(pieces)) if index not in bad]
            rows = self._in_parts(sound, indices, bad)
        return Page(rows, tuple(self._rejects(batch, pieces, bad)))

    def parsed(self, raw: bytes, *, exact: bool) -> Parsed:
        """One record; `exact`: so that no number loses a digit."""
        try:
            value = _exact(raw) if exact else orjson.loads(raw)
        except (ValueError, RecursionError) as error:
            return None, f"no JSON: {error}"
        record = at(value, self._root)
        if isinstance(record, dict):
            return record, ""
        where = f" at root {self.parser.root}" if self._root else ""
        return None, f"nothing{where}" if record is None else NO_OBJECT + where

    @cached_property
    def _root(self) -> Path:
        return () if self.parser.flatten_json_array else path(self.parser.root or "")

    @cached_property
    def _paths(self) -> list[Path]:
        return [path_of(column) for column in self.columns]

    @cached_property
    def _told(self) -> tuple[Column, ...]:
        return tuple(self.parser.told(column) for column in self.columns)

    @cached_property
    def _fast(self) -> Fast:
        return Fast(self._told, self._paths, self._root, strict=self.strict or self.rescues)

    @cached_property
    def _taken(self) -> Taken:
        return Taken(self._paths)

    def _at_once(self, data: bytes) -> pa.RecordBatch | None:
        rows = self._fast(data)
        return beside(rows, None) if rows is not None and self.rescues else rows

    @cached_property
    def _lenient(self) -> Fast:
        return Fast(self._told, self._paths, self._root, strict=False)

    def _with_left(self, text: bytes, raws: list[bytes]) -> pa.RecordBatch | None:
        """The rows at once, and beside them what no column takes; None if that is not all that is to be rescued."""
        rows = self._lenient(text)
        if rows is None or rows.num_rows != len(raws):
            return None
        rescued = Rescued()
        careful = _INEXACT_BATCH.search(text) is not None
        for row, raw in enumerate(raws):
            exact = careful and is_inexact(raw)
            record, _ = self.parsed(raw, exact=exact)
            if record is None:
                return None
            if not self._taken.at_top(record):
                try:
                    for steps, value in self._taken.left(record):
                        rescued.put(row, steps, rescuable(value, exact=exact))
                except (ValueError, RecursionError):
                    return None
        return beside(rows, rescued.column(len(raws)))

    def _in_parts(self, raws: list[bytes], indices: list[int], bad: dict[int, str]) -> pa.RecordBatch:
        """The rows of records that cannot be read all at once: of those around the bad ones most can."""
        parts, start, size = [], 0, 0
        for end, raw in enumerate(raws, 1):
            size += len(raw)
            if size >= _PIECE or end == len(raws):
                part = raws[start:end]
                rows = self._at_once(b"\n".join(part)) if len(part) < len(raws) else None
                parts.append(self._one_by_one(part, indices[start:end], bad) if rows is None else rows)
                start, size = end, 0
        if parts:
            return _one(parts)
        return beside(_nothing(self.columns), None) if self.rescues else _nothing(self.columns)

    def _one_by_one(self, raws: list[bytes], indices: list[int], bad: dict[int, str]) -> pa.RecordBatch:
        records, places = Records(rescued=Rescued() if self.rescues else None), []
        careful = _INEXACT_BATCH.search(b"\n".join(raws)) is not None
        for index, raw in zip(indices, raws, strict=True):
            exact = careful and is_inexact(raw)
            record, why = self.parsed(raw, exact=exact)
            if record is None:
                bad[index] = why
                continue
            records.add(raw, record, exact=exact)
            places.append(index)
        if self.strict and not self.rescues:
            self._find_unknown(records)
        arrays = [
            records.column(column, self._root, steps) for column, steps in zip(self._told, self._paths, strict=True)
        ]
        rows = _batch(arrays, self.columns, len(places))
        if records.rescued is not None:
            self._find_unknown(records)
            rows = beside(rows, records.rescued.column(len(places)))
        for row, whys in records.misfits.items():
            bad[places[row]] = "; ".join(whys)
        return rows.filter(pa.array([row not in records.misfits for row in range(len(places))], pa.bool_()))

    def _find_unknown(self, records: Records) -> None:
        for row, record in enumerate(records.values):
            if self._taken.at_top(record):
                continue
            lost = dict(self._taken.left(record))
            if records.rescued is not None:
                for steps, value in lost.items():
                    records.rescue(row, steps, value)
            elif lost:
                names = ", ".join(sorted(".".join(steps) for steps in lost))
                records.misfits[row].append(f"{names}: not among the columns; declare it in parser.columns to load it")

    def _rejects(self, batch: Batch, pieces: list[Piece], bad: dict[int, str]) -> Iterator[Reject]:
        line, seen = batch.line, 0
        for index in sorted(bad):
            start, end, _ = pieces[index]
            line, seen = line + batch.data.count(b"\n", seen, start), start
            offset = None if self.rewritten else batch.offset + start
            yield Reject.of(index, bad[index], batch.data[start:end].rstrip(b" \t\r\n"), line=line, offset=offset)


def is_inexact(raw: bytes) -> bool:
    """True if a fast parser would lose something of this record, or refuse it."""
    return _INEXACT_RECORD.search(raw) is not None


def path_of(column: Column) -> Path:
    """Where in a record the column's value lies."""
    if column.element_at is None:
        return (column.src or column.name,)
    return ((column.src,) if column.src else ()) + path(column.element_at)


def _together(pages: list[Page]) -> Page:
    rejects: list[Reject] = []
    records = 0
    for page in pages:
        rejects += (replace(reject, record=records + reject.record) for reject in page.rejects)
        records += page.batch.num_rows + len(page.rejects)
    return Page(_one([page.batch for page in pages]), tuple(rejects))


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if not batches[0].num_columns:
        return without_columns(sum(batch.num_rows for batch in batches))
    return pa.concat_batches(batches)


def _batch(arrays: list[pa.Array], columns: tuple[Column, ...], rows: int) -> pa.RecordBatch:
    if not arrays:
        return without_columns(rows)
    return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(columns))


def _nothing(columns: tuple[Column, ...]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=arrow_schema(columns))


def _exact(raw: bytes) -> Any:
    value = json.loads(raw.decode(), parse_float=_finite)
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text: UnicodeEncodeError
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{digits} is beyond a double")
    return value

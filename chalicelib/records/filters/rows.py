"""Rows of a page: kept, changed, or set aside."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column
from chalicelib.records.pages import Page, Reject
from chalicelib.records.types.schema import arrow_schema


def batch_of(columns: Sequence[Column], arrays: Sequence[pa.Array]) -> pa.RecordBatch:
    """A batch with these columns."""
    return pa.RecordBatch.from_arrays(list(arrays), schema=arrow_schema(columns))


def kept(page: Page, mask: pa.Array) -> Page:
    """The rows for which the mask is true; not those where it is NULL."""
    if mask.true_count == len(mask):
        return page  # to copy all of them takes as long as to ask
    records = page.records.filter(mask) if page.records is not None else None
    return Page(page.batch.filter(mask), page.rejects, records)


def changed(page: Page, columns: Sequence[Column], arrays: Sequence[pa.Array]) -> Page:
    """The same rows with these columns."""
    return Page(batch_of(columns, arrays), page.rejects, page.records)


def refused(before: pa.RecordBatch, after: Page, bad: Mapping[int, Sequence[str]], place: str) -> Page:
    """The page without its bad rows, which are rejects that show what stood there `before` (P6, F65)."""
    if not bad:
        return after
    assert after.records is not None
    rows = sorted(bad)
    numbers = after.records.take(pa.array(rows, pa.int64())).to_pylist()
    shown = texts_of(before.take(pa.array(rows, pa.int64())))
    rejects = [
        Reject.of(number, f"{place}: {'; '.join(bad[row])}", text)
        for row, number, text in zip(rows, numbers, shown, strict=True)
    ]
    mask = pc.invert(pc.is_in(pa.array(range(after.batch.num_rows), pa.int64()), pa.array(rows, pa.int64())))
    return kept(Page(after.batch, (*after.rejects, *rejects), after.records), mask)


def texts_of(batch: pa.RecordBatch) -> list[bytes]:
    """Each row as compact JSON."""
    return [
        json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_plain).encode("utf-8", "backslashreplace")
        for row in batch.to_pylist()
    ]


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)

"""The pages of a block, put together and begun."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import pyarrow as pa

from chalicelib.records.pages import Page, Reject

MAX_REJECTS = 10_000  # of a page: some MB at most


def merged(pages: Iterator[Page]) -> Iterator[Page]:
    """The same rows and rejects in as few pages as can be; a new one begins after MAX_REJECTS, to bound memory."""
    batches: list[pa.RecordBatch] = []
    rejects: list[Reject] = []
    records = 0
    for page in pages:
        shifted = (replace(reject, record=records + reject.record) for reject in page.rejects)
        rejects += shifted if records else page.rejects
        records += page.batch.num_rows + len(page.rejects)
        batches.append(page.batch)
        if len(rejects) >= MAX_REJECTS:
            yield _one(batches, rejects)
            batches, rejects, records = [], [], 0
    if records:
        yield _one(batches, rejects)


def started(pages: Iterator[Page]) -> Iterator[Page]:
    """The pages, of which the first, most often the only one, is made here and now."""
    first = next(pages, None)
    return pages if first is None else chain([first], pages)


def without(pages: Iterator[Page], count: int) -> Iterator[Page]:
    """The pages, without so many records at their start."""
    for page in pages:
        records = page.batch.num_rows + len(page.rejects)
        if not count:
            yield page
        elif count >= records:
            count -= records
        else:
            rejects = tuple(replace(bad, record=bad.record - count) for bad in page.rejects if bad.record >= count)
            rows = count - (len(page.rejects) - len(rejects))
            count = 0
            yield replace(page, batch=page.batch.slice(rows), rejects=rejects, begin=None)


def without_columns(rows: int) -> pa.RecordBatch:
    """As many rows without any column; Arrow forgets them when it makes a batch of no arrays."""
    return pa.record_batch([pa.nulls(rows)], names=["rows"]).select([])


def _one(batches: list[pa.RecordBatch], rejects: list[Reject]) -> Page:
    if len(batches) == 1:
        return Page(batches[0], tuple(rejects))
    if not batches[0].num_columns:
        return Page(without_columns(sum(batch.num_rows for batch in batches)), tuple(rejects))
    return Page(pa.concat_batches(batches), tuple(rejects))

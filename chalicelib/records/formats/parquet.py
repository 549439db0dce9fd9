"""Parquet: row group by row group, and of those only the columns that are asked for (F72).

Each object says itself which columns it has. An object's columns meet declared ones by name, case counts; `src` is
the name in the object. Types are brought together by records.columnar.casts: exactly, or the row is a reject.

Memory: of a row group of at most AT_ONCE the needed columns are fetched at once; of a larger one each is read through a
buffer of its own. What they expand to is held a batch at a time.
"""

from collections.abc import Iterator
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq

from chalicelib.config.columns import Column
from chalicelib.config.parsers.columnar import ParquetObjects
from chalicelib.core.places import WHOLE, Span
from chalicelib.records.columnar.files import ArrowFile
from chalicelib.records.columnar.pages import counted, inferred, page, rows_after, wanted
from chalicelib.records.pages import Page, Readable

AT_ONCE = 64 << 20  # bytes of a row group without compression
BUFFERS = 32 << 20  # bytes that are fetched ahead of all its columns together where they are more
SMALLEST, LARGEST = 256 << 10, 8 << 20  # bytes of one of those buffers
BATCH = 8 << 20  # bytes of a batch, about, and its rows
BATCH_ROWS = 32_768


class ParquetRows:
    """The rows of one Parquet file (records.pages.Rows)."""

    def __init__(
        self,
        body: Readable,
        parser: ParquetObjects,
        *,
        batch_rows: int = BATCH_ROWS,
        at_once: int = AT_ONCE,
        span: Span = WHOLE,
    ) -> None:
        self._body = ArrowFile(body, "a Parquet file")
        self._parser = parser
        self._batch_rows, self._at_once = batch_rows, at_once
        self._before = span.after.record if span.after is not None else 0  # rows that were read before

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or those of the file."""
        if self._parser.columns is not None:
            return self._parser.columns
        with self._body.understood("Parquet"):
            return inferred(self._file.schema_arrow)

    def fields(self) -> tuple[str, ...] | None:
        """See records.pages.Rows."""
        with self._body.understood("Parquet"):
            return tuple(self._file.schema_arrow.names)

    def head(self, columns: tuple[Column, ...]) -> Page:
        """See records.pages.Rows."""
        empty = pa.RecordBatch.from_arrays([], schema=pa.schema([]))
        return next(self.pages(columns), None) or page(empty, columns)

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        return counted(page(batch, columns) for batch in self._read(columns) if batch.num_rows)

    def _read(self, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        with self._body.understood("Parquet"):
            names = wanted(self._file.schema_arrow, columns)
            left = self._before
            for group in range(self._file.num_row_groups):
                rows = self._file.metadata.row_group(group).num_rows
                if left < rows:
                    yield from rows_after(self._batches(group, names), left)
                left = max(0, left - rows)

    @cached_property
    def _source(self) -> pa.PythonFile:
        return pa.PythonFile(self._body, mode="r")

    @cached_property
    def _file(self) -> pq.ParquetFile:
        return self._opened(pre_buffer=True, buffer_size=0)

    def _opened(self, **how: object) -> pq.ParquetFile:
        return pq.ParquetFile(
            self._source,
            coerce_int96_timestamp_unit="us",  # as nanoseconds they would overflow in 2262 without a word
            page_checksum_verification=True,
            arrow_extensions_enabled=True,  # JSON and UUID say what they are
            **how,
        )

    def _batches(self, group: int, names: list[str]) -> Iterator[pa.RecordBatch]:
        # What single columns take is not asked for: Arrow ends the whole process over a column that is damaged there.
        meta = self._file.metadata.row_group(group)
        rows = max(1, min(self._batch_rows, BATCH * meta.num_rows // max(1, meta.total_byte_size)))
        file = self._file
        if meta.total_byte_size > self._at_once:
            buffer = min(max(BUFFERS // max(1, len(names)), SMALLEST), LARGEST)
            file = self._opened(pre_buffer=False, buffer_size=buffer, metadata=file.metadata)
        return iter(file.iter_batches(batch_size=rows, row_groups=[group], columns=names))

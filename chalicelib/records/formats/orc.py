"""ORC: stripe by stripe, and of those only the columns that are asked for (F72).

As for Parquet, with limits that are those of Arrow's reader. A stripe is unpacked a page at a time, but each column
has buffers of the size of a compression block: 5,000 columns of the usual 64 KiB are 320 MB. An object with a timestamp
outside of the years 1678 to 2261 cannot be read if that column is asked for. And it trusts what it reads: a cut object
is always seen, but one whose inside is damaged may end the whole process; its task is then tried again and given up in
the end.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.orc import ORCFile

from chalicelib.config.columns import Column
from chalicelib.config.parsers.columnar import Orc
from chalicelib.core.places import WHOLE, Span
from chalicelib.errors import ParseError
from chalicelib.records.columnar.files import ArrowFile
from chalicelib.records.columnar.pages import counted, inferred, page, wanted
from chalicelib.records.pages import Page, Readable

PAGE_ROWS = 32_768
PAGE_VALUES = 2_000_000  # of all columns: 16 MB of numbers
PAGE_BYTES = 4 << 20  # as they lie in the file
BUFFERS = 1 << 30  # bytes that unpack all columns side by side; more of them would end the process


class OrcRows:
    """The rows of one ORC file (records.pages.Rows)."""

    def __init__(
        self,
        body: Readable,
        parser: Orc,
        *,
        page_rows: int = PAGE_ROWS,
        span: Span = WHOLE,
        buffers: int = BUFFERS,
    ) -> None:
        self._body = ArrowFile(body, "an ORC file")
        self._parser = parser
        self._page_rows, self._buffers = page_rows, buffers
        self._before = span.after.record if span.after is not None else 0  # rows that were read before

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or those of the file."""
        if self._parser.columns is not None:
            return self._parser.columns
        with self._body.understood("ORC"):
            return inferred(self._file.schema)

    def fields(self) -> tuple[str, ...] | None:
        """See records.pages.Rows."""
        with self._body.understood("ORC"):
            return tuple(self._file.schema.names)

    def head(self, columns: tuple[Column, ...]) -> Page:
        """See records.pages.Rows."""
        empty = pa.RecordBatch.from_arrays([], schema=pa.schema([]))
        return next(self.pages(columns), None) or page(empty, columns)

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        return counted(self._pages(columns))

    def _pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        return (page(batch, columns) for batch in self._read(columns) if batch.num_rows)

    def _read(self, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        with self._body.understood("ORC"):
            schema = self._file.schema
            names = wanted(schema, columns) or schema.names[:1]  # Arrow counts no rows without a column
            left = self._before
            for batch in self._batches(names):
                yield batch.slice(left)
                left = max(0, left - batch.num_rows)

    def _batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Of few rows each; the file itself gives no less than a stripe, and one of 256 MiB took 300 MB more."""
        from pyarrow.dataset import OrcFileFormat  # slow to import

        file = self._file
        if file.compression != "UNCOMPRESSED" and len(names) * file.compression_size > self._buffers:
            raise ParseError(
                f"{len(names):,} columns in compression blocks of {file.compression_size >> 10} KiB cannot be read "
                "side by side in the memory that there is",
                remedy="Declare fewer columns, or have it written with smaller blocks or as Parquet",
            )
        by_bytes = PAGE_BYTES * file.nrows // max(1, file.content_length)
        rows = max(1, min(self._page_rows, PAGE_VALUES // len(names), by_bytes))
        ahead = {"batch_readahead": 0, "fragment_readahead": 0, "use_threads": False}
        fragment = OrcFileFormat().make_fragment(self._source)
        yield from fragment.to_batches(schema=file.schema, columns=names, batch_size=rows, **ahead)

    @cached_property
    def _source(self) -> pa.PythonFile:
        return pa.PythonFile(self._body, mode="r")

    @cached_property
    def _file(self) -> Any:
        _ensure_zones()
        return ORCFile(self._source)


def _ensure_zones() -> None:
    """ORC's library reads time zones from files that slim machines lack; those of the tzdata package do as well."""
    if "TZDIR" not in os.environ and not Path("/usr/share/zoneinfo").is_dir():
        os.environ["TZDIR"] = str(resources.files("tzdata") / "zoneinfo")

"""ORC: stripe by stripe, and of those only the columns that are asked for (F72).

As for Parquet, with limits that are those of Arrow's reader. A stripe is held as a whole: writers make them of
64 to 256 MB, of which only the needed columns count. An object with a timestamp outside of the years 1678 to 2261
cannot be read if that column is asked for. And it trusts what it reads: a cut object is always seen, but one whose
inside is damaged may end the whole process; its task is then tried again and given up in the end.
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
from chalicelib.records.columnar.files import ArrowFile
from chalicelib.records.columnar.pages import inferred, page, wanted
from chalicelib.records.pages import Page, Readable

PAGE_ROWS = 32_768


class OrcRows:
    """The rows of one ORC file (records.pages.Rows)."""

    def __init__(self, body: Readable, parser: Orc, *, page_rows: int = PAGE_ROWS) -> None:
        self._body = ArrowFile(body, "an ORC file")
        self._parser = parser
        self._page_rows = page_rows

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
        for batch in self._read(columns):
            for start in range(0, batch.num_rows, self._page_rows):
                yield page(batch.slice(start, self._page_rows), columns)

    def _read(self, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        with self._body.understood("ORC"):
            schema = self._file.schema
            names = wanted(schema, columns) or schema.names[:1]  # Arrow counts no rows without a column
            for stripe in range(self._file.nstripes):
                yield self._file.read_stripe(stripe, columns=names)

    @cached_property
    def _file(self) -> Any:
        _ensure_zones()
        return ORCFile(pa.PythonFile(self._body, mode="r"))


def _ensure_zones() -> None:
    """ORC's library reads time zones from files that slim machines lack; those of the tzdata package do as well."""
    if "TZDIR" not in os.environ and not Path("/usr/share/zoneinfo").is_dir():
        os.environ["TZDIR"] = str(resources.files("tzdata") / "zoneinfo")

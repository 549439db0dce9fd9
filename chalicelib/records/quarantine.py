"""Quarantine: which row is the how manieth, and how many bad ones an object may have."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.parsers.layout import Layout
from chalicelib.errors import TooManyBadRows
from chalicelib.records.pages import Page


@dataclass(slots=True)
class Quarantine:
    """Counts the rows of one object against its parser's limits (F64)."""

    layout: Layout
    rows: int = 0
    rejects: int = 0
    first: str | None = None  # where it is, and why

    def watch(self, pages: Iterator[Page]) -> Iterator[Page]:
        """The same pages. Raises TooManyBadRows after the page that went beyond a limit, so that its rejects show."""
        for page in pages:
            self.rows += page.batch.num_rows
            self.rejects += len(page.rejects)
            if self.first is None and page.rejects:
                self.first = page.rejects[0].told
            yield page
            self._check_count()

    def check(self) -> None:
        """At the end of the object. Raises TooManyBadRows if too many percent of its rows are bad."""
        limit = self.layout.max_bad_percent
        if limit is not None and self.rejects * 100 > limit * (self.rows + self.rejects):
            share = self.rejects * 100 / (self.rows + self.rejects)
            raise self._too_many(f"{self.rejects} bad rows are {share:.3g} %, and max_bad_percent is {limit:g}")

    def check_all(self) -> None:
        """The limits of an object that others have read. Raises TooManyBadRows."""
        self._check_count()
        self.check()

    def _check_count(self) -> None:
        if self.layout.stop_on_invalid_record and self.rejects:
            raise self._too_many("a row is bad, and stop_on_invalid_record is set")
        limit = self.layout.max_bad_rows
        if limit is not None and self.rejects > limit:
            raise self._too_many(f"there are more bad rows than the {limit} that max_bad_rows allows")

    def _too_many(self, what: str) -> TooManyBadRows:
        return TooManyBadRows(
            f"{what}; the first is {self.first}",
            remedy="None of the object's rows were loaded; `tidegate rejects` shows the bad ones",
        )


def numbered(pages: Iterator[Page], *, rows: bool, before: int = 0) -> Iterator[Page]:
    """Pages of one object whose rejects, and whose rows if asked for, know their record's number, from 1.

    `before`: records that were read by somebody else.
    """
    first = 1 + before
    for page in pages:
        records = page.batch.num_rows + len(page.rejects)
        rejects = tuple(replace(reject, record=first + reject.record) for reject in page.rejects)
        kept = None
        if rows:
            kept = pa.arange(first, first + records)
            bad = pa.array([reject.record for reject in rejects], pa.int64())
            kept = kept.filter(pc.invert(pc.is_in(kept, bad))) if rejects else kept
        first += records
        end = replace(page.end, record=first - 1) if page.end is not None else None
        yield Page(page.batch, rejects, kept, page.begin, end)

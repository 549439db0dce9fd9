"""The way from an object's bytes to rows for the table: decoders, format, quarantine, filters.

Load and preview both call `open_rows`, so that a preview cannot lie.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow.compute as pc

from chalicelib.config.columns import Column
from chalicelib.config.destination import SchemaChange
from chalicelib.config.filters import Filter
from chalicelib.config.formats import Parser
from chalicelib.config.parsers.columnar import Avro, Orc, ParquetObjects
from chalicelib.config.parsers.csv import Csv
from chalicelib.config.parsers.fixed_width import FixedWidth
from chalicelib.config.parsers.objects import Objects
from chalicelib.config.source import Source
from chalicelib.core.descriptions import Description
from chalicelib.core.places import WHOLE, Place, Span
from chalicelib.core.tasks import Tally
from chalicelib.errors import ConfigError, DecodeError, PipelineMismatch
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.decoders.limits import Limits
from chalicelib.records.differences import check
from chalicelib.records.filters.chain import Chain, Setting, chain, finding, found, parsed_columns
from chalicelib.records.filters.needed import needed
from chalicelib.records.formats.avro import AvroRows
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.formats.fixed_width import FixedWidthRows
from chalicelib.records.formats.json import JsonRows
from chalicelib.records.formats.objects import object_rows
from chalicelib.records.formats.orc import OrcRows
from chalicelib.records.formats.parquet import ParquetRows
from chalicelib.records.jsontext.reading import path_of
from chalicelib.records.pages import Page, Readable, Reject, Rows, Seekable
from chalicelib.records.quarantine import Quarantine, numbered
from chalicelib.records.rescue import NAME, RESCUED, apart, beside, count_of
from chalicelib.records.text.unbroken import Unbroken

__all__ = ["Entry", "Page", "Readable", "Reject", "Rows", "Setting", "Stretch", "described", "open_rows"]


EMPTY = Tally()
MAX_INFERRED = 5000  # columns: a table of more is nobody's wish, but a file that is keyed by ids


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pages that belong together: all that the filters made of one page of the parser's."""

    pages: Iterator[Page]  # to be read to their end before the next stretch
    begin: Place | None  # where the object's records begin that they are made of
    end: Place | None  # once the pages are written, reading can go on from here


@dataclass(frozen=True, slots=True)
class Entry:
    """The rows of an object, or of one entry of an archive."""

    name: str | None  # of the entry
    rows: Rows
    filters: tuple[Filter, ...]
    setting: Setting
    quarantine: Quarantine
    change: SchemaChange = SchemaChange.EVOLVE
    span: Span = WHOLE

    def infer(self) -> tuple[Column, ...]:
        """The columns as the parser gives them, then those that filters find in the rows (`src` says where)."""
        columns = self.rows.infer()
        if self.quarantine.layout.columns is None and len(columns) > MAX_INFERRED:
            raise PipelineMismatch(
                f"its first rows have {len(columns):,} columns, and more than {MAX_INFERRED:,} are never inferred",
                remedy="Declare the columns that you want; in JSON, objects that are keyed by ids are one column by "
                "element_at, or rows by root",
            )
        if not columns or not finding(self.filters):
            return columns
        with _fitting():
            return (*columns, *found(self.filters, columns, self.setting, self.rows.head(columns)))

    def shape(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """The columns of the pages, if these are the ones that `infer` and everybody else agreed on.

        Where values are rescued, the last one is `_rescued`; filters neither see nor drop it.
        """
        made = tuple(column.bare for column in self._chain(columns).columns)
        if self.change is not SchemaChange.RESCUE:
            return made
        if any(column.name.lower() == NAME for column in made):
            raise PipelineMismatch(
                f"a column is named {NAME}, which is where values go that do not fit",
                remedy="Give it another name by a filter or in parser.columns, or take another schema_change",
            )
        return (*made, RESCUED.bare)

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """The rows, of `shape(columns)`; can be read once. Raises what `stretches` raises."""
        return (page for stretch in self.stretches(columns) for page in stretch.pages)

    def stretches(self, columns: tuple[Column, ...]) -> Iterator[Stretch]:
        """The rows, of `shape(columns)`, with the places between which they lie; can be read once.

        Raises DecodeError and ParseError where the object cannot be followed any further, TooManyBadRows where it
        has more bad rows than its parser allows, SchemaConflict where it is to have these columns and has not.
        """
        ready, wanted = self._chain(columns), parsed_columns(self.filters, columns)
        if self.change is SchemaChange.EVOLVE:
            ready, wanted = needed(self.filters, columns, self.setting)
        before = self.span.after.record if self.span.after is not None else 0
        rescues = self.change is SchemaChange.RESCUE
        if rescues:
            pages = self.rows.pages((*wanted, RESCUED))
        else:
            pages = self._unchanged(wanted) if self.change is SchemaChange.STRICT else self.rows.pages(wanted)
        for page in numbered(pages, rows=rescues or ready.counts, before=before):
            filtered = _filtered_beside(page, ready) if rescues else ready(page)
            end = page.end if self.name is None else None  # of an archive, the next entry is not found from there
            yield Stretch(self.quarantine.watch(filtered), page.begin, end)

    def rescued(self, page: Page) -> int:
        """How many of the page's rows have something in `_rescued`."""
        return count_of(page.batch) if self.change is SchemaChange.RESCUE else 0

    def _unchanged(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """The pages of an object that has these columns and no others."""
        fields = self.rows.fields()
        missing = [column for column in columns if fields and path_of(column)[0] not in fields]
        texts = isinstance(self.quarantine.layout, Csv | FixedWidth)
        for page in self.rows.pages((*columns, RESCUED)):
            batch, rescued = apart(page.batch)
            check(rescued, columns, missing, texts=texts)
            yield replace(page, batch=batch)

    def _chain(self, columns: tuple[Column, ...]) -> Chain:
        with _fitting():
            return chain(self.filters, columns, self.setting)


def _filtered_beside(page: Page, ready: Chain) -> Iterator[Page]:
    """The page's rows after the filters, each with what was rescued of the record it comes from."""
    batch, rescued = apart(page.batch)
    for filtered in ready(Page(batch, page.rejects, page.records)):
        texts = None
        if rescued.null_count < len(rescued):
            texts = rescued.take(pc.index_in(filtered.records, page.records))
        yield Page(beside(filtered.batch, texts), filtered.rejects, filtered.records)


@contextmanager
def _fitting() -> Iterator[None]:
    """What filters do not find among an object's columns sets that object aside."""
    try:
        yield
    except ConfigError as error:
        raise PipelineMismatch(error.what, where=error.where, remedy=error.remedy) from error


def described(
    describe: Callable[[], Description],
    parser: Objects,
    filters: tuple[Filter, ...],
    setting: Setting,
    *,
    change: SchemaChange = SchemaChange.EVOLVE,
) -> Iterator[Entry]:
    """The one entry of an object that is a row itself, made of what S3 tells about it."""
    yield Entry(None, object_rows(describe, parser), filters, setting, Quarantine(parser), change)


def open_rows(
    body: Readable,
    source: Source,
    filters: tuple[Filter, ...],
    setting: Setting,
    *,
    encoding: str | None = None,
    change: SchemaChange = SchemaChange.EVOLVE,
    breaks: list[DecodeError] | None = None,
    span: Span = WHOLE,
    tally: Tally = EMPTY,
) -> Iterator[Entry]:
    """The entries of one object, each to be read to its end before the next; all but archives have one.

    `encoding` is the object's Content-Encoding, `change` what other columns than the agreed ones mean, `span` the
    part of the object that is read, and `tally` what was counted of it before. Nothing is read before it is asked
    for. For a preview, an entry ends where its bytes break, and `breaks` takes why.

    Raises ConfigError if the parser cannot mean what it says, and TooManyBadRows after the last entry if too many
    percent of the rows were bad.
    """
    quarantine = Quarantine(source.parser, tally.rows, tally.rejects, tally.first)
    limits = Limits(source.max_expansion_ratio, source.max_entries)
    for member in decoded(body, source.decoders, encoding=encoding, limits=limits):
        content = member.body
        if breaks is not None and not isinstance(content, Seekable):
            content = Unbroken(content, breaks)
        part = span if member.name is None else WHOLE
        rows = _rows(content, source.parser, part)
        yield Entry(member.name, rows, filters, replace(setting, entry=member.name), quarantine, change, part)
    if not span.is_part:
        quarantine.check()


def _rows(body: Readable, parser: Parser, span: Span) -> Rows:
    match parser:
        case Csv():
            return CsvRows(body, parser, span=span)
        case FixedWidth():
            return FixedWidthRows(body, parser, span=span)
        case ParquetObjects():
            return ParquetRows(body, parser, span=span)
        case Avro():
            return AvroRows(body, parser, span=span)
        case Orc():
            return OrcRows(body, parser, span=span)
        case _:
            return JsonRows(body, parser, span=span)  # type: ignore[arg-type]

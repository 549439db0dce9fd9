"""The way from an object's bytes to rows for the table: decoders, format, quarantine, filters.

Load and preview both call `open_rows`, so that a preview cannot lie.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chalicelib.config.columns import Column
from chalicelib.config.filters import Filter
from chalicelib.config.formats import Parser
from chalicelib.config.parsers.columnar import Avro, Orc, ParquetObjects
from chalicelib.config.parsers.csv import Csv
from chalicelib.config.parsers.fixed_width import FixedWidth
from chalicelib.config.parsers.objects import Objects
from chalicelib.config.source import Source
from chalicelib.core.descriptions import Description
from chalicelib.errors import ConfigError, DecodeError, PipelineMismatch
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.decoders.limits import Limits
from chalicelib.records.filters.chain import Chain, Setting, chain, finding, found, parsed_columns
from chalicelib.records.formats.avro import AvroRows
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.formats.fixed_width import FixedWidthRows
from chalicelib.records.formats.json import JsonRows
from chalicelib.records.formats.objects import object_rows
from chalicelib.records.formats.orc import OrcRows
from chalicelib.records.formats.parquet import ParquetRows
from chalicelib.records.pages import Page, Readable, Reject, Rows, Seekable
from chalicelib.records.quarantine import Quarantine, numbered
from chalicelib.records.text.unbroken import Unbroken

__all__ = ["Entry", "Page", "Readable", "Reject", "Rows", "Setting", "described", "open_rows"]


MAX_INFERRED = 5000  # columns: a table of more is nobody's wish, but a file that is keyed by ids


@dataclass(frozen=True, slots=True)
class Entry:
    """The rows of an object, or of one entry of an archive."""

    name: str | None  # of the entry
    rows: Rows
    filters: tuple[Filter, ...]
    setting: Setting
    quarantine: Quarantine

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
        """The columns of the pages, if these are the ones that `infer` and everybody else agreed on."""
        return tuple(column.bare for column in self._chain(columns).columns)

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """The rows, of `shape(columns)`; can be read once.

        Raises DecodeError and ParseError where the object cannot be followed any further, TooManyBadRows where it
        has more bad rows than its parser allows.
        """
        ready = self._chain(columns)
        parsed = numbered(self.rows.pages(parsed_columns(self.filters, columns)), rows=ready.counts)
        return self.quarantine.watch(filtered for page in parsed for filtered in ready(page))

    def _chain(self, columns: tuple[Column, ...]) -> Chain:
        with _fitting():
            return chain(self.filters, columns, self.setting)


@contextmanager
def _fitting() -> Iterator[None]:
    """What filters do not find among an object's columns sets that object aside."""
    try:
        yield
    except ConfigError as error:
        raise PipelineMismatch(error.what, where=error.where, remedy=error.remedy) from error


def described(
    describe: Callable[[], Description], parser: Objects, filters: tuple[Filter, ...], setting: Setting
) -> Iterator[Entry]:
    """The one entry of an object that is a row itself, made of what S3 tells about it."""
    yield Entry(None, object_rows(describe, parser), filters, setting, Quarantine(parser))


def open_rows(
    body: Readable,
    source: Source,
    filters: tuple[Filter, ...],
    setting: Setting,
    *,
    encoding: str | None = None,
    breaks: list[DecodeError] | None = None,
) -> Iterator[Entry]:
    """The entries of one object, each to be read to its end before the next; all but archives have one.

    `encoding` is the object's Content-Encoding. Nothing is read before it is asked for. For a preview, an entry ends
    where its bytes break, and `breaks` takes why.

    Raises ConfigError if the parser cannot mean what it says, and TooManyBadRows after the last entry if too many
    percent of the rows were bad.
    """
    quarantine = Quarantine(source.parser)
    limits = Limits(source.max_expansion_ratio, source.max_entries)
    for member in decoded(body, source.decoders, encoding=encoding, limits=limits):
        content = member.body
        if breaks is not None and not isinstance(content, Seekable):
            content = Unbroken(content, breaks)
        rows = _rows(content, source.parser)
        yield Entry(member.name, rows, filters, replace(setting, entry=member.name), quarantine)
    quarantine.check()


def _rows(body: Readable, parser: Parser) -> Rows:
    match parser:
        case Csv():
            return CsvRows(body, parser)
        case FixedWidth():
            return FixedWidthRows(body, parser)
        case ParquetObjects():
            return ParquetRows(body, parser)
        case Avro():
            return AvroRows(body, parser)
        case Orc():
            return OrcRows(body, parser)
        case _:
            return JsonRows(body, parser)  # type: ignore[arg-type]

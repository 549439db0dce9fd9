"""The way from an object's bytes to pages of rows: decoders, then format. Load and preview both call `open_rows`."""

from chalicelib.config.formats import Csv, Decoder, Parser
from chalicelib.records.decoders import decoded
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.formats.json import JsonRows
from chalicelib.records.pages import Page, Readable, Reject, Rows

__all__ = ["Page", "Readable", "Reject", "Rows", "open_rows"]


def open_rows(body: Readable, parser: Parser, decoders: tuple[Decoder, ...] | None) -> Rows:
    """The rows of one object. `decoders` None: found out from the first bytes, never from the name (E46).

    Nothing is read before the rows are asked for. Raises ConfigError if the parser cannot mean what it says.
    """
    content = decoded(body, decoders)
    return CsvRows(content, parser) if isinstance(parser, Csv) else JsonRows(content, parser)

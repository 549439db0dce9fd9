"""Delimited text: any options, any bytes.

Nothing but ConfigError and DataError; the same rows and rejects whatever the size of blocks and reads; rows and
rejects are the records that bench/independent.py counts, where it knows the options; each reject is where it says.
"""

from typing import Any

from pydantic import ValidationError

from bench import independent
from chalicelib.config.parsers.csv import Csv
from chalicelib.errors import ConfigError, DataError
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.pages import Readable
from fuzz.choices import Choices
from fuzz.reading import Trickle, agree, in_place

TYPES = (None, "string", "long", "double", "boolean", "timestamp", "json", "date", "time", "decimal(9,2)", "binary")
OPTIONS: dict[str, tuple[Any, ...]] = {
    "delimiter": (",", "\t", ";", "|", "\x01", " ", "||", "::", "é", "ab", '",'),
    "quote": ('"', "'", None, "|"),
    "escape": (None, "\\", '"'),
    "null_string": (None, "", "NULL", ("NA", "\\N"), "é"),
    "trim_if_not_quoted": (False, True),
    "quotes_in_quoted_fields": (
        "ACCEPT_ONLY_RFC4180_ESCAPED", "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"
    ),
    "max_quoted_size_limit": (131_072, 1, 5),
    "comment_line_marker": (None, "#", "//", '"'),
    "allow_optional_columns": (False, True),
    "allow_extra_columns": (False, True, "capture"),
    "skip_header_lines": (None, 0, 1, 2, 5),
    "charset": ("UTF-8", "latin-1", "cp932", "UTF-16", "UTF-16LE", "UTF-8", "euc_jp", "gb18030"),
    "charset_errors": ("strict", "replace"),
    "line_delimiter_recognized": (None, "LF", "CR", "CRLF"),
}  # fmt: skip
KNOWN = ("escape", "quotes_in_quoted_fields", "trim_if_not_quoted", "line_delimiter_recognized")


def check(data: bytes) -> None:
    """Try one input. Raises AssertionError, or whatever the reader lets out."""
    choices = Choices(data)
    document: dict[str, Any] = {"type": "csv", "columns": _columns(choices)}
    document |= {name: choices.of(values) for name, values in OPTIONS.items()}
    blocks = (1 + choices.number(9), 16 + choices.number(200))
    try:
        parser = Csv.model_validate(
            {name: value for name, value in document.items() if value is not None or name == "quote"}
        )
    except ValidationError:
        return
    body = choices.rest()

    def opened(source: Readable, block: int) -> CsvRows:
        return CsvRows(source, parser, block=block)

    try:
        columns = opened(Trickle(body), 1 << 20).infer()
    except (ConfigError, DataError):
        return
    whole = agree(opened, body, columns, blocks)
    in_place(whole.rejects, body, offsets=_is_utf8(parser))
    counted = _counted(body, parser)
    if counted is not None and columns and not whole.error:
        assert whole.records == counted, f"{whole.records} records of {counted}"


def _columns(choices: Choices) -> list[dict[str, str]] | None:
    kinds = [choices.of(TYPES) for _ in range(choices.number(4))]
    columns = [{"name": f"c{place}", "type": kind} for place, kind in enumerate(kinds) if kind]
    return columns or None


def _is_utf8(parser: Csv) -> bool:
    return parser.charset == "UTF-8" and parser.charset_errors == "strict"


def _counted(body: bytes, parser: Csv) -> int | None:
    """The records by the independent reader; None where it does not know the options."""
    unusual = any(getattr(parser, name) != OPTIONS[name][0] for name in KNOWN)
    if unusual or not _is_utf8(parser) or parser.quote not in ('"', "'", None):
        return None
    layout = independent.Layout(
        delimiter=parser.delimiter.encode().decode("latin-1"),
        quote=parser.quote,
        charset="latin-1",
        comment=parser.comment_line_marker,
    )
    header = parser.columns is None and parser.header_lines > 0
    text = body.removeprefix(b"\xef\xbb\xbf")
    for _ in range(parser.header_lines - header):
        text = independent.without_line(text)
    return max(0, len(independent.records(text, layout)) - header)

"""Any bytes, under any options: what is read is what the plain tokenizer finds, whatever the size of blocks."""

import json
import math
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.config.parsers.csv import Csv
from chalicelib.errors import ParseError
from chalicelib.records.formats.csv import CsvRows
from tests.records.reading import Read, Trickle, columns, csv, read, read_rows
from tests.records.test_csv import in_pieces
from tests.records.tokenizer import Token, Tokenizer

SIGNS = ",;\"'\\|#- \t\r\n\0aé1x"
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "delimiter": st.sampled_from([",", ";", "\t", "\x01", "||", "|#", "é", "¦¦"]),
    "quote": st.sampled_from(['"', "'", None]),
    "escape": st.sampled_from([None, "\\", '"', "#"]),
    "null_string": st.sampled_from([None, "a", ["", "1"], []]),
    "line_delimiter_recognized": st.sampled_from([None, None, "LF", "CR", "CRLF"]),
    "comment_line_marker": st.sampled_from([None, None, "#", "a1", '"']),
    "allow_optional_columns": st.booleans(),
    "allow_extra_columns": st.sampled_from([False, True, "capture"]),
    "max_quoted_size_limit": st.sampled_from([131072, 3]),
}
MODES = st.sampled_from(
    [
        {},
        {"trim_if_not_quoted": True},
        {"quotes_in_quoted_fields": "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"},
    ]
)
NAMES = ("a", "b", "c")


def is_possible(document: dict[str, Any]) -> bool:
    return not any(document[sign] and document[sign] in document["delimiter"] for sign in ("quote", "escape"))


parsers = (
    st.builds(lambda plain, mode: plain | mode, st.fixed_dictionaries({}, optional=OPTIONS), MODES)
    .filter(lambda document: is_possible({"quote": None, "escape": None, "delimiter": ","} | document))
    .map(lambda document: csv(columns=[{"name": name, "type": "string"} for name in NAMES], **document))
)
messy = st.lists(
    st.sampled_from(
        [*(sign.encode() for sign in SIGNS), b"||", b'""', b"\r\n", b"\xff", b"\xc3", b"aaaa", b",,", b"\xef\xbb\xbf"]
    ),
    max_size=40,
).map(b"".join)


def text_or_null(value: tuple[bytes, bool], parser: Csv) -> str | None:
    text = value[0].decode()
    if parser.null_string is None:
        return None if value == (b"", False) else text
    return None if text in parser.null_strings else text


def row(token: Token, parser: Csv) -> tuple[Any, ...] | None:
    """The row that a record must become; None if it must not."""
    values = token.values
    if values is None or (len(values) < len(NAMES) and not parser.allow_optional_columns):
        return None
    if len(values) > len(NAMES) and not parser.allow_extra_columns:
        return None
    captures = parser.allow_extra_columns == "capture"
    try:
        texts = [text_or_null(value, parser) for value in (values if captures else values[: len(NAMES)])]
    except UnicodeDecodeError:
        return None
    if any(quoted and len(text) > parser.max_quoted_size_limit for text, quoted in values[: len(NAMES)]):
        return None
    first = [*texts, None, None, None][: len(NAMES)]
    rest = texts[len(NAMES) :]
    return (*first, json.dumps(rest, ensure_ascii=False, separators=(",", ":")) if rest else None)[: 3 + captures]


def check(found: Read, data: bytes, parser: Csv) -> None:
    tokens = Tokenizer(data, parser).tokens()
    rows = [row(token, parser) for token in tokens]
    assert found.tuples == [values for values in rows if values is not None]
    bad = [(n, token) for n, (token, values) in enumerate(zip(tokens, rows, strict=True), 1) if values is None]
    assert [(r.record, r.line, r.offset) for r in found.rejects] == [(n, t.line, t.offset) for n, t in bad]
    assert [r.text for r in found.rejects] == [t.raw.decode("utf-8", "backslashreplace") for _, t in bad]
    assert all(data[t.offset :].startswith(t.raw) for _, t in bad)


@settings(max_examples=300)
@given(data=messy, parser=parsers, block=st.integers(1, 60))
def test_what_is_read_is_what_stands_there_whatever_the_options_and_blocks(data, parser, block):
    data = b"a" + data  # no byte order mark
    check(read(data, parser), data, parser)
    check(in_pieces(data, parser, block), data, parser)


def cell(text: str | None, *, delimiter: str, quote: str, escape: str | None, always: bool) -> str:
    """A value as the most careful writer writes it."""
    if text is None:
        return ""
    if not always and text and not set(text) & set(delimiter + quote + "\r\n\t #"):
        return text
    if escape is None:
        return quote + text.replace(quote, quote * 2) + quote
    return quote + text.replace(escape, escape * 2).replace(quote, escape + quote) + quote


values = st.one_of(st.none(), st.text(alphabet="a1é,;|#\"'\\\r\n\t \0", max_size=5))


@settings(max_examples=100)
@given(
    table=st.lists(st.tuples(values, values, values), max_size=6),
    delimiter=st.sampled_from([",", "\t", "\x1f", "||", "¦", "::"]),
    quote=st.sampled_from(['"', "'"]),
    escape=st.sampled_from([None, "\\"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    trim=st.booleans(),
    always=st.booleans(),
    block=st.integers(1, 60),
)
def test_what_was_written_is_read_back(table, delimiter, quote, escape, end, trim, always, block):
    around = " " if trim else ""
    lines = [
        (around + delimiter + around).join(
            cell(text, delimiter=delimiter, quote=quote, escape=escape, always=always) for text in fields
        )
        for fields in table
    ]
    parser = csv(
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        trim_if_not_quoted=trim,
        comment_line_marker="#",
        columns=[{"name": name, "type": "string"} for name in NAMES],
    )
    data = "".join(line + end for line in lines).encode()
    for found in (read(data, parser), in_pieces(data, parser, block)):
        assert (found.tuples, found.rejects) == (table, [])


kinds = st.sampled_from(["long", "double", "boolean", "timestamp", "string", "json"])
NUMBERS = ["", '""', '"1"', "1", " 2", "-7", "2.5", "1e3", "nan", "0x1F", "0xFFFFFFFFFFFFFFFF", "9223372036854775808"]
OTHERS = ["NULL", '"x,y"', '"[1]"', "{}", "true", "no", "2024-05-01", "2024-05-01T10:00:00Z", "x", "é"]
typed_cells = st.sampled_from(NUMBERS + OTHERS)


@settings(max_examples=100)
@given(
    rows=st.lists(st.tuples(typed_cells, typed_cells), min_size=1, max_size=6),
    kinds=st.tuples(kinds, kinds),
    nulls=st.sampled_from([None, "NULL"]),
    short=st.booleans(),
)
def test_a_row_is_the_same_alone_beside_bad_rows_and_under_options_that_do_not_touch_it(rows, kinds, nulls, short):
    wanted = columns(a=kinds[0], b=kinds[1])
    lines = [",".join(fields).encode() + b"\n" for fields in rows]
    parser = csv(skip_header_lines=1, null_string=nulls, allow_optional_columns=short)
    alone = [read(b"a,b\n" + line, parser, wanted) for line in lines]
    together = read(b"a,b\n" + b"".join(lines) + b"1,2,3\n", parser, wanted)
    rewritten = read(
        b"a,b\r\n" + b"".join(line[:-1] + b"\r\n" for line in lines),
        csv(skip_header_lines=1, null_string=nulls, line_delimiter_recognized="CRLF", comment_line_marker="//"),
        wanted,
    )
    several = b"a||b\n" + b"".join(b"||".join(value.encode() for value in fields) + b"\n" for fields in rows)
    other = read(several, csv(null_string=nulls, delimiter="||"), wanted)
    expected = [values for found in alone for values in found.tuples]
    for found in (together, rewritten, other):
        assert [tuple(map(shown, values)) for values in found.tuples] == [tuple(map(shown, v)) for v in expected]
    assert [r.reason for r in together.rejects[:-1]] == [r.reason for found in alone for r in found.rejects]
    assert [r.reason for r in other.rejects] == [r.reason for found in alone for r in found.rejects]


def shown(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


@given(data=st.binary(max_size=60), parser=parsers, block=st.integers(1, 30))
@example(data=b"\xff\xfea\0", parser=csv(), block=1)
@example(data=b'a,"b', parser=csv(), block=1)
def test_bytes_without_declared_columns_never_break_more_than_the_object(data, parser, block):
    parser = parser.model_copy(update={"columns": None})
    try:
        whole = read_rows(CsvRows(Trickle(data), parser))
    except ParseError:
        return
    rows = CsvRows(Trickle(data, 3), parser, block=block)
    parts = [page.batch.num_rows + len(page.rejects) for page in rows.pages(whole.columns)]
    assert sum(parts) == len(whole.rows) + len(whole.rejects) or not whole.columns

"""The small nasty files of tests/samples/csv, under every dialect, in blocks of many sizes."""

from typing import Any

import pytest

from chalicelib.errors import ParseError
from tests.records.reading import SAMPLES, Read, csv, read
from tests.records.test_csv import in_pieces
from tests.records.test_csv_fuzz import check

NASTY = sorted((SAMPLES / "csv").iterdir())
SIZES = (1, 2, 3, 5, 8, 13, 21, 34, 55)
PARSERS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "escape": {"escape": "\\"},
    "no quotes": {"quote": None},
    "everything allowed": {
        "allow_optional_columns": True,
        "allow_extra_columns": "capture",
        "comment_line_marker": "#",
    },
    "trimmed": {"trim_if_not_quoted": True, "comment_line_marker": "#"},
    "stray quotes": {"quotes_in_quoted_fields": "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"},
    "pipes": {"delimiter": "||"},
    "only LF": {"line_delimiter_recognized": "LF"},
    "only CRLF": {"line_delimiter_recognized": "CRLF"},
}


def outcome(data: bytes, settings: dict[str, Any], block: int | None = None) -> Read | str:
    """What was read, or why nothing could be; types are guessed from the first block, so they are declared here."""
    columns = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
    parser = csv(columns=columns, skip_header_lines=1, **settings)
    try:
        return read(data, parser) if block is None else in_pieces(data, parser, block)
    except ParseError as error:
        return str(error)


@pytest.mark.parametrize("settings", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("path", NASTY, ids=lambda path: path.name)
def test_a_nasty_file_gives_the_same_in_blocks_of_any_size(path, settings):
    data = path.read_bytes()
    whole = outcome(data, settings)
    for block in SIZES:
        assert outcome(data, settings, block) == whole


@pytest.mark.parametrize("settings", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("path", NASTY, ids=lambda path: path.name)
def test_a_nasty_file_is_read_as_the_plain_tokenizer_does(path, settings):
    data = b"x" + path.read_bytes()  # no mark
    parser = csv(columns=[{"name": name, "type": "string"} for name in "abc"], **settings)
    check(read(data, parser), data, parser)


@pytest.mark.parametrize(
    "name, settings, rows, bad",
    [
        ("runaway_quote", {}, [(1, "ann")], [3]),
        ("quote_in_the_middle", {}, [(1, '5" pipe'), (2, '5" pipe'), (3, "five inch")], []),
        ("bad_record_of_many_lines", {}, [(2, "ok")], [2]),
        ("mixed_line_ends", {}, [(1, "ann"), (2, "bob"), (3, "c\r\nc\rc\nc"), (4, "dan")], []),
        ("nul", {}, [(1, "a\0b")], [3, 4]),
        ("backslashes", {"escape": "\\"}, [(1, 'a"b,c'), (2, "ends with \\"), (3, 'a"b\\n')], []),
        ("ragged", {}, [(2, "b"), (None, None)], [2, 4, 6, 7]),
        ("comments", {"comment_line_marker": "#", "skip_header_lines": 2}, [(1, "#\n# inside")], [7]),
        ("blanks", {"trim_if_not_quoted": True}, [(1, "a, b"), (2, "c d"), (3, None)], [4]),
        ("half_a_character", {}, [(3, "café")], [2, 3]),
        ("overlong_and_surrogates", {}, [(4, "\ufffd")], [2, 3, 4]),
        ("quote_at_the_very_end", {}, [(1, "ann")], [3]),
        ("huge_numbers", {}, [(-(1 << 63), "c")], [2, 3, 5]),
        ("unicode_line_ends", {}, [(1, "a\u2028b"), (2, "c\x85d\x0be\x0c"), (3, "f\x1cg")], []),
        ("header_of_two_lines", {"skip_header_lines": 2}, [(1, "ann")], []),
        ("pipes", {"delimiter": "||"}, [(1, "a|b"), (2, "c||d"), (3, "|e")], []),
    ],
)
def test_a_nasty_file_has_these_rows_and_these_bad_lines(name, settings, rows, bad):
    columns = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
    found = read(
        (SAMPLES / "csv" / f"{name}.csv").read_bytes(), csv(columns=columns, **{"skip_header_lines": 1} | settings)
    )
    assert found.tuples == rows
    assert [reject.line for reject in found.rejects] == bad

"""Parser options that cannot mean what they say, and those that others write differently."""

from typing import Any

import pytest

from chalicelib.config.parsers.csv import Csv, Tsv
from chalicelib.config.parsers.fixed_width import FixedWidth
from chalicelib.errors import ConfigError

COLUMNS = [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]
STRAY = "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"


def csv(**settings: Any) -> Csv:
    return Csv.parse({"type": "csv", **settings}, where="test")


@pytest.mark.parametrize(
    "settings",
    [
        {"delimiter": "\n"},
        {"delimiter": ""},
        {"delimiter": "a\0"},
        {"delimiter": '"'},
        {"delimiter": '|"|'},
        {"delimiter": "\\t"},
        {"delimiter": "\\x01"},
        {"delimiter": "\ud800"},
        {"quote": "«"},
        {"quote": '""'},
        {"escape": ","},
        {"escape": "\r"},
        {"comment_line_marker": ""},
        {"comment_line_marker": "#\n"},
        {"charset": "klingon"},
        {"charset": "base64"},
        {"charset_errors": "ignore"},
        {"line_delimiter_recognized": "LFCR"},
        {"max_quoted_size_limit": 0},
        {"allow_extra_columns": "keep"},
        {"trim_if_not_quoted": True, "quotes_in_quoted_fields": STRAY},
        {"header_line": True, "skip_header_lines": 1},
        {"columns_by": "name"},
        {"columns_by": "name", "columns": COLUMNS, "skip_header_lines": 0},
        {"columns": []},
        {"columns": [{"name": "a", "type": "long", "src": "b"}]},
        {"columns": [{"name": "a", "type": "json", "element_at": "/b"}]},
        {"columns": [*COLUMNS, {"name": "c", "type": "long", "src": "a"}], "columns_by": "name"},
        {"columns": [*COLUMNS, {"name": "_rest", "type": "string"}], "allow_extra_columns": "capture"},
    ],
)
def test_options_that_cannot_work_are_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        csv(**settings)


def test_who_writes_a_tab_in_single_quotes_is_told_to_take_double_ones() -> None:
    with pytest.raises(ConfigError, match=r'write it in double quotes, such as "\\t"'):
        csv(delimiter=r"\t")


@pytest.mark.parametrize("delimiter", [",", "\t", "\x01", "\x1f", "||", "¦", "::", " | ", "\\"])
def test_one_or_more_characters_of_any_kind_delimit(delimiter: str) -> None:
    assert csv(delimiter=delimiter).delimiter == delimiter


@pytest.mark.parametrize("given, meant", [("\0", None), ("", '"'), ("'", "'"), (None, None)])
def test_quote_is_written_in_several_ways(given: str | None, meant: str | None) -> None:
    assert csv(quote=given).quote == meant


@pytest.mark.parametrize(
    "settings, lines",
    [
        ({}, 1),
        ({"columns": COLUMNS}, 0),
        ({"columns": COLUMNS, "columns_by": "name"}, 1),
        ({"columns": COLUMNS, "header_line": True}, 1),
        ({"header_line": False}, 0),
        ({"skip_header_lines": 3}, 3),
    ],
)
def test_how_many_lines_are_the_header(settings: dict[str, Any], lines: int) -> None:
    assert csv(**settings).header_lines == lines


def test_what_is_captured_is_a_column_that_everybody_sees() -> None:
    parser = csv(columns=COLUMNS, allow_extra_columns="capture")
    assert [column.name for column in parser.columns or ()] == ["a", "b", "_rest"]
    assert [column.name for column in parser.fields] == ["a", "b"]
    assert Csv.parse(parser.document(), where="again") == parser


def test_a_field_may_be_called_rest_where_nothing_is_captured() -> None:
    parser = csv(columns=[{"name": "_rest", "type": "string"}])
    assert [column.name for column in parser.fields] == ["_rest"]


def test_tsv_is_csv_with_tabs() -> None:
    parser = Tsv.parse({"type": "tsv", "columns": COLUMNS}, where="test")
    assert (parser.delimiter, parser.quote, parser.header_lines) == ("\t", '"', 0)


def test_places_follow_each_other_unless_a_start_is_given() -> None:
    columns = [
        {"name": "a", "type": "long", "width": 3},
        {"name": "b", "type": "string", "width": 2},
        {"name": "c", "type": "string", "start": 10, "width": 1},
        {"name": "d", "type": "string", "width": 4},
    ]
    parser = FixedWidth.parse({"type": "fixed_width", "columns": columns}, where="test")
    assert parser.places == {"a": (0, 3), "b": (3, 5), "c": (10, 11), "d": (11, 15)}

import io
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.config.parsers.fixed_width import FixedWidth
from chalicelib.errors import ConfigError, ParseError
from chalicelib.records.formats.fixed_width import FixedWidthRows
from chalicelib.records.pages import Reject
from chalicelib.records.quarantine import numbered
from tests.records.reading import Read, Trickle, columns, read

ID_NAME = [{"name": "id", "type": "long", "width": 3}, {"name": "name", "type": "string", "width": 5}]


def fixed(**settings: Any) -> FixedWidth:
    return FixedWidth.parse({"type": "fixed_width", "columns": ID_NAME, **settings}, where="test")


def test_each_column_is_cut_from_its_place():
    assert read(b"  1ann  \n 22bobby\n", fixed()).tuples == [(1, "ann"), (22, "bobby")]


def test_places_may_leave_gaps_and_overlap():
    parser = fixed(
        columns=[
            {"name": "day", "type": "date", "start": 2, "width": 10},
            {"name": "year", "type": "long", "start": 2, "width": 4},
            {"name": "next", "type": "string", "width": 1},
        ]
    )
    assert read(b"x 2024-05-01\n", parser).tuples == [(date(2024, 5, 1), 2024, "-")]


def test_widths_are_characters_whatever_the_charset():
    parser = fixed(charset="Shift_JIS", columns=[{"name": "city", "type": "string", "width": 2}, ID_NAME[0]])
    assert read("東京001\n大阪  2\n".encode("shift_jis"), parser).tuples == [("東京", 1), ("大阪", 2)]


@pytest.mark.parametrize(
    "settings, line, row",
    [
        ({}, b"  1 a b \n", (1, "a b")),
        ({"trim": False}, b"  1 a b \n", (1, " a b ")),
        ({}, b"        \n", (None, "")),
        ({"null_string": ""}, b"        \n", (None, None)),
        ({"null_string": ["-", "NA"]}, b"-  NA   \n", (None, None)),
        ({}, b"  1ann", (1, "ann")),
        ({}, b"  1ann       \t \n", (1, "ann")),
        ({"allow_optional_columns": True}, b"  1\n", (1, None)),
        ({"allow_optional_columns": True, "null_string": "-"}, b" 1\n", (1, None)),
        ({"charset_errors": "replace"}, b"  1a\xff\n", (1, "a\ufffd")),
        ({}, b"\xef\xbb\xbf  1ann\r\n\r\n", (1, "ann")),
        ({"skip_header_lines": 1, "comment_line_marker": "//"}, b"// x\n  1ann\n// 1 two\n", (1, "ann")),
    ],
)
def test_options_change_what_a_line_is(settings, line, row):
    found = read(line, fixed(**settings))
    assert (found.tuples, found.rejects) == ([row], [])


def test_header_lines_are_physical_lines():
    assert read(b"id name\r\rn/a\r  1ann", fixed(skip_header_lines=3)).tuples == [(1, "ann")]


def test_bad_lines_are_set_aside_with_their_place_and_reason():
    data = b"\xef\xbb\xbf  1ann  \r\n 2\r\n\r\n  xbob  \r\n  3bobbyjones \r\n  4\xff\r\n  5eve\r\n"
    found = read(data, fixed())
    assert found.tuples == [(1, "ann"), (5, "eve")]
    assert found.rejects == [
        Reject(2, "2 characters, at least 4 expected", " 2", line=2, offset=13),
        Reject(3, "id: 'x' is not a long", "  xbob  ", line=4, offset=19),
        Reject(4, "5 characters beyond the last column", "  3bobbyjones ", line=5, offset=29),
        Reject(5, "the line: the bytes are no text in the charset", r"  4\xff", line=6, offset=45),
    ]
    assert [data[reject.offset :][:3] for reject in found.rejects] == [b" 2\r", b"  x", b"  3", b"  4"]


def test_columns_are_given_by_name_in_the_order_asked_for():
    found = read(b"  1ann\n", fixed(), columns(name="string", gone="double", id="long"))
    assert found.rows == [{"name": "ann", "gone": None, "id": 1}]


def test_the_parsers_formats_hold_for_its_columns():
    parser = fixed(
        default_timestamp_format="%Y%m%d%H",
        default_timezone="Asia/Tokyo",
        columns=[{"name": "at", "type": "timestamp", "width": 10}],
    )
    assert read(b"2024050109\n", parser).tuples == [(datetime(2024, 5, 1, tzinfo=UTC),)]


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_an_object_without_lines_has_no_rows(data):
    assert read(data, fixed()).tuples == []


def test_a_preview_sees_the_first_rows_without_consuming_them():
    rows = FixedWidthRows(io.BytesIO(b"  1ann\n" * 100), fixed(), block=64)
    wanted = rows.infer()
    head = rows.head(wanted)
    assert 0 < head.batch.num_rows < 100
    assert sum(page.batch.num_rows for page in rows.pages(wanted)) == 100
    assert FixedWidthRows(io.BytesIO(b""), fixed()).head(wanted).batch.num_rows == 0


def test_a_line_that_never_ends_is_an_error_for_the_object():
    class Endless:
        def read(self, size: int, /) -> bytes:
            return b"x" * size

    with pytest.raises(ParseError, match="longer than 64 MiB"):
        list(FixedWidthRows(Endless(), fixed(skip_header_lines=1)).pages(()))


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"columns": []}, "columns"),
        ({"columns": [{"name": "a", "type": "long"}]}, "width is required"),
        ({"columns": [{"name": "a", "type": "long", "width": 0}]}, "width"),
        ({"columns": [{"name": "a", "type": "long", "width": 1, "src": "b"}]}, "src"),
        ({"charset": "klingon"}, "charset"),
        ({"comment_line_marker": "\n"}, "comment_line_marker"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        fixed(**settings)


@given(text=st.text(alphabet="12 aé\r\n#", max_size=60), optional=st.booleans(), block=st.integers(1, 40))
def test_every_line_is_a_row_or_a_reject_whatever_the_blocks(text, optional, block):
    parser = fixed(allow_optional_columns=optional, comment_line_marker="#")
    data = b"1" + text.encode()
    lines = data.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = [line for line in lines if line and not line.startswith("#")]
    whole = read(data, parser)
    assert len(whole.rows) + len(whole.rejects) == len(kept)
    assert whole.tuples == [row for line in kept if (row := expected(line, optional=optional)) is not None]
    rows = FixedWidthRows(Trickle(data, 3), parser, block=block)
    parts = Read((), [], [])
    for page in numbered(rows.pages(rows.infer()), rows=False):
        parts.rows += page.batch.to_pylist()
        parts.rejects += page.rejects
    assert (parts.rows, parts.rejects) == (whole.rows, whole.rejects)


def expected(line: str, *, optional: bool) -> tuple[int | None, str | None] | None:
    number, name, rest = line[:3].strip(), line[3:8].strip(), line[8:].strip()
    if rest or (len(line) <= 3 and not optional) or (number and not (number.isascii() and number.isdigit())):
        return None
    return (int(number) if number else None, name if len(line) > 3 else None)

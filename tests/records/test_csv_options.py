"""What each parser option means, one line of data at a time."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.config.parsers.csv import Csv, Tsv
from chalicelib.errors import ParseError
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.pages import Reject
from tests.records.reading import Read, Trickle, columns, csv, read
from tests.records.test_csv import in_pieces

STRAY = "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"
TEXTS = [{"name": name, "type": "string"} for name in ("a", "b")]


def texts(data: bytes, **settings: Any) -> Read:
    """The rows of two string columns, which must be the same beside a bad row, which Arrow refuses."""
    found = read(data, csv(columns=TEXTS, **settings))
    end = {"CR": b"\r", "CRLF": b"\r\n"}.get(settings.get("line_delimiter_recognized", ""), b"\n")
    delimiter = settings.get("delimiter", ",").encode()
    beside = read(data + end + delimiter.join([b"\xff"] * 2) + end, csv(columns=TEXTS, **settings))
    assert (beside.rows, beside.rejects[:-1]) == (found.rows, found.rejects)
    return found


@pytest.mark.parametrize(
    "delimiter, data, row",
    [
        ("\x01", b"x\x01y\n", ("x", "y")),
        ("\x1f", b'"x\x1f"\x1fy\n', ("x\x1f", "y")),
        (" ", b'x "y z"\n', ("x", "y z")),
        ("||", b"x||y\n", ("x", "y")),
        ("||", b"x|||y\n", ("x", "|y")),
        ("||", b"x|y||z\n", ("x|y", "z")),
        ("||", b'"x||y"||"z"""\n', ("x||y", 'z"')),
        ("||", b'x"||"y||"\n', ('x"', "y||")),
        ("¦", "é¦ü\n".encode(), ("é", "ü")),
        ("¦", '"é¦"¦ü\n'.encode(), ("é¦", "ü")),
        ("¦¦", "é¦¦¦\n".encode(), ("é", "¦")),
    ],
)
def test_a_delimiter_may_have_several_characters_of_any_kind(delimiter, data, row):
    assert texts(data, delimiter=delimiter).tuples == [row]


def test_a_delimiter_of_several_characters_is_found_where_every_control_character_is_data():
    signs = bytes(sign for sign in range(1, 32) if sign not in b"\r\n")
    assert texts(signs + b"||y\n", delimiter="||").tuples == [(signs.decode(), "y")]


@pytest.mark.parametrize(
    "line, row",
    [
        (b" x ,\ty \t\n", ("x", "y")),
        (b' "x" , "y,z " \n', ("x", "y,z ")),
        (b' "" , \n', ("", None)),
        (b' "x" y ,"z" w\n', ("x y", "z w")),
        (b'x "y" , z\n', ('x "y"', "z")),
        (b" ,\n", (None, None)),
        (b'"\n x ", y\n', ("\n x ", "y")),
    ],
)
def test_blanks_around_values_are_trimmed(line, row):
    assert texts(line, trim_if_not_quoted=True).tuples == [row]
    assert texts(line.replace(b" ", b"\t"), trim_if_not_quoted=True).tuples == [
        tuple(value and value.replace(" ", "\t") for value in row)
    ]


def test_blanks_are_kept_unless_trimmed():
    assert texts(b" x ,\ty \n").tuples == [(" x ", "\ty ")]


def test_blanks_that_delimit_are_not_trimmed():
    assert texts(b" x \t\t y\n x \t y \n", delimiter="\t", trim_if_not_quoted=True).tuples == [("x", "y")]


def test_a_line_of_blanks_is_a_row_of_one_value():
    one = csv(columns=TEXTS[:1], trim_if_not_quoted=True)
    assert read(b"x\n  \n\ny\n", one).tuples == [("x",), (None,), ("y",)]
    assert read(b'x\n  \n\n"y "\n', one).tuples == [("x",), (None,), ("y ",)]
    assert [reject.line for reject in texts(b"x,y\n  \n", trim_if_not_quoted=True).rejects] == [2]


def test_blanks_that_keep_two_halves_of_a_delimiter_apart_do_so_when_trimmed():
    assert texts(b"a| |||b\n", delimiter="||", trim_if_not_quoted=True).tuples == [("a|", "|b")]


def test_what_is_trimmed_away_can_be_null():
    assert texts(b" - , \n", trim_if_not_quoted=True, null_string="-").tuples == [(None, "")]


@pytest.mark.parametrize(
    "line, row",
    [
        (b'"say "hi"",y\n', ('say "hi"', "y")),
        (b'"a "b" c",y\n', ('a "b" c', "y")),
        (b'"a ""b"" c",y\n', ('a "b" c', "y")),
        (b'"a """,y\n', ('a "', "y")),
        (b'"","y"\n', ("", "y")),
        (b'""",y\n', ('"', "y")),
        (b'"a,b","c"\n', ("a,b", "c")),
        (b'"a\n"b" c",y\n', ('a\n"b" c', "y")),
        (b'x"y,"z\n"\n', ('x"y', "z\n")),
        (b'"x", "y"\n', ("x", ' "y"')),
    ],
)
def test_stray_quotes_stand_for_themselves(line, row):
    assert texts(line, quotes_in_quoted_fields=STRAY).tuples == [row]


def test_an_escape_acts_beside_stray_quotes():
    assert texts(rb'"a\",b" "c\\",y' + b"\n", quotes_in_quoted_fields=STRAY, escape="\\").tuples == [
        ('a",b" "c\\', "y")
    ]


def test_without_them_what_follows_a_closing_quote_belongs_to_the_value():
    assert texts(b'"a"b"c,y\n').tuples == [('ab"c', "y")]


@pytest.mark.parametrize("marker", ["#", "//", "é"])
def test_a_line_that_begins_with_the_marker_is_no_row(marker):
    sign = marker.encode()
    data = sign + b' "x\n1,2\n' + sign + b',\n"3\n' + sign + b'4","' + sign + b'"\n 5,' + sign + b"\n" + sign
    assert texts(data, comment_line_marker=marker).tuples == [
        ("1", "2"),
        (f"3\n{marker}4", marker),
        (" 5", marker),
    ]


def test_comments_before_the_header_are_skipped_and_lines_are_counted():
    data = b"# made by\n\n# hand\na,b\n# one\n1,2\n3\n"
    found = read(data, csv(comment_line_marker="#"))
    assert found.rows == [{"a": 1, "b": 2}]
    assert found.rejects == [Reject(2, "1 field, 2 expected", "3", line=7, offset=data.index(b"3\n"))]


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
def test_comments_are_found_after_any_line_end(line_end):
    data = line_end.join([b"a,b", b"#1", b"1,2", b"#", b"", b"#3,4"])
    assert read(data, csv(comment_line_marker="#")).tuples == [(1, 2)]


@pytest.mark.parametrize(
    "settings, line, row",
    [
        ({"allow_optional_columns": True}, b"1\n", (1, None, None)),
        ({"allow_optional_columns": True}, b'1,""\n', (1, "", None)),
        ({"allow_optional_columns": True, "null_string": "-"}, b"-,-\n", (None, None, None)),
        ({"allow_optional_columns": True, "null_string": "-"}, b"1,\n", (1, "", None)),
        ({"allow_optional_columns": True}, b"1,x,,\n", None),
        ({"allow_extra_columns": True}, b"1,x,y,z,\n", (1, "x", "y")),
        ({"allow_extra_columns": True}, b"1,x,y\n", (1, "x", "y")),
        ({"allow_extra_columns": True}, b"1,x\n", None),
        ({"allow_extra_columns": "capture"}, b"1,x,y\n", (1, "x", "y", None)),
        ({"allow_extra_columns": "capture"}, b'1,x,y,z,"",\n', (1, "x", "y", '["z","",null]')),
        ({"allow_extra_columns": "capture", "null_string": "-"}, b"1,x,y,-,\n", (1, "x", "y", '[null,""]')),
        ({"allow_extra_columns": "capture"}, 'é,x,y,"é ""q"""\n'.encode(), None),
        ({"allow_extra_columns": "capture"}, '1,x,y,"é ""q"""\n'.encode(), (1, "x", "y", '["é \\"q\\""]')),
        ({"allow_extra_columns": "capture"}, b"1,x,y,\xff\n", None),
        ({"allow_extra_columns": True}, b"1,x,y,\xff\n", (1, "x", "y")),
        ({"allow_extra_columns": "capture", "charset_errors": "replace"}, b"1,x,y,\xff\n", (1, "x", "y", '["\ufffd"]')),
        ({"allow_extra_columns": "capture", "allow_optional_columns": True}, b"1\n", (1, None, None, None)),
        ({"allow_extra_columns": "capture", "allow_optional_columns": True}, b"1,x,y,z\n", (1, "x", "y", '["z"]')),
        ({}, b"1,x\n", None),
        ({}, b"1,x,y,z\n", None),
    ],
)
@pytest.mark.parametrize("neighbour", [b"", b"7,u,v\n", b"seven,u,v\n", b"8\n9,p,q,r\n"])
def test_records_may_lack_values_or_have_more_of_them(settings, line, row, neighbour):
    declared = [{"name": "id", "type": "long"}, *TEXTS]
    alone = read(line, csv(columns=declared, **settings))
    assert alone.tuples == ([row] if row else [])
    assert len(alone.rejects) == (row is None)
    beside = read(line + neighbour, csv(columns=declared, **settings))
    assert beside.rows[: len(alone.rows)] == alone.rows
    assert beside.rejects[: len(alone.rejects)] == alone.rejects
    assert len(beside.rows) + len(beside.rejects) == 1 + neighbour.count(b"\n")


def test_an_object_whose_rows_all_lack_a_column_has_the_types_of_the_others():
    found = read(b"a,b,c\n1,x\n2,y\n", csv(allow_optional_columns=True))
    assert found.types == {"a": "long", "b": "string"}
    assert found.tuples == [(1, "x"), (2, "y")]


def test_what_is_captured_stands_beside_inferred_columns():
    found = read(b"a,_rest\n1,2\n3,4,5\n", csv(allow_extra_columns="capture"))
    assert found.types == {"a": "long", "_rest_2": "long", "_rest": "json"}
    assert [json.loads(row["_rest"] or "null") for row in found.rows] == [None, ["5"]]


@pytest.mark.parametrize(
    "recognized, data, rows",
    [
        ("LF", b"1,x\r\n2,y\rz\n", [("1", "x\r"), ("2", "y\rz")]),
        ("CR", b"1,x\n\r2,y\r", [("1", "x\n"), ("2", "y")]),
        ("CR", b"1,x\r2,y", [("1", "x"), ("2", "y")]),
        ("CRLF", b"1,x\ny\r\n2,\rz\r\r\n", [("1", "x\ny"), ("2", "\rz\r")]),
        ("CRLF", b'1,"x\r\n"\r\n2,y', [("1", "x\r\n"), ("2", "y")]),
        ("LF", b'1,"x\r\n"\n2,y', [("1", "x\r\n"), ("2", "y")]),
        (None, b"1,x\r2,y\n3,z\r\n\r\r4,w", [("1", "x"), ("2", "y"), ("3", "z"), ("4", "w")]),
    ],
)
def test_only_the_recognized_line_end_ends_a_line(recognized, data, rows):
    found = texts(data, line_delimiter_recognized=recognized)
    assert (found.tuples, found.rejects) == (rows, [])


def test_lines_are_those_that_the_recognized_end_makes():
    found = texts(b"1\r,x\n\r\n2\n", line_delimiter_recognized="LF")
    assert [(reject.line, reject.text) for reject in found.rejects] == [(2, "\r"), (3, "2")]


@pytest.mark.parametrize("limit, kept", [(5, True), (4, False)])
@pytest.mark.parametrize("value", [b'"abcde"', b'"ab""de"', b'"ab\n,e"'])
def test_a_quoted_value_above_the_limit_costs_its_row(limit, kept, value):
    found = texts(b"1,x\n" + value + b",y\n", max_quoted_size_limit=limit)
    assert len(found.rows) == 1 + kept
    assert [r.reason for r in found.rejects] == [
        "a: a quoted value of more than 4 bytes, which max_quoted_size_limit allows"
    ] * (not kept)


def test_a_value_without_quotes_may_be_long():
    assert texts(b'abcdef,"x"\n', max_quoted_size_limit=3).tuples == [("abcdef", "x")]


def test_the_limit_is_128_kib_unless_said_otherwise():
    lines = [b'"%s",x\n' % (b"y" * size) for size in (131_072, 131_073)]
    assert [len(texts(line).rejects) for line in lines] == [0, 1]


def test_bad_bytes_can_be_replaced():
    data = b"caf\xe9,\xff\xfe\n\xe3\x81,y\n"
    assert read(data, csv(columns=TEXTS, charset_errors="replace")).tuples == [
        ("caf\ufffd", "\ufffd\ufffd"),
        ("\ufffd", "y"),
    ]
    assert read("é,x\n".encode("cp1252") + b"\x81,y\n", csv(columns=TEXTS, charset="cp1252")).tuples == [("é", "x")]
    replaced = read(b"\x81,y\n", csv(columns=TEXTS, charset="cp1252", charset_errors="replace"))
    assert replaced.tuples == [("\ufffd", "y")]


def test_a_bad_byte_of_another_charset_is_shown_as_itself():
    (reject,) = read("é,x\n".encode("cp1252") + b"\x81,y\n", csv(columns=TEXTS, charset="cp1252")).rejects
    assert (reject.text, reject.line, reject.offset) == (r"\x81,y", 2, None)


@pytest.mark.parametrize("charset", ["UTF-16", "utf-16-le", "UTF-32", "utf-32-be", "utf-8-sig", "UTF-8"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(charset):
    text = "\ufeffid,b\n1,x\n"
    data = text.encode(charset) if charset[-2:] in ("le", "be", "-8") else text[1:].encode(charset)
    assert read(data, csv(charset=charset)).rows == [{"id": 1, "b": "x"}]


@pytest.mark.parametrize("charset", ["UTF-16", "UTF-32"])
def test_a_mark_of_another_charset_is_named(charset):
    with pytest.raises(ParseError, match=f"set charset: {charset}"):
        read("id,name\n".encode(charset), csv())


@pytest.mark.parametrize("charset", ["UTF-16", "UTF-32"])
def test_a_wide_charset_without_its_mark_is_an_error_that_says_so(charset):
    with pytest.raises(ParseError, match=f"without a byte order mark it is {charset.lower()}-le"):
        read("id\n1\n".encode(f"{charset}-LE"), csv(charset=charset))


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_a_mark_in_the_middle_of_an_object_is_data_whatever_the_block(block):
    data = b'a\n1\n\xef\xbb\xbf||\n\xef\xbb\xbf"x"\n'
    found = in_pieces(data, csv(columns=TEXTS[:1]), block)
    assert found.tuples == [("a",), ("1",), ("\ufeff||",), ('\ufeff"x"',)]


def test_bytes_that_are_no_text_are_values_all_the_same():
    found = read(b"a,b\n1,\xff\n2,\n", csv())
    assert found.types == {"a": "long", "b": "string"}
    assert found.tuples == [(2, None)]
    assert [reject.line for reject in found.rejects] == [2]


@pytest.mark.parametrize("block", [1, 1000])
def test_rows_without_any_value_are_counted_though_no_column_is_known(block):
    found = in_pieces(b"a,b\n,\nbad\n,\n" + b"," * 5 + b"\n", csv(), block)
    assert len(found.rows) == 2
    assert [(reject.record, reject.line) for reject in found.rejects] == [(2, 3), (4, 5)]


def test_nul_bytes_are_data_wherever_they_stand():
    assert texts(b'\0,"\0"\n\0x,y\0z\n').tuples == [("\0", "\0"), ("\0x", "y\0z")]
    found = read(b"a\0,b\n1,2\n\0,3\n", csv())
    assert found.rows == [{"a\0": "1", "b": 2}, {"a\0": "\0", "b": 3}]


NAMED = [{"name": "id", "type": "long"}, {"name": "who", "type": "string", "src": "Name"}]


def named(**settings: Any) -> Csv:
    return csv(columns=NAMED, columns_by="name", **settings)


@pytest.mark.parametrize(
    "header", ["id,Name", "Name,id", "x,Name,y,id", " id , Name ", "who,id,Name", "ID,id,Name,Name"]
)
def test_columns_are_found_by_the_header(header):
    values = {"id": "1", "Name": "ann"}
    line = ",".join(values.get(name.strip(), "no") for name in header.split(","))
    if header.endswith("Name,Name"):
        line = "7,1,ann,bob"
    assert read(f"{header}\n{line}\n".encode(), named()).rows == [{"id": 1, "who": "ann"}]


def test_a_column_that_the_header_lacks_sets_the_object_aside_with_both_names():
    with pytest.raises(ParseError, match="the header has no column Name; the nearest is name: id, name"):
        read(b"id,name\n1,ann\n", named())


def test_a_column_that_the_header_lacks_is_null_where_columns_are_optional():
    assert read(b"id,name\n1,ann\n2\n", named(allow_optional_columns=True)).tuples == [(1, None), (2, None)]
    assert read(b"x\n1\n", named(allow_optional_columns=True)).tuples == [(None, None)]


def test_by_name_the_header_says_how_many_fields_there_are():
    found = read(b"Name,x,id\nann,?,1,more\nbob,?,2\n", named(allow_extra_columns="capture"))
    assert found.tuples == [(1, "ann", '["more"]'), (2, "bob", None)]
    assert [reject.line for reject in read(b"Name,x,id\nann,1\n", named()).rejects] == [2]


def test_by_name_the_header_is_the_last_skipped_line():
    assert read(b"made by hand\nName,id\nann,1\n", named(skip_header_lines=2)).tuples == [(1, "ann")]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_by_name_an_empty_object_has_no_rows(data):
    assert read(data, named()).tuples == []


def test_names_that_differ_in_case_are_both_kept():
    assert read(b"id,ID,Id,id\n1,2,3,4\n", csv()).rows == [{"id": 1, "ID": 2, "Id": 3, "id_2": 4}]


def test_the_parsers_defaults_hold_for_timestamps():
    parser = csv(
        default_timezone="Asia/Tokyo",
        default_timestamp_format="%Y-%m-%d %H:%M",
        columns=[
            {"name": "t", "type": "timestamp"},
            {"name": "u", "type": "timestamp", "format": "%d.%m.%Y", "timezone": "UTC"},
            {"name": "v", "type": "timestamp", "format": "iso8601"},
        ],
    )
    nine = datetime(2024, 5, 1, 0, tzinfo=UTC)
    line = b"2024-05-01 09:00,01.05.2024,2024-05-01T09:00:00\n"
    assert read(line, parser).tuples == [(nine, nine, nine)]
    assert read(line + b"x,x,x\n", parser).tuples == [(nine, nine, nine)]


def test_tabs_delimit_tsv():
    assert read(b"a\tb\n1\tx,y\n", Tsv(type="tsv")).rows == [{"a": 1, "b": "x,y"}]


def test_a_bad_record_of_many_lines_costs_itself_only():
    data = b'1,"x\n2,y\n3,z",more\n4,w\n'
    found = texts(data)
    assert found.tuples == [("4", "w")]
    assert found.rejects == [Reject(1, "3 fields, 2 expected", '1,"x\n2,y\n3,z",more', line=1, offset=0)]


def test_very_many_bad_rows_come_in_pages_of_bounded_size():
    data = b"a,b\n" + b"x\n" * 120_000
    pages = list(CsvRows(Trickle(data), csv()).pages(columns(a="long", b="long")))
    assert sum(len(page.rejects) for page in pages) == 120_000
    assert len(pages) > 1
    assert max(len(page.rejects) for page in pages) < 80_000
    assert [reject.record for reject in pages[1].rejects] == list(range(len(pages[1].rejects)))


def test_a_preview_sees_what_the_load_will_see_without_consuming_it():
    data = b"a\n" + b"1\nx\n" * 500
    rows = CsvRows(Trickle(data), csv(), block=200)
    wanted = columns(a="long")
    head = rows.head(wanted)
    first, *others = rows.pages(wanted)
    assert (head.batch, head.rejects) == (first.batch, first.rejects)
    assert sum(len(page.rejects) for page in (first, *others)) == 500
    assert CsvRows(Trickle(b""), csv()).head(wanted).batch.num_rows == 0

import csv as stdlib_csv
import io
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.config.parsers.csv import Csv
from chalicelib.errors import DecodeError, ParseError
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.pages import TEXT, Reject
from chalicelib.records.quarantine import numbered
from tests.records.reading import SAMPLES, Read, Trickle, columns, csv, read, read_rows


def in_pieces(data: bytes, parser: Csv, block: int) -> Read:
    """The object read in blocks of this size, from a network that gives three bytes at a time."""
    rows = CsvRows(Trickle(data, 3), parser, block=block)
    columns = rows.infer()
    result = Read(columns, [], [])
    for page in numbered(rows.pages(columns), rows=False):
        page.batch.validate(full=True)
        result.rows += page.batch.to_pylist()
        result.rejects += page.rejects
    return result


PEOPLE = [(1, "ann"), (2, "bob")]


@pytest.mark.parametrize(
    "sample, rows",
    [
        ("bom.csv", PEOPLE),
        ("crlf.csv", PEOPLE),
        ("cr.csv", PEOPLE),
        ("two_members.csv.gz", PEOPLE),
        ("quotes.csv", [(1, 'ann, the "first"'), (2, "bob\nof two lines"), (3, ""), (4, None)]),
        ("header_only.csv", []),
        ("empty.csv", []),
    ],
)
def test_samples_give_their_rows(sample, rows):
    found = read((SAMPLES / sample).read_bytes(), csv())
    assert (found.tuples, found.rejects) == (rows, [])


def test_an_empty_body_has_no_columns_and_no_pages():
    rows = CsvRows(io.BytesIO(b""), csv())
    assert rows.infer() == ()
    assert list(rows.pages(columns(a="long"))) == []


def test_a_file_of_empty_lines_is_as_good_as_empty():
    assert read(b"\n\r\n\n", csv()).columns == ()


def test_a_header_alone_says_nothing_of_its_columns():
    found = read(b"id,name", csv())
    assert (found.types, found.rows) == ({}, [])


def test_a_column_without_a_value_in_the_whole_object_is_left_to_another():
    found = read(b'id,none,text\n1,,""\n2,,\n', csv())
    assert found.types == {"id": "long", "text": "string"}
    assert len(found.rows) == 2


def test_a_truncated_object_raises_while_its_pages_are_read():
    with pytest.raises(DecodeError):
        read((SAMPLES / "truncated.csv.gz").read_bytes(), csv())


@pytest.mark.parametrize(
    "header, names",
    [
        ("a,b", ["a", "b"]),
        (" a , b", ["a", "b"]),
        (",x,", ["c0", "x", "c2"]),
        ("a,a,a", ["a", "a_2", "a_3"]),
        ("a,a,a_2", ["a", "a_3", "a_2"]),
        ('"a\nb","c,d"', ["a\nb", "c,d"]),
        ("1,2", ["1", "2"]),
        ("\n\na,b", ["a", "b"]),
    ],
)
def test_header_names_are_made_distinct(header, names):
    found = read(f"{header}\n".encode() + b",".join([b"7"] * len(names)) + b"\n", csv())
    assert [column.name for column in found.columns] == names
    assert found.tuples == [(7,) * len(names)]


def test_without_a_header_fields_are_named_by_position():
    assert read(b"1,x\n2,y\n", csv(skip_header_lines=0)).rows == [{"c0": 1, "c1": "x"}, {"c0": 2, "c1": "y"}]


def test_the_last_skipped_line_is_the_header_whatever_stood_before():
    found = read(b'# an "odd line\r\n\r\nid,name\r\n1,"x"y\r\nbad\r\n', csv(skip_header_lines=3))
    assert found.rows == [{"id": 1, "name": "xy"}]
    assert found.rejects == [Reject(2, "1 field, 2 expected", "bad", line=5, offset=35)]


def test_skipping_more_lines_than_there_are_leaves_nothing():
    assert read(b"a\nb", csv(skip_header_lines=9)).columns == ()


def test_declared_columns_are_taken_by_position():
    parser = csv(columns=[{"name": "id", "type": "long"}, {"name": "who", "type": "string"}], skip_header_lines=1)
    assert read(b"x,y\n1,ann\n", parser).rows == [{"id": 1, "who": "ann"}]


def test_columns_are_mapped_by_name_and_absent_ones_are_null():
    found = read(b"b,a,c\n1,2,3\n4,5,6\n", csv(), columns(a="double", z="timestamp", b="string"))
    assert found.rows == [{"a": 2.0, "z": None, "b": "1"}, {"a": 5.0, "z": None, "b": "4"}]


def test_rows_are_counted_even_if_no_column_is_known():
    assert read(b"b\n1\n2\n", csv(), columns(z="long")).tuples == [(None,), (None,)]


@pytest.mark.parametrize(
    "settings, field, as_string, as_long",
    [
        ({}, b"", None, None),
        ({}, b'""', "", None),
        ({}, b"NULL", "NULL", "reject"),
        ({"null_string": "NULL"}, b"NULL", None, None),
        ({"null_string": "NULL"}, b'"NULL"', None, None),
        ({"null_string": "NULL"}, b"", "", None),
        ({"null_string": ["NA", "-"]}, b"-", None, None),
        ({"null_string": ""}, b'""', None, None),
    ],
)
@pytest.mark.parametrize("neighbour", [b"", b"short\n"], ids=["fast", "slow"])
def test_null_is_what_the_null_strings_say(settings, field, as_string, as_long, neighbour):
    data = b"k,v\n1," + field + b"\n" + neighbour
    assert read(data, csv(**settings), columns(v="string")).tuples == [(as_string,)]
    assert read(data, csv(**settings), columns(v="long")).tuples == ([] if as_long == "reject" else [(as_long,)])


def test_bad_rows_are_set_aside_with_line_reason_and_text():
    data = b'a,b\r\n1,x\r\n2\r\n\r\nthree,"y\r\nz"\r\n4,w,5\r\n9223372036854775808,v\r\n6,u\r\n'
    found = read(data, csv(), columns(a="long", b="string"))
    assert found.tuples == [(1, "x"), (6, "u")]
    assert found.rejects == [
        Reject(2, "1 field, 2 expected", "2", line=3, offset=10),
        Reject(3, "a: 'three' is not a long", 'three,"y\r\nz"', line=5, offset=15),
        Reject(4, "3 fields, 2 expected", "4,w,5", line=7, offset=29),
        Reject(5, "a: '9223372036854775808' is not a long", "9223372036854775808,v", line=8, offset=36),
    ]


def test_a_row_with_several_faults_names_them_all():
    found = read(b"a,b\nx,2024-13-01\n", csv(), columns(a="long", b="timestamp"))
    assert found.rejects[0].reason == "a: 'x' is not a long; b: '2024-13-01' is not a timestamp"


def test_the_text_of_a_reject_is_cut():
    (reject,) = read(b"a,b\n" + "é".encode() * 9 * TEXT + b"\n", csv(), columns(a="string", b="string")).rejects
    assert reject.text == "é" * TEXT + "…"


def test_a_quote_that_is_never_closed_costs_the_rest_as_one_row():
    found = read(b'a,b\n1,x\n2,"y\n3,z\n', csv(), columns(a="long", b="string"))
    assert found.tuples == [(1, "x")]
    assert found.rejects == [Reject(2, "a quote is never closed", '2,"y\n3,z', line=3, offset=8)]


def test_bytes_that_are_no_utf8_cost_their_row_only():
    found = read(b"a,b\n1,x\n2,\xff\n\xff\n\xe9t\xe9,y\n,caf\xc3\xa9\n", csv(), columns(a="long", b="string"))
    assert found.tuples == [(1, "x"), (None, "café")]
    assert [(reject.line, reject.text) for reject in found.rejects] == [
        (3, r"2,\xff"),
        (4, r"\xff"),
        (5, r"\xe9t\xe9,y"),
    ]


def test_bad_bytes_in_a_sample_do_not_stop_the_guess():
    assert read(b"a\n1\n\xff\n", csv()).types == {"a": "long"}


def test_a_nul_does_not_end_a_line():
    assert read(b"a,b\nx\0y,1\n", csv()).tuples == [("x\0y", 1)]


@pytest.mark.parametrize("charset", ["Shift_JIS", "UTF-16", "utf-16-le", "ISO-2022-JP", "UTF-8", "utf-8-sig"])
def test_any_charset_is_read_whatever_the_pieces(charset):
    text = "id,name\n" + "".join(f"{n},東京\n" for n in range(50))
    rows = CsvRows(Trickle(text.encode(charset), 3), csv(charset=charset), block=64)
    assert read_rows(rows).tuples == [(n, "東京") for n in range(50)]


def test_a_byte_unknown_to_the_charset_costs_its_row_only():
    found = read((SAMPLES / "shift_jis.csv").read_bytes() + b"3,\xff\n", csv(charset="Shift_JIS"))
    assert found.tuples == [(1, "東京"), (2, "大阪")]
    assert [reject.line for reject in found.rejects] == [4]


def test_content_that_cannot_be_in_the_charset_is_an_error():
    with pytest.raises(ParseError, match="the text is not utf-16"):
        read(b"abc", csv(charset="utf-16-le"))


def test_a_header_that_is_no_text_is_an_error():
    with pytest.raises(ParseError, match="the header cannot be read"):
        read(b"a,\xff\n1,2\n", csv())


def test_a_header_whose_quote_is_never_closed_is_an_error():
    with pytest.raises(ParseError, match="the header cannot be read"):
        read(b'a,"b\n1,2\n', csv())


class EndlessName:
    """A header that opens a quote and never closes it."""

    def __init__(self) -> None:
        self.quote = b'"'

    def read(self, size: int, /) -> bytes:
        start, self.quote = self.quote, b""
        return start + b"x" * (size - len(start))


def test_a_header_without_an_end_is_an_error():
    with pytest.raises(ParseError, match="longer than 64 MiB"):
        CsvRows(EndlessName(), csv()).infer()


@pytest.mark.parametrize(
    "settings, data, row",
    [
        ({"delimiter": "\t"}, b"a\tb\nx y\t1\n", ("x y", 1)),
        ({"delimiter": "|", "quote": "'"}, b"a|b\n'x|''y'|1\n", ("x|'y", 1)),
        ({"quote": None}, b'a,b\n"x,1\n', ('"x', 1)),
        ({"quote": None}, b"", ()),
        ({"escape": "\\"}, b'a,b\n"x\\"y\\n\nz",1\n', ('x"y\\n\nz', 1)),
        ({"escape": '"'}, b'a,b\n"x""y",1\n', ('x"y', 1)),
    ],
)
def test_the_dialect_can_be_chosen(settings, data, row):
    assert read(data, csv(**settings)).tuples == ([row] if row else [])


@pytest.mark.parametrize(
    "values, kind",
    [
        (["true", "FALSE", ""], "boolean"),
        (["yes", "no"], "string"),
        (["1", "0"], "long"),
        (["1", "-20", "9223372036854775807"], "long"),
        (["007"], "string"),
        (["+5"], "string"),
        (["9223372036854775808"], "string"),
        (["1", "2.5"], "double"),
        ([".5", "-1.", "1e-05", "NaN"], "double"),
        (["1e5"], "string"),
        (["20150127"], "long"),
        (["2015-01-27", "2015-01-27 10:00:00.25", "2015-01-27T10:00Z"], "timestamp"),
        (["2015-02-30"], "string"),
        (["03/04/2024"], "string"),
        (["1", "x"], "string"),
        (["", '""'], "string"),
        (['"5"', '""', "6"], "long"),
    ],
)
def test_types_are_guessed_from_the_first_block(values, kind):
    data = "v,w\n" + "".join(f"{value},x\n" for value in values)
    found = read(data.encode(), csv())
    assert found.types == {"v": kind, "w": "string"}
    assert found.rejects == []


def test_what_comes_after_the_sample_cannot_change_a_type():
    rows = CsvRows(Trickle(b"a\n" + b"1\n" * 100 + b"x\n"), csv(), block=50)
    found = read_rows(rows)
    assert (found.types, len(found.rows)) == ({"a": "long"}, 100)
    assert found.rejects == [Reject(13, "a: 'x' is not a long", "x", line=102, offset=202)]


def test_timestamps_with_and_without_zone_may_stand_in_one_column():
    data = b"t\n2024-05-01\n2024-05-01T10:00:00Z\n2024-05-01 10:00:00+02:00\n"
    assert [row["t"].hour for row in read(data, csv()).rows] == [0, 10, 8]


def test_a_timestamp_format_holds_for_its_column():
    parser = csv(columns=[{"name": "t", "type": "timestamp", "format": "%d.%m.%Y"}, {"name": "j", "type": "json"}])
    found = read(b'01.02.2024,"{""a"":1}"\n2024-01-02,x\n,\n', parser)
    assert found.tuples == [(datetime(2024, 2, 1, tzinfo=UTC), '{"a":1}'), (None, None)]
    assert [reject.line for reject in found.rejects] == [2]


def test_large_objects_are_read_by_several_threads_in_order():
    rows = CsvRows(Trickle(b"n\n" + b"".join(b"%d\n" % n for n in range(20_000)), 777), csv(), block=4096)
    assert [row["n"] for row in read_rows(rows).rows] == list(range(20_000))


def test_no_thread_stays_behind_when_pages_are_left_unread():
    before = threading.active_count()
    pages = CsvRows(Trickle(b"n\n" + b"1\n" * 20_000), csv(), block=1024).pages(columns(n="long"))
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


cells = st.one_of(st.integers(-(10**20), 10**20).map(str), st.text(alphabet='a1é,;"\n\r \0.-', max_size=6))


@given(
    rows=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=8),
    quoting=st.sampled_from([stdlib_csv.QUOTE_ALL, stdlib_csv.QUOTE_MINIMAL]),
    end=st.sampled_from(["\n", "\r", "\r\n"]),
    block=st.integers(1, 50),
)
def test_fields_are_those_of_the_csv_module_and_no_record_is_lost(rows, quoting, end, block):
    file = io.StringIO(newline="")
    stdlib_csv.writer(file, quoting=quoting, lineterminator=end).writerows(rows)
    parser = csv(columns=[{"name": "a", "type": "string"}, {"name": "b", "type": "string"}], null_string="never")
    found = read_rows(CsvRows(Trickle(file.getvalue().encode(), 7), parser, block=block))
    expected = [tuple(row) for row in stdlib_csv.reader(io.StringIO(file.getvalue(), newline="")) if row]
    assert found.tuples == [row for row in expected if len(row) == 2]
    assert len(found.rejects) == len([row for row in expected if len(row) != 2])


@given(text=st.text(alphabet='a1,"\n\r', max_size=40), block=st.integers(1, 40))
def test_rows_and_rejects_do_not_depend_on_the_size_of_blocks(text, block):
    parser = csv(columns=[{"name": "a", "type": "long"}, {"name": "b", "type": "string"}])
    whole = read(text.encode(), parser)
    parts = in_pieces(text.encode(), parser, block)
    assert (parts.rows, parts.rejects) == (whole.rows, whole.rejects)

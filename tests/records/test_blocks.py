import csv as stdlib_csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.errors import ParseError
from chalicelib.records.delimited.dialect import Dialect
from chalicelib.records.text.blocks import Block, blocks, line_ends
from chalicelib.records.text.lookahead import Lookahead
from tests.records.reading import Trickle, csv

RFC = Dialect.of(csv())
STRAY = "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"
DIALECTS = [
    Dialect.of(csv(**settings))
    for settings in (
        {},
        {"quote": None},
        {"escape": "\\"},
        {"delimiter": ";", "quote": "'"},
        {"delimiter": ",;"},
        {"comment_line_marker": ";"},
        {"quotes_in_quoted_fields": STRAY},
        {"line_delimiter_recognized": "CR"},
        {"line_delimiter_recognized": "CRLF", "escape": "\\"},
    )
]
messy = st.text(alphabet="a,;\"'\\\r\n", max_size=60).map(str.encode)


def cut(data: bytes, dialect: Dialect, *, size: int = 1 << 20, step: int = 1 << 20) -> list[Block]:
    body = Lookahead(Trickle(data, step))
    ends, terminator = dialect.line_ends, dialect.terminator
    return list(blocks(body, dialect.boundary, size=size, ends=ends, terminator=terminator))


def records(found: list[Block], dialect: Dialect) -> list[tuple[int, bytes]]:
    tail = [(block.line + dialect.line_ends(block.data), block.tail.rstrip(b"\r\n")) for block in found if block.tail]
    return [(line, raw) for block in found for line, _, raw in dialect.records(block.data, block.line)] + tail


@given(data=messy, dialect=st.sampled_from(DIALECTS), size=st.integers(1, 20), step=st.integers(1, 20))
@example(data=b"a\r\nb\r\n", dialect=RFC, size=2, step=1)
@example(data=b'a"b\n"c\nd"\n', dialect=RFC, size=3, step=3)
def test_the_records_do_not_depend_on_where_the_stream_is_cut(data, dialect, size, step):
    assert records(cut(data, dialect, size=size, step=step), dialect) == records(cut(data, dialect), dialect)


@given(data=messy, dialect=st.sampled_from(DIALECTS), size=st.integers(1, 20))
def test_blocks_put_together_are_the_stream(data, dialect, size):
    found = cut(data, dialect, size=size)
    whole = b"".join(block.data + block.tail for block in found)
    assert whole.removesuffix(dialect.terminator) == data.removesuffix(dialect.terminator)
    assert [block.offset for block in found] == [sum(len(b.data) for b in found[:n]) for n in range(len(found))]


@given(text=st.text(alphabet='a,"\n', max_size=40))
def test_records_are_those_of_the_csv_module(text):
    found = cut(text.encode(), RFC)
    if found and found[-1].tail:
        return  # the csv module closes a quote for you
    rows = [row for row in stdlib_csv.reader(io.StringIO(text, newline="")) if row]
    assert len(records(found, RFC)) == len(rows)


@given(
    rows=st.lists(st.lists(st.text(alphabet='aé,;"\r\n', max_size=8), min_size=1, max_size=3), max_size=6),
    size=st.integers(1, 30),
)
def test_no_quoted_line_break_is_taken_for_the_end_of_a_record(rows, size):
    file = io.StringIO(newline="")
    stdlib_csv.writer(file, quoting=stdlib_csv.QUOTE_ALL).writerows(rows)
    found = cut(file.getvalue().encode(), RFC, size=size)
    assert len(records(found, RFC)) == len(rows)


def test_a_record_keeps_the_line_on_which_it_begins():
    data = b'a\n"b\nb\r\nb"\r\n\nc\rd\n"e'
    assert records(cut(data, RFC, size=2), RFC) == [
        (1, b"a"),
        (2, b'"b\nb\r\nb"'),
        (6, b"c"),
        (7, b"d"),
        (8, b'"e'),
    ]


@given(data=st.text(alphabet="a\r\n", max_size=20).map(str.encode))
def test_cr_lf_and_crlf_each_count_once(data):
    assert line_ends(data) == len(re.findall(rb"\r\n|\r|\n", data))


class Endless:
    """A body without any line end, and without an end."""

    def read(self, size: int, /) -> bytes:
        return b"x" * size


def test_a_record_beyond_the_limit_is_an_error_for_the_object():
    with pytest.raises(ParseError, match="one record is longer than 64 MiB"):
        list(blocks(Lookahead(Endless()), lambda data: data.rfind(b"\n") + 1))


def test_a_quote_that_escapes_itself_is_plain_doubling():
    assert Dialect.of(csv(escape='"')) == RFC


@pytest.mark.parametrize(
    "written, meant",
    [
        (rb'"a\"b",c', b'"a""b",c'),
        (rb'"a\\",c', rb'"a\",c'),
        (rb'"a\n",\"c', rb'"a\n",\"c'),
        (rb'"a""b\"",","', b'"a""b""",","'),
        (rb'x"\"",y', rb'x"\"",y'),
    ],
    ids=["quote", "itself", "anything else stays", "both ways", "outside quotes it is a character"],
)
def test_escapes_act_inside_quotes_before_a_quote_or_themselves(written, meant):
    assert Dialect.of(csv(escape="\\")).without_escapes(written + b"\n") == meant + b"\n"


@pytest.mark.parametrize("before", [b"", b"a,b\n" * 20_000, b'"a","b"\n' * 20_000, b'a,"b"\n' + b"c,d\n" * 20_000])
@pytest.mark.parametrize("begun", [b'"x\ny', b'z,"x\ny', b'z,"x""\n""y', b'z,"\n', b'"\r', b'z,"x\r\n\r\ny'])
def test_a_line_break_in_quotes_ends_no_record_however_many_quotes_there_are(before, begun):
    assert RFC.boundary(before + begun) == len(before)
    assert RFC.boundary(before + begun + b'"\n') == len(before + begun) + 2


def test_a_quote_opens_a_value_behind_a_carriage_return_too():
    assert RFC.boundary(b'z\r"x\ny') == len(b"z\r")

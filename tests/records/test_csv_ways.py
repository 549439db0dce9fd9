"""The fast way of a block of delimited text and the exact one: the same rows, the same rejects, or no word."""

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.delimited.dialect import Dialect
from chalicelib.records.delimited.reading import Reading
from chalicelib.records.pages import Page
from chalicelib.records.text.blocks import Block
from tests.records.reading import csv

KINDS = [
    *(Column(name="x", type=ColumnType(kind)) for kind in ("long", "double", "boolean", "string", "json", "date")),
    Column(name="x", type=ColumnType.TIMESTAMP),
    Column(name="x", type=ColumnType.TIMESTAMP, timezone="Europe/Berlin"),
    Column(name="x", type=ColumnType.TIMESTAMP, format="%d.%m.%Y"),
    Column(name="x", type=ColumnType.TIME, format="%H:%M"),
    Column(name="x", type=ColumnType.DECIMAL, precision=4, scale=2),
    Column(name="x", type=ColumnType.BINARY, encoding="hex"),
]
NUMBERS = [b"", b"1", b" 2 ", b"-7", b"2.5", b"1e3", b"nan", b"0x1F", b"0xFFFFFFFFFFFFFFFF", b"9223372036854775808"]
QUOTED = [b'""', b'"1"', b'"a\nb"', b'"a\r\nb"', b'"a""b"', b'"\n', b'x"y', b'"a"b', b'"1,2"', b'""""', b'"aaaaaaaa"']
TIMES = [b"2024-05-01", b"2024-05-01T10:00:00Z", b"2024-05-01 10:00:00", b"0001-01-01 00:00:00+14:00", b"1.5.2024"]
OTHERS = [b"NULL", b"{}", b"true", b"no", b"x", b"\xc3\xa9", b"\xff", b"\0", b"\xef\xbb\xbf1", b"10:30", b"00ff"]
cells = st.sampled_from(NUMBERS) | st.sampled_from(QUOTED + TIMES + OTHERS) | st.sampled_from([b"1", b"2", b"3"])
records = st.lists(cells, min_size=1, max_size=3).map(b",".join) | st.tuples(cells, cells).map(b",".join)
ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n\n"])
texts = st.lists(st.tuples(records, ends), min_size=1, max_size=12).map(lambda lines: b"".join(map(b"".join, lines)))


def reading(kinds: tuple[Column, Column], **settings: Any) -> Reading:
    named = tuple(kind.model_copy(update={"name": name}) for kind, name in zip(kinds, "ab", strict=True))
    return Reading(Dialect.of(csv()), settings.pop("nulls", None), ("a", "b"), named, **settings)


def told(page: Page) -> tuple[Any, ...]:
    rows = [
        {name: "NaN" if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in page.batch.to_pylist()
    ]
    return page.batch.schema, rows, page.rejects


@settings(max_examples=120)
@given(
    data=texts,
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    nulls=st.sampled_from([None, ("NULL",), ()]),
    shown=st.sampled_from([None, ("a", "b")]),
    uneven=st.tuples(st.booleans(), st.sampled_from([False, True, "capture"])),
    limit=st.sampled_from([1 << 17, 3]),
)
@example(data=b"x,1\n2,y\n", kinds=(KINDS[0], KINDS[1]), nulls=None, shown=None, uneven=(False, False), limit=3)
@example(data=b'"1\n",1\n', kinds=(KINDS[0], KINDS[3]), nulls=None, shown=("a", "b"), uneven=(True, True), limit=3)
def test_both_ways_give_the_same(data, kinds, nulls, shown, uneven, limit):
    dialect = Dialect.of(csv())
    whole = dialect.boundary(data)
    block = Block(data[:whole], line=7, offset=70)
    optional, extra = uneven
    ours = reading(kinds, nulls=nulls, shown=shown, optional=optional, extra=extra, quoted_limit=limit)
    ours = ours.with_zones(block)
    exact = told(ours.one_by_one(block))
    for _ in range(2):  # the second time it knows which columns have misfits
        page = ours._as_wide_as(block.data).at_once(block)
        assert page is None or told(page) == exact
    merged = list(ours.pages(block))
    assert [told(page) for page in merged] == [exact] * (len(exact[1]) + len(exact[2]) > 0)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("long", "1", "x"),
        ("long", "0x1F", "0x"),
        ("double", "2.5", "2,5"),
        ("boolean", "true", "maybe"),
        ("timestamp", "2024-05-01T10:00:00", "2024-05-01T10:00:00 PST"),
        ("timestamp", "2024-05-01T10:00:00Z", "2024-05-32T10:00:00Z"),
        ("date", "2024-05-01", "2024-05-32"),
        ("json", "{}", "{"),
    ],
)
def test_misfits_do_not_make_the_fast_way_decline(kind, good, bad):
    ours = reading((Column(name="x", type=ColumnType(kind)), KINDS[0]))
    data = "".join(f'"{bad if number in (5, 11) else good}",{number}\n' for number in range(20)).encode()
    block = Block(data, line=2, offset=4)
    page = ours.with_zones(block).at_once(block)
    assert page is not None
    assert page.batch.column(1).to_pylist() == [number for number in range(20) if number not in (5, 11)]
    lines = data.splitlines(keepends=True)
    assert [(bad.record, bad.line, bad.offset) for bad in page.rejects] == [
        (number, 2 + number, 4 + len(b"".join(lines[:number]))) for number in (5, 11)
    ]
    assert {found.text for found in page.rejects} == {f'"{bad}",{number}' for number in (5, 11)}


@pytest.mark.parametrize("data", [b"1\n", b"\xff,1\n", b"0xFFFFFFFFFFFFFFFF,1\n", b'1,"aaaaaaaa"\n'])
def test_what_only_the_exact_way_can_tell_is_declined(data):
    ours = reading((KINDS[0], KINDS[3]), quoted_limit=3)
    assert ours.at_once(Block(data, line=1)) is None

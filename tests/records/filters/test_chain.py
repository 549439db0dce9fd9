"""Filters one after the other, and on their way from an object to pages (F78)."""

import json
from typing import Any

import pytest

from chalicelib.config.columns import Column
from chalicelib.errors import TidegateError, TooManyBadRows
from chalicelib.records.filters.chain import chain, finding, found, parsed_columns
from chalicelib.records.pages import TEXT, Page, Reject
from tests.records import reading
from tests.records.filters.running import columns, filters, page, run
from tests.records.reading import SETTING, csv, read


def test_without_filters_pages_are_as_they_were() -> None:
    given = columns(a="long")
    ready = chain((), given, SETTING)
    assert (ready.columns, ready.counts) == (given, False)
    start = page(given, [(1,)])
    assert [each.batch for each in ready(start)] == [start.batch]


def test_each_filter_sees_the_columns_of_the_one_before() -> None:
    document = """
      - {type: rename, columns: {a: b, b: a}}
      - {type: where, condition: a > 10}
      - {type: add_columns, columns: [{name: c, src: b}]}
      - {type: digest, columns: [{name: a, algorithm: MD5}]}
      - {type: drop_columns, columns: [{name: b}]}
    """
    ran = run(document, {"a": "long", "b": "long"}, [(1, 11), (2, 10)])
    assert ran.names == ["a", "c"]
    assert ran.column("c") == [1]


def test_a_row_refused_by_one_filter_is_not_seen_by_the_next() -> None:
    document = """
      - {type: retain_columns, columns: [{name: a, type: long}]}
      - {type: add_time, to_column: {name: t}, from_column: {name: a}}
    """
    ran = run(document, {"a": "string"}, [("x",), ("1",), (str(1 << 60),)])
    assert ran.reasons[1].startswith("filters.0 (retain_columns)")
    assert ran.reasons[3].startswith("filters.1 (add_time)")
    assert [row["a"] for row in ran.rows] == [1]


def test_rejects_of_parser_and_filters_are_in_the_order_of_records() -> None:
    declared = filters("[{type: retain_columns, columns: [{name: a, type: long}]}]")
    given = columns(a="string")
    start = page(given, [("x",), ("1",)], first=2)
    earlier = (Reject(1, "bad", "?", 5), Reject(4, "bad", "?", 9))
    (made,) = chain(declared, given, SETTING)(Page(start.batch, earlier, start.records))
    assert [reject.record for reject in made.rejects] == [1, 2, 4]
    assert made.rejects[0] == earlier[0]
    assert made.records.to_pylist() == [3]


@pytest.mark.parametrize(
    "document",
    [
        "[{type: where, condition: a < 0}]",
        "[{type: explode, column: js}]",
        "[{type: where, condition: a < 0}, {type: explode, column: js}]",
    ],
)
def test_rejects_of_the_parser_survive_when_no_row_does(document: str) -> None:
    given = columns(a="long", js="json")
    start = page(given, [(1, None)])
    earlier = (Reject(2, "bad", "?"),)
    (made,) = chain(filters(document), given, SETTING)(Page(start.batch, earlier, start.records))
    assert (made.batch.num_rows, made.rejects) == (0, earlier)


def test_a_page_of_which_nothing_is_left_is_left_out() -> None:
    given = columns(a="long")
    assert list(chain(filters("[{type: where, condition: a < 0}]"), given, SETTING)(page(given, [(1,)]))) == []


@pytest.mark.parametrize(
    "document, counts",
    [
        ("[{type: where, condition: a < 0}]", False),
        ("[{type: sanitize}, {type: digest, columns: [{name: a}]}]", False),
        ("[{type: add_columns, columns: [{name: b, src: a}]}]", False),
        ("[{type: add_columns, columns: [{name: b, src: a, type: string}]}]", True),
        ("[{type: where, condition: a < 0}, {type: explode, column: js}]", True),
        ("[{type: add_time, to_column: {name: t}, from_column: {name: a}}]", True),
        ("[{type: add_time, to_column: {name: t}, from_value: {mode: incremental_time, from: 1, to: 2}}]", True),
        ("[{type: add_time, to_column: {name: t}, from_value: {mode: upload_time}}]", False),
    ],
)
def test_records_are_counted_where_a_filter_may_refuse_or_number_rows(document: str, counts: bool) -> None:
    assert chain(filters(document), columns(a="long", js="json"), SETTING).counts is counts


def test_what_a_reject_shows_is_cut() -> None:
    ran = run("[{type: retain_columns, columns: [{name: a, type: long}]}]", {"a": "string"}, [("x" * 5000,)])
    assert len(ran.rejects[0].text) == TEXT + 1
    assert len(ran.rejects[0].reason) < 300


def test_columns_that_a_parser_points_to_are_not_taken_for_found_ones() -> None:
    given = (*columns(js="json"), Column(name="x", type="long", src="other", element_at="/x"))
    declared = filters("[{type: expand_json, json_column_name: js}]")
    assert parsed_columns(declared, given) == given
    assert parsed_columns((), given) == given


def test_only_a_chain_that_finds_columns_looks_for_them() -> None:
    document = "[{type: expand_json, json_column_name: js, expanded_columns: [{name: a, type: long}]}]"
    given = columns(js="json")
    assert not finding(filters(document))
    assert found(filters(document), given, SETTING, page(given, [('{"b":1}',)])) == ()


OBJECT = b"""id,js
1,"{""k"":1,""s"":""x""}"
2
3,"{""k"":""one""}"
4,"[1"
5,"{""k"":null}"
"""


def test_found_columns_come_with_the_parsers_and_every_record_ends_once() -> None:
    declared = filters("[{type: expand_json, json_column_name: js}, {type: where, condition: id > 1}]")
    seen = read(OBJECT, csv(), filters=declared)
    assert [(column.name, column.src, column.element_at) for column in seen.columns] == [
        ("id", None, None),
        ("js", None, None),
        ("js.k", "js", "/k"),
        ("js.s", "js", "/s"),
    ]
    assert seen.rows == [{"id": 3, "js.k": "one", "js.s": None}, {"id": 5, "js.k": None, "js.s": None}]
    assert [reject.record for reject in seen.rejects] == [2, 4]
    assert [reject.line for reject in seen.rejects] == [3, None]


def test_columns_settled_elsewhere_are_used_as_they_are() -> None:
    declared = filters("[{type: expand_json, json_column_name: js}]")
    settled = (
        *columns(id="long", js="string"),
        Column(name="js.k", type="long", src="js", element_at="/k"),
        Column(name="js.z", type="string", src="js", element_at="/z"),
        Column(name="js.s", type="string", src="js", element_at="/s"),
    )
    seen = read(OBJECT, csv(), settled, filters=declared)
    assert seen.tuples == [(1, 1, None, "x"), (5, None, None, None)]
    assert [reject.record for reject in seen.rejects] == [2, 3, 4]


def test_found_columns_of_json_lines() -> None:
    lines = [{"id": 1, "o": {"a": 1, "b": {"c": True}}}, {"id": 2, "o": None}]
    declared = filters("[{type: expand_json, json_column_name: o, max_depth: 2, prefix: o_}]")
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    seen = read(data, reading.json(), filters=declared)
    assert seen.rows == [{"id": 1, "o_a": 1, "o_b.c": True}, {"id": 2, "o_a": None, "o_b.c": None}]


def test_an_object_without_a_column_that_a_filter_names_is_set_aside() -> None:
    with pytest.raises(TidegateError, match="there is no column nope") as caught:
        read(b"a,b\n1,2\n", csv(), filters=filters("[{type: drop_columns, columns: [{name: nope}]}]"))
    assert caught.value.where == "filters.0 (drop_columns)"


def test_rejects_of_filters_count_against_the_parsers_limits() -> None:
    declared = filters("[{type: retain_columns, columns: [{name: a, type: long}]}]")
    with pytest.raises(TooManyBadRows):
        read(b"a\nx\n", csv(stop_on_invalid_record=True), filters=declared)


def test_row_numbers_run_on_through_pages() -> None:
    data = "a\n" + "".join(f"{number}\n" for number in range(1, 400_001))
    declared = filters(
        "[{type: file_metadata, columns: [{name: n, value: row_number}]}, {type: where, condition: a <> n}]"
    )
    ran: list[Any] = read(data.encode(), csv(), columns(a="long"), filters=declared).rows
    assert ran == []

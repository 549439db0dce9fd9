"""Columns that the first filters drop are not read, and everything else is as it was."""

from typing import Any

import pytest

from chalicelib.config.columns import Column
from chalicelib.errors import ConfigError
from chalicelib.records.filters.needed import needed
from tests.records.filters.running import columns, filters
from tests.records.reading import SETTING, csv, json, read

GIVEN = columns(a="long", b="long", tmp_1="long", tmp_2="long")
DROP = "{type: drop_columns, columns: [{name: tmp_*}]}"


def read_of(document: str, given: tuple[Column, ...] = GIVEN) -> str:
    return " ".join(column.name for column in needed(filters(document), given, SETTING)[1])


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("[]", "a b tmp_1 tmp_2"),
        (f"[{DROP}]", "a b"),
        (f"[{DROP}, {{type: drop_columns, columns: [{{name: a}}]}}]", "b"),
        (f"[{DROP}, {{type: retain_columns, columns: [{{name: c, src: b}}]}}]", "b"),
        ("[{type: drop_columns, columns: [{name: x}, {name: b}], ignore_missing: true}]", "a tmp_1 tmp_2"),
        ("[{type: retain_columns, columns: [{name: b}, {name: 'tmp_?'}]}]", "b tmp_1 tmp_2"),
        ("[{type: column, drop_columns: [{name: a}]}]", "b tmp_1 tmp_2"),
        ("[{type: column, columns: [{name: a, default: 7}]}]", "a"),
        ("[{type: where, condition: a > 0}, {type: drop_columns, columns: [{name: a}]}]", "a b tmp_1 tmp_2"),
        ("[{type: retain_columns, columns: [{name: a, type: string}]}]", "a b tmp_1 tmp_2"),
        ("[{type: add_columns, columns: [{name: c, src: a}]}]", "a b tmp_1 tmp_2"),
    ],
)
def test_columns_that_the_first_filters_drop_are_not_read(document: str, expected: str) -> None:
    assert read_of(document) == expected


def test_a_column_of_a_path_and_constants_alone_leave_all_columns() -> None:
    given = columns(a="long", js="json")
    assert read_of("[{type: retain_columns, columns: [{name: x, src: $.js.x}]}]", given) == "a js"
    assert read_of("[{type: retain_columns, columns: [{name: x, type: long, default: 1}]}]", given) == "a js"


def test_columns_that_filters_find_are_found_all_the_same() -> None:
    given = (*columns(a="long", js="json"), Column(name="x", type="long", src="js", element_at="/x"))
    document = "[{type: drop_columns, columns: [{name: a}]}, {type: expand_json, json_column_name: js}]"
    ready, wanted = needed(filters(document), given, SETTING)
    assert [column.name for column in wanted] == ["a", "js"]
    assert [column.name for column in ready.columns] == ["x"]


def test_a_name_that_is_not_there_is_still_an_error() -> None:
    with pytest.raises(ConfigError, match=r"filters\.1"):
        needed(filters(f"[{DROP}, {{type: drop_columns, columns: [{{name: tmp_1}}]}}]"), GIVEN, SETTING)


@pytest.mark.parametrize(
    ("data", "parser"),
    [
        (b"a,b,tmp_1\n1,2,3\n4,x,6\n7,8,y\n", csv(skip_header_lines=1)),
        (b'{"a":1,"b":2,"tmp_1":3}\n{"a":4,"b":"x","tmp_1":6}\n{"a":7,"b":8,"tmp_1":"y"}\n', json()),
    ],
)
def test_a_value_that_nobody_needs_costs_no_row(data: bytes, parser: Any) -> None:
    given = columns(a="long", b="long", tmp_1="long")
    found = read(data, parser, given, filters=filters(f"[{DROP}]"))
    assert found.rows == [{"a": 1, "b": 2}, {"a": 7, "b": 8}]
    assert [(bad.record, bad.reason.partition(":")[0]) for bad in found.rejects] == [(2, "b")]

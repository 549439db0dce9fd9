"""explode: a row for each element."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.records.filters import explode
from tests.records.filters.running import refusal, run

TYPES = {"id": "long", "a": "json", "z": "string"}


def test_each_element_becomes_a_row_in_the_arrays_place() -> None:
    ran = run("[{type: explode, column: a}]", TYPES, [(1, '[1,"x",{"k":[]},null]', "p"), (2, "[2]", "q")])
    assert ran.tuples == [(1, "1", "p"), (1, '"x"', "p"), (1, '{"k":[]}', "p"), (1, None, "p"), (2, "2", "q")]
    assert ran.types == {"id": "long", "a": "json", "z": "string"}


@pytest.mark.parametrize("text", [None, "", "[]", "null"])
def test_no_elements_are_no_row_unless_kept(text: str | None) -> None:
    document: dict[str, Any] = {"type": "explode", "column": "a", "position_column": "i"}
    assert run([document], TYPES, [(1, text, "p")]).tuples == []
    assert run([document | {"keep_empty": True}], TYPES, [(1, text, "p")]).tuples == [(1, None, "p", None)]


def test_elements_have_type_name_and_position() -> None:
    document = "[{type: explode, column: a, as: e, element: {type: timestamp, format: '%d.%m.%Y'}, position_column: i}]"
    ran = run(document, TYPES, [(1, '["01.02.2026","x","03.02.2026"]', "p")])
    assert [(str(e)[:10], i) for _, e, _, i in ran.tuples] == [("2026-02-01", 1), ("2026-02-03", 3)]
    assert ran.types == {"id": "long", "e": "timestamp", "z": "string", "i": "long"}


@pytest.mark.parametrize("text", ['{"a":1}', "5", '"x"', "[1"])
def test_what_is_no_array_costs_its_row(text: str) -> None:
    ran = run("[{type: explode, column: a}]", TYPES, [(1, "[1]", "p"), (2, text, "q"), (3, "[3]", "r")])
    assert [row["id"] for row in ran.rows] == [1, 3]
    assert list(ran.reasons) == [2]
    assert ran.reasons[2].startswith("filters.0 (explode): a: ")


def test_a_bad_element_costs_only_its_own_row() -> None:
    ran = run("[{type: explode, column: a, element: {type: long}}]", TYPES, [(1, '[1,"x",3]', "p")])
    assert ran.column("a") == [1, 3]
    assert ran.rejects[0].text == '{"id":1,"a":"\\"x\\"","z":"p"}'
    assert ran.reasons == {1: "filters.0 (explode): a: 'x' is not a long"}


def test_elements_that_are_decimals_have_all_their_digits() -> None:
    document = "[{type: explode, column: a, element: {type: 'decimal(38,20)'}}]"
    ran = run(document, TYPES, [(1, '[0.10000000000000000001,{"x":0.5}]', "p")])
    assert ran.column("a") == [Decimal("0.10000000000000000001")]
    assert list(ran.reasons) == [1]


def test_rows_know_their_record_after_exploding() -> None:
    document = "[{type: explode, column: a}, {type: file_metadata, columns: [{name: r, value: row_number}]}]"
    assert run(document, TYPES, [(1, "[1,2]", ""), (2, "[]", ""), (3, "[3]", "")]).column("r") == [1, 1, 3]


def test_objects_in_an_array_are_expanded_next() -> None:
    document = """
      - {type: explode, column: a, as: item}
      - type: expand_json
        json_column_name: item
        expanded_columns: [{name: sku, type: string}, {name: n, type: long}]
      - {type: where, condition: n > 1}
    """
    rows = [(1, '[{"sku":"x","n":1},{"sku":"y","n":2}]', ""), (2, '[{"sku":"z","n":"?"}]', "")]
    ran = run(document, TYPES, rows)
    assert ran.rows == [{"id": 1, "z": "", "sku": "y", "n": 2}]
    assert list(ran.reasons) == [2]


def test_a_huge_array_becomes_pages_of_bounded_size() -> None:
    count = 2 * explode.MAX_ROWS + 1
    document = "[{type: explode, column: a, element: {type: long}}, {type: where, condition: a >= 0}]"
    ran = run(document, TYPES, [(1, json.dumps(list(range(count))), ""), (2, "?", "")])
    assert [each.batch.num_rows for each in ran.pages] == [explode.MAX_ROWS, explode.MAX_ROWS, 1]
    assert ran.column("a") == list(range(count))
    assert list(ran.reasons) == [2]


def test_wide_rows_are_not_repeated_beyond_bounds() -> None:
    ran = run("[{type: explode, column: a}]", TYPES, [(1, json.dumps([0] * 50), "x" * (1 << 20))])
    assert max(each.batch.nbytes for each in ran.pages) < 2 * explode.MAX_BYTES
    assert len(ran.rows) == 50


def test_other_columns_cannot_be_exploded() -> None:
    assert "id is a long" in refusal("[{type: explode, column: id}]", TYPES).what
    assert "did you mean a?" in refusal("[{type: explode, column: aa}]", TYPES).what
    assert "id would stand there twice" in refusal("[{type: explode, column: a, as: id}]", TYPES).what


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.lists(st.integers(-9, 9), max_size=4), max_size=6), st.booleans())
def test_rows_are_as_many_as_elements(arrays: list[list[int] | None], keep: bool) -> None:
    document = [{"type": "explode", "column": "a", "element": {"type": "long"}, "keep_empty": keep}]
    rows = [(index, None if array is None else json.dumps(array), "") for index, array in enumerate(arrays)]
    expected = [
        (index, element, "") for index, array in enumerate(arrays) for element in (array or ([None] if keep else []))
    ]
    assert run(document, TYPES, rows).tuples == expected

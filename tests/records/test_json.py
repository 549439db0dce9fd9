import json as stdlib_json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.records.formats.json import JsonRows
from chalicelib.records.pages import Reject
from tests.records.reading import SAMPLES, Trickle, columns, json, read, read_rows


def values(text: str, kind: str) -> tuple[list[object], list[str]]:
    """The column `v` of these lines, and why others were rejected."""
    found = read(text.encode(), json(), columns(v=kind))
    return [row["v"] for row in found.rows], [reject.reason for reject in found.rejects]


def test_the_nested_sample_gives_its_rows():
    found = read((SAMPLES / "nested.jsonl").read_bytes(), json())
    assert found.types == {"id": "long", "at": "timestamp", "who": "json", "note": "string"}
    assert found.tuples == [
        (1, datetime(2024, 5, 1, 10, tzinfo=UTC), '{"name":"ann","tags":["x","y"]}', None),
        (2, datetime(2024, 5, 1, 10, 30, tzinfo=UTC), None, "café"),
        (4, None, None, None),
    ]
    assert [(reject.line, reject.text) for reject in found.rejects] == [(3, '{"id":3,"at":')]


@pytest.mark.parametrize("data", [b"", b"\n \r\n"])
def test_nothing_gives_no_columns_and_no_pages(data):
    rows = JsonRows(Trickle(data), json())
    assert rows.infer() == ()
    assert list(rows.pages(columns(a="long"))) == []


def test_one_malformed_line_costs_that_line_and_no_other():
    found = read(b'\xef\xbb\xbf{"v":1}\r\n\r\n{"v":2\r\n[3]\r\n4\r\nnull\r\n{"v":5}', json())
    assert found.tuples == [(1,), (5,)]
    assert [reject.line for reject in found.rejects] == [3, 4, 5, 6]
    assert {reject.reason for reject in found.rejects[1:]} == {"no JSON object"}
    assert [reject.record for reject in found.rejects] == [2, 3, 4, 5]
    assert [reject.offset for reject in found.rejects] == [14, 23, 27, 30]


@pytest.mark.parametrize(
    "line", [b'{"v":"\xff"}', b'{"v":"\\ud800"}', b'{"v":"a\tb"}', b'{"v":1e999}', b'{"v":NaN,"w":1e999}']
)
def test_a_line_that_is_no_text_or_no_number_is_rejected(line):
    found = read(b'{"v":"x"}\n' + line + b"\n", json(), columns(v="string"))
    assert (found.tuples, len(found.rejects)) == ([("x",)], 1)


@pytest.mark.parametrize(
    "kind, text, value",
    [
        ("long", "-9223372036854775808", -(2**63)),
        ("double", "5", 5.0),
        ("double", "123456789012345678901234", 123456789012345678901234.0),
        ("double", "9007199254740993", 9007199254740992.0),
        ("double", "NaN", math.nan),
        ("double", "-Infinity", -math.inf),
        ("boolean", "true", True),
        ("string", '"x"', "x"),
        ("string", "5", "5"),
        ("string", "true", "true"),
        ("string", '{"b": [1, 2.5, "é"]}', '{"b":[1,2.5,"é"]}'),
        ("string", "123456789012345678901234", "123456789012345678901234"),
        ("json", '"x"', '"x"'),
        ("json", "[1, {}]", "[1,{}]"),
        ("json", '{"big": 123456789012345678901234}', '{"big":123456789012345678901234}'),
        ("timestamp", '"2024-05-01T02:00:00+02:00"', datetime(2024, 5, 1, tzinfo=UTC)),
        ("timestamp", '"2024-05-01 00:00:00 UTC"', datetime(2024, 5, 1, tzinfo=UTC)),
        *((kind, "null", None) for kind in ("boolean", "long", "double", "string", "timestamp", "json")),
    ],
)
@pytest.mark.parametrize("neighbour", ["", "oops\n"], ids=["fast", "slow"])
def test_a_value_is_read_as_its_type(kind, text, value, neighbour):
    rows, _ = values(f'{{"v":{text}}}\n{{}}\n{neighbour}', kind)
    assert len(rows) == 2 and rows[1] is None
    assert rows[0] == value or (rows[0] != rows[0] and value != value)


@pytest.mark.parametrize(
    "kind, text",
    [
        *(
            ("long", text)
            for text in ("9223372036854775808", "99999999999999999999999", "1.0", "true", '"5"', "[]", "NaN")
        ),
        *(("double", text) for text in ('"5"', "true", "{}", "1" + "0" * 400)),
        *(("boolean", text) for text in ("1", '"true"')),
        *(("timestamp", text) for text in ("1714550400", '"soon"', '""', '"0000-01-01"')),
        ("json", '{"a": NaN}'),
    ],
)
def test_a_value_of_another_type_costs_its_row(kind, text):
    rows, reasons = values(f'{{"v":{text}}}\n{{"v":null}}\n', kind)
    assert (rows, len(reasons)) == ([None], 1)
    assert reasons[0].startswith("v: ")


def test_beside_misfits_all_numbers_are_doubles():
    assert values('{"v":1}\n{"v":"x"}\n{"v":2.5}\n', "double") == ([1.0, 2.5], ["v: 'x' is not a double"])


def test_beside_misfits_a_long_stays_a_long():
    assert values('{"v":1}\n{"v":"x"}\n', "long") == ([1], ["v: 'x' is not a long"])


def test_a_line_with_a_huge_integer_keeps_its_other_numbers():
    parser = json(columns=[{"name": "v", "type": "double"}, {"name": "w", "type": "json"}])
    found = read(b'{"v":2.5,"w":123456789012345678901234}\n', parser)
    assert found.tuples == [(2.5, "123456789012345678901234")]


def test_of_keys_that_occur_twice_the_last_wins():
    assert values('{"v":1,"v":2}\n', "long") == ([2], [])


def test_a_timestamp_format_holds_for_its_column():
    parser = json(columns=[{"name": "t", "type": "timestamp", "format": "%d.%m.%Y"}])
    found = read(b'{"t":"01.02.2024","other":1}\n{"t":null}\n', parser)
    assert found.tuples == [(datetime(2024, 2, 1, tzinfo=UTC),), (None,)]
    assert len(read(b'{"t":"01.02.2024"}\n{"t":"2024-02-01"}\n', parser).rejects) == 1


def test_keys_that_nobody_declared_are_left_out():
    parser = json(columns=[{"name": "a", "type": "long"}, {"name": "j", "type": "json"}])
    found = read(b'{"b":1,"a":2,"j":{}}\n', parser)
    assert (found.rows, found.rejects) == ([{"a": 2, "j": "{}"}], [])


def test_a_key_that_first_occurs_after_the_sample_costs_its_row_instead_of_its_value():
    late = b'{"a":1,"new":2}'
    found = read_rows(JsonRows(Trickle(b'{"a":1}\n' * 50 + late + b"\n"), json(), block=64))
    assert len(found.rows) == 50
    assert found.rejects == [
        Reject(0, "new: not among the columns; declare it in parser.columns to load it", late.decode(), 51, 400)
    ]


def test_a_key_without_a_value_in_the_whole_object_is_left_to_another():
    found = read(b'{"a":1,"b":null}\n{"a":2}\n', json())
    assert (found.types, len(found.rows), found.rejects) == ({"a": "long"}, 2, [])


@pytest.mark.parametrize(
    "texts, kind",
    [
        (["1", "null", "-2"], "long"),
        (["1", "2.5"], "double"),
        (["9223372036854775808", "1"], "string"),
        (["true", "false"], "boolean"),
        (["true", "1"], "string"),
        (['"a"', "1"], "string"),
        (['"5"'], "string"),
        (['"true"'], "string"),
        (['"2024-05-01"', '"2024-05-01T00:00:00Z"'], "timestamp"),
        (['"2024-05-01"', '""'], "string"),
        (["{}", "1"], "json"),
        (["[]"], "json"),
    ],
)
def test_types_are_guessed_from_the_first_block(texts, kind):
    found = read("".join(f'{{"v":{text}}}\n' for text in texts).encode(), json())
    assert found.types == {"v": kind}
    assert (len(found.rows), found.rejects) == (len(texts), [])


def test_deep_nesting_costs_its_row():
    deep = "[" * 5000 + "]" * 5000
    rows, reasons = values(f'{{"v":{deep}}}\n{{"v":NaN,"w":{deep * 20}}}\n{{"v":1}}\n', "long")
    assert (rows, len(reasons)) == ([1], 2)


def test_large_objects_are_read_by_several_threads_in_order():
    rows = JsonRows(Trickle(b"".join(b'{"n":%d}\n' % n for n in range(5000)), 777), json(), block=4096)
    assert [row["n"] for row in read_rows(rows).rows] == list(range(5000))


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(alphabet='aé"\\\n0', max_size=4)
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner)
)
records = st.dictionaries(st.sampled_from(["a", "b", "c"]), anything)
lines = st.lists(records.map(stdlib_json.dumps) | st.sampled_from(["", "{", "[1]", "  "]), max_size=6)


@given(lines=lines, block=st.integers(1, 60))
def test_rows_and_rejects_are_as_many_as_the_lines_wherever_they_are_cut(lines, block):
    data = "\n".join(lines).encode()
    kinds = columns(a="long", b="double", c="string")
    parser = json(columns=[column.document() for column in kinds])
    whole = read(data, parser)
    parts = read_rows(JsonRows(Trickle(data, 5), parser, block=block))
    assert len(whole.rows) + len(whole.rejects) == sum(1 for line in lines if line.strip())
    assert repr((parts.rows, placed(parts))) == repr((whole.rows, placed(whole)))


def placed(found):
    """The rejects without their place in the page."""
    return [(reject.reason, reject.text, reject.line, reject.offset) for reject in found.rejects]


@given(record=records, kind=st.sampled_from(["boolean", "long", "double", "string", "json", "timestamp"]))
def test_a_row_is_the_same_whether_or_not_another_line_is_bad(record, kind):
    line = stdlib_json.dumps(record).encode() + b"\n"
    parser = json(columns=[{"name": "a", "type": kind}])
    alone, beside = read(line, parser), read(line + b"{\n", parser)
    assert repr(alone.rows) == repr(beside.rows)
    assert alone.rejects == beside.rejects[:-1]

"""expand_json (F74)."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.errors import TooManyBadRows
from chalicelib.records.filters.chain import chain, parsed_columns
from tests.records.filters.running import columns, filters, page, refusal, run
from tests.records.reading import SETTING

DOC = '{"phone":"1-23","profile":{"words":["a","b"],"n":3,"sub":{"k":null}},"tags":[{"t":1},{"t":2},{}]}'


def expanded(text: str | None, *wanted: dict[str, Any], **options: Any) -> dict[str, Any]:
    document = [{"type": "expand_json", "json_column_name": "js", "expanded_columns": list(wanted), **options}]
    ran = run(document, {"js": "json"}, [(text,)])
    assert ran.rejects == []
    row: dict[str, Any] = ran.rows[0]
    return row


@pytest.mark.parametrize(
    "path, value",
    [
        ("phone", "1-23"),
        ("profile.words[1]", "b"),
        ("profile.words[-1]", "b"),
        ("profile.words[2]", None),
        ("profile.words", '["a","b"]'),
        ("profile", '{"words":["a","b"],"n":3,"sub":{"k":null}}'),
        ("profile.n", "3"),
        ("profile.sub.k", None),
        ("profile.sub.q.z", None),
        ("phone.x", None),
        ("phone[0]", None),
        ("profile['words'][0]", "a"),
        ("$.profile.words[0]", "a"),
        ("tags[*].t", "[1,2]"),
        ("$..t", "[1,2]"),
        ("nothing[*].t", None),
        ("tags[?@.t > 1]", '[{"t":2}]'),
    ],
)
def test_a_path_leads_to_its_value_and_is_the_columns_name(path: str, value: Any) -> None:
    assert expanded(DOC, {"name": path, "type": "string"}) == {path: value}


def test_a_value_that_is_too_deep_for_its_path_costs_its_row() -> None:
    document = [
        {"type": "expand_json", "json_column_name": "js", "expanded_columns": [{"name": "$..a", "type": "json"}]}
    ]
    ran = run(document, {"js": "json"}, [("[" * 500 + "]" * 500,), ('{"a":1}',)])
    assert ran.rows == [{"$..a": "[1]"}]
    assert ["nested too deeply" in reject.reason for reject in ran.rejects] == [True]


@pytest.mark.parametrize("text", [None, "", "null", "{}", "[]", "5"])
def test_where_there_is_nothing_there_is_null(text: str | None) -> None:
    assert expanded(text, {"name": "a", "type": "long"}, {"name": "b.c[0]", "type": "json"}) == {
        "a": None,
        "b.c[0]": None,
    }


def test_a_column_may_have_a_name_of_its_own_and_paths_a_root() -> None:
    wanted = (
        {"name": "first", "path": "words[0]", "type": "string"},
        {"name": "phone", "path": "$.phone", "type": "string"},
    )
    assert expanded(DOC, *wanted, root="$.profile.") == {"first": "a", "phone": "1-23"}


@pytest.mark.parametrize(
    "kind, value, made",
    [
        ("long", 12, 12),
        ("long", "12", 12),
        ("long", 1e3, 1000),
        ("long", "1e3", 1000),
        ("long", -(1 << 63), -(1 << 63)),
        ("double", 1, 1.0),
        ("double", "1.5", 1.5),
        ("boolean", True, True),
        ("boolean", "yes", True),
        ("boolean", 0, False),
        ("string", "x", "x"),
        ("string", 1.5, "1.5"),
        ("string", True, "true"),
        ("string", 123456789012345678901234567890, "123456789012345678901234567890"),
        ("json", "x", '"x"'),
        ("json", {"a": 123456789012345678901234567890}, '{"a":123456789012345678901234567890}'),
        ("timestamp", "2026-01-02T00:00:00+09:00", datetime(2026, 1, 1, 15, tzinfo=UTC)),
        ("date", "2026-01-02", date(2026, 1, 2)),
        ("decimal(5,2)", 1.25, Decimal("1.25")),
        ("decimal(5,2)", "1.25", Decimal("1.25")),
        ("decimal(5,2)", 12, Decimal("12.00")),
    ],
)
def test_values_become_their_columns_type(kind: str, value: Any, made: Any) -> None:
    found = expanded(json.dumps({"a": value}), {"name": "a", "type": kind})["a"]
    assert (found, type(found)) == (made, type(made)) or isinstance(made, datetime | date)
    assert found == made


@pytest.mark.parametrize(
    "kind, value",
    [
        ("long", 1.5),
        ("long", "x"),
        ("long", "1_0"),
        ("long", True),
        ("long", 1 << 63),
        ("long", [1]),
        ("double", "x"),
        ("double", False),
        ("double", {}),
        ("boolean", 2),
        ("boolean", "maybe"),
        ("timestamp", 20150127),
        ("timestamp", "soon"),
        ("timestamp", []),
        ("date", True),
        ("decimal(3,1)", 1.25),
    ],
)
def test_a_value_of_another_type_costs_its_row_or_only_itself(kind: str, value: Any) -> None:
    document = {"type": "expand_json", "json_column_name": "js", "expanded_columns": [{"name": "a", "type": kind}]}
    rows = [(1, json.dumps({"a": value})), (2, "{}")]
    ran = run([document], {"id": "long", "js": "string"}, rows)
    assert ran.tuples == [(2, None)]
    assert ran.reasons[1].startswith("filters.0 (expand_json): a: ")
    lenient = run([document | {"on_invalid": "null"}], {"id": "long", "js": "string"}, rows)
    assert lenient.tuples == [(1, None), (2, None)]
    assert not lenient.chain.counts


def test_all_that_is_wrong_with_a_row_is_told_once() -> None:
    wanted = [{"name": name, "type": "long"} for name in "ab"]
    document = [{"type": "expand_json", "json_column_name": "js", "expanded_columns": wanted}]
    ran = run(document, {"js": "json"}, [('{"a":"x","b":"y"}',), ("[",)])
    assert ran.reasons == {
        1: "filters.0 (expand_json): a: 'x' is not a long; b: 'y' is not a long",
        2: "filters.0 (expand_json): js: '[' is not JSON",
    }


def test_decimals_have_all_their_digits() -> None:
    text = '{"a":1234567890.12345678901,"b":[0.10000000000000000001,"x"]}'
    wanted = {"name": "a", "type": "decimal(38,20)"}, {"name": "b[0]", "type": "decimal(38,20)"}
    assert expanded(text, *wanted) == {
        "a": Decimal("1234567890.12345678901000000000"),
        "b[0]": Decimal("0.10000000000000000001"),
    }
    document = "[{type: add_columns, columns: [{name: d, src: $.js.a, type: 'decimal(38,20)'}]}]"
    assert run(document, {"js": "json"}, [(text,)]).column("d") == [Decimal("1234567890.12345678901")]


@pytest.mark.parametrize("kind", ["json", "string", "long", "timestamp"])
@pytest.mark.parametrize("levels", [200, 400, 900, 1015, 5000])
def test_deep_nesting_costs_no_more_than_its_row(kind: str, levels: int) -> None:
    deep = "[" * levels + "]" * levels
    document = [{"type": "expand_json", "json_column_name": "js", "expanded_columns": [{"name": "a", "type": kind}]}]
    ran = run(document, {"js": "json"}, [(f'{{"a":{deep}}}',), ("{}",)])
    assert ran.tuples in ([(None,)], [(deep,), (None,)])
    if kind in ("json", "string") and levels == 200:
        assert ran.rejects == []
    if levels == 5000 or kind in ("long", "timestamp"):
        assert list(ran.reasons) == [1]
    exploded = run([{"type": "explode", "column": "js", "element": {"type": kind}}], {"js": "json"}, [(f"[{deep}]",)])
    assert len(exploded.rows) + len(exploded.rejects) == 1
    timed = {"type": "add_time", "to_column": {"name": "t"}, "from_column": {"name": "js", "json_key": "a"}}
    assert list(run([timed], {"js": "json"}, [(f'{{"a":{deep}}}',)]).reasons) == [1]


def test_numbers_are_times_where_the_format_says_so() -> None:
    wanted = {"name": "t", "type": "timestamp", "format": "epoch_ms"}
    assert expanded('{"t":1500}', wanted)["t"] == datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)


def test_times_without_a_zone_are_in_the_default_one() -> None:
    wanted = [{"name": "a", "type": "timestamp"}, {"name": "b", "type": "timestamp", "timezone": "UTC"}]
    row = expanded('{"a":"2026-01-02 09:00:00","b":"2026-01-02 09:00:00"}', *wanted, default_timezone="Asia/Tokyo")
    assert row == {"a": datetime(2026, 1, 2, tzinfo=UTC), "b": datetime(2026, 1, 2, 9, tzinfo=UTC)}


def test_the_json_column_may_stay() -> None:
    document = """[{type: expand_json, json_column_name: js, expanded_columns: [{name: a, type: long}],
                    keep_expanding_json_column: true}]"""
    assert run(document, {"js": "json", "z": "long"}, [('{"a":1}', 2)]).rows == [{"js": '{"a":1}', "z": 2, "a": 1}]


def test_stop_on_invalid_record_sets_the_object_aside() -> None:
    document = """[{type: expand_json, json_column_name: js, expanded_columns: [{name: a, type: long}],
                    stop_on_invalid_record: true}]"""
    assert run(document, {"js": "json"}, [('{"a":1}',)]).tuples == [(1,)]
    with pytest.raises(TooManyBadRows, match="a: 'x' is not a long"):
        run(document, {"js": "json"}, [('{"a":1}',), ('{"a":"x"}',)])


@pytest.mark.parametrize(
    "document, words",
    [
        ("{json_column_name: jss, expanded_columns: [{name: a, type: long}]}", "did you mean js?"),
        ("{json_column_name: id, expanded_columns: [{name: a, type: long}]}", "id is a long"),
        ("{json_column_name: js, expanded_columns: [{name: id, path: a, type: long}]}", "id would stand there twice"),
    ],
)
def test_what_does_not_fit_the_columns_is_refused(document: str, words: str) -> None:
    error = refusal(f"[{{type: expand_json, {document[1:]}]", {"js": "json", "id": "long"})
    assert words in error.what


FLATTEN = "[{type: expand_json, json_column_name: js}]"


def test_keys_are_found_in_the_rows_and_typed_by_their_values() -> None:
    rows = [
        ('{"i":1,"d":1,"b":true,"s":"x","o":{"k":1},"n":null,"m":1,"mix":{}}',),
        (None,),
        ('{"d":2.5,"l":[1],"m":"x","big":123456789012345678901,"mix":1}',),
    ]
    ran = run(FLATTEN, {"js": "json"}, rows)
    assert ran.types == {
        "js.i": "long",
        "js.d": "double",
        "js.b": "boolean",
        "js.s": "string",
        "js.o": "json",
        "js.n": "string",
        "js.m": "string",
        "js.mix": "json",
        "js.l": "json",
        "js.big": "string",
    }
    assert ran.column("js.o") == ['{"k":1}', None, None]
    assert ran.column("js.big") == [None, None, "123456789012345678901"]
    assert ran.rejects == []


def test_more_levels_are_followed_where_all_values_are_objects() -> None:
    document = "[{type: expand_json, json_column_name: js, max_depth: 2, prefix: '', root: $.r}]"
    rows = [('{"r":{"a":{"b":{"c":1},"x/y":2},"s":1}}',), ('{"r":{"a":null,"s":{}}}',)]
    ran = run(document, {"js": "json"}, rows)
    assert ran.rows[0] == {"a.b": '{"c":1}', "a.x/y": 2, "s": "1"}


def test_a_key_that_was_not_found_costs_its_row_unless_the_json_stays() -> None:
    given_columns = (*columns(id="long", js="json"), Column(name="js.a", type="long", src="js", element_at="/a"))
    rows = [(1, '{"a":1}'), (2, '{"a":1,"b":2}'), (3, '{"a":null}'), (4, "[1]"), (5, None)]
    for keep in (False, True):
        document = [{"type": "expand_json", "json_column_name": "js", "keep_expanding_json_column": keep}]
        ready = chain(filters(document), given_columns, SETTING)
        parsed = parsed_columns(filters(document), given_columns)
        (made,) = ready(page(parsed, rows))
        if keep:
            assert made.batch.num_rows == 5
        else:
            assert made.batch.to_pylist() == [{"id": 1, "js.a": 1}, {"id": 3, "js.a": None}, {"id": 5, "js.a": None}]
            assert "b: not among the columns" in made.rejects[0].reason
            assert "not a JSON object" in made.rejects[1].reason


def test_columns_found_in_columns_found() -> None:
    document = """
      - {type: expand_json, json_column_name: js}
      - {type: rename, columns: {js.o: o}}
      - {type: expand_json, json_column_name: o}
    """
    assert run(document, {"js": "json"}, [('{"o":{"k":1},"x":2}',)]).rows == [{"js.x": 2, "o.k": 1}]


def test_an_object_with_too_many_keys_is_no_record() -> None:
    text = json.dumps({str(key): 1 for key in range(1001)})
    with pytest.raises(Exception, match="more than 1000 keys"):
        run(FLATTEN, {"js": "json"}, [(text,)])


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=3),
    max_leaves=6,
)


def assert_found(row: dict[str, Any], way: tuple[str, ...], value: Any) -> None:
    """The value is in the column of its way, or its parts are in columns of their own."""
    name = ".".join(way)
    if name not in row:
        assert value is None or isinstance(value, dict)
        for key, inner in (value or {}).items():
            assert_found(row, (*way, key), inner)
    elif isinstance(row[name], str) and not isinstance(value, str):
        assert json.loads(row[name]) == value
    elif isinstance(row[name], str) and row[name].startswith('"'):
        assert value in (row[name], json.loads(row[name]))  # in a column of json the text stands in quotes
    else:
        assert row[name] == value


@settings(max_examples=80, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), min_size=1, max_size=5), st.integers(1, 3))
def test_no_value_is_lost_by_flattening(records: list[dict[str, Any]], depth: int) -> None:
    document = [
        {"type": "add_columns", "columns": [{"name": "_", "type": "long", "default": 0}]},
        {"type": "expand_json", "json_column_name": "js", "max_depth": depth, "prefix": ""},
    ]
    ran = run(document, {"js": "json"}, [(json.dumps(record),) for record in records])
    assert ran.rejects == []
    for record, row in zip(records, ran.rows, strict=True):
        for key, value in record.items():
            assert_found(row, (key,), value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | VALUES, max_size=5))
def test_a_json_column_made_of_json_is_the_same_json(values: list[Any]) -> None:
    rows = [(None if value is None else json.dumps({"a": value}),) for value in values]
    document = "[{type: expand_json, json_column_name: js, expanded_columns: [{name: a, type: json}]}]"
    found = run(document, {"js": "json"}, rows).column("a")
    assert [None if text is None else json.loads(text) for text in found] == values

"""What no column takes stands beside its row, and is a difference for those who allow none (F85)."""

import io
import json as python_json
from typing import Any

import fastavro
import orjson
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import SchemaChange
from chalicelib.config.filters import Filter
from chalicelib.config.formats import Parser
from chalicelib.config.pipeline import Pipeline
from chalicelib.config.source import Source
from chalicelib.errors import PipelineMismatch, SchemaConflict, TooManyBadRows
from chalicelib.records.rescue import RESCUED
from chalicelib.records.stream import open_rows
from tests.records.reading import SETTING, Read, columns, csv, json, read_rows
from tests.records.tables import Table, tables

WANTED = columns(id="long", price="double")


def rescued(
    data: bytes,
    parser: Parser,
    wanted: tuple[Column, ...] | None = WANTED,
    *,
    change: SchemaChange = SchemaChange.RESCUE,
    filters: tuple[Filter, ...] = (),
) -> Read:
    source = Source(bucket="bucket", parser=parser)
    (entry,) = open_rows(io.BytesIO(data), source, filters, SETTING, change=change)
    return read_rows(entry, wanted)


def seen(data: bytes, parser: Parser, wanted: tuple[Column, ...] = WANTED) -> list[Any]:
    """The rows as tuples, with what was rescued as Python has it."""
    made = []
    for row in rescued(data, parser, wanted).rows:
        *values, last = row.values()
        assert list(row)[-1] == "_rescued"
        made.append((*values, None if last is None else python_json.loads(last)))
    return made


def fixed(**settings: Any) -> Parser:
    fields = [{"name": "id", "type": "long", "width": 3}, {"name": "price", "type": "double", "width": 6}]
    source = Source.parse(
        {"bucket": "bucket", "parser": {"type": "fixed_width", "columns": fields, **settings}}, where=""
    )
    return source.parser


def parser_of(kind: str) -> Parser:
    return Source.parse({"bucket": "bucket", "parser": {"type": kind}}, where="").parser


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def orc_file(table: pa.Table) -> bytes:
    file = io.BytesIO()
    orc.write_table(table, file)
    return file.getvalue()


def test_in_csv_an_unknown_field_and_a_value_that_does_not_fit_stay_as_texts() -> None:
    data = b"id,price,extra\n1,2.5,\n2,n/a,7\nx,,hello\n"
    assert seen(data, csv()) == [
        (1, 2.5, None),
        (2, None, {"price": "n/a", "extra": "7"}),
        (None, None, {"id": "x", "extra": "hello"}),
    ]


def test_a_csv_row_whose_layout_is_broken_stays_a_bad_one() -> None:
    found = rescued(b"id,price\n1,2\n3\n4,n/a\n", csv())
    assert [row["id"] for row in found.rows] == [1, 4]
    assert [(reject.record, reject.reason) for reject in found.rejects] == [(2, "1 field, 2 expected")]


def test_bytes_that_are_no_text_cannot_be_rescued() -> None:
    found = rescued(b"id,price,extra\n1,2,\xff\n2,3,ok\n", csv())
    assert [row["_rescued"] for row in found.rows] == ['{"extra":"ok"}']
    assert "no text" in found.rejects[0].reason


def test_null_strings_hold_for_unknown_fields_too() -> None:
    assert seen(b"id,price,extra\n1,2,NA\n2,3,x\n", csv(null_string="NA")) == [(1, 2.0, None), (2, 3.0, {"extra": "x"})]


def test_a_field_that_is_named_rescued_is_unknown_like_any_other() -> None:
    assert seen(b"id,price,_rescued\n1,2,x\n", csv()) == [(1, 2.0, {"_rescued": "x"})]


def test_declared_csv_columns_by_name_rescue_what_the_header_calls_otherwise() -> None:
    declared = [{"name": "id", "type": "long", "src": "Nr"}, {"name": "price", "type": "double"}]
    parser = csv(columns=declared, columns_by="name", header_line=True)
    data = b"price,Nr,id\nn/a,1,other\n2,x,\n"
    assert seen(data, parser, parser.columns or ()) == [
        (1, None, {"price": "n/a", "id": "other"}),
        (None, 2.0, {"Nr": "x"}),
    ]


def test_fields_beyond_the_last_are_rescued_where_they_are_captured_but_no_column_takes_them() -> None:
    parser = csv(allow_extra_columns="capture")
    assert seen(b"id,price\n1,2,a,b\n", parser) == [(1, 2.0, {"_rest": ["a", "b"]})]


@pytest.mark.parametrize("separator", ["\n", "\n\n", ", "])
def test_in_json_values_keep_their_type(separator: str) -> None:
    records = [
        {"id": 1, "price": 2.5},
        {"id": "x", "price": "n/a", "extra": 1},
        {"id": 3, "price": True, "deep": {"a": [1, None, "b"], "n": 12345678901234567890123}},
        {"id": 4, "price": None, "extra": None},
        {"id": [], "price": {}},
    ]
    assert seen(separator.join(map(python_json.dumps, records)).encode(), json()) == [
        (1, 2.5, None),
        (None, None, {"id": "x", "price": "n/a", "extra": 1}),
        (3, None, {"price": True, "deep": {"a": [1, None, "b"], "n": 12345678901234567890123}}),
        (4, None, None),
        (None, None, {"id": [], "price": {}}),
    ]


def test_in_json_what_is_left_keeps_its_place_in_the_record() -> None:
    wanted = (
        Column(name="x", type=ColumnType.LONG, element_at="/a/b"),
        Column(name="y", type=ColumnType.STRING, element_at="/items/1/name"),
        Column(name="z", type=ColumnType.LONG, src="Z"),
    )
    record = {"a": {"b": "?", "c": 1}, "items": [5, {"name": "n", "more": 2}], "Z": 1.5, "z": 6}
    assert seen(python_json.dumps(record).encode(), json(), wanted) == [
        (None, "n", None, {"a": {"b": "?", "c": 1}, "items": {"0": 5, "1": {"more": 2}}, "Z": 1.5, "z": 6})
    ]


def test_json_numbers_that_json_has_no_text_for_are_rescued_as_texts() -> None:
    assert seen(b'{"id": 1, "price": 2, "x": [NaN, -Infinity]}', json()) == [(1, 2.0, {"x": ["NaN", "-Infinity"]})]


def test_broken_json_stays_a_bad_row() -> None:
    found = rescued(b'{"id": 1, "new": 2}\n{"id": \n{"id": 3}\n', json())
    assert [row["_rescued"] for row in found.rows] == ['{"new":2}', None]
    assert len(found.rejects) == 1


def test_keys_that_appear_after_the_first_megabyte_are_rescued_too() -> None:
    lines = [b'{"id": %d, "price": 1.5}' % n for n in range(60_000)] + [b'{"id": 60000, "price": 1, "late": "x"}']
    found = rescued(b"\n".join(lines), json(), None)
    assert len(found.rows) == 60_001
    assert found.rejects == []
    assert [row for row in found.rows if row["_rescued"]] == [{"id": 60000, "price": 1.0, "_rescued": '{"late":"x"}'}]


TABLE = pa.table(
    {
        "id": pa.array(["1", "x", None]),
        "price": pa.array([2.5, None, 3.0]),
        "extra": pa.array([{"a": 1}, None, {"a": None}], pa.struct([("a", pa.int64())])),
    }
)
EXPECTED = [(1, 2.5, {"extra": {"a": 1}}), (None, None, {"id": "x"}), (None, 3.0, {"extra": {"a": None}})]


def test_in_parquet_values_keep_their_type() -> None:
    assert seen(parquet(TABLE), parser_of("parquet")) == EXPECTED


def test_in_orc_values_keep_their_type() -> None:
    assert seen(orc_file(TABLE), parser_of("orc")) == EXPECTED


def test_in_avro_values_keep_their_type() -> None:
    schema = {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "id", "type": ["null", "string"]},
            {"name": "price", "type": ["null", "double"]},
            {"name": "extra", "type": ["null", {"type": "map", "values": "long"}]},
        ],
    }
    rows = [{"id": "1", "price": 2.5, "extra": {"a": 1}}, {"id": "x", "price": None, "extra": None}]
    file = io.BytesIO()
    fastavro.writer(file, schema, rows)
    assert seen(file.getvalue(), parser_of("avro")) == EXPECTED[:2]


def test_what_json_cannot_say_of_a_typed_value_is_a_text() -> None:
    table = pa.table({"id": [1, 2], "odd": pa.array([float("nan"), 1.5])})
    assert seen(parquet(table), parser_of("parquet"), columns(id="long")) == [(1, {"odd": "nan"}), (2, {"odd": 1.5})]


def test_bytes_are_rescued_in_base64() -> None:
    table = pa.table({"id": pa.array([b"\xff\x00"])})
    assert seen(parquet(table), parser_of("parquet"), columns(id="long")) == [(None, {"id": "/wA="})]


def test_rows_of_which_no_column_is_known_are_rescued_whole() -> None:
    assert seen(parquet(pa.table({"a": [1]})), parser_of("parquet"), ()) == [({"a": 1},)]
    assert seen(b'{"a": 1}', json(), ()) == [({"a": 1},)]
    assert seen(b"a\n1\n", csv(), ()) == [({"a": "1"},)]


def test_in_fixed_width_lines_values_stay_as_texts() -> None:
    parser = fixed()
    assert seen(b"  1   2.5\n  x   n/a\n", parser, parser.columns or ()) == [
        (1, 2.5, None),
        (None, None, {"id": "x", "price": "n/a"}),
    ]


def test_fixed_width_lines_of_another_length_stay_bad_rows() -> None:
    parser = fixed()
    found = rescued(b"1\n  2   n/a\n  3   1.0 beyond\n", parser, parser.columns)
    assert [row["_rescued"] for row in found.rows] == ['{"price":"n/a"}']
    assert len(found.rejects) == 2


def test_rescued_values_are_no_bad_rows_for_the_limits() -> None:
    data = b"id,price\n1,a\n2,b\n3,c\n"
    assert rescued(data, csv(max_bad_rows=0, stop_on_invalid_record=True)).rejects == []
    with pytest.raises(TooManyBadRows):
        rescued(data, csv(max_bad_rows=0), change=SchemaChange.EVOLVE)


# Filters neither see nor drop the column.


def filters(*declared: dict[str, Any]) -> tuple[Filter, ...]:
    document = {
        "name": "p",
        "connection": "c",
        "in": {"bucket": "bucket", "path_prefix": "in/", "parser": {"type": "csv"}},
        "filters": list(declared),
        "out": {"type": "iceberg", "table": "t"},
    }
    return Pipeline.parse(document, where="test").filters


OBJECT = b'{"id": 1, "price": "a", "tags": [1,2]}\n{"id": 2, "price": 2, "tags": []}\n{"id": 3, "price": "c"}\n'
KNOWN = (*WANTED, Column(name="tags", type=ColumnType.JSON))


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ([{"type": "retain_columns", "columns": [{"name": "id"}]}], [(1, "a"), (2, None), (3, "c")]),
        ([{"type": "retain_columns", "columns": [{"name": "*"}]}], [(1, "a"), (2, None), (3, "c")]),
        ([{"type": "drop_columns", "columns": [{"name": "price"}]}], [(1, "a"), (2, None), (3, "c")]),
        ([{"type": "where", "condition": "id >= 2"}], [(2, None), (3, "c")]),
        ([{"type": "rename", "rules": [{"rule": "lower_to_upper"}]}], [(1, "a"), (2, None), (3, "c")]),
        ([{"type": "sanitize"}], [(1, "a"), (2, None), (3, "c")]),
        ([{"type": "add_columns", "columns": [{"name": "n", "type": "long", "default": 1}]}],
         [(1, "a"), (2, None), (3, "c")]),
        ([{"type": "file_metadata", "columns": [{"name": "f", "value": "file_name"}]}],
         [(1, "a"), (2, None), (3, "c")]),
        ([{"type": "explode", "column": "tags"}, {"type": "where", "condition": "id < 3"}],
         [(1, "a"), (1, "a")]),
    ],
    ids=lambda value: value[0]["type"] if isinstance(value, list) and isinstance(value[0], dict) else "",
)  # fmt: skip
def test_it_stays_beside_its_row_through_every_filter(declared: list[dict[str, Any]], expected: list[Any]) -> None:
    found = rescued(OBJECT, json(), KNOWN, filters=filters(*declared))
    assert all(list(row)[-1] == "_rescued" for row in found.rows)
    pairs = [
        (row.get("id", row.get("ID")), orjson.loads(row["_rescued"])["price"] if row["_rescued"] else None)
        for row in found.rows
    ]
    assert pairs == expected


def test_a_filter_cannot_make_a_column_of_its_name() -> None:
    declared = filters({"type": "rename", "columns": {"price": "_rescued"}})
    (entry,) = open_rows(
        io.BytesIO(b"{}"), Source(bucket="bucket", parser=json()), declared, SETTING, change=SchemaChange.RESCUE
    )
    with pytest.raises(PipelineMismatch, match="_rescued"):
        entry.shape(WANTED)


def test_its_column_is_the_last_one() -> None:
    declared = filters({"type": "add_columns", "columns": [{"name": "n", "type": "long", "default": 1}]})
    (entry,) = open_rows(
        io.BytesIO(b"{}"), Source(bucket="bucket", parser=json()), declared, SETTING, change=SchemaChange.RESCUE
    )
    assert [column.name for column in entry.shape(WANTED)] == ["id", "price", "n", "_rescued"]
    assert entry.shape(WANTED)[-1] == RESCUED.bare == Column(name="_rescued", type=ColumnType.JSON)


# Strict: what would be rescued sets the object aside, with what is different.


def conflict(data: bytes, parser: Parser, wanted: tuple[Column, ...] = WANTED) -> str:
    with pytest.raises(SchemaConflict) as caught:
        rescued(data, parser, wanted, change=SchemaChange.STRICT)
    return caught.value.what.partition(": ")[2]


def test_an_object_with_the_columns_is_read_as_ever() -> None:
    data = b"id,price\n1,2.5\n2\n3,4\n"
    strict = rescued(data, csv(), change=SchemaChange.STRICT)
    evolving = rescued(data, csv(), change=SchemaChange.EVOLVE)
    assert (strict.rows, strict.rejects) == (evolving.rows, evolving.rejects)
    assert len(strict.rejects) == 1, "a broken line is no other column"


def test_the_difference_names_what_is_added_missing_and_changed() -> None:
    wanted = columns(id="long", name="string", price="double")
    data = b"id,price,discount,when\n1,2.5,0.5,2024-01-01\n2,n/a,0.1,2024-01-02\n"
    assert conflict(data, csv(), wanted) == (
        '+ discount double; + when timestamp; ~ price: double → string, such as "n/a"; - name string'
    )


def test_a_renamed_column_is_one_that_is_missing_and_one_that_is_added() -> None:
    assert conflict(b"id,cost\n1,2.5\n", csv()) == "+ cost double; - price double"


def test_the_difference_of_json_knows_its_types_and_places() -> None:
    wanted = (*WANTED, Column(name="a.b", type=ColumnType.LONG, element_at="/a/b"))
    data = b'{"id": 1, "price": true, "a": {"b": 1, "c": "x"}, "o": {"p": 1}}'
    assert conflict(data, json(), wanted) == "+ a.c string; + o json; ~ price: double → boolean, such as true"


def test_a_json_object_need_not_have_every_key() -> None:
    assert len(rescued(b'{"id": 1}', json(), change=SchemaChange.STRICT).rows) == 1


def test_a_parquet_object_has_all_columns_or_differs() -> None:
    assert conflict(parquet(pa.table({"id": [1]})), parser_of("parquet")) == "- price double"
    whole = parquet(pa.table({"id": pa.array([1], pa.int32()), "price": pa.array([1.5], pa.float32())}))
    assert rescued(whole, parser_of("parquet"), change=SchemaChange.STRICT).tuples == [(1, 1.5)]


def test_columns_may_lack_in_csv_where_they_are_optional() -> None:
    found = rescued(b"id\n1\n", csv(allow_optional_columns=True), change=SchemaChange.STRICT)
    assert found.tuples == [(1, None)]


def test_decimals_are_told_with_their_digits() -> None:
    wanted = (Column(name="d", type=ColumnType.DECIMAL, precision=4, scale=2),)
    assert conflict(b"d\n123.45\n", csv(), wanted) == '~ d: decimal(4,2) → double, such as "123.45"'


def test_a_difference_of_very_many_columns_is_cut() -> None:
    header = ",".join(f"c{n}" for n in range(100)).encode()
    assert conflict(b"id,price," + header + b"\n1,2" + b",x" * 100 + b"\n", csv()).endswith("+ c19 string; and 80 more")


# The three on the same object.

VALUES = st.sampled_from(["", "1", "2.5", "n/a", "true", "007", " 3", "1e400", '"q""q"', "0x10", "é"])


@settings(max_examples=150)
@given(st.lists(st.lists(VALUES, min_size=0, max_size=4), max_size=6), st.sampled_from([None, "NA", ""]))
def test_rows_without_anything_to_rescue_are_the_same_under_each_policy_of_csv(
    rows: list[list[str]], null: str | None
) -> None:
    data = "id,price,extra\n" + "".join(",".join(row) + "\n" for row in rows)
    same(data.encode(), csv(**({} if null is None else {"null_string": null})))


LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.sampled_from(["", "1", "é"])
JSONS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("k"), inner), max_leaves=3
)
RECORDS = st.dictionaries(st.sampled_from(["id", "price", "new", "other"]), JSONS, max_size=4)


@settings(max_examples=150)
@given(st.lists(RECORDS | st.just(7), max_size=6))
def test_rows_without_anything_to_rescue_are_the_same_under_each_policy_of_json(records: list[Any]) -> None:
    data = "\n".join(map(python_json.dumps, records)).encode()
    found = same(data, json())
    objects = [record for record in records if isinstance(record, dict)]
    assert len(found.rows) == len(objects), "every object is a row"
    for record, row in zip(objects, found.rows, strict=True):
        assert restored(row) == {key: value for key, value in record.items() if value is not None}


def restored(row: dict[str, Any]) -> dict[str, Any]:
    """The record again: every value is in its column or among the rescued, and none in both."""
    left = python_json.loads(row["_rescued"] or "{}")
    typed = {name: row[name] for name in ("id", "price") if row[name] is not None}
    assert not left.keys() & typed.keys()
    return left | typed


def by_record(read: Read) -> dict[int, dict[str, Any] | str]:
    """Each record's row, or the text of the bad one."""
    bad = {reject.record: reject.text for reject in read.rejects}
    assert len(bad) == len(read.rejects)
    good = [number for number in range(1, len(read.rows) + len(bad) + 1) if number not in bad]
    return bad | dict(zip(good, read.rows, strict=True))


def same(data: bytes, parser: Parser) -> Read:
    read = rescued(data, parser)
    found, plain = by_record(read), by_record(rescued(data, parser, change=SchemaChange.EVOLVE))
    assert found.keys() == plain.keys()
    changed = False
    for number, row in found.items():
        if isinstance(row, str):
            assert plain[number] == row, "broken is broken under each policy"
        elif row["_rescued"] is None:
            assert plain[number] == {name: row[name] for name in ("id", "price")}
        else:
            changed = True
    try:
        strict = rescued(data, parser, change=SchemaChange.STRICT)
    except SchemaConflict:
        assert changed
    else:
        assert not changed
        assert by_record(strict) == plain
    return read


@settings(max_examples=60)
@given(tables(), st.lists(st.sampled_from(["long", "double", "date", "json", None]), min_size=4, max_size=4))
def test_every_value_of_a_typed_object_is_in_its_column_or_rescued(table: Table, kinds: list[str | None]) -> None:
    named = zip((f"c{index}" for index in range(len(table.kinds))), kinds, strict=False)
    wanted = columns(**{name: kind for name, kind in named if kind is not None})
    found = rescued(parquet(table.arrow), parser_of("parquet"), wanted)
    assert (len(found.rows), found.rejects) == (len(table.rows), [])
    for row, original in zip(found.rows, table.rows, strict=True):
        left = python_json.loads(row["_rescued"] or "{}")
        taken = {name for name, value in row.items() if value is not None and name != "_rescued"}
        assert not taken & left.keys()
        assert taken | left.keys() == {name for name, value in original.items() if value is not None}
    same_typed(table, wanted)


def same_typed(table: Table, wanted: tuple[Column, ...]) -> None:
    """Rows of which all was taken are those that evolve loads, but for columns that it was not asked for."""
    known = {column.name for column in wanted}
    asked = parquet(table.arrow.select([name for name in table.arrow.column_names if name in known]))
    if known:
        found = by_record(rescued(asked, parser_of("parquet"), wanted))
        plain = by_record(rescued(asked, parser_of("parquet"), wanted, change=SchemaChange.EVOLVE))
        for number, row in found.items():
            assert isinstance(row, dict)
            rest = {name: value for name, value in row.items() if name != "_rescued"}
            assert (plain[number] == rest) == (row["_rescued"] is None)

"""Typed values as the values of declared columns: exactly, or not at all."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.errors import ParseError
from chalicelib.records.columnar.casts import cast
from chalicelib.records.columnar.pages import inferred, page
from chalicelib.records.columnar.plain import column_of
from chalicelib.records.columnar.texts import json_texts

NO = object()  # the value does not fit
US = pa.timestamp("us", "UTC")
AT = datetime(2024, 2, 29, 1, 2, 3, 4, UTC)


def column(kind: str, **more: Any) -> Column:
    return Column.model_validate({"name": "c", "type": kind, **more})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.bool_(), "boolean"),
        (pa.int8(), "long"),
        (pa.uint64(), "long"),
        (pa.duration("ms"), "long"),
        (pa.float16(), "double"),
        (pa.float32(), "double"),
        (pa.decimal32(7, 2), "decimal(7,2)"),
        (pa.decimal128(38, 0), "decimal(38,0)"),
        (pa.decimal128(5, -2), "decimal(7,0)"),
        (pa.decimal256(38, 9), "decimal(38,9)"),
        (pa.decimal256(39, 9), "string"),
        (pa.decimal128(38, -1), "string"),
        (pa.string(), "string"),
        (pa.large_string(), "string"),
        (pa.string_view(), "string"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.run_end_encoded(pa.int32(), pa.int64()), "long"),
        (pa.binary(), "binary"),
        (pa.binary(4), "binary"),
        (pa.date32(), "date"),
        (pa.date64(), "date"),
        (pa.time32("s"), "time"),
        (pa.time64("ns"), "time"),
        (pa.timestamp("s"), "timestamp"),
        (pa.timestamp("ns", "Asia/Tokyo"), "timestamp"),
        (pa.list_(pa.int8()), "json"),
        (pa.list_(pa.int8(), 2), "json"),
        (pa.struct([("a", pa.int8())]), "json"),
        (pa.map_(pa.string(), pa.int8()), "json"),
        (pa.uuid(), "string"),
        (pa.json_(), "json"),
    ],
)
def test_each_type_has_a_column(kind: pa.DataType, expected: str) -> None:
    assert column_of("c", kind) == column(expected)


def test_a_field_without_any_type_says_nothing() -> None:
    assert column_of("c", pa.null()) is None


NS = pa.timestamp("ns")
CASTS: list[tuple[Any, pa.DataType, Column, Any]] = [
    (True, pa.bool_(), column("boolean"), True),
    (True, pa.bool_(), column("string"), "true"),
    (True, pa.bool_(), column("json"), "true"),
    (True, pa.bool_(), column("long"), NO),
    (True, pa.bool_(), column("double"), NO),
    (1, pa.int8(), column("boolean"), True),
    (0, pa.uint64(), column("boolean"), False),
    (2, pa.int64(), column("boolean"), NO),
    (-128, pa.int8(), column("long"), -128),
    ((1 << 63) - 1, pa.uint64(), column("long"), (1 << 63) - 1),
    (1 << 63, pa.uint64(), column("long"), NO),
    (1 << 63, pa.uint64(), column("string"), "9223372036854775808"),
    (1 << 63, pa.uint64(), column("json"), "9223372036854775808"),
    (1 << 63, pa.uint64(), column("decimal(20,1)"), Decimal("9223372036854775808.0")),
    (1 << 63, pa.uint64(), column("decimal(20,2)"), NO),
    (3, pa.int64(), column("double"), 3.0),
    (1, pa.int64(), column("timestamp"), NO),
    (1, pa.int64(), column("timestamp", format="epoch_s"), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    (1, pa.int64(), column("date"), NO),
    (1, pa.int64(), column("binary"), NO),
    (3.0, pa.float64(), column("long"), 3),
    (3.5, pa.float64(), column("long"), NO),
    (1e19, pa.float64(), column("long"), NO),
    (float("nan"), pa.float64(), column("long"), NO),
    (0.1, pa.float64(), column("double"), 0.1),
    (0.5, pa.float32(), column("double"), 0.5),
    (0.1, pa.float32(), column("string"), "0.1"),
    (1.0, pa.float64(), column("string"), "1.0"),
    (1e300, pa.float64(), column("json"), "1e+300"),
    (float("inf"), pa.float64(), column("string"), "inf"),
    (float("nan"), pa.float64(), column("json"), NO),
    (1.25, pa.float64(), column("decimal(5,2)"), Decimal("1.25")),
    (1.255, pa.float64(), column("decimal(5,2)"), NO),
    (1e9, pa.float64(), column("decimal(5,2)"), NO),
    (float("inf"), pa.float64(), column("decimal(5,2)"), NO),
    (Decimal("1.50"), pa.decimal128(38, 2), column("decimal(4,1)"), Decimal("1.5")),
    (Decimal("1.55"), pa.decimal128(38, 2), column("decimal(4,1)"), NO),
    (Decimal("1234.5"), pa.decimal256(70, 1), column("decimal(4,1)"), NO),
    (Decimal("2.00"), pa.decimal128(5, 2), column("long"), 2),
    (Decimal("2.01"), pa.decimal128(5, 2), column("long"), NO),
    (Decimal("0.0000001"), pa.decimal128(38, 10), column("double"), 1e-7),
    (Decimal("0.0000001"), pa.decimal128(38, 10), column("string"), "0.0000001000"),
    (Decimal("-12.30"), pa.decimal64(10, 2), column("json"), "-12.30"),
    ("12", pa.string(), column("long"), 12),
    ("1.5", pa.large_string(), column("long"), NO),
    ("2024-02-29T01:02:03.000004Z", pa.string_view(), column("timestamp"), AT),
    ("29/02/2024", pa.string(), column("timestamp", format="%d/%m/%Y"), datetime(2024, 2, 29, tzinfo=UTC)),
    ('{"a": 1}', pa.string(), column("json"), '{"a": 1}'),
    ("{", pa.string(), column("json"), NO),
    (b"\xc3\xa9", pa.binary(), column("string"), "é"),
    (b"\xff", pa.binary(), column("string"), NO),
    (b"\xff", pa.binary(), column("binary"), b"\xff"),
    (b"\xff", pa.binary(1), column("json"), '"/w=="'),
    (b"1", pa.binary(), column("long"), NO),
    (date(2024, 2, 29), pa.date64(), column("date"), date(2024, 2, 29)),
    (-719163, pa.date32(), column("date"), NO),
    (date(1, 1, 1), pa.date32(), column("timestamp"), datetime(1, 1, 1, tzinfo=UTC)),
    (date(2024, 2, 29), pa.date32(), column("string"), "2024-02-29"),
    (date(2024, 2, 29), pa.date32(), column("json"), '"2024-02-29"'),
    (AT, US, column("timestamp"), AT),
    (AT, US, column("date"), NO),
    (datetime(2024, 2, 29, tzinfo=UTC), US, column("date"), date(2024, 2, 29)),
    (AT, US, column("string"), "2024-02-29T01:02:03.000004Z"),
    (AT, pa.timestamp("us", "Asia/Tokyo"), column("string"), "2024-02-29T01:02:03.000004Z"),
    (0, pa.timestamp("s"), column("timestamp"), datetime(1970, 1, 1, tzinfo=UTC)),
    (1_999, NS, column("timestamp"), datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
    (-1, NS, column("timestamp"), datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)),
    (-62_135_596_800, pa.timestamp("s"), column("timestamp"), datetime(1, 1, 1, tzinfo=UTC)),
    (-62_135_596_801, pa.timestamp("s"), column("timestamp"), NO),
    (253_402_300_800_000, pa.timestamp("ms"), column("timestamp"), NO),
    ((1 << 63) - 1, pa.timestamp("s"), column("timestamp"), NO),
    (-(1 << 63) + 1, NS, column("timestamp"), datetime(1677, 9, 21, 0, 12, 43, 145_224, UTC)),
    (time(1, 2, 3), pa.time32("s"), column("time"), time(1, 2, 3)),
    (1_999, pa.time64("ns"), column("time"), time(0, 0, 0, 1)),
    (86_400, pa.time32("s"), column("time"), NO),
    (time(1, 2, 3, 4), pa.time64("us"), column("string"), "01:02:03.000004"),
    (time(1, 2, 3), pa.time64("us"), column("timestamp"), NO),
    ([1, None], pa.list_(pa.int8()), column("json"), "[1,null]"),
    ([1.0], pa.list_(pa.float32()), column("string"), "[1.0]"),
    ([1], pa.list_(pa.int8()), column("long"), NO),
    ([float("nan")], pa.list_(pa.float64()), column("json"), NO),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind", "into", "expected"), CASTS)
def test_a_value_becomes_what_was_declared_or_is_lost(
    value: Any, kind: pa.DataType, into: Column, expected: Any
) -> None:
    before = pa.array([None, value, None, value], kind)
    made = cast(before.slice(1), into)
    made.validate(full=True)
    assert made.to_pylist() == ([None] * 3 if expected is NO else [expected, None, expected])


def test_a_naive_moment_is_in_utc_unless_the_column_tells_its_zone() -> None:
    noon = pa.array([datetime(2024, 7, 1, 12)], pa.timestamp("ms"))  # noqa: DTZ001
    assert cast(noon, column("timestamp")).to_pylist() == [datetime(2024, 7, 1, 12, tzinfo=UTC)]
    tokyo = cast(noon, column("timestamp", timezone="Asia/Tokyo"))
    assert tokyo.to_pylist() == [datetime(2024, 7, 1, 3, tzinfo=UTC)]


NESTED = pa.array(
    [
        {"l": [{"k": b"\xff"}], "m": [("a", 1), ("b", None)], "t": AT, "n": Decimal("1.10"), "i": [("x", 1)]},
        {"l": [None], "m": [], "t": None, "n": None, "i": None},
        None,
    ],
    pa.struct(
        [
            ("l", pa.list_(pa.struct([("k", pa.binary())]))),
            ("m", pa.map_(pa.string(), pa.int64())),
            ("t", US),
            ("n", pa.decimal128(5, 2)),
            ("i", pa.map_(pa.string(), pa.int64())),
        ]
    ),
)


def test_nested_values_are_json_with_every_digit() -> None:
    assert json_texts(NESTED).to_pylist() == [
        '{"l":[{"k":"/w=="}],"m":{"a":1,"b":null},"t":"2024-02-29T01:02:03.000004Z","n":1.10,"i":{"x":1}}',
        '{"l":[null],"m":{},"t":null,"n":null,"i":null}',
        None,
    ]


def test_keys_of_maps_are_texts() -> None:
    numbers = pa.array([[(1, "a"), (2, None)], None], pa.map_(pa.int32(), pa.string()))
    assert json_texts(numbers).to_pylist() == ['{"1":"a","2":null}', None]


LEAF = st.sampled_from(
    [(pa.int64(), st.integers(-9, 9)), (pa.string(), st.text(max_size=3)), (pa.bool_(), st.booleans())]
)


def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def wrapped(pair: tuple[pa.DataType, Any]) -> st.SearchStrategy[Any]:
        kind, values = pair
        values = st.none() | values
        lists = [pa.list_(kind), pa.large_list(kind), pa.list_view(kind)]
        return st.sampled_from(
            [
                *((each, st.lists(values, max_size=3)) for each in lists),
                (pa.list_(kind, 2), st.lists(values, min_size=2, max_size=2)),
                (pa.struct([("a", kind), ('"', kind)]), st.fixed_dictionaries({"a": values, '"': values})),
                (pa.dictionary(pa.int8(), pa.string()), st.text(max_size=3)),
            ]
        )

    return inner.flatmap(wrapped)


@settings(max_examples=80)
@given(st.data())
def test_json_texts_mean_the_values_however_deep_and_wherever_the_array_was_cut(data: st.DataObject) -> None:
    kind, values = data.draw(st.recursive(LEAF, deeper, max_leaves=4))
    rows = data.draw(st.lists(st.none() | values, max_size=6))
    start = data.draw(st.integers(0, len(rows)))
    texts = json_texts(pa.array(rows, kind).slice(start)).to_pylist()
    assert [None if text is None else json.loads(text) for text in texts] == rows[start:]


@settings(max_examples=80)
@given(st.lists(st.none() | st.floats() | st.integers(-5, 5).map(float), max_size=20))
def test_a_column_is_cast_as_its_values_are_one_by_one(values: list[float | None]) -> None:
    array = pa.array(values, pa.float64())
    for into in (column("long"), column("decimal(9,2)"), column("string"), column("json")):
        alone = [cast(array.slice(row, 1), into).to_pylist()[0] for row in range(len(values))]
        assert cast(array, into).to_pylist() == alone


def test_what_does_not_fit_costs_its_row_with_the_reason_and_the_row_as_it_was() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1.0, 1.5, 2.0], "b": ["x", "7", "8"]})
    given_page = page(batch, (Column(name="a", type="long"), Column(name="b", type="long")))
    assert given_page.batch.to_pylist() == [{"a": 2, "b": 8}]
    first, second = given_page.rejects
    assert (first.record, first.text, first.line, first.offset) == (0, '{"a":1.0,"b":"x"}', None, None)
    assert "b: 'x' is not a long" in first.reason
    assert (second.record, second.reason) == (1, "a: 1.5 is not a long")


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (-62_135_596_801, pa.timestamp("s"), "-62135596801 in timestamp[s]"),
        (b"\xff", pa.binary(), "xff"),
        ([float("nan")], pa.list_(pa.float64()), "nan"),
    ],
)
def test_a_reject_shows_what_has_no_text(value: Any, kind: pa.DataType, shown: str) -> None:
    into = Column(name="a", type={"timestamp[s]": "timestamp", "binary": "string"}.get(str(kind), "json"))
    batch = pa.RecordBatch.from_arrays([pa.array([value], kind)], names=["a"])
    (reject,) = page(batch, (into,)).rejects
    assert shown in reject.reason


def test_text_that_is_not_utf8_costs_its_row() -> None:
    raw = pa.array([b"ok", b"\xff\xfe"], pa.binary())
    broken = pa.StringArray.from_buffers(2, raw.buffers()[1], raw.buffers()[2])
    given_page = page(pa.RecordBatch.from_arrays([broken], names=["a"]), (Column(name="a", type="string"),))
    assert given_page.batch.to_pylist() == [{"a": "ok"}]
    assert "\\\\xff" in given_page.rejects[0].reason


def test_a_decimal_of_more_digits_than_its_type_declares_costs_its_row() -> None:
    digits = [
        (5).to_bytes(16, "little"),
        (100_000).to_bytes(16, "little"),
        (-100_000).to_bytes(16, "little", signed=True),
    ]
    array = pa.Array.from_buffers(pa.decimal128(4, 1), 3, [None, pa.py_buffer(b"".join(digits))])
    made = cast(array, column("decimal(4,1)"))
    made.validate(full=True)
    assert made.to_pylist() == [Decimal("0.5"), None, None]


def test_a_column_that_is_not_there_is_null_and_case_counts() -> None:
    batch = pa.RecordBatch.from_pydict({"Id": [1, 2]})
    made = page(batch, (Column(name="id", type="long"), Column(name="other", src="Id", type="string")))
    assert made.batch.to_pylist() == [{"id": None, "other": "1"}, {"id": None, "other": "2"}]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"src": "s", "element_at": "/l/0/k"}, [b"\xff", None, None]),
        ({"element_at": "/s/m/a"}, [b"1", None, None]),
        ({"src": "s", "element_at": "/l/1"}, [None, None, None]),
        ({"src": "s", "element_at": "/nowhere/x"}, [None, None, None]),
    ],
)
def test_a_value_is_taken_from_within_a_nested_one(settings: dict[str, str], expected: list[Any]) -> None:
    batch = pa.RecordBatch.from_arrays([NESTED], names=["s"])
    kind = "binary" if expected[0] == b"\xff" else "string"
    made = page(batch, (Column(name="x", type=kind, **settings),))
    seen = [
        value if value is None or kind == "binary" else value.encode() for value in made.batch.column(0).to_pylist()
    ]
    assert (seen, made.rejects) == (expected, ())


def test_two_fields_of_one_name_are_refused() -> None:
    schema = pa.schema([("a", pa.int8()), ("a", pa.string()), ("b", pa.int8())])
    with pytest.raises(ParseError, match="more than one column is named a"):
        inferred(schema)

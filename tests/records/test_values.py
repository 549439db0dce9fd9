import base64
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.records.types.values import arrow_reads, fits, in_calendar, reader, typed
from tests.records.reading import csv, read

KINDS = ["boolean", "long", "double", "timestamp", "date", "time", "decimal(9,3)", "decimal(4,4)", "decimal(38,0)"]


def column(kind: str, form: str | None = None, **options: object) -> Column:
    return Column.model_validate({"name": "v", "type": kind, "format": form} | options)


@pytest.mark.parametrize(
    "kind, text, value",
    [
        *(("boolean", text, True) for text in ("true", "YES", "t", "Y", "On", "1", "tRuE")),
        *(("boolean", text, False) for text in ("False", "no", "F", "n", "OFF", "0")),
        ("long", "007", 7),
        ("long", "+5", 5),
        ("long", " -12\t", -12),
        ("long", "0x1F", 31),
        ("long", "-9223372036854775808", -(2**63)),
        ("double", "+1.5", 1.5),
        ("double", ".5", 0.5),
        ("double", "1e3", 1000.0),
        ("double", "-Infinity", -math.inf),
        ("timestamp", "2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("timestamp", "2024-05-01 10:20", datetime(2024, 5, 1, 10, 20, tzinfo=UTC)),
        ("timestamp", "2024-05-01T10:20:30.123456789Z", datetime(2024, 5, 1, 10, 20, 30, 123456, tzinfo=UTC)),
        ("timestamp", "2024-05-01T10:20:30,5+0530", datetime(2024, 5, 1, 4, 50, 30, 500000, tzinfo=UTC)),
        ("timestamp", " 2024-05-01 10:20:30 -08:00 ", datetime(2024, 5, 1, 18, 20, 30, tzinfo=UTC)),
        ("timestamp", "2024-05-01 10:20:30 UTC", datetime(2024, 5, 1, 10, 20, 30, tzinfo=UTC)),
        ("timestamp", "20240501", datetime(2024, 5, 1, tzinfo=UTC)),
        ("json", '{"a": [1, 2]}', '{"a": [1, 2]}'),
        ("string", " x ", " x "),
        ("decimal(7,2)", "1.5", Decimal("1.50")),
        ("decimal(7,2)", " -99999.99\t", Decimal("-99999.99")),
        ("decimal(7,2)", "1.500", Decimal("1.50")),
        ("decimal(7,2)", "+15e-1", Decimal("1.50")),
        ("decimal(7,2)", "1E+2", Decimal("100.00")),
        ("decimal(7,2)", "0e99999", Decimal("0.00")),
        ("decimal(7,2)", "000000000000000000000000000000000000000000.5", Decimal("0.50")),
        ("decimal(2,2)", ".25", Decimal("0.25")),
        ("decimal(5)", "12345.", Decimal(12345)),
        ("decimal(38,0)", "9" * 38, Decimal("9" * 38)),
        ("binary", " é", " é".encode()),
    ],
)
def test_a_text_is_read_as_its_type(kind, text, value):
    found = typed(pa.array([text, None]), column(kind))
    assert (found.array.to_pylist(), found.bad) == ([value, None], {})


@pytest.mark.parametrize(
    "kind, text",
    [
        *(("boolean", text) for text in ("2", "abc", " true", "tru", "")),
        *(("long", text) for text in ("1.0", "9223372036854775808", "0xFFFFFFFFFFFFFFFF", "-0x1", "1_0", "١", "1e3")),
        *(("double", text) for text in ("1,5", "1_0.0", ".", "0x1p3", "١.٥", "nan!")),
        *(("timestamp", text) for text in ("2024-02-30", "0000-01-01", "03/04/2024", "0001-01-01T00:00+05:00", "now")),
        *(("json", text) for text in ("{", "NaN", "x", "{'a':1}")),
        *(("decimal(7,2)", text) for text in ("1.555", "100000", "999999.99", "1e-3", "1,5", "1_0", "NaN", "inf", ".")),
        *(("decimal(2,2)", text) for text in ("1", "1.00", "0.125")),
        ("decimal(38,0)", "1" + "0" * 38),
        ("decimal(38,38)", "1e99999"),
    ],
)
def test_a_text_that_does_not_fit_is_named_with_its_column(kind, text):
    found = typed(pa.array(["", None, text])[1:], column(kind))
    assert found.array.to_pylist() == [None, None]
    assert list(found.bad) == [1]
    assert found.bad[1].startswith("v: ") and kind.split("(")[0] in found.bad[1].lower()


@pytest.mark.parametrize(
    "form, text, value",
    [
        ("%d/%m/%Y", "03/04/2024", datetime(2024, 4, 3, tzinfo=UTC)),
        (
            "%Y-%m-%d %H:%M:%S.%N %z",
            "2024-05-01 10:20:30.25 +0200",
            datetime(2024, 5, 1, 8, 20, 30, 250000, tzinfo=UTC),
        ),
        ("%H:%M:%S.%L", "10:20:30.125", datetime(1970, 1, 1, 10, 20, 30, 125000, tzinfo=UTC)),
    ],
)
def test_a_format_says_how_timestamps_are_written(form, text, value):
    found = typed(pa.array([text, "2024", text, None, "2024"]), column("timestamp", form))
    assert found.array.to_pylist() == [value, None, value, None, None]
    assert found.bad == dict.fromkeys((1, 4), f"v: '2024' is not a timestamp like {form}")


def same(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)


texts = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.integers(-(2**65), 2**65).map(hex),
    st.datetimes().map(str),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.dates().map(str),
    st.times().map(str),
    st.from_regex(r"[+-]?[0-9._eE]{1,6}", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9](:[0-6][0-9]){0,2}(\.[0-9]{1,7})?(Z|\+[01][0-9]:?[0-9]{2})?",
        fullmatch=True,
    ),
    st.sampled_from(["true", "F", "oN", "nan(a1)", "-nan", "inf", "1e999", "1e-400", "-0", "", " 7", "7\t", "\n7"]),
)


@given(values=st.lists(texts, min_size=1, max_size=4), kind=st.sampled_from(KINDS))
@example(values=["0xFFFFFFFFFFFFFFFF", "-1"], kind="long")
@example(values=["2024-01-01T00:00:00Z", "2024-01-01"], kind="timestamp")
@example(values=["9999-12-31T23:00-05:00"], kind="timestamp")
@example(values=["0000-12-31", "2024-12-31"], kind="date")
@example(values=["20241231", "2024-12-31"], kind="date")
@example(values=["1234567", "123456.7", "1.0000"], kind="decimal(9,3)")
@example(values=["1", "0.12345", "0.12340"], kind="decimal(4,4)")
def test_arrow_stands_in_only_where_it_agrees_with_the_definition(values, kind):
    found = typed(pa.array(values), column(kind))
    for index, text in enumerate(values):
        try:
            expected = reader(column(kind))(text)
        except (ValueError, OverflowError):
            assert index in found.bad
        else:
            assert index not in found.bad
            assert same(found.array[index].as_py(), expected)


@given(values=st.lists(texts, min_size=1, max_size=3), kind=st.sampled_from(KINDS))
@example(values=["0xFFFFFFFFFFFFFFFF"], kind="long")
@example(values=["0000-01-01"], kind="timestamp")
@example(values=["\n7"], kind="boolean")
@example(values=["1.2345", "7"], kind="decimal(9,3)")
def test_a_block_gives_the_same_rows_whether_or_not_another_row_of_it_is_bad(values, kind):
    values = [value for value in values if "\n" not in value and value]
    data = "".join(f'{value},"x"\n' for value in values).encode()
    parser = csv(columns=[{"name": "v", "type": kind}, {"name": "x", "type": "string"}])
    alone, beside = read(data, parser), read(data + b"short\n", parser)
    assert repr(alone.rows) == repr(beside.rows)
    assert alone.rejects == beside.rejects[:-1]
    assert beside.rejects[-1].reason == "1 field, 2 expected"


def test_beside_a_misfit_no_number_is_still_a_double():
    found = typed(pa.array(["nan", "x", "1.5"]), column("double"))
    assert math.isnan(found.array[0].as_py())
    assert (found.array[1:].to_pylist(), list(found.bad)) == ([None, 1.5], [1])


def test_moments_outside_the_calendar_are_noticed():
    assert in_calendar([pa.array([None], pa.timestamp("us")), pa.array([7])])
    assert not in_calendar([pa.array([0, -(10**17)], pa.timestamp("us"))])


@pytest.mark.parametrize(
    "encoding, text, value",
    [
        ("base64", "AP8=", b"\x00\xff"),
        ("base64", " AP8= ", b"\x00\xff"),
        ("base64", "", b""),
        ("base64", "AP8", None),
        ("base64", "AP8=AP8=", None),
        ("base64", "A P8=", None),
        ("base64", "_-8=", None),
        ("hex", "00fF", b"\x00\xff"),
        ("hex", "0x00ff", b"\x00\xff"),
        ("hex", "\\x00ff", b"\x00\xff"),
        ("hex", "0f f", None),
        ("hex", "0ff", None),
        ("hex", "0g", None),
        ("text", "0x00", b"0x00"),
    ],
)
def test_binary_is_text_or_written_in_base64_or_hexadecimal_digits(
    encoding: str, text: str, value: bytes | None
) -> None:
    found = typed(pa.array([text, None]), column("binary", encoding=encoding))
    assert found.array.to_pylist() == [value, None]
    assert found.bad == ({} if value is not None else {0: f"v: {text!r} is not binary in {encoding}"})


@given(value=st.binary(max_size=40))
def test_bytes_come_back_from_what_they_were_written_as(value: bytes) -> None:
    for encoding, text in (("hex", value.hex()), ("base64", base64.b64encode(value).decode())):
        assert typed(pa.array([text]), column("binary", encoding=encoding)).array.to_pylist() == [value]


@given(scale=st.integers(0, 38), digits=st.integers(-(10**38) + 1, 10**38 - 1))
def test_decimals_come_back_from_their_text(scale: int, digits: int) -> None:
    value = Decimal(f"{digits}e-{scale}")
    for text in (str(value), f"{value:f}", f"{digits}e-{scale}"):
        assert typed(pa.array([text]), column(f"decimal(38,{scale})")).array.to_pylist() == [value]


@pytest.mark.parametrize(
    "kind, text, reason",
    [
        ("decimal(7,2)", "1.555", "v: '1.555' is not a decimal(7,2)"),
        ("date", "31.12.2024", "v: '31.12.2024' is not a date"),
        ("time", "noon", "v: 'noon' is not a time"),
        ("boolean", "2", "v: '2' is not a boolean"),
        ("long", "x" * 200, f"v: '{'x' * 99}… is not a long"),
    ],
)
def test_the_reason_names_column_value_and_type(kind: str, text: str, reason: str) -> None:
    assert typed(pa.array([text]), column(kind)).bad == {0: reason}
    assert not fits(pa.array([text, None]), column(kind))


@pytest.mark.parametrize(
    "kind, options, by_arrow",
    [
        *((kind, {}, True) for kind in ("boolean", "long", "double", "string", "timestamp")),
        *((kind, {}, False) for kind in ("json", "date", "time", "decimal(9,2)", "binary")),
        ("timestamp", {"format": "iso8601", "timezone": "UTC"}, True),
        ("timestamp", {"timezone": "+00:00"}, True),
        ("timestamp", {"timezone": "Europe/London"}, False),
        ("timestamp", {"format": "%Y-%m-%d"}, False),
    ],
)
def test_arrow_may_read_only_what_it_reads_as_we_do(kind: str, options: dict[str, Any], by_arrow: bool) -> None:
    assert arrow_reads(column(kind, **options)) is by_arrow


def test_dates_outside_the_calendar_are_noticed() -> None:
    ends = pa.array([-719_162, 2_932_896], pa.int32()).view(pa.date32())
    assert in_calendar([ends])
    assert not in_calendar([pa.array([-719_163], pa.int32()).view(pa.date32())])

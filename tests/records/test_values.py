import math
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.config.columns import Column, ColumnType
from chalicelib.errors import ConfigError
from chalicelib.records.values import in_calendar, reader, typed
from tests.records.reading import csv, read

KINDS = ["boolean", "long", "double", "timestamp"]


def column(kind: str, form: str | None = None) -> Column:
    return Column(name="v", type=ColumnType(kind), format=form)


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
    ],
)
def test_a_text_that_does_not_fit_is_named_with_its_column(kind, text):
    found = typed(pa.array(["", None, text])[1:], column(kind))
    assert found.array.to_pylist() == [None, None]
    assert list(found.bad) == [1]
    assert found.bad[1].startswith("v: ") and kind in found.bad[1].lower()


@pytest.mark.parametrize(
    "form, text, value",
    [
        ("%d/%m/%Y", "03/04/2024", datetime(2024, 4, 3, tzinfo=UTC)),
        (
            "%Y-%m-%d %H:%M:%S.%N %z",
            "2024-05-01 10:20:30.25 +0200",
            datetime(2024, 5, 1, 8, 20, 30, 250000, tzinfo=UTC),
        ),
        ("%H:%M:%S.%L", "10:20:30.125", datetime(1900, 1, 1, 10, 20, 30, 125000, tzinfo=UTC)),
    ],
)
def test_a_format_says_how_timestamps_are_written(form, text, value):
    found = typed(pa.array([text, "2024", text, None, "2024"]), column("timestamp", form))
    assert found.array.to_pylist() == [value, None, value, None, None]
    assert found.bad == dict.fromkeys((1, 4), f"v: '2024' is not a timestamp like {form}")


@pytest.mark.parametrize("form", ["%Q", "%Y-%"])
def test_a_format_that_strptime_does_not_know_is_refused(form):
    with pytest.raises(ConfigError, match="is no strptime format"):
        reader(column("timestamp", form))


def same(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)


texts = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.integers(-(2**65), 2**65).map(hex),
    st.datetimes().map(str),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.dates().map(str),
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

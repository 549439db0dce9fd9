"""add_time (F76)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.objects import UNKNOWN_TIME
from tests.records.filters.running import refusal, run
from tests.records.reading import SETTING

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timed(kind: str, values: list[Any], to: dict[str, Any] | None = None, **origin: Any) -> Any:
    document = [{"type": "add_time", "to_column": {"name": "time", **(to or {})}, **origin}]
    return run(document, {"a": kind}, [(value,) for value in values])


@pytest.mark.parametrize(
    "kind, value, options, made",
    [
        ("timestamp", AT, {}, AT),
        ("date", date(2026, 1, 2), {}, datetime(2026, 1, 2, tzinfo=UTC)),
        ("long", 5, {}, EPOCH + timedelta(seconds=5)),
        ("long", -5, {"unix_timestamp_unit": "milli"}, EPOCH - timedelta(milliseconds=5)),
        ("long", 5, {"unix_timestamp_unit": "micro"}, EPOCH + timedelta(microseconds=5)),
        ("long", 5999, {"unix_timestamp_unit": "nano"}, EPOCH + timedelta(microseconds=5)),
        ("long", -1, {"unix_timestamp_unit": "nano"}, EPOCH - timedelta(microseconds=1)),
        ("double", 1.5, {}, EPOCH + timedelta(seconds=1.5)),
        ("string", "2026-01-02 03:04:05 +0900", {}, datetime(2026, 1, 1, 18, 4, 5, tzinfo=UTC)),
        (
            "string",
            "02/01/2026",
            {"timestamp_format": "%d/%m/%Y", "timezone": "Asia/Tokyo"},
            datetime(2026, 1, 1, 15, tzinfo=UTC),
        ),
        ("json", '{"t":{"at":5}}', {"json_key": "t.at"}, EPOCH + timedelta(seconds=5)),
        ("json", '{"t":1.5}', {"json_key": "t"}, EPOCH + timedelta(seconds=1.5)),
        ("json", '{"t":"2026-01-02"}', {"json_key": "t"}, datetime(2026, 1, 2, tzinfo=UTC)),
        ("json", "{}", {"json_key": "t"}, None),
        ("long", None, {}, None),
        ("string", None, {}, None),
    ],
)
def test_times_come_from_a_column(kind: str, value: Any, options: dict[str, Any], made: Any) -> None:
    ran = timed(kind, [value], from_column={"name": "a", **options})
    assert ran.tuples == [(value, made)]
    assert ran.types["time"] == "timestamp"


@pytest.mark.parametrize(
    "kind, value, options",
    [
        ("long", 1 << 62, {}),
        ("long", -(1 << 62), {"unix_timestamp_unit": "milli"}),
        ("double", float("nan"), {}),
        ("double", 1e300, {}),
        ("string", "soon", {}),
        ("json", '{"t":true}', {"json_key": "t"}),
        ("json", '{"t":[1]}', {"json_key": "t"}),
        ("json", '{"t":99999999999999999999999}', {"json_key": "t"}),
        ("json", "{", {"json_key": "t"}),
    ],
)
def test_a_value_that_is_no_time_costs_its_row(kind: str, value: Any, options: dict[str, Any]) -> None:
    ran = timed(kind, [value, None], from_column={"name": "a", **options})
    assert ran.tuples == [(None, None)]
    assert ran.reasons[1].startswith("filters.0 (add_time): a: ")


@pytest.mark.parametrize(
    "unit, number",
    [("sec", 1767323045), ("milli", 1767323045678), ("micro", 1767323045678901), ("nano", 1767323045678901000)],
)
def test_times_may_be_longs_in_any_unit(unit: str, number: int) -> None:
    ran = timed("timestamp", [AT, None], {"type": "long", "unix_timestamp_unit": unit}, from_column={"name": "a"})
    assert ran.column("time") == [number, None]


def test_a_time_before_1970_is_rounded_down() -> None:
    moment = EPOCH - timedelta(microseconds=1)
    assert timed("timestamp", [moment], {"type": "long"}, from_column={"name": "a"}).column("time") == [-1]


def test_a_time_that_has_no_nanoseconds_in_64_bits_costs_its_row() -> None:
    to = {"type": "long", "unix_timestamp_unit": "nano"}
    ran = timed("timestamp", [datetime(3000, 1, 1, tzinfo=UTC), AT], to, from_column={"name": "a"})
    assert len(ran.rows) == 1
    assert "no nanoseconds" in ran.reasons[1]


@pytest.mark.parametrize(
    "value, options, made",
    [
        ("2026-01-02 03:04:05 UTC", {}, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (date(2026, 1, 2), {}, datetime(2026, 1, 2, tzinfo=UTC)),
        (1500, {"unix_timestamp_unit": "milli"}, EPOCH + timedelta(seconds=1.5)),
        ("2026", {"timestamp_format": "%Y", "mode": "fixed_time"}, datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_fixed_time_is_the_same_for_all_rows(value: Any, options: dict[str, Any], made: datetime) -> None:
    ran = timed("long", [1, 2], from_value={"value": value, **options})
    assert ran.column("time") == [made, made]
    assert not ran.chain.counts


def test_incremental_times_follow_the_records_and_begin_again() -> None:
    origin = {"mode": "incremental_time", "from": "2026-01-01 00:00:00", "to": "2026-01-01 00:00:02"}
    ran = timed("long", [1, 2, 3, 4, 5], from_value=origin)
    assert [moment.second for moment in ran.column("time")] == [0, 1, 2, 0, 1]


def test_incremental_times_stay_with_their_record_when_others_are_gone() -> None:
    document = """
      - {type: where, condition: a <> 2}
      - type: add_time
        to_column: {name: time, type: long}
        from_value: {mode: incremental_time, from: 10, to: 20}
    """
    assert run(document, {"a": "long"}, [(1,), (2,), (3,)]).tuples == [(1, 10), (3, 12)]


def test_upload_time_is_when_the_attempt_began_and_last_modified_when_the_object_was_written() -> None:
    assert timed("long", [1], from_value={"mode": "upload_time"}).column("time") == [SETTING.run_at]
    assert timed("long", [1], from_value={"mode": "last_modified"}).column("time") == [SETTING.ref.created_at]


def test_a_time_of_writing_that_nobody_told_is_null() -> None:
    setting = replace(SETTING, ref=replace(SETTING.ref, created_at=UNKNOWN_TIME))
    document = "[{type: add_time, to_column: {name: time}, from_value: {mode: last_modified}}]"
    assert run(document, {"a": "long"}, [(1,)], setting).column("time") == [None]


def test_a_column_of_that_name_gets_a_sign_behind_its_name() -> None:
    document = "[{type: add_time, to_column: {name: time}, from_column: {name: time}}]"
    ran = run(document, {"time": "long", "time_": "long"}, [(0, 7)])
    assert ran.rows == [{"time__": 0, "time_": 7, "time": EPOCH}]


@pytest.mark.parametrize(
    "document, words",
    [
        ("from_column: {name: q}", "no column q"),
        ("from_column: {name: b}", "b is a boolean, which holds no times"),
        ("from_column: {name: js}", "say json_key"),
        ("from_column: {name: b, json_key: x}", "is not a way into b"),
        ("from_value: {value: soon}", "from_value.value: 'soon' is not a timestamp"),
        ("from_value: {mode: incremental_time, from: 2, to: 1}", "lies before"),
        ("from_column: {name: s, timezone: Mars/Base}", "Mars/Base"),
    ],
)
def test_what_cannot_be_is_refused(document: str, words: str) -> None:
    types = {"b": "boolean", "js": "json", "s": "string"}
    assert words in refusal(f"[{{type: add_time, to_column: {{name: time}}, {document}}}]", types).what


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.timedeltas(timedelta(days=-90_000), timedelta(days=90_000)).map(EPOCH.__add__), max_size=5),
    st.sampled_from(["micro", "nano"]),
)
def test_times_survive_the_way_to_numbers_and_back(moments: list[datetime], unit: str) -> None:
    document = f"""
      - {{type: add_time, to_column: {{name: n, type: long, unix_timestamp_unit: {unit}}}, from_column: {{name: a}}}}
      - {{type: add_time, to_column: {{name: back}}, from_column: {{name: n, unix_timestamp_unit: {unit}}}}}
    """
    ran = run(document, {"a": "timestamp"}, [(moment,) for moment in moments])
    assert ran.column("back") == ran.column("a")
    assert ran.rejects == []

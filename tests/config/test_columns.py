from datetime import date
from typing import Any

import pytest

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.parsers.layout import TextLayout
from chalicelib.errors import ConfigError


def column(kind: str, **options: Any) -> Column:
    return Column.parse({"name": "v", "type": kind} | options, where="w")


def refusal(kind: str, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        column(kind, **options)
    return caught.value.what


@pytest.mark.parametrize(
    "word, hint",
    [
        ("int", "long"),
        ("BIGINT", "long"),
        ("float", "double"),
        ("datetime", "timestamp"),
        ("varchar(20)", "string"),
        ("bool", "boolean"),
        ("numeric(10, 2)", "decimal(18,2)"),
        ("bytes", "binary"),
        ("array", "json"),
        ("String", "string"),
        ("timestmap", "timestamp"),
    ],
)
def test_a_type_of_another_system_is_refused_with_ours(word: str, hint: str) -> None:
    assert f"type: {word!r} is no type; did you mean {hint}?" in refusal(word)


def test_a_type_that_nobody_knows_is_refused_with_all_that_are_known() -> None:
    said = refusal("zzz")
    assert "did you mean" not in said
    assert all(kind in said for kind in ColumnType)


@pytest.mark.parametrize(
    "word, precision, scale", [("decimal(18,2)", 18, 2), ("decimal( 38 , 0 )", 38, 0), ("decimal(9)", 9, 0)]
)
def test_a_decimal_may_be_written_in_one_word(word: str, precision: int, scale: int) -> None:
    one = column(word)
    assert (one.type, one.precision, one.scale) == (ColumnType.DECIMAL, precision, scale)
    assert one.bare == column("decimal", precision=precision, scale=scale)
    assert Column.parse(one.document(), where="w") == one


@pytest.mark.parametrize("word", ["decimal", "decimal(39)", "decimal(0)", "decimal(2,3)", "decimal(5,-1)"])
def test_a_decimal_without_proper_digits_is_refused(word: str) -> None:
    refusal(word)


@pytest.mark.parametrize(
    "kind, options",
    [
        ("string", {"format": "%Y"}),
        ("long", {"format": "epoch_s"}),
        ("date", {"timezone": "UTC"}),
        ("date", {"date": "2024-05-01"}),
        ("double", {"precision": 3}),
        ("string", {"encoding": "hex"}),
    ],
)
def test_an_option_that_means_nothing_for_the_type_is_refused(kind: str, options: dict[str, Any]) -> None:
    assert f"{next(iter(options))} means nothing for a {kind}" in refusal(kind, **options)


@pytest.mark.parametrize(
    "form, said",
    [
        ("%G-%V", "%G means nothing here"),
        ("%Y-%", "% means nothing here"),
        ("yyyy-MM-dd", "write iso8601, epoch_s"),
        ("epoch", "write iso8601, epoch_s"),
        ("", "write iso8601, epoch_s"),
        ("%Y %y", "says twice what the short_year or year is"),
        ("%m %b", "says twice"),
        ("%d %j", "says twice"),
        ("%H %H", "says twice what the hour is"),
        ("%H %I %p", "says twice"),
        ("%I:%M", "need each other"),
        ("%H:%M %p", "need each other"),
        ("%H:%M.%N", "not of a second"),
        ("%s %Y", "counts from 1970"),
        ("java:yyyy-MM-dd[ HH:mm]", "optional parts are not read"),
        ("java:yyyy-ww", "'ww', which is not read"),
    ],
)
def test_a_format_that_cannot_be_meant_is_refused(form: str, said: str) -> None:
    assert said in refusal("timestamp", format=form)


@pytest.mark.parametrize(
    "kind, form",
    [
        ("date", "%Y-%m-%d %H:%M"),
        ("date", "%m-%d"),
        ("date", "epoch_s"),
        ("date", "%Y-%m-%d %z"),
        ("time", "%Y-%m-%d %H:%M"),
        ("time", "epoch_ms"),
        ("time", "%H:%M %z"),
    ],
)
def test_a_format_of_a_date_or_time_of_day_says_that_and_no_more(kind: str, form: str) -> None:
    assert f"does not say a {kind} and no more" in refusal(kind, format=form)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "+09:00", "-0330", "+09", "America/Argentina/Ushuaia"])
def test_a_time_zone_is_a_place_utc_or_an_offset(zone: str) -> None:
    assert column("timestamp", timezone=zone).timezone == zone


@pytest.mark.parametrize(
    "zone, hint",
    [
        ("JST", "Asia/Tokyo"),
        ("PDT", "America/Los_Angeles"),
        ("est", "America/New_York"),
        ("Asia/Tokio", "did you mean Asia/Tokyo?"),
        ("+25:00", "like +09:00"),
        ("9", "like +09:00"),
        ("GMT", "UTC"),
    ],
)
def test_any_other_time_zone_is_refused_with_what_may_be_meant(zone: str, hint: str) -> None:
    assert hint in refusal("timestamp", timezone=zone)
    with pytest.raises(ConfigError, match="default_timezone"):
        TextLayout.parse({"default_timezone": zone}, where="w")


def test_a_parsers_defaults_are_its_timestamps() -> None:
    layout = TextLayout.parse(
        {
            "default_timezone": "Asia/Tokyo",
            "default_timestamp_format": "%H:%M",
            "default_date": "2024-05-01",
        },
        where="w",
    )
    told = layout.told(column("timestamp"))
    assert (told.format, told.timezone, told.date) == ("%H:%M", "Asia/Tokyo", date(2024, 5, 1))
    own = column("timestamp", format="%Y", timezone="UTC", date="2000-01-01")
    assert layout.told(own) == own
    for kind in ("date", "time", "string"):
        assert layout.told(column(kind)) == column(kind)


def test_a_parsers_default_format_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"default_timestamp_format.*%G"):
        TextLayout.parse({"default_timestamp_format": "%G"}, where="w")


def test_a_table_knows_name_type_and_digits() -> None:
    assert column("timestamp", format="%Y", timezone="+01", src="x").bare == column("timestamp")
    assert column("decimal(9,2)", src="x").bare == column("decimal(9,2)")
    assert column("binary", encoding="hex").bare == column("binary")

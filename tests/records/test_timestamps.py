"""What formats and time zones mean: one text at a time, and a column at a time (F68, E43)."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.records.types.timestamps import by_kernel
from chalicelib.records.types.values import fits, reader, typed

WHEN = datetime(2024, 5, 1, 10, 20, 30, tzinfo=UTC)


def column(form: str | None = None, kind: str = "timestamp", **options: object) -> Column:
    return Column.model_validate({"name": "v", "type": kind, "format": form} | options)


def read(text: str, declared: Column) -> object:
    """The value of the text, which is the same alone and in a column."""
    found = typed(pa.array([None, text, "no time", text]), declared)
    assert found.array[1] == found.array[3]
    assert [index for index in found.bad if index not in (1, 3)] == [2]
    try:
        value = reader(declared)(text)
    except (ValueError, OverflowError):
        assert list(found.bad) == [1, 2, 3]
        return None
    assert found.array[1].as_py() == value
    return value


@pytest.mark.parametrize(
    "form, text",
    [
        ("iso8601", "2024-05-01T10:20:30Z"),
        ("epoch_s", "1714558830"),
        ("epoch_s", " 1714558830.0 "),
        ("epoch_ms", "1714558830000"),
        ("epoch_us", "1714558830000000"),
        ("epoch_ns", "1714558830000000999"),
        ("%s", "1714558830"),
        ("%s.%N", "1714558830.000000999"),
        ("%Q", "1714558830000"),
        ("%Y-%m-%d %H:%M:%S", "2024-05-01 10:20:30"),
        ("%Y-%m-%d %H:%M:%S", "\t2024-5-1   10:20:30 "),
        ("%Y-%m-%d %H:%M:%S %z", "2024-05-01 12:20:30 +0200"),
        ("%Y-%m-%d %H:%M:%S %z", "2024-05-01 05:50:30 -04:30"),
        ("%Y-%m-%d %H:%M:%S %z", "2024-05-01 19:20:30 +09"),
        ("%Y-%m-%dT%H:%M:%S%Z", "2024-05-01T10:20:30Z"),
        ("%F %T %Z", "2024-05-01 10:20:30 UTC"),
        ("%F %T %Z", "2024-05-01 10:20:30 gmt"),
        ("%F%n%T%t%:z", "2024-05-01 10:20:30 +00:00"),
        ("%Y%m%d%H%M%S", "20240501102030"),
        ("%d/%b/%Y:%T %z", "01/May/2024:10:20:30 +0000"),
        ("%a, %d %b %Y %H:%M:%S %Z", "Wed, 01 May 2024 10:20:30 GMT"),
        ("%A %e %B %Y %l:%M:%S %p", "wednesday  1 MAY 2024 10:20:30 a.m."),
        ("%m/%d/%y %I:%M:%S%p", "05/01/24 10:20:30AM"),
        ("%-m/%-d/%Y %k.%M.%S", "5/1/2024 10.20.30"),
        ("%D %R:%S", "05/01/24 10:20:30"),
        ("%D %r", "05/01/24 10:20:30 AM"),
        ("%Y %j %T", "2024 122 10:20:30"),
        ("ruby:%Y-%m-%d %H:%M:%S.%3N", "2024-05-01 10:20:30.000"),
        ("%Y年%m月%d日 %T 100%%", "2024年05月01日 10:20:30 100%"),
        ("(%T) [%F]", "(10:20:30) [2024-05-01]"),
        ("java:yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2024-05-01T11:20:30.000+01:00"),
        ("java:EEE, d MMM uuuu h:mm:ss a", "Wed, 1 May 2024 10:20:30 AM"),
        ("java:dd-MMMM-yy HH 'o''clock' mm ss", "01-May-24 10 o'clock 20 30"),
    ],
)
def test_a_format_says_how_a_moment_is_written(form: str, text: str) -> None:
    assert read(text, column(form)) == WHEN
    assert by_kernel(pa.array([text, None, "x"]), column(form)).to_pylist() == [WHEN, None, None]


@pytest.mark.parametrize(
    "form, text",
    [
        ("%Y-%m-%d", "2024-05-01 10:20"),
        ("%Y-%m-%d", "2024-02-30"),
        ("%Y-%m-%d", "2023-02-29"),
        ("%Y-%m-%d", "0000-01-01"),
        ("%Y-%m-%d", "2024-13-01"),
        ("%Y-%m-%d", "2024-05-01\n"),
        ("%Y-%m-%d", "x2024-05-01"),
        ("%Y-%m-%d", "٢٠٢٤-05-01"),
        ("%Y%m%d", "2024501"),
        ("%Y%m%d", "2024111"),
        ("%y-%m-%d", "2024-05-01"),
        ("%Y %j", "2023 366"),
        ("%H:%M:%S", "24:00:00"),
        ("%H:%M:%S", "10:20:60"),
        ("%I:%M %p", "13:00 PM"),
        ("%H:%M:%S.%3N", "10:20:30.25"),
        ("%H:%M:%S.%N", "10:20:30.0123456789"),
        ("%F %z", "9999-12-31 -00:01x"),
        ("%F %T %z", "9999-12-31 23:59:59 -01:00"),
        ("%F %T %z", "0001-01-01 00:00:00 +01:00"),
        ("%F %T %z", "2024-05-01 00:00:00 +25:00"),
        ("%F %T %z", "2024-05-01 00:00:00 Europe/Berlin"),
        ("epoch_s", "1e9"),
        ("epoch_s", "253402300800"),
        ("epoch_s", "-62135596801"),
        ("epoch_s", "9" * 30),
        ("epoch_ms", "9223372036854775807"),
        ("epoch_ms", "1.5"),
        ("epoch_us", "0x10"),
        ("epoch_ns", "253402300800000000000"),
    ],
)
def test_any_other_text_is_no_moment(form: str, text: str) -> None:
    assert read(text, column(form)) is None
    assert not fits(pa.array([text]), column(form))
    assert fits(pa.array([None], pa.string()), column(form))


@pytest.mark.parametrize(
    "form, text, micros",
    [
        ("epoch_s", "-1.5", -1_500_000),
        ("epoch_s", "-0.5", -500_000),
        ("epoch_s", "0.1234567", 123_456),
        ("epoch_s", "-0.1234567", -123_457),
        ("epoch_ms", "-1", -1000),
        ("epoch_ns", "-1", -1),
        ("epoch_ns", "-1000", -1),
        ("epoch_ns", "1999", 1),
        ("epoch_ns", "9223372036854775808", 9_223_372_036_854_775),
        ("epoch_s", "00000000000000000000000000007", 7_000_000),
    ],
)
def test_a_count_since_1970_is_rounded_down_to_microseconds(form: str, text: str, micros: int) -> None:
    assert read(text, column(form)) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


@pytest.mark.parametrize("digits", range(1, 10))
def test_a_fraction_is_cut_at_microseconds(digits: int) -> None:
    fraction = "987654321"[:digits]
    expected = WHEN.replace(microsecond=int(fraction.ljust(6, "0")[:6]))
    for form in ("%F %T.%N", "%F %T.%L", "%F %T.%f", "iso8601"):
        assert read(f"2024-05-01 10:20:30.{fraction}", column(form)) == expected


@pytest.mark.parametrize("text, year", [("00", 2000), ("68", 2068), ("69", 1969), ("99", 1999)])
def test_two_digits_of_a_year_are_of_1969_to_2068(text: str, year: int) -> None:
    assert read(text, column("%y")) == datetime(year, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "form, text, expected",
    [
        ("%H:%M", "10:20", (2021, 7, 9, 10, 20)),
        ("%b %d %H", "May 01 10", (2021, 5, 1, 10)),
        ("%d", "3", (2021, 7, 3)),
        ("%m", "3", (2021, 3, 1)),
        ("%Y", "2024", (2024, 1, 1)),
        ("%Y-%m", "2024-05", (2024, 5, 1)),
        ("%j", "365", (2021, 12, 31)),
    ],
)
def test_the_parts_of_the_date_that_a_format_lacks_come_from_the_columns_date(
    form: str, text: str, expected: tuple[int, ...]
) -> None:
    assert read(text, column(form, date="2021-07-09")) == datetime(*expected, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    "zone, text, expected",
    [
        ("Asia/Tokyo", "2024-05-01 19:20:30", WHEN),
        ("+09:00", "2024-05-01 19:20:30", WHEN),
        ("-0330", "2024-05-01 06:50:30", WHEN),
        ("America/New_York", "2024-11-03 01:30:00", datetime(2024, 11, 3, 5, 30, tzinfo=UTC)),  # the first of two
        ("America/New_York", "2024-11-03 02:30:00", datetime(2024, 11, 3, 7, 30, tzinfo=UTC)),
        ("America/New_York", "2024-03-10 02:30:00", datetime(2024, 3, 10, 7, 30, tzinfo=UTC)),  # there is no such
        ("America/New_York", "2024-03-10 03:30:00", datetime(2024, 3, 10, 7, 30, tzinfo=UTC)),
        ("Australia/Lord_Howe", "2024-04-07 01:45:00", datetime(2024, 4, 6, 14, 45, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", None])
def test_a_moment_without_a_zone_is_by_the_columns_clock(
    form: str | None, zone: str, text: str, expected: datetime
) -> None:
    assert read(text, column(form, timezone=zone)) == expected


def test_only_days_on_which_the_clock_changes_are_read_one_by_one() -> None:
    days = pa.array([f"2024-{month:02}-{day:02} 23:59" for month in (3, 11) for day in range(1, 29)])
    found = by_kernel(days, column("%Y-%m-%d %H:%M", timezone="America/New_York"))
    assert days.filter(found.is_null()).to_pylist() == ["2024-03-10 23:59", "2024-11-03 23:59"]


@pytest.mark.parametrize("form", ["%F %T %z", None])
def test_a_zone_in_the_text_goes_before_the_columns(form: str | None) -> None:
    assert read("2024-05-01 12:20:30 +02:00", column(form, timezone="Asia/Tokyo")) == WHEN


def test_texts_with_and_without_a_zone_may_stand_in_one_column() -> None:
    found = typed(
        pa.array(["2024-05-01 10:20:30Z", "2024-05-01 19:20:30", None, "20240501T192030"]), column(timezone="+09:00")
    )
    assert (found.array.to_pylist(), found.bad) == ([WHEN, WHEN, None, WHEN], {})


@pytest.mark.parametrize(
    "zone, place", [("PDT", "America/Los_Angeles"), ("IST", "Asia/Kolkata"), ("JST", "Asia/Tokyo")]
)
@pytest.mark.parametrize("form", ["%F %T %Z", "%F %T %z", None])
def test_an_abbreviation_that_can_mean_several_zones_is_no_zone(form: str | None, zone: str, place: str) -> None:
    found = typed(pa.array([f"2024-05-01 10:20:30 {zone}"]), column(form))
    assert found.array.to_pylist() == [None]
    assert f"{zone} can mean several offsets" in found.bad[0] and place in found.bad[0]
    assert read(f"2024-05-01 10:20:30 {zone}", column(f"%F %T {zone}")) == WHEN


@pytest.mark.parametrize(
    "kind, form, text, value",
    [
        ("date", None, " 2024-05-01", date(2024, 5, 1)),
        ("date", None, "20240501", date(2024, 5, 1)),
        ("date", None, "0001-01-01", date.min),
        ("date", None, "9999-12-31", date.max),
        ("date", None, "0000-01-01", None),
        ("date", None, "2024-02-30", None),
        ("date", None, "2024-05-01 00:00", None),
        ("date", "%d.%m.%Y", "1.5.2024", date(2024, 5, 1)),
        ("date", "%d.%m.%Y", "31.4.2024", None),
        ("date", "java:d MMM yyyy", "1 may 2024", date(2024, 5, 1)),
        ("date", "%b %Y", "May 2024", date(2024, 5, 1)),
        ("time", None, "9:05", time(9, 5)),
        ("time", None, "09:05:07,1234567", time(9, 5, 7, 123456)),
        ("time", None, "24:00", None),
        ("time", None, "10:20+09:00", None),
        ("time", None, "1020", None),
        ("time", "%I:%M %p", "12:01 am", time(0, 1)),
        ("time", "%I:%M %p", "12:01 P.M.", time(12, 1)),
        ("time", "%H%M", "0905", time(9, 5)),
        ("time", "%H%M", "905", None),
        ("time", "%T.%6N", "23:59:59.999999", time.max),
    ],
)
def test_dates_and_times_of_day_have_formats_too(kind: str, form: str | None, text: str, value: object) -> None:
    assert read(text, column(form, kind)) == value


at = datetime.fromisoformat
moments = st.datetimes(at("0001-01-02"), at("9999-12-30"))
zones = st.sampled_from(
    ["UTC", "+09:00", "-03:30", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
)
separators = st.sampled_from(["-", "/", ".", " ", "T", ":", ", ", "_"])
dates = st.sampled_from([["%Y", "%m", "%d"], ["%d", "%b", "%Y"], ["%B", "%d", "%Y"], ["%Y", "%j"], ["%d", "%m", "%Y"]])
times = st.sampled_from([["%H", "%M", "%S", "%f"], ["%I", "%M", "%S", "%p"], ["%H", "%M"], []])
ends = st.sampled_from([[], ["%z"], ["%a"]])


@given(at=moments, date_parts=dates, time_parts=times, end=ends, between=separators, ahead=st.integers(-840, 840))
def test_what_strftime_writes_is_read_as_pythons_strptime_reads_it(
    at: datetime, date_parts: list[str], time_parts: list[str], end: list[str], between: str, ahead: int
) -> None:
    form = between.join([*date_parts, *time_parts, *end])
    if end == ["%z"]:
        at = at.replace(tzinfo=timezone(timedelta(minutes=ahead)))
    text = at.strftime(form.replace("%Y", f"{at.year:04}"))
    expected = datetime.strptime(text, form)  # noqa: DTZ007
    expected = expected.replace(tzinfo=UTC) if expected.tzinfo is None else expected.astimezone(UTC)
    assert read(text, column(form)) == expected


@given(at=moments, zone=zones)
@example(at=at("2024-11-03 01:30"), zone="America/New_York")
@example(at=at("2024-03-10 02:30"), zone="America/New_York")
@example(at=at("1883-11-18 12:00"), zone="America/New_York")
def test_clocks_are_those_of_pythons_time_zone_database(at: datetime, zone: str) -> None:
    place = timezone(timedelta(minutes=540 if zone[0] == "+" else -210)) if zone[0] in "+-" else ZoneInfo(zone)
    expected = at.replace(tzinfo=place).astimezone(UTC)
    assert read(str(at), column(timezone=zone)) == expected
    assert read(str(at), column("%Y-%m-%d %H:%M:%S" + (".%f" if at.microsecond else ""), timezone=zone)) == expected


near = st.from_regex(
    r" ?[0-9]{1,4}[-/ ]?(0?[0-9]|1[0-3]|[A-Za-z]{3})[-/ ]?[0-3]?[0-9]"
    r"([T ][0-2]?[0-9]:?[0-6][0-9](:[0-6][0-9](\.[0-9]{1,10})?)?)?( ?(Z|UTC|[+-][0-2][0-9]:?[0-9]{0,2}|[ap]m))?",
    fullmatch=True,
)
forms = st.sampled_from(
    [
        None,
        "%Y-%m-%d",
        "%Y%m%d",
        "%Y/%b/%d",
        "%Y-%m-%d %H:%M:%S.%N",
        "%Y-%m-%d %I:%M %p",
        "%y%m%d %H%M",
        "%F %T%z",
        "%s",
        "epoch_s",
    ]
)


@given(texts=st.lists(st.one_of(near, st.integers().map(str)), min_size=1, max_size=5), form=forms, zone=zones)
def test_a_column_is_read_as_its_texts_one_by_one(texts: list[str], form: str | None, zone: str) -> None:
    declared = column(form, timezone=zone)
    found = typed(pa.array(texts), declared)
    for index, text in enumerate(texts):
        try:
            expected = reader(declared)(text)
        except (ValueError, OverflowError):
            expected = None
        assert (index in found.bad) == (expected is None)
        assert found.array[index].as_py() == expected

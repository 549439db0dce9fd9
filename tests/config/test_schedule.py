"""Schedules as users write them: what is taken, what is refused, and in which words."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.config.schedule import Schedule, interval
from chalicelib.errors import ConfigError
from tests.examples import pipeline


def refusal(**fields: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Schedule.parse({"cron": "@hourly", **fields}, where="load.yml")
    return caught.value.what


@pytest.mark.parametrize(
    "cron",
    [
        "10 0 * * *",
        "*/15 * * * *",
        "0 9-17/2 * JAN,jul mon-FRI",
        "0 0 L * *",
        "0 0 29 2 *",
        "0 0 31 4 MON",  # no 31 April, but Mondays in it: either is enough
        "0 0 * * 7",
        "0 0 * * 1#2",
        "@hourly",
        "@daily",
        "@weekly",
        "@monthly",
        "rate(1 minute)",
        "rate(15 minutes)",
        "rate(2 hours)",
        "rate( 1  day )",
    ],
)
def test_what_says_when_is_taken(cron: str) -> None:
    schedule = Schedule.parse({"cron": cron, "full": cron}, where="w")
    assert schedule.cron == schedule.full == " ".join(cron.split())


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("", "0 fields instead of five"),
        ("* * * *", "4 fields instead of five"),
        ("0 * * * * *", "6 fields instead of five"),
        ("60 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 0 * *", "bad day-of-month"),
        ("0 0 * 13 *", "bad month"),
        ("0 0 * * 8", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
        ("5-1 * * * *", "bad minute"),
        ("a * * * *", "bad minute"),
        ("٣ * * * *", "bad minute"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 * 2 5#5,L", "bad day-of-week"),
        ("@reboot", "is not one of @hourly, @daily, @weekly, @monthly"),
        ("@Daily", "is not one of"),
        ("rate(0 minutes)", "with N from 1 to 99999"),
        ("rate(5 seconds)", "rate(N minutes)"),
        ("rate(100000 days)", "with N from 1 to 99999"),
        ("rate(1.5 hours)", "rate(N minutes)"),
        ("rate 5 minutes", "rate(N minutes)"),
        ("9" * 201, "200"),
        (5, "string"),
    ],
)
def test_what_does_not_say_when_is_refused_with_an_example(cron: Any, words: str) -> None:
    said = refusal(cron=cron)
    assert said.startswith("cron: ")
    assert words in said
    assert '"10 0 * * *"' in said or not isinstance(cron, str) or len(cron) > 200
    assert words in refusal(full=cron)


def test_a_day_that_never_comes_is_refused() -> None:
    assert "never comes" in refusal(cron="* * */20 * 1L")


@pytest.mark.parametrize(
    "zone", ["UTC", "Asia/Tokyo", "America/New_York", "America/Argentina/Ushuaia", "Australia/Lord_Howe", "US/Pacific"]
)
def test_a_place_is_a_time_zone(zone: str) -> None:
    assert Schedule.parse({"cron": "@daily", "timezone": zone}, where="w").timezone == zone


@pytest.mark.parametrize("zone", ["PST", "EST", "CST6CDT", "JST", "GMT", "Z", "utc", "", "+09:00", "Japan"])
def test_an_abbreviation_is_refused_with_a_city(zone: str) -> None:
    said = refusal(timezone=zone)
    assert "Region/City" in said
    assert "a city like " in said


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("asia/tokyo", "did you mean Asia/Tokyo?"),
        ("America/NewYork", "did you mean America/New_York?"),
        ("Europe/Lundon", "did you mean Europe/London?"),
        ("Xyz/1234567890", "Europe/London"),
        ("../etc/passwd", "not in the IANA"),
        ("/etc/localtime", "not in the IANA"),
        ("America/", "not in the IANA"),
        ("America/Argentina", "not in the IANA"),
        ("right/Asia/Tokyo", "did you mean"),
        ("a/\0", "not in the IANA"),
        ("a/" + "x" * 90, "not in the IANA"),
    ],
)
def test_a_place_that_is_not_known_is_refused_with_one_that_is(zone: str, hint: str) -> None:
    assert hint in refusal(timezone=zone)


@pytest.mark.parametrize(
    ("field", "value"),
    [("delay", -1), ("delay", 10**12), ("skip_delayed_by", 59), ("skip_delayed_by", 10**12), ("delay", "soon")],
)
def test_a_number_of_seconds_that_cannot_be_is_refused(field: str, value: Any) -> None:
    assert refusal(**{field: value}).startswith(f"{field}: ")


def test_what_is_left_out_has_the_documented_defaults() -> None:
    schedule = Schedule.parse({"cron": "@hourly"}, where="w")
    assert (schedule.timezone, schedule.delay, schedule.full) == ("UTC", 0, "@daily")
    assert (schedule.skip_on_overtime, schedule.skip_delayed_by) == (False, None)
    assert Schedule.parse({"cron": "@hourly", "full": None}, where="w").full is None


def test_a_rate_is_a_step_and_a_cron_is_none() -> None:
    assert interval("rate(1 day)") == timedelta(days=1)
    assert interval("rate(90 minutes)") == timedelta(minutes=90)
    assert interval("@daily") is None
    assert interval("0 0 * * *") is None


def test_a_pipeline_carries_its_schedule_through_its_document() -> None:
    plain = pipeline()
    assert plain.schedule is None
    document = plain.document() | {"schedule": {"cron": " @daily ", "timezone": "Asia/Tokyo", "full": None}}
    scheduled = Pipeline.parse(document, where="w")
    assert Pipeline.parse(scheduled.document(), where="stored") == scheduled
    assert scheduled.schedule == Schedule(cron="@daily", timezone="Asia/Tokyo", full=None)


def test_a_wrong_schedule_is_refused_at_its_path() -> None:
    with pytest.raises(ConfigError) as caught:
        Pipeline.parse(pipeline().document() | {"schedule": {"corn": "@daily"}}, where="w")
    assert "schedule.corn is not a known key (did you mean cron?)" in caught.value.what
    assert "schedule.cron is required" in caught.value.what

"""Which session has its turn, and when: clocks that jump, ticks that come late, sweeps that take long."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.schedule import Schedule
from chalicelib.core.schedule import (
    Due,
    LastSession,
    ScheduleState,
    Turn,
    due,
    last_run,
    next_run,
    paused,
    planned,
    replanned,
    resumed,
    settled,
)

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def schedule(cron: str = "@hourly", timezone: str = "UTC", **fields: Any) -> Schedule:
    return Schedule.parse({"cron": cron, "timezone": timezone, **fields}, where="test")


def at(text: str) -> datetime:
    """`2026-11-22 13:00`, or `13:00` of that day."""
    return datetime.fromisoformat(text if "-" in text else f"2026-11-22 {text}").replace(tzinfo=UTC)


# the times


CLOCKS = {
    # zone, cron, after (UTC), the next sessions (UTC)
    "New York forward: a time in the gap is its end": (
        "America/New_York",
        "30 2 * * *",
        "2026-03-07 12:00",
        ["2026-03-08 07:00", "2026-03-09 06:30"],
    ),
    "New York forward: times in the gap are one session, with that at its end": (
        "America/New_York",
        "*/20 1-3 * * *",
        "2026-03-08 06:20",
        ["2026-03-08 06:40", "2026-03-08 07:00", "2026-03-08 07:20"],
    ),
    "New York forward: two o'clock is three o'clock": (
        "America/New_York",
        "0 2,3 * * *",
        "2026-03-08 05:00",
        ["2026-03-08 07:00", "2026-03-09 06:00", "2026-03-09 07:00"],
    ),
    "New York back: a time that comes twice is its first": (
        "America/New_York",
        "30 1 * * *",
        "2026-10-31 12:00",
        ["2026-11-01 05:30", "2026-11-02 06:30"],
    ),
    "New York back: asked in the second pass of the hour": (
        "America/New_York",
        "30 1 * * *",
        "2026-11-01 06:10",
        ["2026-11-02 06:30"],
    ),
    "New York back: every hour has no second one o'clock": (
        "America/New_York",
        "@hourly",
        "2026-11-01 04:30",
        ["2026-11-01 05:00", "2026-11-01 07:00", "2026-11-01 08:00"],
    ),
    "New York: midnight is never the same distance away": (
        "America/New_York",
        "@daily",
        "2026-10-31 05:00",
        ["2026-11-01 04:00", "2026-11-02 05:00", "2026-11-03 05:00"],
    ),
    "London forward": ("Europe/London", "15 1 * * *", "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:15"]),
    "London back": ("Europe/London", "15 1 * * *", "2026-10-24 12:00", ["2026-10-25 00:15", "2026-10-26 01:15"]),
    "London back: every quarter waits for an hour": (
        "Europe/London",
        "*/15 * * * *",
        "2026-10-25 00:30",
        ["2026-10-25 00:45", "2026-10-25 02:00", "2026-10-25 02:15"],
    ),
    "Lord Howe forward, by half an hour": (
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2026-10-03 00:00",
        ["2026-10-03 15:30", "2026-10-04 15:15"],
    ),
    "Lord Howe forward: what lies behind the gap is not moved": (
        "Australia/Lord_Howe",
        "45 2 * * *",
        "2026-10-03 00:00",
        ["2026-10-03 15:45", "2026-10-04 15:45"],
    ),
    "Lord Howe back, by half an hour": (
        "Australia/Lord_Howe",
        "45 1 * * *",
        "2026-04-04 00:00",
        ["2026-04-04 14:45", "2026-04-05 15:15"],
    ),
    "Lord Howe back: what lies before the overlap is not moved": (
        "Australia/Lord_Howe",
        "15 1 * * *",
        "2026-04-04 00:00",
        ["2026-04-04 14:15", "2026-04-05 14:45"],
    ),
    "Tokyo knows no summer time": (
        "Asia/Tokyo",
        "10 0 * * *",
        "2026-03-28 15:10",
        ["2026-03-29 15:10", "2026-03-30 15:10"],
    ),
    "Samoa had no 30 December 2011: its noon is the end of that day": (
        "Pacific/Apia",
        "0 12 30 12 *",
        "2011-12-01 00:00",
        ["2011-12-30 10:00", "2012-12-29 22:00"],
    ),
    "UTC": ("UTC", "@monthly", "2026-01-31 23:59", ["2026-02-01 00:00", "2026-03-01 00:00"]),
    "weekly is Sunday": ("UTC", "@weekly", "2026-11-22 00:00", ["2026-11-29 00:00", "2026-12-06 00:00"]),
    "a rare day": ("UTC", "0 0 29 2 *", "2026-01-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
}


@pytest.mark.parametrize(("zone", "cron", "after", "expected"), CLOCKS.values(), ids=CLOCKS)
def test_a_clock_that_jumps_neither_loses_nor_doubles_a_session(
    zone: str, cron: str, after: str, expected: list[str]
) -> None:
    time, found = at(after), []
    for _ in expected:
        time = next_run(schedule(cron, zone), time)
        found.append(time)
    assert found == [at(text) for text in expected]


def test_a_rate_counts_real_time_from_its_anchor() -> None:
    every = schedule("rate(90 minutes)", "America/New_York")
    anchor = at("2026-11-01 04:10")  # in the middle of which clocks go back
    assert next_run(every, anchor, anchor) == at("2026-11-01 05:40")
    assert next_run(every, at("2026-11-01 05:40"), anchor) == at("2026-11-01 07:10")
    assert next_run(every, anchor - 10 * HOUR, anchor) == at("2026-11-01 05:40"), "the first one, whoever asks"
    assert last_run(every, at("2026-11-01 08:00"), anchor) == at("2026-11-01 07:10")


ZONES = ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Tokyo", "UTC", "America/St_Johns")
JUMPS = [
    "2026-03-08 07:00",
    "2026-11-01 06:00",
    "2026-03-29 01:00",
    "2026-10-25 01:00",
    "2026-10-03 15:30",
    "2026-04-04 15:00",
    "2026-03-08 05:30",
    "2026-11-01 04:30",
]


@st.composite
def near_a_jump(draw: st.DrawFn) -> datetime:
    return at(draw(st.sampled_from(JUMPS))) + timedelta(seconds=draw(st.integers(-100_000, 100_000)))


minutes = st.frozensets(st.integers(0, 59), min_size=1, max_size=4)
hours = st.frozensets(st.integers(0, 4), min_size=1, max_size=4) | st.just(frozenset(range(24)))


def text(numbers: frozenset[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def walked(zone: str, minute: frozenset[int], hour: frozenset[int], start: datetime, end: datetime) -> list[datetime]:
    """The sessions of a day-by-day schedule, found by looking at the wall clock once a minute."""
    place = ZoneInfo(zone)
    found = []
    before = (start - MINUTE).astimezone(place).replace(tzinfo=None)
    time = start
    while time < end:
        local = time.astimezone(place)
        wall = local.replace(tzinfo=None, fold=0)
        shown = [before + MINUTE * n for n in range(1, (wall - before) // MINUTE)]  # minutes that were jumped over
        shown += [wall] if local.fold == 0 else []
        if any(one.minute in minute and one.hour in hour for one in shown):
            found.append(time)
        before, time = wall, time + MINUTE
    return found


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), minutes, hours, near_a_jump())
def test_sessions_are_those_that_a_watcher_of_the_wall_clock_sees(
    zone: str, minute: frozenset[int], hour: frozenset[int], moment: datetime
) -> None:
    every = schedule(f"{text(minute)} {text(hour)} * * *", zone)
    start, end = moment.replace(second=0), moment.replace(second=0) + timedelta(days=2)
    seen = walked(zone, minute, hour, start, end)
    found = list(sessions(every, start - timedelta(seconds=1), end))
    assert found == seen


def sessions(every: Schedule, after: datetime, end: datetime, anchor: datetime = NOW) -> Iterator[datetime]:
    time = next_run(every, after, anchor)
    while time < end:
        yield time
        time = next_run(every, time, anchor)


crons = st.one_of(
    st.builds(lambda m, h: f"{text(m)} {text(h)} * * *", minutes, hours),
    st.sampled_from(
        ["* * * * *", "*/7 * * * *", "@hourly", "@daily", "@weekly", "@monthly", "30 2 * * 0", "0 3 L * *"]
    ),
    st.builds(lambda n, unit: f"rate({n} {unit})", st.integers(1, 400), st.sampled_from(["minutes", "hours", "days"])),
)


@settings(max_examples=300, deadline=None)
@given(crons, st.sampled_from(ZONES), near_a_jump(), st.timedeltas(timedelta(0), timedelta(hours=30)))
def test_the_next_session_is_later_and_never_earlier_for_who_asks_later(
    cron: str, zone: str, moment: datetime, more: timedelta
) -> None:
    every, anchor = schedule(cron, zone), at("2026-01-01 10:07")
    following = next_run(every, moment, anchor)
    assert following > moment
    assert following <= next_run(every, moment + more, anchor)
    assert last_run(every, following, anchor) == following
    assert last_run(every, moment, anchor) <= moment
    assert next_run(every, last_run(every, moment, anchor), anchor) == following, "nothing lies between the two"


# the states


def begun(every: Schedule, now: datetime = NOW) -> ScheduleState:
    return planned("flights", every, now=now)


def turned(state: ScheduleState, every: Schedule, now: datetime, turn: Turn = Turn.RAN) -> ScheduleState:
    found = due(state, every, now)
    assert found is not None
    return settled(state, found, turn, now=now)


def test_a_new_schedule_waits_for_its_first_session_after_now() -> None:
    state = begun(schedule(delay=300))
    assert (state.session, state.next_at, state.revision) == (at("13:00"), at("13:05"), 1)
    assert state.next_full_at == at("2026-11-23 00:00")
    assert begun(schedule("rate(10 minutes)")).session == at("12:10")
    assert begun(schedule(full=None)).next_full_at is None


def test_nothing_is_due_before_its_time() -> None:
    every = schedule(delay=300)
    assert due(begun(every), every, at("13:04:59")) is None
    assert due(begun(every), every, at("13:05")) == Due(at("13:00"), full=False, missed=0)


def test_a_session_that_ran_gives_way_to_the_next() -> None:
    every = schedule(delay=300)
    state = turned(begun(every), every, at("13:05:20"))
    assert (state.session, state.next_at, state.revision) == (at("14:00"), at("14:05"), 2)
    assert state.last == LastSession(at("13:00"), Turn.RAN, full=False, missed=0)


def test_a_missed_hour_runs_once_not_sixty_times() -> None:
    every = schedule("* * * * *")
    found = due(begun(every), every, at("13:00:10"))
    assert found == Due(at("13:00"), full=False, missed=59)
    state = turned(begun(every), every, at("13:00:10"))
    assert state.session == at("13:01")
    assert state.last is not None
    assert state.last.missed == 59
    assert due(state, every, at("13:00:59")) is None


def test_a_missed_year_is_counted_only_so_far() -> None:
    every = schedule("* * * * *")
    found = due(begun(every), every, NOW + timedelta(days=365))
    assert found == Due(at("2027-11-22 12:00"), full=True, missed=1000)


def test_a_delay_longer_than_the_cadence_lets_each_session_run() -> None:
    every = schedule(delay=3 * 3600)
    state, ran = begun(every), []
    for hour in range(16, 20):
        now = at(f"{hour}:00:05")
        ran.append(due(state, every, now))
        state = turned(state, every, now)
    assert [one.session for one in ran if one] == [at(f"{hour}:00") for hour in range(13, 17)]
    assert not any(one.missed for one in ran if one)


def test_a_session_that_is_too_late_is_said_to_be() -> None:
    every = schedule(delay=300, skip_delayed_by=600)
    assert due(begun(every), every, at("13:15")) == Due(at("13:00"), full=False, missed=0)
    late = due(begun(every), every, at("13:15:01"))
    assert late == Due(at("13:00"), full=False, missed=0, late=timedelta(seconds=601))


def test_a_late_session_gives_way_to_a_newer_one_that_is_not() -> None:
    every = schedule(skip_delayed_by=600)
    assert due(begun(every), every, at("15:05")) == Due(at("15:00"), full=False, missed=2)


def test_a_session_that_waits_is_due_again_and_keeps_its_place() -> None:
    every = schedule()
    state = turned(begun(every), every, at("13:00:10"), Turn.WAITING)
    assert (state.session, state.next_at) == (at("13:00"), at("13:00:10"))
    assert due(state, every, at("13:01:10")) == Due(at("13:00"), full=False, missed=0)
    state = turned(state, every, at("13:01:10"))
    assert (state.session, state.next_at) == (at("14:00"), at("14:00"))


def test_a_session_that_waits_gives_way_to_a_newer_one() -> None:
    every = schedule()
    state = turned(begun(every), every, at("13:00:10"), Turn.WAITING)
    assert due(state, every, at("14:00:10")) == Due(at("14:00"), full=False, missed=1)


def test_one_that_waits_too_long_is_too_late() -> None:
    every = schedule(skip_delayed_by=600)
    state = turned(begun(every), every, at("13:00:10"), Turn.WAITING)
    found = due(state, every, at("13:10:10"))
    assert found is not None
    assert found.late == timedelta(seconds=610)


def test_the_first_session_at_or_after_a_full_time_is_a_full_one() -> None:
    every = schedule("10 * * * *", full="0 15 * * *")
    state, full = begun(every), []
    for hour in range(12, 18):
        now = at(f"{hour}:10:05")
        found = due(state, every, now)
        assert found is not None
        full += [hour] if found.full else []
        state = turned(state, every, now)
    assert full == [15]
    assert state.next_full_at == at("2026-11-23 15:00")


def test_a_full_session_that_was_skipped_leaves_its_turn_to_the_next() -> None:
    every = schedule(full="0 13 * * *")
    state = turned(begun(every), every, at("13:00"), Turn.SKIPPED)
    found = due(state, every, at("14:00"))
    assert found is not None
    assert found.full
    state = turned(state, every, at("14:00"))
    assert state.next_full_at == at("2026-11-23 13:00")


def test_a_schedule_without_full_sweeps_has_none() -> None:
    every = schedule("@daily", full=None)
    state = begun(every)
    for day in range(23, 30):
        found = due(state, every, at(f"2026-11-{day} 00:00"))
        assert found is not None
        assert not found.full
        state = turned(state, every, at(f"2026-11-{day} 00:00"))


def test_a_paused_schedule_has_no_turn_and_no_place_in_the_index() -> None:
    every = schedule()
    state = paused(begun(every))
    assert (state.paused, state.next_at, state.revision) == (True, None, 2)
    assert due(state, every, NOW + timedelta(days=9)) is None
    assert paused(state) is state


def test_what_was_missed_while_paused_does_not_run() -> None:
    state = paused(begun(schedule()))
    again = resumed(state, now=at("15:30"))
    assert (again.session, again.next_at, again.paused) == (at("16:00"), at("16:00"), False)
    assert resumed(again, now=NOW) is again
    assert resumed(state, now=at("15:00")).session == at("16:00"), "its time has come, and so it was missed"


def test_a_session_whose_run_was_still_ahead_keeps_its_time() -> None:
    state = paused(begun(schedule(delay=1800)))
    assert resumed(state, now=at("12:40")).next_at == at("13:30")
    assert resumed(state, now=at("12:10")).session == at("13:00"), "12:00 was before there was a schedule"
    assert resumed(state, now=at("13:10")).session == at("13:00"), "the session has passed, its run has not"
    assert resumed(state, now=at("15:10")).next_at == at("15:30"), "and so the one whose run is the next"


def test_a_session_that_waited_is_missed_if_it_is_paused() -> None:
    every = schedule()
    state = paused(turned(begun(every), every, at("13:00:10"), Turn.WAITING))
    assert resumed(state, now=at("13:20")).session == at("14:00")


def test_an_unchanged_schedule_changes_nothing() -> None:
    every = schedule("rate(45 minutes)")
    state = begun(every)
    assert replanned(state, every, now=at("13:40")) is state
    relaxed = schedule("rate(45 minutes)", skip_on_overtime=True, skip_delayed_by=60)
    assert replanned(state, relaxed, now=at("13:40")) is state, "these are read from the document"


@pytest.mark.parametrize(
    ("changed", "session"),
    [
        (schedule("30 * * * *"), "13:30"),
        (schedule("rate(45 minutes)"), "13:55"),
        (schedule("@hourly", "Asia/Kolkata"), "13:30"),
    ],
    ids=str,
)
def test_a_changed_cron_or_zone_starts_anew(changed: Schedule, session: str) -> None:
    state = replanned(begun(schedule()), changed, now=at("13:10:07"))
    assert (state.session, state.next_at, state.revision) == (at(session), at(session), 2)
    assert replanned(state, changed, now=at("17:00")) is state


def test_a_changed_delay_moves_the_next_run_only() -> None:
    state = begun(schedule(delay=7200))
    moved = replanned(state, schedule(delay=600), now=at("13:30"))
    assert (moved.session, moved.next_at, moved.anchor) == (at("13:00"), at("13:10"), state.anchor)
    assert moved.next_full_at == state.next_full_at


def test_a_changed_full_counts_from_now() -> None:
    overdue = replace(begun(schedule()), next_full_at=at("11:00"))
    assert replanned(overdue, schedule(full="@weekly"), now=NOW).next_full_at == at("2026-11-29 00:00")
    assert replanned(overdue, schedule(full=None), now=NOW).next_full_at is None
    kept = replanned(overdue, schedule("5 * * * *"), now=NOW)
    assert kept.next_full_at == at("11:00"), "a change of cron does not let it off"


def test_a_change_leaves_a_paused_schedule_paused() -> None:
    state = replanned(paused(begun(schedule())), schedule("30 * * * *"), now=at("13:10"))
    assert (state.paused, state.next_at) == (True, None)
    assert resumed(state, now=at("14:00")).session == at("14:30")


@settings(max_examples=5, deadline=None)
@given(
    st.sampled_from(["*/20 * * * *", "@hourly", "30 1,2 * * *", "@daily", "rate(61 minutes)", "@weekly"]),
    st.sampled_from(ZONES),
    st.sampled_from([0, 90, 4000]),
    st.integers(0, 2**32),
)
def test_over_a_year_of_ticks_no_session_is_lost_or_doubled(cron: str, zone: str, delay: int, seed: int) -> None:
    every = schedule(cron, zone, delay=delay, full="0 0 * * *")
    chance, now, end = random.Random(seed), NOW, NOW + timedelta(days=365)
    state = begun(every)
    ran: list[datetime] = []
    accounted, newest, place = 0, NOW, ZoneInfo(zone)  # the newest that ran
    while now < end:
        now += timedelta(seconds=chance.uniform(1, 3600))
        found = due(state, every, now)
        if found is None:
            assert state.run_at > now, "who is not due has nothing to run"
            continue
        turn = chance.choice([Turn.RAN, Turn.RAN, Turn.RAN, Turn.WAITING, Turn.SKIPPED])
        state = settled(state, found, turn, now=now)
        if turn is Turn.WAITING:
            continue
        assert found.session + timedelta(seconds=delay) <= now
        assert not ran or found.session > ran[-1], "once, and in order"
        ran.append(found.session)
        assert found.full == (found.session.astimezone(place).date() > newest.astimezone(place).date())
        newest = found.session if turn is Turn.RAN else newest
        accounted += 1 + found.missed
    all_of_them = list(sessions(every, NOW, state.session, state.anchor))
    assert set(ran) <= set(all_of_them)
    assert accounted == len(all_of_them), "each one had its turn or was counted as missed"
    assert NOW < state.session <= now + timedelta(days=8)

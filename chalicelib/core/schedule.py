"""When pipelines sweep: the times of their sessions, and which of them has its turn now.

A **session** is a time that the schedule names; its run follows `delay` later and belongs to that time.

What the clock of a time zone does (F46, E52):
- a local time that does not exist (clocks went forward) is the first instant after the gap; sessions that thereby
  fall on the same instant are one;
- a local time that exists twice (clocks went back) is its first occurrence, and only that. A schedule that must keep
  an even beat through that hour is a `rate(…)`, or one in UTC;
- `rate(…)` counts real time from the moment the schedule was made or changed; a day is 24 hours.

What happens to sessions:
- of those that fell due while nobody looked, the newest runs and the others are counted as missed (E52);
- one that is later than `skip_delayed_by` is skipped (F53);
- one that finds a sweep running waits, or is skipped if `skip_on_overtime` (F51); one that waits gives way to a newer;
- the first session at or after each time of `full` that runs is a full one: a skipped one leaves its turn to the next;
- what fell due while paused never runs; a session whose run was still ahead at `resume` keeps its time;
- a changed `cron` or `timezone` starts anew: sessions after the change. A changed `delay` moves the next run only.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

from chalicelib.config.schedule import Schedule, fields, interval

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MISSED = 1000  # missed sessions are counted up to here


class Turn(StrEnum):
    """What became of a session."""

    RAN = "ran"
    SKIPPED = "skipped"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class LastSession:
    """The newest session that had its turn."""

    session: datetime
    turn: Turn
    full: bool
    missed: int  # sessions before it that never had their turn, 1000 at most
    why: str | None = None  # one line for people, unless it ran


@dataclass(frozen=True, slots=True)
class Plan:
    """The part of a schedule that says when; a state whose plan differs from its pipeline's is planned anew."""

    cron: str
    timezone: str
    delay: int  # seconds
    full: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """Where a pipeline's schedule stands. Times are UTC; stored by compare-and-swap on `revision`."""

    pipeline: str
    plan: Plan
    anchor: datetime  # what rates count from
    session: datetime  # the next one, or the oldest that had no turn yet
    next_at: datetime | None = None  # when to look at it; None while paused
    next_full_at: datetime | None = None  # the first session from here on is a full one; None is never
    paused: bool = False
    last: LastSession | None = None
    revision: int = 1

    @property
    def run_at(self) -> datetime:
        """When the session runs, if nothing is in its way."""
        return self.session + timedelta(seconds=self.plan.delay)


@dataclass(frozen=True, slots=True)
class Due:
    """The session whose turn it is."""

    session: datetime
    full: bool
    missed: int
    late: timedelta | None = None  # set where it is too late to run


# The times


def next_run(schedule: Schedule, after: datetime, anchor: datetime = EPOCH) -> datetime:
    """The first session strictly after `after`, in UTC and without the delay. Rates count from `anchor`."""
    return _next(schedule.cron, schedule.timezone, after, anchor)


def last_run(schedule: Schedule, until: datetime, anchor: datetime = EPOCH) -> datetime:
    """The newest session not after `until`, in UTC and without the delay."""
    return _last(schedule.cron, schedule.timezone, until, anchor)


def _next(cadence: str, timezone: str, after: datetime, anchor: datetime) -> datetime:
    step = interval(cadence)
    if step is not None:
        return anchor + max(1, (after - anchor) // step + 1) * step
    zone = ZoneInfo(timezone)
    start = after.astimezone(zone).replace(tzinfo=None)
    return next(time for time in _instants(CronSim(fields(cadence), start), zone) if time > after)


def _last(cadence: str, timezone: str, until: datetime, anchor: datetime) -> datetime:
    step = interval(cadence)
    if step is not None:
        return anchor + (until - anchor) // step * step
    zone = ZoneInfo(timezone)
    local = until.astimezone(zone)
    repeats = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    assert repeats[0] is not None and repeats[1] is not None, "zones of the database always have an offset"
    start = local.replace(tzinfo=None) + MINUTE + abs(repeats[0] - repeats[1])  # all of an hour's first occurrence
    return next(time for time in _instants(CronSim(fields(cadence), start, reverse=True), zone) if time <= until)


def _instants(walls: Iterator[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    return (_instant(wall, zone) for wall in walls)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The one moment that a wall clock's time stands for; later times never stand for earlier moments."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    return _end_of_gap(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first, zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment between the two at which the clock jumps."""
    offset = after.astimezone(zone).utcoffset()
    seconds = range(int((after - before).total_seconds()))
    jump = bisect_left(
        seconds, True, key=lambda s: (before + timedelta(seconds=s)).astimezone(zone).utcoffset() == offset
    )
    return before + timedelta(seconds=jump)


# The states


def planned(pipeline: str, schedule: Schedule, *, now: datetime) -> ScheduleState:
    """The first state of a schedule: its first session is the first one after now."""
    anchor = now.replace(second=0, microsecond=0)
    plan = _plan(schedule)
    first = next_run(schedule, now, anchor)
    return _awake(ScheduleState(pipeline, plan, anchor, first, next_full_at=_next_full(plan, now, anchor)))


def replanned(state: ScheduleState, schedule: Schedule, *, now: datetime) -> ScheduleState:
    """The state under a changed schedule; the very same state if nothing that matters here has changed."""
    plan, before = _plan(schedule), state.plan
    if plan == before:
        return state
    moved = replace(state, plan=plan, revision=state.revision + 1)
    if (plan.cron, plan.timezone) != (before.cron, before.timezone):
        anchor = now.replace(second=0, microsecond=0)
        moved = replace(moved, anchor=anchor, session=next_run(schedule, now, anchor))
    if (plan.full, plan.timezone) != (before.full, before.timezone):
        moved = replace(moved, next_full_at=_next_full(plan, now, moved.anchor))
    return moved if moved.paused else _awake(moved)


def paused(state: ScheduleState) -> ScheduleState:
    """No session has its turn until it is resumed; the very same state if it is paused already."""
    if state.paused:
        return state
    return replace(state, paused=True, next_at=None, revision=state.revision + 1)


def resumed(state: ScheduleState, *, now: datetime) -> ScheduleState:
    """Sessions have their turn again, from the first whose run lies ahead; the same state if it is not paused."""
    if not state.paused:
        return state
    session = state.session
    if state.run_at <= now:
        session = _following(state, now - timedelta(seconds=state.plan.delay))
    return _awake(replace(state, session=session, paused=False, revision=state.revision + 1))


def due(state: ScheduleState, schedule: Schedule, now: datetime) -> Due | None:
    """The session whose turn it is, if there is one. `state` must be planned for `schedule`."""
    if state.next_at is None or state.next_at > now:
        return None
    delay = timedelta(seconds=state.plan.delay)
    session = max(state.session, last_run(schedule, now - delay, state.anchor))
    full = state.next_full_at is not None and state.next_full_at <= session
    late = now - (session + delay)
    too_late = schedule.skip_delayed_by is not None and late > timedelta(seconds=schedule.skip_delayed_by)
    return Due(session, full, _missed(state, session), late if too_late else None)


def settled(state: ScheduleState, due: Due, turn: Turn, *, now: datetime, why: str | None = None) -> ScheduleState:
    """The state after the session had its turn, or has to wait for it."""
    last = LastSession(due.session, turn, due.full, due.missed, why)
    after = replace(state, last=last, revision=state.revision + 1)
    if turn is Turn.WAITING:
        return replace(after, next_at=now)  # behind whoever is due already: many who wait hide nobody
    if due.full and turn is Turn.RAN:
        after = replace(after, next_full_at=_next_full(state.plan, due.session, state.anchor))
    return _awake(replace(after, session=_following(state, due.session)))


def _plan(schedule: Schedule) -> Plan:
    return Plan(schedule.cron, schedule.timezone, schedule.delay, schedule.full)


def _awake(state: ScheduleState) -> ScheduleState:
    return replace(state, next_at=state.run_at)


def _following(state: ScheduleState, after: datetime) -> datetime:
    return _next(state.plan.cron, state.plan.timezone, after, state.anchor)


def _next_full(plan: Plan, after: datetime, anchor: datetime) -> datetime | None:
    return _next(plan.full, plan.timezone, after, anchor) if plan.full else None


def _missed(state: ScheduleState, session: datetime) -> int:
    """How many sessions come before this one and had no turn."""
    return sum(1 for _ in islice(_before(state, session), MISSED))


def _before(state: ScheduleState, session: datetime) -> Iterator[datetime]:
    time = state.session
    while time < session:
        yield time
        time = _following(state, time)

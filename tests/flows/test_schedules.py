"""What the tick starts, once, whatever dies in between; and what operators do to schedules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.schedule import LastSession, ScheduleState, Turn
from chalicelib.core.sweeps import Sweep
from chalicelib.errors import ConfigError, SourceUnavailable, Throttled, TidegateError, TransientError
from chalicelib.flows.schedules import LIMIT, Schedules
from tests.examples import START, pipeline
from tests.fakes.queue import FakeMetrics
from tests.fakes.schedules import FakeSchedules
from tests.fakes.stores import FakePipelines

MINUTE = timedelta(minutes=1)
Started = tuple[str, datetime, bool]


class Crash(BaseException):
    """The process is gone."""


@dataclass
class World:
    """Schedules over fakes, with a trigger that starts at most one sweep a pipeline, and each session's only once."""

    now: datetime = START + timedelta(seconds=30)
    pipelines: FakePipelines = field(default_factory=FakePipelines)
    states: Any = field(default_factory=FakeSchedules)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    started: list[Started] = field(default_factory=list)
    asked: list[Started] = field(default_factory=list)
    running: dict[str, datetime] = field(default_factory=dict)
    troubles: dict[str, TidegateError] = field(default_factory=dict)

    @property
    def schedules(self) -> Schedules:
        return Schedules(self.pipelines, self.states, self.trigger, self.sweep, self.metrics, lambda: self.now)

    def trigger(self, document: Pipeline, session: datetime, *, full: bool) -> bool:
        name = document.name
        self.asked.append((name, session, full))
        if name in self.troubles:
            raise self.troubles[name]
        if name in self.running and self.running[name] != session:
            return False
        if (name, session, full) not in self.started:
            self.started.append((name, session, full))
        return True

    def sweep(self, name: str) -> Sweep | None:
        return None

    def apply(self, name: str = "flights", **schedule: Any) -> ScheduleState | None:
        document = scheduled(name, **schedule)
        self.pipelines.put(document)
        return self.schedules.applied(document)

    def tick(self, minutes: int = 1) -> None:
        for _ in range(minutes):
            self.now += MINUTE
            self.schedules.tick()

    def sessions(self, name: str = "flights") -> list[str]:
        return [f"{session:%H:%M}" for owner, session, _ in self.started if owner == name]

    def last(self, name: str = "flights") -> LastSession:
        last = self.states.stored[name].last
        assert last is not None
        found: LastSession = last
        return found


def scheduled(name: str = "flights", **schedule: Any) -> Pipeline:
    document = pipeline(name).document()
    return Pipeline.parse(document | ({"schedule": {"cron": "@hourly"} | schedule}), where="test")


def test_each_session_starts_one_sweep() -> None:
    world = World()
    world.apply(cron="*/20 * * * *", delay=300)
    world.tick(70)
    assert world.sessions() == ["12:20", "12:40", "13:00"]
    assert world.asked == world.started, "nobody was asked in vain"


def test_a_tick_with_nothing_due_reads_no_documents_and_writes_nothing() -> None:
    world = World()
    world.apply()
    world.apply("other")
    before = dict(world.states.stored)
    world.pipelines.stored.clear()  # a look at one would have found it gone
    world.tick(50)
    assert world.states.stored == before


def test_a_stack_that_stood_still_sweeps_once() -> None:
    world = World()
    world.apply(cron="* * * * *")
    world.now += timedelta(hours=6)
    world.tick()
    assert world.sessions() == ["18:01"]
    assert world.last().missed == 360
    assert world.metrics.totals["SessionsMissed"] == 360


def test_the_first_session_of_a_day_is_a_full_one() -> None:
    world = World()
    world.apply()
    world.tick(60 * 30)
    assert [session for _, session, full in world.started if full] == [datetime(2026, 11, 23, tzinfo=UTC)]


def test_a_session_waits_for_the_sweep_that_runs() -> None:
    world = World()
    world.apply()
    world.running["flights"] = START
    world.tick(65)
    assert world.sessions() == []
    assert (world.last().turn, world.last().why) == (Turn.WAITING, "a sweep still runs")
    world.running.clear()
    world.tick()
    assert world.sessions() == ["13:00"]
    assert world.last().turn is Turn.RAN


def test_a_session_that_meets_a_sweep_is_skipped_if_so_declared() -> None:
    world = World()
    world.apply(skip_on_overtime=True)
    world.running["flights"] = START
    world.tick(61)
    world.running.clear()
    world.tick(10)
    assert world.sessions() == []
    assert (world.last().turn, world.last().why) == (Turn.SKIPPED, "a sweep still runs")
    assert world.metrics.totals["SessionsSkipped"] == 1
    assert len(world.asked) == 1


def test_a_session_that_is_too_late_is_not_triggered() -> None:
    world = World()
    world.apply(skip_delayed_by=600)
    world.now += timedelta(minutes=75)
    world.tick()
    assert world.asked == []
    assert (world.last().turn, world.last().why) == (Turn.SKIPPED, "it was 990 s late")
    world.tick(45)
    assert world.sessions() == ["14:00"]


@dataclass
class Dying(FakeSchedules):
    """Dies when it is to store something, before or after it did."""

    dies: bool = False
    after: bool = False

    def swap(self, state: ScheduleState) -> bool:
        dies, self.dies = self.dies, False
        if dies and not self.after:
            raise Crash
        stored = super().swap(state)
        if dies:
            raise Crash
        return stored


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_between_trigger_and_store_neither_loses_nor_doubles_a_session(after: bool) -> None:
    states = Dying(after=after)
    world = World(states=states)
    world.apply()
    world.tick(59)
    states.dies = True
    with pytest.raises(Crash):
        world.tick()
    world.running["flights"] = datetime(2026, 11, 22, 13, tzinfo=UTC)  # the sweep that was started
    world.tick(10)
    assert world.sessions() == ["13:00"]
    assert world.last().turn is Turn.RAN
    assert len(world.asked) == (1 if after else 2)


@dataclass
class Late(FakeSchedules):
    """Lets somebody in between looking and storing."""

    meanwhile: Callable[[], object] | None = None

    def swap(self, state: ScheduleState) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().swap(state)


def test_two_ticks_at_once_start_one_sweep() -> None:
    states = Late()
    world = World(states=states)
    world.apply()
    world.now += timedelta(hours=1)
    states.meanwhile = world.schedules.tick
    world.schedules.tick()
    assert world.sessions() == ["13:00"]
    assert world.states.stored["flights"].revision == 2
    assert world.metrics.totals["SessionsRan"] == 1


def test_a_pause_during_a_tick_holds() -> None:
    states = Late()
    world = World(states=states)
    world.apply()
    world.now += timedelta(hours=1)
    states.meanwhile = lambda: world.schedules.pause("flights")
    world.schedules.tick()
    world.tick(200)
    assert world.sessions() == ["13:00"], "the one that had begun"
    assert world.schedules.resume("flights").session == datetime(2026, 11, 22, 17, tzinfo=UTC)


def test_a_tick_during_a_pause_does_not_undo_it() -> None:
    states = Late()
    world = World(states=states)
    world.apply()
    world.now += timedelta(hours=1)
    states.meanwhile = world.schedules.tick
    assert world.schedules.pause("flights").paused
    world.tick(200)
    assert world.sessions() == ["13:00"]


def test_one_pipelines_trouble_does_not_stop_the_others() -> None:
    world = World()
    for name in ("a", "sick", "z"):
        world.apply(name)
    world.troubles["sick"] = SourceUnavailable("no network", where="sick")
    world.now += timedelta(hours=1)
    with pytest.raises(SourceUnavailable):
        world.schedules.tick()
    assert (world.sessions("a"), world.sessions("z")) == (["13:00"], ["13:00"])
    assert world.metrics.totals["TickTroubles"] == 1
    world.troubles.clear()
    world.tick()
    assert world.sessions("sick") == ["13:00"], "what may pass is tried again"


def test_what_somebody_must_change_costs_a_session_and_not_one_a_minute() -> None:
    world = World()
    world.apply()
    world.troubles["flights"] = ConfigError("the role is gone", where="connection acme")
    world.now += timedelta(hours=1)
    with pytest.raises(ConfigError):
        world.schedules.tick()
    world.tick(30)
    assert len(world.asked) == 1
    assert (world.last().turn, world.last().why) == (Turn.SKIPPED, "connection acme: the role is gone")


def test_more_that_wait_than_one_tick_sees_do_not_hide_the_others() -> None:
    world = World()
    for number in range(LIMIT):
        name = f"busy{number}"
        world.apply(name)
        world.running[name] = START
    world.now += MINUTE
    world.apply("patient", cron="1 13 * * *")
    world.tick(62)
    assert world.sessions("patient") == ["13:01"]


def test_a_pipeline_without_a_schedule_has_no_state() -> None:
    world = World()
    world.pipelines.put(pipeline())
    assert world.schedules.applied(pipeline()) is None
    assert world.schedules.state("flights") is None


def test_an_applied_schedule_is_new_changed_or_left_alone() -> None:
    world = World()
    first = world.apply()
    assert first is not None
    assert world.apply() == first
    changed = world.apply(cron="30 * * * *")
    assert changed is not None
    assert (changed.revision, f"{changed.session:%H:%M}") == (2, "12:30")
    assert world.schedules.state("flights") == changed


def test_a_schedule_that_was_taken_out_of_the_document_stops() -> None:
    world = World()
    world.apply()
    world.pipelines.put(pipeline())
    assert world.schedules.applied(pipeline()) is None
    world.tick(70)
    assert (world.asked, world.states.stored) == ([], {})


def test_a_deleted_pipeline_is_forgotten_even_if_its_state_was_left_behind() -> None:
    world = World()
    world.apply()
    world.pipelines.remove("flights")
    world.tick(61)
    assert (world.asked, world.states.stored) == ([], {})
    world.schedules.removed("flights")  # twice is harmless


@pytest.mark.parametrize(
    ("changes", "sessions", "run_at"),
    [({"cron": "30 * * * *"}, ["13:30"], "14:30"), ({"delay": 1800}, ["13:00"], "14:30")],
)
def test_a_document_that_changed_without_its_state_is_followed_by_the_tick(
    changes: dict[str, Any], sessions: list[str], run_at: str
) -> None:
    world = World()
    world.apply()
    world.pipelines.put(scheduled(**changes))  # and then the process died
    world.tick(120)
    assert world.sessions() == sessions
    state = world.schedules.state("flights")
    assert state is not None
    assert f"{state.run_at:%H:%M}" == run_at


def test_a_removed_schedule_without_its_state_is_followed_by_the_tick() -> None:
    world = World()
    world.apply()
    world.pipelines.put(pipeline())
    world.tick(61)
    assert (world.asked, world.states.stored) == ([], {})


def test_pausing_survives_a_change_and_missed_sessions_do_not_run() -> None:
    world = World()
    world.apply()
    assert world.schedules.pause("flights").paused
    assert world.schedules.pause("flights").revision == 2, "twice is once"
    world.tick(130)
    world.apply(cron="15 * * * *")
    world.tick(130)
    assert world.asked == []
    resumed = world.schedules.resume("flights")
    assert f"{resumed.session:%H:%M}" == "17:15"
    world.tick(60)
    assert world.sessions() == ["17:15"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_what_has_no_schedule_cannot_be_paused_or_resumed(verb: str) -> None:
    world = World()
    world.pipelines.put(pipeline())
    with pytest.raises(ConfigError, match="no schedule"):
        getattr(world.schedules, verb)("flights")
    with pytest.raises(ConfigError, match="no pipeline"):
        getattr(world.schedules, verb)("nights")
    assert world.states.stored == {}


@pytest.mark.parametrize("full", [False, True])
def test_a_sweep_is_started_by_hand_for_now_or_for_a_past_time(full: bool) -> None:
    world = World()
    world.pipelines.put(pipeline())
    past = START - timedelta(days=3)
    assert world.schedules.run_now("flights", full=full) == world.now
    assert world.schedules.run_now("flights", full=full, at=past) == past
    assert world.started == [("flights", world.now, full), ("flights", past, full)]


def test_a_sweep_by_hand_needs_no_schedule_and_minds_no_pause() -> None:
    world = World()
    before = world.apply()
    world.schedules.pause("flights")
    world.schedules.run_now("flights")
    assert len(world.started) == 1
    state = world.schedules.state("flights")
    assert state is not None
    assert before is not None
    assert (state.session, state.last) == (before.session, None)


def test_a_second_sweep_is_skipped_and_said_to_be() -> None:
    world = World()
    world.pipelines.put(pipeline())
    world.running["flights"] = START
    with pytest.raises(TransientError, match="still runs"):
        world.schedules.run_now("flights")
    assert world.metrics.totals["SessionsSkipped"] == 1


def test_what_cannot_be_run_is_refused_before_anything_is_asked() -> None:
    world = World()
    world.pipelines.put(pipeline())
    with pytest.raises(ConfigError, match="still to come"):
        world.schedules.run_now("flights", at=world.now + MINUTE)
    with pytest.raises(ConfigError, match="no pipeline"):
        world.schedules.run_now("nights")
    assert world.asked == []


@dataclass
class Restless(FakeSchedules):
    """Somebody is always faster."""

    def swap(self, state: ScheduleState) -> bool:
        return False

    def remove(self, state: ScheduleState) -> bool:
        return False


def test_a_state_that_never_holds_still_is_given_up() -> None:
    world = World()
    state = world.apply()
    assert state is not None
    world.states = Restless({"flights": state})
    for change in (world.schedules.pause, world.schedules.removed):
        with pytest.raises(Throttled):
            change("flights")

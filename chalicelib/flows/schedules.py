"""Schedules: what the tick starts, and what operators do to them.

The tick triggers first and stores afterwards. A crash in between costs one repetition: the next tick triggers the
same session again, which starts nothing new because a sweep's id follows from its pipeline and session. (The other
way round, a crash would lose the session.) Of two ticks at once, both trigger the same session, and one stores.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import schedule as rules
from chalicelib.core.schedule import Due, ScheduleState, Turn
from chalicelib.core.sweeps import Sweep
from chalicelib.errors import ConfigError, Throttled, TransientError
from chalicelib.flows.ports import Metrics, Pipelines
from chalicelib.flows.troubles import try_all

LIMIT = 500  # found in one tick; the rest is found by the next
ROUNDS = 10  # of changing a state against the tick


class States(Protocol):
    """Where each pipeline's schedule stands, by compare-and-swap on the revision."""

    def get(self, pipeline: str) -> ScheduleState | None: ...  # noqa: D102
    def swap(self, state: ScheduleState) -> bool:
        """Store the state if the stored revision is the one before it."""
        ...

    def due(self, now: datetime, *, limit: int) -> Sequence[ScheduleState]:
        """Those whose time has come, the longest waiting first; may lag behind by moments."""
        ...

    def remove(self, state: ScheduleState) -> bool:
        """Forget the state if it is still this revision."""
        ...


class Trigger(Protocol):
    """Starts a sweep of a pipeline for a session."""

    def __call__(self, pipeline: Pipeline, session: datetime, /, *, full: bool) -> bool:
        """False where another session's sweep still runs. Twice for one session is the same as once, and True.

        A ConfigError costs the session; a TransientError lets the next tick try it again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Schedules:
    """Gives sessions their turn."""

    pipelines: Pipelines
    states: States
    trigger: Trigger
    sweep: Callable[[str], Sweep | None]  # a pipeline's sweep: the one that runs, or the last one
    metrics: Metrics
    now: Callable[[], datetime]

    def tick(self) -> None:
        """A minute has passed: trigger what is due.

        One pipeline's trouble does not keep the others waiting (P6); the first is raised at the end.
        """
        due = self.states.due(self.now(), limit=LIMIT)
        try_all((partial(self._turn, state) for state in due), self.metrics)

    def applied(self, pipeline: Pipeline) -> ScheduleState | None:
        """Bring the state in line with the pipeline's document; None if it has no schedule. Pausing survives."""
        schedule = pipeline.schedule
        if schedule is None:
            self.removed(pipeline.name)
            return None

        def planned(state: ScheduleState | None) -> ScheduleState:
            if state is None:
                return rules.planned(pipeline.name, schedule, now=self.now())
            return rules.replanned(state, schedule, now=self.now())

        return self._change(pipeline.name, planned)

    def removed(self, name: str) -> None:
        """Forget the state of a pipeline that is deleted, or not scheduled any more."""
        for _ in range(ROUNDS):
            state = self.states.get(name)
            if state is None or self.states.remove(state):
                return
        raise _restless(name)

    def pause(self, name: str) -> ScheduleState:
        """No session runs until it is resumed; a sweep that runs goes on, and notifications still load."""
        return self._scheduled(name, rules.paused)

    def resume(self, name: str) -> ScheduleState:
        """Sessions run again; what was missed while it was paused does not."""
        return self._scheduled(name, lambda state: rules.resumed(state, now=self.now()))

    def state(self, name: str) -> ScheduleState | None:
        """Where the schedule of this pipeline stands; None if it has none."""
        return self.states.get(name)

    def run_now(self, name: str, *, full: bool = False, at: datetime | None = None) -> datetime:
        """Start a sweep for now, or as if at a past time (F49), whatever the schedule says. Returns its session time.

        Raises ConfigError for a time to come, TransientError where a sweep still runs: this one is skipped (F51).
        """
        pipeline, now = self._pipeline(name), self.now()
        session = at or now
        if session > now:
            raise ConfigError(
                f"{session.isoformat()} is still to come",
                where=f"run of {name}",
                remedy="Give a time that has passed, or none for now",
            )
        if not self.trigger(pipeline, session, full=full):
            self.metrics.count("SessionsSkipped", 1, pipeline=name)
            raise TransientError(
                "a sweep of it still runs, so this one is skipped",
                where=f"pipeline {name}",
                remedy=f"Try again when `tidegate history {name}` shows its end",
            )
        return session

    def _turn(self, state: ScheduleState) -> None:
        """Give the session of one pipeline its turn, if it is due."""
        pipeline = self.pipelines.get(state.pipeline)
        if pipeline is None:
            self.states.remove(state)
            return
        if self._stale(pipeline, state):
            self.applied(pipeline)
            return
        assert pipeline.schedule is not None, "a stale state otherwise"
        now = self.now()
        due = rules.due(state, pipeline.schedule, now)
        if due is None:
            return
        try:
            turn, why = self._triggered(pipeline, due, pipeline.schedule.skip_on_overtime)
        except ConfigError as error:
            self._settle(state, due, Turn.SKIPPED, str(error), now)
            raise
        self._settle(state, due, turn, why, now)

    def _settle(self, state: ScheduleState, due: Due, turn: Turn, why: str | None, now: datetime) -> None:
        """Store what became of the session, unless somebody else has stored something in the meantime."""
        if self.states.swap(rules.settled(state, due, turn, now=now, why=why)):
            self.metrics.count(f"Sessions{turn.capitalize()}", 1, pipeline=state.pipeline)
            if due.missed and turn is not Turn.WAITING:
                self.metrics.count("SessionsMissed", due.missed, pipeline=state.pipeline)

    def _stale(self, pipeline: Pipeline, state: ScheduleState) -> bool:
        """Whether the document was changed and the state was not: a crash lay between."""
        return pipeline.schedule is None or rules.replanned(state, pipeline.schedule, now=self.now()) is not state

    def _triggered(self, pipeline: Pipeline, due: Due, skip_on_overtime: bool) -> tuple[Turn, str | None]:
        if due.late is not None:
            return Turn.SKIPPED, f"it was {due.late.total_seconds():.0f} s late"
        if self.trigger(pipeline, due.session, full=due.full):
            return Turn.RAN, None
        return (Turn.SKIPPED if skip_on_overtime else Turn.WAITING), "a sweep still runs"

    def _scheduled(self, name: str, change: Callable[[ScheduleState], ScheduleState]) -> ScheduleState:
        self._pipeline(name)

        def changed(state: ScheduleState | None) -> ScheduleState:
            if state is None:
                raise ConfigError(
                    "it has no schedule",
                    where=f"pipeline {name}",
                    remedy='Add one, like `schedule: {cron: "@hourly"}`, and apply it',
                )
            return change(state)

        return self._change(name, changed)

    def _change(self, name: str, change: Callable[[ScheduleState | None], ScheduleState]) -> ScheduleState:
        """Store what `change` makes of the state; nothing where it gives the same state back."""
        for _ in range(ROUNDS):
            before = self.states.get(name)
            after = change(before)
            if after is before or self.states.swap(after):
                return after
        raise _restless(name)

    def _pipeline(self, name: str) -> Pipeline:
        pipeline = self.pipelines.get(name)
        if pipeline is None:
            raise ConfigError(
                "there is no pipeline of this name",
                where=f"pipeline {name}",
                remedy="`tidegate list` shows those there are",
            )
        return pipeline


def _restless(name: str) -> Throttled:
    return Throttled("it changed again and again", where=f"schedule of {name}", remedy="Try again")

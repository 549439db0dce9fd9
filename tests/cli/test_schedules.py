"""`pause`, `resume`, `run`."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner, Result

from chalicelib.cli.schedules import COMMANDS, until_over
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.sweeps import SCHEDULED, Sweep, SweepState, Walk
from chalicelib.errors import ConfigError, TidegateError, TransientError
from chalicelib.flows.schedules import Schedules
from tests.examples import START, pipeline
from tests.fakes.queue import FakeMetrics
from tests.fakes.schedules import FakeSchedules
from tests.fakes.stores import FakePipelines

NOW = START + timedelta(minutes=10)
RUNNING = Sweep("flights", SCHEDULED, "s1", Walk.PATH, SweepState.RUNNING, "in/", START, START)
DONE = replace(RUNNING, state=SweepState.DONE)


@dataclass
class Commands:
    """The commands over fakes."""

    started: list[tuple[datetime, bool]] = field(default_factory=list)
    busy: bool = False
    sweep: Sweep | None = None

    def __post_init__(self) -> None:
        document = Pipeline.parse(pipeline().document() | {"schedule": {"cron": "@hourly"}}, where="test")
        self.schedules = Schedules(
            FakePipelines({"flights": document}),
            FakeSchedules(),
            self._trigger,
            lambda name: self.sweep,
            FakeMetrics(),
            lambda: NOW,
        )
        self.schedules.applied(document)

    def _trigger(self, document: Pipeline, session: datetime, *, full: bool) -> bool:
        self.started += [] if self.busy else [(session, full)]
        return not self.busy

    def __call__(self, *arguments: str) -> Result:
        group = click.Group(commands=COMMANDS)
        return CliRunner().invoke(group, arguments, obj=self.schedules)


@pytest.fixture
def commands() -> Commands:
    return Commands()


def test_a_schedule_is_paused_and_resumed(commands: Commands) -> None:
    said = commands("pause", "flights")
    assert (said.exit_code, said.output) == (
        0,
        "The schedule of flights is paused; objects that are notified still load.\n",
    )
    state = commands.schedules.state("flights")
    assert state is not None
    assert state.paused
    assert commands("resume", "flights").output == "The schedule of flights runs; next at 2026-11-22 13:00:00 UTC.\n"


@pytest.mark.parametrize("command", ["pause", "resume", "run"])
def test_a_mistyped_name_is_an_error_of_ours(commands: Commands, command: str) -> None:
    raised = commands(command, "nights").exception
    assert isinstance(raised, ConfigError)
    assert "nights" in str(raised)


def test_a_sweep_is_started(commands: Commands) -> None:
    said = commands("run", "flights")
    assert said.output == "A sweep of flights has started, for 2026-11-22 12:10:00 UTC.\n"
    assert commands.started == [(NOW, False)]


def test_a_full_sweep_is_started(commands: Commands) -> None:
    assert commands("run", "flights", "--full").output.startswith("A full sweep of flights")
    assert commands.started == [(NOW, True)]


@pytest.mark.parametrize(
    "text", ["2026-11-20T09:30:00Z", "2026-11-20 09:30", "2026-11-20T18:30+09:00", "20261120T093000Z"]
)
def test_a_sweep_is_started_for_a_past_time(commands: Commands, text: str) -> None:
    said = commands("run", "flights", "--at", text)
    assert "for 2026-11-20 09:30:00 UTC" in said.output
    assert commands.started == [(datetime(2026, 11, 20, 9, 30, tzinfo=UTC), False)]


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-45", "1763890200", "0001-01-01T00:00+10:00"])
def test_what_is_no_time_is_bad_usage(commands: Commands, text: str) -> None:
    said = commands("run", "flights", "--at", text)
    assert said.exit_code == 2
    assert "is no time" in said.output
    assert commands.started == []


def test_a_time_to_come_is_refused(commands: Commands) -> None:
    raised = commands("run", "flights", "--at", "2027-01-01").exception
    assert isinstance(raised, ConfigError)
    assert "still to come" in str(raised)


def test_a_second_sweep_is_a_failed_operation(commands: Commands) -> None:
    commands.busy = True
    raised = commands("run", "flights", "--wait").exception
    assert isinstance(raised, TransientError), "exit code 1"


def test_one_that_is_waited_for_says_when_it_is_over(commands: Commands) -> None:
    commands.sweep = DONE
    said = commands("run", "flights", "--wait")
    assert (said.exit_code, said.output.splitlines()[-1]) == (
        0,
        "It is over: `tidegate history flights` shows what it found.",
    )


def test_one_that_is_waited_for_and_fails_is_a_failed_operation(commands: Commands) -> None:
    commands.sweep = replace(RUNNING, state=SweepState.CANCELLED, error="the bucket is gone")
    raised = commands("run", "flights", "--wait").exception
    assert isinstance(raised, TidegateError)
    assert str(raised) == "sweep of flights: the bucket is gone"


@pytest.mark.parametrize("last", [DONE, None], ids=["done", "forgotten"])
def test_waiting_ends_with_the_last_task_and_not_with_the_listing(last: Sweep | None) -> None:
    looks = iter([RUNNING, RUNNING, replace(RUNNING, state=SweepState.DRAINING), last])
    slept: list[float] = []
    until_over("flights", lambda name: next(looks), slept.append)
    assert slept == [2.0, 2.0, 2.0]


def test_help_says_what_each_does(commands: Commands) -> None:
    assert "notifications still load" in commands("pause", "--help").output
    assert "do not run" in commands("resume", "--help").output

"""`issue`: a one-time load (F45, F80; Treasure Data's connector:issue)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from chalicelib.cli.issue import COMMANDS
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.sweeps import SCHEDULED, Sweep
from chalicelib.errors import ConfigError, TidegateError, TransientError
from chalicelib.flows.admin import Admin
from chalicelib.flows.schedules import Schedules
from tests.cli.conftest import DOCUMENT
from tests.fakes.queue import FakeMetrics
from tests.fakes.schedules import FakeSchedules
from tests.fakes.stores import FakeJobs, FakePipelines
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
TO = ("--database", "travel", "--table", "flights")
Document = Callable[..., str]


@dataclass
class Commands:
    """The command over a world that moves on while somebody waits; also what it asks of `wiring`."""

    world: World = field(default_factory=lambda: World(pipelines=FakePipelines()))
    states: FakeSchedules = field(default_factory=FakeSchedules)
    idle: bool = False  # nobody works on the queues

    def admin(self) -> Admin:
        world, schedules = self.world, self.schedules()
        return Admin(world.connections, world.pipelines, schedules.applied, schedules.removed)

    def jobs(self) -> FakeJobs:
        return self.world.jobs

    def schedules(self) -> Schedules:
        world = self.world
        return Schedules(world.pipelines, self.states, world.sweeping.trigger, self._moving, FakeMetrics(), world.clock)

    def _moving(self, name: str) -> Sweep | None:
        found = self.world.sweeps.get(name, SCHEDULED)
        if not self.idle:
            self.world.run()
        return found

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(click.Group(commands=COMMANDS), ("issue", *arguments), obj=self)

    @property
    def pipeline(self) -> Pipeline:
        (only,) = self.world.pipelines.all()
        return only


@pytest.fixture
def commands() -> Commands:
    made = Commands()
    made.world.pipelines.stored.clear()
    for key in ("in/a.csv", "in/b.csv"):
        made.world.put(key, CSV, notify=0)
    return made


@pytest.fixture
def load_yml(document: Document) -> Document:
    """A load.yml: neither name nor destination."""
    return lambda **changes: document(**({"name": None, "out": None} | changes))


def test_what_is_there_is_loaded_once_and_nothing_more_by_itself(commands: Commands, load_yml: Document) -> None:
    said = commands(load_yml(), *TO, "--wait")
    assert said.exit_code == 0, said
    assert "Pipeline travel.flights is made: iceberg:travel.flights" in said.stdout
    assert said.stdout.endswith("It is over. Objects: 2, rows: 6, bad rows: 0.\n")
    assert (commands.pipeline.schedule, commands.pipeline.takes_arrivals) == (None, False)
    assert commands.world.loaded() == {"in/a.csv": 3, "in/b.csv": 3}


def test_without_waiting_it_says_how_to_follow(commands: Commands, load_yml: Document) -> None:
    said = commands(load_yml(), *TO)
    (job,) = commands.world.jobs.jobs
    assert said.stdout.splitlines()[1:] == [f"It loads: job {job}.", f"`tidegate job {job}` shows how far it is."]


def test_the_same_again_brings_only_what_is_new(commands: Commands, load_yml: Document) -> None:
    commands(load_yml(), *TO, "--wait")
    commands.world.put("in/c.csv", CSV, notify=0)
    commands.world.now += commands.world.sweeping.budget
    again = commands(load_yml(), *TO, "--wait")
    assert "is as it was" in again.stdout
    assert "Objects: 1, rows: 3" in again.stdout
    assert commands.world.loaded() == dict.fromkeys(("in/a.csv", "in/b.csv", "in/c.csv"), 3)


def test_a_program_gets_one_line_of_json(commands: Commands, load_yml: Document) -> None:
    said = json.loads(commands(load_yml(), *TO, "--wait", "--json").stdout)
    (job,) = commands.world.jobs.jobs
    assert (said["pipeline"], said["table"], said["job"]) == ("travel.flights", "iceberg:travel.flights", job)
    assert (said["state"], said["loaded"], said["rows"]) == ("done", 2, 6)
    assert commands.world.jobs.jobs[job].kind == said["kind"]


def test_a_failed_job_is_exit_code_one(commands: Commands, load_yml: Document) -> None:
    commands.world.put("in/bad.csv.gz", b"\x1f\x8b\x08\x00 this is no gzip", notify=0)
    failed = commands(load_yml(), *TO, "--wait")
    assert isinstance(failed.exception, TidegateError)
    assert not isinstance(failed.exception, ConfigError)
    assert "in/bad.csv.gz" in str(failed.exception)
    assert "Objects: 2, rows: 6" in failed.stdout, "the others are loaded"


def test_what_neither_file_nor_command_says_is_asked_for_with_its_option(
    commands: Commands, load_yml: Document
) -> None:
    refused = commands(load_yml(connection=None))
    assert isinstance(refused.exception, ConfigError)
    assert "Say --connection CONNECTION and --table TABLE" in str(refused.exception)


NAMES: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "derived": ({}, TO, "travel.flights"),
    "derived from the file's own": ({"out": {"database": "web", "table": "logs"}}, (), "web.logs"),
    "derived from the default": ({"out": {"table": "logs"}}, (), "tidegate.logs"),
    "derived from plain names": ({}, ("--database", "My-Lake", "--table", "Page Views"), "my_lake.page_views"),
    "the file's": ({"name": "nightly"}, TO, "nightly"),
    "as told": ({"name": "nightly"}, (*TO, "--as", "once"), "once"),
}


@pytest.mark.parametrize(("changes", "options", "name"), NAMES.values(), ids=NAMES)
def test_the_name_of_the_pipeline(
    commands: Commands, load_yml: Document, changes: dict[str, Any], options: tuple[str, ...], name: str
) -> None:
    assert commands(load_yml(**changes), *options).exit_code == 0
    assert commands.pipeline.name == name


OPTIONS: dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]] = {
    "a time column": ({}, ("--time-column", "at"), {"time_column": "at", "transform": "day"}),
    "a time column, the file's transform": (
        {"out": {"transform": "hour"}},
        ("--time-column", "at"),
        {"time_column": "at", "transform": "hour"},
    ),
    "a mode": ({"out": {"mode": "append"}}, ("--mode", "replace"), {"mode": "replace"}),
    "no word on making tables": ({"out": {"auto_create_table": False}}, (), {"auto_create_table": False}),
    "neither here nor there": ({}, (), {"auto_create_table": True}),
    "make it": (
        {"out": {"auto_create_table": False, "auto_create_database": False}},
        ("--auto-create-table",),
        {"auto_create_table": True, "auto_create_database": True},
    ),
    "do not make it": (
        {},
        ("--no-auto-create-table",),
        {"auto_create_table": False, "auto_create_database": True},
    ),
    "plain files": ({"out": {"type": "parquet"}}, (), {"type": "parquet"}),
}


@pytest.mark.parametrize(("changes", "options", "out"), OPTIONS.values(), ids=OPTIONS)
def test_what_is_told_goes_into_the_destination(
    commands: Commands,
    load_yml: Document,
    changes: dict[str, Any],
    options: tuple[str, ...],
    out: dict[str, Any],
) -> None:
    said = commands(load_yml(**changes), *TO, *options)
    assert said.exit_code == 0, said
    found = commands.pipeline.out.model_dump(mode="json")
    assert {name: found[name] for name in out} == out


def test_a_file_may_ask_for_a_schedule_and_for_arrivals(commands: Commands, load_yml: Document) -> None:
    assert commands(load_yml(schedule={"cron": "@daily"}, arrivals=True), *TO).exit_code == 0
    assert commands.pipeline.takes_arrivals
    assert commands.states.get("travel.flights") is not None


def test_a_connection_is_told(commands: Commands, load_yml: Document) -> None:
    assert commands(load_yml(connection=None), *TO, "--connection", "acme").exit_code == 0
    refused = commands(load_yml(), *TO, "--connection", "nobody").exception
    assert isinstance(refused, ConfigError)
    assert "connection nobody" in str(refused)


TAKEN: dict[str, dict[str, Any]] = {
    "reads s3://": {"in": DOCUMENT["in"] | {"bucket": "another"}},
    "writes to": {"out": {"type": "iceberg", "database": "web", "table": "logs"}},
    "loads by itself": {"arrivals": True},
    "--full": {"schedule": {"cron": "@daily"}, "arrivals": False},
}


@pytest.mark.parametrize(("told", "changes"), TAKEN.items(), ids=TAKEN)
def test_a_pipeline_that_does_something_else_is_left_alone(
    commands: Commands, load_yml: Document, told: str, changes: dict[str, Any]
) -> None:
    document = DOCUMENT | {"name": "travel.flights", "arrivals": False} | changes
    commands.admin().apply(Pipeline.parse(document, where="test"))
    before = commands.pipeline
    refused = commands(load_yml(), *TO).exception
    assert isinstance(refused, ConfigError)
    assert told in str(refused)
    assert "--as NAME" in str(refused)
    assert (commands.pipeline, commands.world.jobs.jobs) == (before, {})


def test_a_load_that_still_runs_is_a_failed_operation(commands: Commands, load_yml: Document) -> None:
    commands.idle = True
    assert commands(load_yml(), *TO).exit_code == 0
    commands.world.now += commands.world.sweeping.budget
    refused = commands(load_yml(), *TO).exception
    assert isinstance(refused, TransientError)
    assert len(commands.world.jobs.jobs) == 1


@pytest.mark.parametrize("missing", ["--database", "--table"])
def test_a_mistake_changes_nothing(commands: Commands, load_yml: Document, missing: str) -> None:
    refused = commands(load_yml(), missing, "日本").exception
    assert isinstance(refused, ConfigError)
    assert commands.world.pipelines.all() == []


def test_names_that_were_changed_are_told(commands: Commands, load_yml: Document) -> None:
    commands(load_yml(), "--database", "travel", "--table", "flights")
    said = commands(load_yml(), "--database", "Travel", "--table", "flights", "--as", "again")
    assert "database 'Travel' is travel here" in said.stderr
    assert "travel.flights writes to this table as well" in said.stderr
    assert "table 'flights'" not in said.stderr

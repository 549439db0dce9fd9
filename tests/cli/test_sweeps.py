"""`explain`, `audit`, `backfill`, `cursor`."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from chalicelib.cli.sweeps import COMMANDS
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import Entry, State
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import BACKFILL, Sweep, SweepState
from chalicelib.errors import ConfigError, TransientError
from chalicelib.flows.admin import Admin
from chalicelib.flows.audit import Auditing
from chalicelib.flows.estimate import Estimating
from chalicelib.flows.explain import Explaining
from chalicelib.flows.sweep import Sweeping
from tests.examples import BUCKET, pipeline
from tests.fakes.stores import FakeJobs
from tests.fakes.sweeps import FakeCursors
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
KEYS = ("in/a.csv", "in/b.csv", "in/c.csv")


@dataclass
class Looked:
    """Sweeps whose world moves on while somebody waits for them."""

    world: World

    def get(self, pipeline: str, name: str) -> Sweep | None:
        self.world.run()
        return self.world.sweeps.get(pipeline, name)


@dataclass
class Commands:
    """The commands over a world; also what they ask of `wiring`."""

    world: World = field(default_factory=World)
    moving: bool = False

    @property
    def now(self) -> Callable[[], datetime]:
        return self.world.clock

    def admin(self) -> Admin:
        return Admin(self.world.connections, self.world.pipelines, lambda _: None, lambda _: None)

    def jobs(self) -> FakeJobs:
        return self.world.jobs

    def sweeps(self) -> Any:
        return Looked(self.world) if self.moving else self.world.sweeps

    def cursors(self) -> FakeCursors:
        return self.world.cursors

    def sweeping(self) -> Sweeping:
        return self.world.sweeping

    def auditing(self) -> Auditing:
        world = self.world
        return Auditing(self.admin(), world.buckets, world.ledger, world.jobs, lambda _: world.table, self.now)  # type: ignore[arg-type,return-value]

    def explaining(self) -> Explaining:
        return Explaining(self.admin(), self.world.buckets, self.world.ledger, self.world.cursors)

    def estimating(self) -> Estimating:
        return Estimating(self.admin(), self.world.buckets, self.world.ledger, self.now)

    def __call__(self, *arguments: str) -> Result:
        group = click.Group(commands=COMMANDS)
        return CliRunner().invoke(group, arguments, obj=self)

    def json(self, *arguments: str) -> Any:
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result
        return json.loads(result.stdout)


@pytest.fixture
def commands() -> Commands:
    """Three objects that nobody announced, an hour ago."""
    made = Commands()
    for key in KEYS:
        made.world.put(key, CSV, notify=0)
    made.world.now += timedelta(hours=1)
    return made


def test_explain_says_verdict_rules_ledger_cursor_and_bucket(commands: Commands) -> None:
    wanted = commands("explain", "flights", "in/a.csv").stdout
    assert "verdict: wanted" in wanted
    assert "path_prefix: passes (in/)" in wanted
    assert "ledger: nothing" in wanted
    assert "in the bucket: unseen" in wanted
    refused = commands("explain", "flights", "out/a.csv").stdout
    assert "verdict: refused by path_prefix" in refused
    assert "in the bucket: missing" in refused
    assert "size: unknown" in refused


BECAME = {
    "committed": ({"state": State.COMMITTED}, "wanted, and loaded"),
    "claimed": ({"state": State.CLAIMED}, "wanted, and claimed"),
    "undone": (
        {"state": State.REFUSED, "reason": Reason.UNDONE},
        "wanted, and refused: undone; `tidegate replay flights --key in/a.csv` loads it",
    ),
    "failed": (
        {"state": State.FAILED, "reason": Reason.BROKEN},
        "wanted, and failed: broken; once it is mended, `tidegate replay flights --key in/a.csv` loads it",
    ),
    "leaving": ({"state": State.PENDING, "leaving": Reason.DELETED}, "wanted, and pending: deleted"),
}


@pytest.mark.parametrize(("entry", "verdict"), BECAME.values(), ids=BECAME)
def test_explain_says_what_became_of_a_wanted_object(commands: Commands, entry: dict[str, Any], verdict: str) -> None:
    ref = commands.world.put("in/a.csv", CSV, notify=0)
    known = Entry("flights", ref, discovered_at=commands.now(), revision=1, **entry)
    assert not commands.world.ledger.swap([known])
    said = yaml.safe_load(commands("explain", "flights", "in/a.csv").stdout)
    assert said["verdict"] == verdict


def test_explain_says_that_only_runs_load(commands: Commands) -> None:
    document = pipeline().document() | {"out": {"type": "iceberg", "table": "flights", "mode": "replace"}}
    commands.world.pipelines.put(Pipeline.parse(document, where="test"))
    said = commands("explain", "flights", "in/a.csv").stdout
    assert "verdict: 'wanted, by runs only: `tidegate run flights`'" in said
    assert "arrivals: refuses (out.mode replace)" in said
    (rule,) = [
        each for each in commands.json("explain", "flights", "in/a.csv")["rulings"] if each["rule"] == "arrivals"
    ]
    assert (rule["passes"], rule["reason"]) == (False, "arrivals_off")


def test_explain_in_json_has_everything(commands: Commands) -> None:
    assert commands("backfill", "flights", "--as", "all").exit_code == 0
    commands.world.run()
    shown = commands.json("explain", "flights", "in/a.csv")
    assert (shown["refused_by"], shown["there"], shown["passed"]) == (None, "same", False)
    assert (shown["entry"]["state"], shown["entry"]["rows"]) == ("committed", 3)
    assert shown["listed"]["ref"]["created_at"] == "2026-11-22T12:00:00+00:00"
    assert shown["rulings"][0]["rule"] == "path"


def test_an_audit_exits_with_1_if_something_is_missing_and_0_once_it_is_loaded(commands: Commands) -> None:
    result = commands("audit", "flights", "--examples", "2", "--json")
    shown = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (shown["clean"], shown["findings"], len(shown["examples"])) == (False, {"missing": 3}, 2)
    assert "clean: false" in commands("audit", "flights").stdout
    commands("backfill", "flights", "--as", "all")
    commands.world.run()
    assert commands.json("audit", "flights")["findings"] == {}
    assert commands("audit", "flights").exit_code == 0


def test_a_dry_run_prints_numbers_and_writes_nothing(commands: Commands) -> None:
    shown = commands.json("backfill", "flights", "--dry-run", "--start-after", "in/a.csv")
    assert (shown["objects"], shown["bytes"], shown["tasks"], shown["calls"]) == (2, 2 * len(CSV), 1, 1)
    assert shown["skipped"] == shown["refused"] == {}
    assert "bytes a second" in shown["assumed"]
    world = commands.world
    assert (world.jobs.jobs, world.sweeps.stored, world.ledger.stored, world.queue.sweeps) == ({}, {}, {}, [])


def test_a_backfill_starts_within_its_bounds_and_prints_its_job(commands: Commands) -> None:
    bounds = ("--start-after", "in/a.csv", "--end-at", "in/c.csv", "--modified-before", "2027-01-01")
    said = commands("backfill", "flights", "--as", "spring", *bounds, "--max-concurrent-tasks", "2")
    sweep = commands.world.sweeps.stored["flights", "backfill#spring"]
    assert said.stdout == f"Backfill spring has started: job {sweep.job}.\n"
    assert (sweep.max_concurrent_tasks, sweep.modified_before) == (2, datetime(2027, 1, 1, tzinfo=UTC))
    commands.world.run()
    assert commands.world.loaded() == {"in/b.csv": 3}
    again = commands("backfill", "flights", "--as", "spring")
    assert isinstance(again.exception, ConfigError)
    assert "it is done" in str(again.exception)


def test_a_backfill_can_be_waited_for(commands: Commands) -> None:
    commands.moving = True
    said = commands("backfill", "flights", "--as", "all", "--wait")
    assert "It is over" in said.stdout
    assert commands.world.loaded() == dict.fromkeys(KEYS, 3)


def test_backfills_are_listed_with_their_progress(commands: Commands) -> None:
    assert commands("backfill", "flights").stdout == "No backfills yet.\n"
    commands.world.sweep()
    commands.world.run()
    commands.world.put("in/d.csv", CSV, notify=0)
    commands("backfill", "flights", "--as", "all")
    shown = commands.json("backfill", "flights")
    assert (shown["backfill"], shown["state"], shown["seen"], shown["tasks"]) == ("all", "running", 0, 0)
    commands.world.run()
    shown = commands.json("backfill", "flights")
    assert (shown["state"], shown["seen"], shown["accepted"], shown["tasks"], shown["unfinished"]) == (
        "done",
        4,
        1,
        1,
        0,
    )


def test_a_backfill_is_cancelled_and_goes_on_under_its_name(commands: Commands) -> None:
    commands("backfill", "flights", "--as", "all", "--end-at", "in/c.csv")
    assert "lists no further" in commands("backfill", "flights", "--as", "all", "--cancel").stdout
    again = commands("backfill", "flights", "--as", "all", "--cancel")
    assert "nothing to cancel" in str(again.exception)
    stored = commands.world.sweeps.stored["flights", BACKFILL + "all"]
    assert stored.state is SweepState.CANCELLED
    commands.world.sweeps.stored["flights", stored.name] = replace(stored, turn=1, position="in/a.csv")
    assert "goes on after 'in/a.csv', within its first bounds" in commands("backfill", "flights", "--as", "all").stdout
    commands.world.run()
    assert commands.world.loaded() == {"in/b.csv": 3}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--cancel",), "name the backfill"),
        (("--wait",), "name the backfill"),
        (("--prefix", "in/a"), "name the backfill"),
        (("--as", "x", "--dry-run", "--cancel"), "exclude each other"),
        (("--as", "x", "--modified-after", "yesterday"), "is no time"),
        (("--as", "x", "--max-concurrent-tasks", "0"), "x>=1"),
    ],
)
def test_options_that_make_no_sense_are_bad_usage(commands: Commands, options: tuple[str, ...], why: str) -> None:
    refused = commands("backfill", "flights", *options)
    assert refused.exit_code == 2
    assert why in refused.stderr
    assert commands.world.sweeps.stored == {}


def test_bounds_that_hold_nothing_start_nothing(commands: Commands) -> None:
    refused = commands("backfill", "flights", "--as", "x", "--prefix", "out/")
    assert isinstance(refused.exception, ConfigError)
    assert commands.world.sweeps.stored == {}


def test_a_cursor_is_shown_with_where_the_next_sweep_starts(commands: Commands) -> None:
    shown = commands.json("cursor", "show", "flights")
    assert (shown["last_path"], shown["revision"]) == (None, 0)
    commands.world.sweep()
    commands.world.run()
    shown = commands.json("cursor", "show", "flights")
    assert (shown["last_path"], shown["next_sweep"]["last_path"]) == ("in/c.csv", "in/c.csv")


def test_a_cursor_is_set_part_by_part_and_reset_and_nothing_is_doubled(commands: Commands) -> None:
    commands.world.sweep()
    commands.world.run()
    assert "stays loaded, once" in commands("cursor", "set", "flights", "--last-path", "in/a.csv").stdout
    commands("cursor", "set", "flights", "--last-modified-time", "2026-11-22T10:00:00+02:00")
    stored = commands.world.cursors.get("flights")
    assert (stored.last_path, stored.last_modified_time) == ("in/a.csv", datetime(2026, 11, 22, 8, tzinfo=UTC))
    assert commands("cursor", "set", "flights").exit_code == 2
    commands("cursor", "reset", "flights")
    stored = commands.world.cursors.get("flights")
    assert (stored.last_path, stored.last_modified_time, stored.moved_at) == (None, None, commands.world.now)
    commands.world.now += timedelta(seconds=1)
    commands.world.sweep()
    commands.world.run()
    assert commands.world.loaded() == dict.fromkeys(KEYS, 3)


def test_a_cursor_may_move_while_a_sweep_runs_and_that_is_said(commands: Commands) -> None:
    commands.world.sweep()
    assert "A sweep is running" in commands("cursor", "reset", "flights").stdout


def test_a_cursor_that_moved_meanwhile_is_left_alone(commands: Commands) -> None:
    class Behind(FakeCursors):
        def swap(self, cursor: object) -> bool:
            return False

    commands.world.cursors = Behind()
    refused = commands("cursor", "reset", "flights")
    assert isinstance(refused.exception, TransientError)
    assert "Try again" in str(refused.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "fligths", "in/a.csv"),
        ("audit", "fligths"),
        ("backfill", "fligths"),
        ("backfill", "fligths", "--as", "x"),
        ("backfill", "fligths", "--as", "x", "--cancel"),
        ("backfill", "fligths", "--dry-run"),
        ("cursor", "show", "fligths"),
        ("cursor", "set", "fligths", "--last-path", "x"),
        ("cursor", "reset", "fligths"),
    ],
)
def test_a_mistyped_pipeline_is_an_error_that_names_the_right_ones(
    commands: Commands, arguments: tuple[str, ...]
) -> None:
    refused = commands(*arguments)
    assert isinstance(refused.exception, ConfigError)
    assert "There are: flights" in str(refused.exception)
    assert commands.world.cursors.stored == {}
    assert BUCKET in commands.world.buckets.versioned

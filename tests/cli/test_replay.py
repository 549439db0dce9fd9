"""`replay`, `undo`."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from chalicelib.cli import replay as commands
from chalicelib.core.jobs import Job
from chalicelib.errors import ConfigError, TidegateError
from chalicelib.flows.replay import Replaying
from chalicelib.flows.undo import Undoing
from tests.flows.test_replay import BAD, DECLARED, KEYS, MENDED, MINUTE, changed, loaded, replaying
from tests.flows.test_undo import undoing
from tests.flows.world import World


@dataclass
class Moving:
    """Jobs whose world moves on while somebody waits for them."""

    world: World

    def job(self, name: str) -> Job | None:
        self.world.run()
        return self.world.jobs.job(name)


@dataclass
class Commands:
    """The commands over a world; also what they ask of `wiring`."""

    world: World = field(default_factory=loaded)

    def jobs(self) -> Any:
        return Moving(self.world)

    def replaying(self) -> Replaying:
        return replaying(self.world)

    def undoing(self) -> Undoing:
        return undoing(self.world)

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(click.Group(commands=commands.COMMANDS), arguments, obj=self)

    def said(self, *arguments: str) -> str:
        ran = self(*arguments)
        assert ran.exit_code == 0, ran.exception or ran.output
        return ran.output

    def told(self, *arguments: str) -> dict[str, Any]:
        found = json.loads(self.said(*arguments, "--json"))
        assert isinstance(found, dict)
        return found


def job_of(world: World, key: str) -> str:
    owner = world.ledger.stored["flights", key].owner
    assert owner is not None
    return owner.job


def test_a_dry_run_says_what_goes_and_what_comes() -> None:
    run = Commands()
    run.world.pipelines.put(changed(MENDED))
    said = run.said("replay", "flights", "--rejected", "--dry-run")
    assert said == "Would be loaded again: 2 objects.\nOut: 4 rows and 2 bad rows.\nIn: 6 rows and 0 bad rows.\n"
    assert run.world.queue.loads == []


def test_it_says_what_it_did_not_read_and_what_would_not_be_loaded() -> None:
    run = Commands()
    run.world.pipelines.put(changed(DECLARED | {"stop_on_invalid_record": True}))
    said = run.said("replay", "flights", "--prefix", "", "--dry-run", "--read-at-most", "1")
    assert "and whatever is in 1 object not read" in said
    assert "1 would not be loaded, and their earlier rows stay: too_many_bad_rows (" in said
    told = run.told("replay", "flights", "--prefix", "", "--dry-run", "--read-at-most", "1")
    assert (told["objects"], told["read"], told["unread"], told["not_loaded"]) == (2, 1, 1, {"too_many_bad_rows": 1})


def test_a_replay_returns_at_once_or_waits_until_all_is_loaded() -> None:
    run = Commands()
    run.world.now += MINUTE
    told = run.told("replay", "flights", "--key", KEYS[0])
    assert (told["objects"], told["rows"], told["rejects"], len(told["jobs"])) == (1, 2, 1, 1)
    assert run.world.state(KEYS[0]) == "claimed"
    run.world.run()
    run.world.now += MINUTE
    assert run.said("replay", "flights", "--key", KEYS[0], "--wait").endswith("It is over.\n")
    assert run.world.state(KEYS[0]) == "committed"


def test_objects_are_chosen_by_job_and_by_time_and_all_that_is_given_must_fit() -> None:
    run = Commands()
    job = job_of(run.world, KEYS[0])
    assert run.told("replay", "flights", "--job", job, "--dry-run")["objects"] == 1
    assert run.told("replay", "flights", "--job", job, "--key", KEYS[1], "--dry-run")["objects"] == 0
    since = (run.world.now - 30 * MINUTE).isoformat()
    assert run.told("replay", "flights", "--since", since, "--dry-run")["objects"] == 2
    assert run.told("replay", "flights", "--since", since, "--prefix", "in/b", "--dry-run")["objects"] == 1


def test_a_replay_of_nothing_in_particular_is_asked_which() -> None:
    ran = Commands()("replay", "flights", "--dry-run")
    assert isinstance(ran.exception, ConfigError)
    assert "--job ID" in str(ran.exception)


@pytest.mark.parametrize("command", [("replay", "flights", "--rejected"), ("undo", "j")])
def test_a_dry_run_has_nothing_to_wait_for(command: tuple[str, ...]) -> None:
    assert Commands()(*command, "--dry-run", "--wait").exit_code == 2


def test_an_undo_says_what_leaves_and_what_does_not() -> None:
    run = Commands()
    job = job_of(run.world, KEYS[0])
    assert run.said("undo", job, "--dry-run") == "Would leave the tables: 1 object, 2 rows and 1 bad row.\n"
    assert run.world.loaded()[KEYS[0]] == 2
    said = run.said("undo", job, "--wait")
    assert said.startswith("Leaving the tables: 1 object, 2 rows and 1 bad row.\nFollow it with: tidegate job u")
    assert said.endswith("It is over.\n")
    assert run.world.loaded() == {KEYS[1]: 2}
    again = run.said("undo", job)
    assert f"1 left alone: it is undone already (such as {KEYS[0]})." in again
    told = run.told("undo", job)
    assert (told["objects"], told["left"], told["jobs"]) == (0, {"it is undone already": 1}, [])


def test_an_undo_says_that_replaced_rows_do_not_come_back() -> None:
    run = Commands(loaded(on_overwrite="replace"))
    run.world.put(KEYS[0], BAD + b"9\n")
    run.world.run()
    said = run.said("undo", job_of(run.world, KEYS[0]), "--dry-run")
    assert "Of 1 of them the job had replaced earlier rows, which do not come back." in said


def test_waiting_ends_with_the_error_that_the_job_ended_with() -> None:
    run = Commands()
    run.world.table.refuses_removals = True
    ran = run("undo", job_of(run.world, KEYS[0]), "--wait")
    assert isinstance(ran.exception, TidegateError)
    assert "a column is a long here" in str(ran.exception)


def test_it_sleeps_between_looks() -> None:
    run, naps = Commands(), list[float]()
    (job,) = run.told("undo", job_of(run.world, KEYS[0]))["jobs"]
    sleep: Callable[[float], None] = lambda seconds: (naps.append(seconds), run.world.run())[0]  # noqa: E731
    commands.until_over(job, run.world.jobs, sleep)
    assert len(naps) == 1

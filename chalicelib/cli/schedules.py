"""`pause`, `resume`, `run`: what people do to schedules."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import click

from chalicelib import wiring
from chalicelib.cli.output import say
from chalicelib.core.sweeps import Sweep
from chalicelib.errors import TidegateError
from chalicelib.flows.schedules import Schedules

POLL = 2.0  # seconds between two looks at a sweep that is waited for


class Time(click.ParamType[datetime]):
    """An ISO 8601 time; UTC where it names no offset."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time in UTC; anything else is bad usage."""
        try:
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write it like 2026-11-22T09:30:00Z", param, ctx)


@click.command()
@click.argument("name")
def pause(name: str) -> None:
    """Stop the schedule of pipeline NAME.

    A sweep that runs goes on, and notifications still load.
    """
    _schedules().pause(name)
    say(f"The schedule of {name} is paused; objects that are notified still load.")


@click.command()
@click.argument("name")
def resume(name: str) -> None:
    """Start the schedule of pipeline NAME again.

    Sessions that were missed while it was paused do not run: the next sweep finds what they would have found.
    """
    state = _schedules().resume(name)
    say(f"The schedule of {name} runs; next at {state.run_at:%Y-%m-%d %H:%M:%S} UTC.")


@click.command()
@click.argument("name")
@click.option("--full", is_flag=True, help="Compare the whole listing with the ledger, wherever the cursor is.")
@click.option("--at", type=Time(), help="Run as if at this past time; UTC if it names no offset.")
@click.option("--wait", is_flag=True, help="Return when all that it finds is loaded.")
def run(name: str, full: bool, at: datetime | None, wait: bool) -> None:
    """Sweep pipeline NAME now, whatever its schedule says, paused or not."""
    session = _schedules().run_now(name, full=full, at=at)
    say(f"A {'full ' if full else ''}sweep of {name} has started, for {session:%Y-%m-%d %H:%M:%S} UTC.")
    if wait:
        until_over(name, _schedules().sweep, time.sleep)
        say(f"It is over: `tidegate history {name}` shows what it found.")


def until_over(name: str, look: Callable[[str], Sweep | None], sleep: Callable[[float], None]) -> None:
    """Look again and again until all that the pipeline's sweep found is loaded. Raises what ended it early."""
    while True:
        sweep = look(name)
        if sweep is None or sweep.is_over:
            break
        sleep(POLL)
    if sweep is not None and sweep.error:
        raise TidegateError(sweep.error, where=f"sweep of {name}")


def _schedules() -> Schedules:
    """Those that the caller put into click's context, or the deployment's."""
    given = click.get_current_context().find_object(Schedules)
    return given or wiring.schedules()


COMMANDS = (pause, resume, run)

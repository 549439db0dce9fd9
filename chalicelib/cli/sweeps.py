"""`explain`, `audit`, `backfill`, `cursor`: what is where, and what a sweep would do."""

import shlex
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Protocol

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option, say, show_one, show_rows
from chalicelib.cli.schedules import Time, until_over
from chalicelib.core import cursors
from chalicelib.core.cursors import Cursor
from chalicelib.core.ledger import State
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import BACKFILL, SCHEDULED, Bounds, Sweep
from chalicelib.errors import ConfigError, TransientError
from chalicelib.flows.admin import Admin
from chalicelib.flows.audit import Audit, Auditing
from chalicelib.flows.estimate import BYTES_PER_SECOND, Estimate, Estimating, checked
from chalicelib.flows.explain import Explaining, Explanation
from chalicelib.flows.ports import Cursors, Jobs, Sweeps
from chalicelib.flows.sweep import Sweeping


class Parts(Protocol):
    """What these commands ask of `wiring`; a caller may put another into click's context."""

    @property
    def now(self) -> Callable[[], datetime]: ...  # noqa: D102
    def admin(self) -> Admin: ...  # noqa: D102
    def jobs(self) -> Jobs: ...  # noqa: D102
    def sweeps(self) -> Sweeps: ...  # noqa: D102
    def cursors(self) -> Cursors: ...  # noqa: D102
    def sweeping(self) -> Sweeping: ...  # noqa: D102
    def auditing(self) -> Auditing: ...  # noqa: D102
    def explaining(self) -> Explaining: ...  # noqa: D102
    def estimating(self) -> Estimating: ...  # noqa: D102


@click.command()
@click.argument("name")
@click.argument("key")
@json_option
def explain(name: str, key: str, as_json: bool) -> None:
    """Why KEY is, or is not, loaded by pipeline NAME: its rules, the ledger, the cursor, the bucket."""
    found = _parts().explaining().explain(name, key)
    show_one(asdict(found) if as_json else _explained(found), as_json=as_json)


@click.command()
@click.argument("name")
@click.option("--prefix", default="", help="Only keys that start with this.")
@click.option(
    "--since", default=24, show_default=True, type=click.IntRange(min=0), help="Hours for which tags are kept."
)
@click.option("--rows", is_flag=True, help="Count each object's rows in the table as well: reads all of it.")
@click.option("--examples", default=10, show_default=True, type=click.IntRange(min=0), help="Of each finding, at most.")
@json_option
def audit(name: str, prefix: str, since: int, rows: bool, examples: int, as_json: bool) -> None:
    """Compare bucket, ledger and table of pipeline NAME, key by key. Changes nothing.

    The exit code is 1 if rows are missing or doubled. What is younger than ten minutes is given time.
    """
    hours = timedelta(hours=since)
    found = _parts().auditing().audit(name, prefix=prefix, since=hours, rows=rows, examples=examples)
    show_one(_audited(found), as_json=as_json)
    if not found.clean:
        click.get_current_context().exit(1)


@click.command()
@click.argument("name")
@click.option("--as", "backfill_name", metavar="BACKFILL", help="Its own name. Without one, all are listed.")
@click.option("--prefix", default="", help="Only keys that start with this.")
@click.option("--start-after", default="", metavar="KEY", help="Only keys after this one.")
@click.option("--end-at", metavar="KEY", help="Only keys before this one.")
@click.option("--modified-after", type=Time(), help="Only objects of this time and later.")
@click.option("--modified-before", type=Time(), help="Only objects from before this time.")
@click.option("--max-concurrent-tasks", type=click.IntRange(min=1), help="So that arrivals keep their share.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@click.option("--cancel", is_flag=True, help="List no further; what is queued is still loaded.")
@click.option("--wait", is_flag=True, help="Return when all that it finds is loaded.")
@json_option
def backfill(
    name: str,
    backfill_name: str | None,
    max_concurrent_tasks: int | None,
    dry_run: bool,
    cancel: bool,
    wait: bool,
    as_json: bool,
    **bounds: Any,
) -> None:
    """Load what pipeline NAME missed, within bounds; what is loaded already stays as it is.

    A name is used once; a cancelled backfill goes on, within its first bounds, if it is started again.
    """
    _check_options(backfill_name, dry_run=dry_run, cancel=cancel, wait=wait, any_bounds=any(bounds.values()))
    parts = _parts()
    if dry_run:
        estimate = parts.estimating().estimate(name, Bounds(**bounds), max_concurrent_tasks=max_concurrent_tasks)
        show_one(_estimated(estimate), as_json=as_json)
    elif backfill_name is None:
        _list(parts, name, as_json=as_json)
    elif cancel:
        _cancel(parts, name, backfill_name)
    else:
        _start(parts, name, backfill_name, Bounds(**bounds), max_concurrent_tasks, wait=wait, as_json=as_json)


@click.group()
def cursor() -> None:
    """Where a pipeline's next sweep starts. Moving it doubles nothing: the ledger knows what is loaded."""


@cursor.command("show")
@click.argument("name")
@json_option
def cursor_show(name: str, as_json: bool) -> None:
    """The cursor of pipeline NAME, and where the next sweep starts."""
    pipeline = _parts().admin().pipeline(name)
    stored = _parts().cursors().get(name)
    starts = cursors.start(pipeline.source, stored)
    next_start = {"last_path": starts.last_path, "last_modified_time": starts.last_modified_time}
    show_one({**asdict(stored), "next_sweep": next_start}, as_json=as_json)


@cursor.command("set")
@click.argument("name")
@click.option("--last-path", metavar="KEY", help="The next sweep by key starts after this key.")
@click.option("--last-modified-time", type=Time(), help="The next sweep by time takes this time and later.")
def cursor_set(name: str, last_path: str | None, last_modified_time: datetime | None) -> None:
    """Move the cursor of pipeline NAME; what is not named stays.

    A sweep may run meanwhile: the ledger protects. What lies before the cursor is still found by full sweeps.
    """
    if last_path is None and last_modified_time is None:
        raise click.UsageError("give --last-path or --last-modified-time; `cursor reset` forgets both")
    stored = _stored_cursor(name)
    path = stored.last_path if last_path is None else last_path
    _move(stored, path, last_modified_time or stored.last_modified_time)


@cursor.command("reset")
@click.argument("name")
def cursor_reset(name: str) -> None:
    """Forget the cursor of pipeline NAME: the next sweep starts where the pipeline declares, or at the beginning.

    A sweep may run meanwhile: the ledger protects, and nothing is loaded twice.
    """
    _move(_stored_cursor(name), None, None)


def _stored_cursor(name: str) -> Cursor:
    _parts().admin().pipeline(name)
    return _parts().cursors().get(name)


def _move(stored: Cursor, last_path: str | None, last_modified_time: datetime | None) -> None:
    parts = _parts()
    moved = cursors.reset(stored, last_path=last_path, last_modified_time=last_modified_time, now=parts.now())
    if not parts.cursors().swap(moved):
        raise TransientError("a sweep moved it meanwhile", where=f"cursor of {stored.pipeline}", remedy="Try again")
    say(f"The cursor of {stored.pipeline} is moved; what is loaded stays loaded, once.")
    running = parts.sweeps().get(stored.pipeline, SCHEDULED)
    if running is not None and not running.is_over:
        say("A sweep is running: it goes on from where it is, and may move the cursor forward at its end.")


def _check_options(name: str | None, *, dry_run: bool, cancel: bool, wait: bool, any_bounds: bool) -> None:
    if sum((dry_run, cancel, wait)) > 1:
        raise click.UsageError("--dry-run, --cancel and --wait exclude each other")
    if name is None and not dry_run and (cancel or wait or any_bounds):
        raise click.UsageError("name the backfill: --as BACKFILL")


def _list(parts: Parts, name: str, *, as_json: bool) -> None:
    found = [sweep for sweep in parts.sweeps().all(name) if sweep.name.startswith(BACKFILL)]
    if not found:
        parts.admin().pipeline(name)
    show_rows((_progress(parts, sweep) for sweep in found), as_json=as_json, empty="No backfills yet.")


def _cancel(parts: Parts, name: str, backfill_name: str) -> None:
    parts.admin().pipeline(name)
    if not parts.sweeping().cancel(name, BACKFILL + backfill_name):
        where = f"backfill {backfill_name} of {name}"
        raise ConfigError("there is nothing to cancel", where=where, remedy=f"`tidegate backfill {name}` lists them")
    say(f"Backfill {backfill_name} lists no further; what is queued is still loaded.")


def _start(
    parts: Parts, name: str, backfill_name: str, bounds: Bounds, at_once: int | None, *, wait: bool, as_json: bool
) -> None:
    pipeline = parts.admin().pipeline(name)
    checked(pipeline, bounds)
    started = parts.sweeping().backfill(pipeline, backfill_name, bounds, max_concurrent_tasks=at_once)
    if as_json:
        show_one({"job": started.job, "backfill": backfill_name, "resumed": started.turn > 0}, as_json=True)
    else:
        how = f"goes on after {started.position!r}, within its first bounds" if started.turn else "has started"
        say(f"Backfill {backfill_name} {how}: job {started.job}.")
    if wait:
        until_over(name, lambda pipeline: parts.sweeps().get(pipeline, started.name), time.sleep)
        if not as_json:
            say(f"It is over: `tidegate job {started.job}` shows what it loaded.")


def _progress(parts: Parts, sweep: Sweep) -> dict[str, Any]:
    job = parts.jobs().job(sweep.job)
    return {
        "backfill": sweep.name.removeprefix(BACKFILL),
        "state": str(sweep.state),
        "job": sweep.job,
        "started": sweep.started_at,
        "listed to": sweep.position,
        "seen": sweep.seen,
        "accepted": sweep.accepted,
        "bytes": sweep.accepted_bytes,
        "tasks": job.tasks if job else 0,
        "unfinished": job.unfinished if job else 0,
        "error": sweep.error or "",
    }


def _audited(found: Audit) -> dict[str, Any]:
    examples = [asdict(example) for example in found.examples]
    return {"clean": found.clean, **asdict(found), "examples": examples}


def _estimated(found: Estimate) -> dict[str, Any]:
    return {**asdict(found), "assumed": f"{BYTES_PER_SECOND:,} bytes a second and task"}


def _explained(found: Explanation) -> dict[str, Any]:
    """For people: one line a rule, and only what the ledger has to say."""
    entry = {name: value for name, value in asdict(found.entry).items() if value} if found.entry else "nothing"
    listed = found.listed.ref if found.listed else None
    return {
        "verdict": f"refused by {found.refused_by.rule}" if found.refused_by else _wanted(found),
        "rules": {ruling.rule: _ruled(ruling.passes, ruling.setting) for ruling in found.rulings},
        "ledger": entry,
        "passed by the cursor": {True: "yes", False: "no", None: "unknown"}[found.passed],
        "in the bucket": found.trouble or str(found.there),
        "object": asdict(listed) if listed else None,
    }


def _wanted(found: Explanation) -> str:
    """What became of a key that no rule refuses, and what would change that."""
    entry = found.entry
    if entry is None:
        return f"wanted, by runs only: `tidegate run {found.pipeline}`" if found.runs_only else "wanted"
    if entry.state is State.COMMITTED:
        return "wanted, and loaded"
    reason = entry.reason or entry.leaving
    told = f"wanted, and {entry.state}" + (f": {reason}" if reason else "")
    if entry.state is State.FAILED or entry.reason is Reason.UNDONE:
        by_key = f"replay {found.pipeline} --key {shlex.quote(entry.key)}"
        again = f"run {found.pipeline}" if found.runs_only else by_key
        mended = "once it is mended, " if entry.state is State.FAILED else ""
        return f"{told}; {mended}`tidegate {again}` loads it"
    return told


def _ruled(passes: bool | None, setting: str) -> str:
    verdict = {True: "passes", False: "refuses", None: "unknown"}[passes]
    return f"{verdict} ({setting})" if setting else verdict


def _parts() -> Parts:
    """What the caller put into click's context, or the deployment's."""
    given: Parts | None = click.get_current_context().obj
    return given or wiring


COMMANDS = (explain, audit, backfill, cursor)

"""`replay`, `undo`: load objects once more; take out what one job has loaded."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Protocol

import click

from chalicelib import wiring
from chalicelib.cli.output import counted, json_option, say, show_one
from chalicelib.cli.schedules import POLL, Time
from chalicelib.core.jobs import JobState
from chalicelib.errors import ConfigError, TidegateError
from chalicelib.flows.ports import Jobs
from chalicelib.flows.replay import READ_BYTES, READ_OBJECTS, Chosen, Estimated, Replaying
from chalicelib.flows.undo import Undoing, Undone


class Parts(Protocol):
    """What these commands ask of `wiring`; a caller may put another into click's context."""

    def jobs(self) -> Jobs: ...  # noqa: D102
    def replaying(self) -> Replaying: ...  # noqa: D102
    def undoing(self) -> Undoing: ...  # noqa: D102


@click.command()
@click.argument("name")
@click.option("--key", help="This object.")
@click.option("--prefix", help="All objects whose keys start with this; '' for all.")
@click.option("--job", metavar="ID", help="The objects of this job, while their content is still the same.")
@click.option("--since", type=Time(), help="Those loaded, or tried, at this time or later.")
@click.option("--rejected", is_flag=True, help="Only those with bad rows, or set aside as a whole.")
@click.option("--dry-run", is_flag=True, help="Only say what would go, and read what would come.")
@click.option(
    "--read-at-most",
    default=READ_OBJECTS,
    show_default=True,
    type=click.IntRange(min=0),
    help=f"Objects that a dry run reads, of {READ_BYTES >> 30} GiB at most.",
)
@click.option("--wait", is_flag=True, help="Return when all is loaded.")
@json_option
def replay(
    name: str,
    key: str | None,
    prefix: str | None,
    job: str | None,
    since: datetime | None,
    rejected: bool,
    dry_run: bool,
    read_at_most: int,
    wait: bool,
    as_json: bool,
) -> None:
    """Load objects of pipeline NAME once more, as it is now; their rows replace the earlier ones, good and bad.

    What is chosen by several options must fit all of them.
    """
    if not rejected and all(choice is None for choice in (key, prefix, job, since)):
        raise ConfigError(
            "which objects?",
            where=f"replay {name}",
            remedy="Say --key KEY, --prefix PREFIX, --job ID, --since TIME or --rejected",
        )
    _check(dry_run=dry_run, wait=wait)
    chosen = Chosen(key, prefix or "", rejected, job, since)
    flow = _parts().replaying()
    if dry_run:
        _show_estimate(flow.estimate(name, chosen, objects=read_at_most), as_json=as_json)
        return
    done = flow.start(name, chosen)
    told = {"objects": done.objects, "rows": done.rows, "rejects": done.rejects, "jobs": list(done.jobs)}
    if as_json:
        show_one(told, as_json=True)
    else:
        say(f"Loaded again: {counted(done.objects, 'object')}. Replaced: {_rows(done.rows, done.rejects)}.")
    _follow(done.jobs, wait=wait, quiet=as_json)


@click.command()
@click.argument("job", metavar="JOB")
@click.option("--dry-run", is_flag=True, help="Only say what would go, and what would be left alone.")
@click.option("--wait", is_flag=True, help="Return when the rows are out.")
@json_option
def undo(job: str, dry_run: bool, wait: bool, as_json: bool) -> None:
    """Take the rows that JOB loaded out of the table again, good and bad.

    Objects that were loaded again, written over or deleted since are left alone. What JOB itself had replaced does
    not come back. `replay --job` loads the objects once more.
    """
    _check(dry_run=dry_run, wait=wait)
    flow = _parts().undoing()
    done = flow.estimate(job) if dry_run else flow.start(job)
    if as_json:
        show_one(_told(done), as_json=True)
    else:
        _show_undone(done, dry_run=dry_run)
    _follow(done.jobs, wait=wait, quiet=as_json)


def _show_estimate(found: Estimated, *, as_json: bool) -> None:
    if as_json:
        show_one({**_told(found), "unread": found.unread}, as_json=True)
        return
    say(f"Would be loaded again: {counted(found.objects, 'object')}.")
    say(f"Out: {_rows(found.rows, found.rejects)}.")
    unread = f", and whatever is in {counted(found.unread, 'object')} not read" if found.unread else ""
    say(f"In: {_rows(found.rows_in, found.rejects_in)}{unread}.")
    _show_reasons("would not be loaded, and their earlier rows stay", found.not_loaded, found.errors)


def _rows(good: int, bad: int) -> str:
    return f"{counted(good, 'row')} and {counted(bad, 'bad row')}"


def _told(found: Estimated | Undone) -> dict[str, Any]:
    return {field.name: _plain(getattr(found, field.name)) for field in fields(found)}


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value


def _show_undone(done: Undone, *, dry_run: bool) -> None:
    verb = "Would leave" if dry_run else "Leaving"
    objects = counted(done.objects, "object")
    say(f"{verb} the tables: {objects}, {_rows(done.rows, done.rejects)}.")
    if done.replaced:
        say(f"Of {done.replaced} of them the job had replaced earlier rows, which do not come back.")
    _show_reasons("left alone", done.left, {why: f"such as {key}" for why, key in done.examples.items()})


def _show_reasons(what: str, counts: Mapping[str, int], details: Mapping[str, str]) -> None:
    for reason, count in counts.items():
        detail = f" ({details[reason]})" if details.get(reason) else ""
        say(f"{count} {what}: {reason}{detail}.")


def _follow(jobs: Sequence[str], *, wait: bool, quiet: bool) -> None:
    for job in jobs if not quiet else ():
        say(f"Follow it with: tidegate job {job}")
    if wait:
        for job in jobs:
            until_over(job, _parts().jobs(), time.sleep)
        if jobs and not quiet:
            say("It is over.")


def until_over(name: str, jobs: Jobs, sleep: Callable[[float], None]) -> None:
    """Look again and again until the job is over. Raises TidegateError if it failed."""
    while (job := jobs.job(name)) is not None and job.state is JobState.RUNNING:
        sleep(POLL)
    if job is not None and job.error:
        raise TidegateError(job.error, where=f"job {name}")


def _check(*, dry_run: bool, wait: bool) -> None:
    if dry_run and wait:
        raise click.UsageError("--dry-run and --wait exclude each other")


def _parts() -> Parts:
    """What the caller put into click's context, or the deployment's."""
    given: Parts | None = click.get_current_context().obj
    return given or wiring


COMMANDS = (replay, undo)

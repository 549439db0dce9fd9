"""`issue`: load once what a load.yml finds, as Treasure Data's connector:issue does."""

import time
from pathlib import Path
from typing import Any, Protocol

import click

from chalicelib import wiring
from chalicelib.cli.documents import Aim, aimed, store
from chalicelib.cli.history import summary
from chalicelib.cli.output import json_option, read_document, say, show_one
from chalicelib.cli.schedules import until_over
from chalicelib.config.destination import Iceberg, Mode
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.jobs import Job, JobState
from chalicelib.errors import ConfigError, TidegateError
from chalicelib.flows.admin import Admin
from chalicelib.flows.ports import Jobs
from chalicelib.flows.schedules import Schedules


class Parts(Protocol):
    """What this command asks of `wiring`; a caller may put another into click's context."""

    def admin(self) -> Admin: ...  # noqa: D102
    def jobs(self) -> Jobs: ...  # noqa: D102
    def schedules(self) -> Schedules: ...  # noqa: D102


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--database", help="Where the table lies, if FILE does not say it, or otherwise.")
@click.option("--table", help="Where the rows end, if FILE does not say it, or otherwise.")
@click.option("--time-column", help="The column to partition by, one partition a day unless FILE says else.")
@click.option(
    "--auto-create-table/--no-auto-create-table",
    default=None,
    help="Make table and database if they are missing, or refuse. Without it, as FILE says.",
)
@click.option("--connection", help="The connection to read over, if FILE names none, or another.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="What happens to the rows there.")
@click.option("--as", "name", metavar="NAME", help="The pipeline's name: else FILE's, else DATABASE.TABLE.")
@click.option("--wait", is_flag=True, help="Return when all is loaded; exit code 1 if the job failed.")
@json_option
def issue(file: Path, connection: str | None, name: str | None, wait: bool, as_json: bool, **aim: Any) -> None:
    """Load once what FILE finds: no schedule, and no notifications unless FILE asks for them.

    It becomes a pipeline, whose ledger stays: issued again under the same name, only what is new is loaded.
    """
    parts = _parts()
    pipeline = _pipeline(file, Aim(**aim), connection, name)
    _check_taken(parts.admin().pipelines.get(pipeline.name), pipeline)
    stored = store(parts.admin(), pipeline)
    schedules = parts.schedules()
    schedules.run_now(pipeline.name, full=True)
    sweep = schedules.sweep(pipeline.name)
    assert sweep is not None, "it has just been started"
    if not as_json:
        say(stored)
        say(f"It loads: job {sweep.job}.")
    trouble = _trouble(pipeline.name, schedules) if wait else None
    told = {"pipeline": pipeline.name, "table": pipeline.out.address, "job": sweep.job}
    _report(parts.jobs().job(sweep.job), told, trouble, wait=wait, as_json=as_json)


def _trouble(name: str, schedules: Schedules) -> TidegateError | None:
    """What ended the run early, once it is over; None if nothing did."""
    try:
        until_over(name, schedules.sweep, time.sleep)
    except TidegateError as error:
        return error
    return None


def _pipeline(file: Path, aim: Aim, connection: str | None, name: str | None) -> Pipeline:
    """FILE as a pipeline that only runs when it is told to, unless FILE itself says more."""
    document = {"arrivals": False, **aimed(read_document(file), aim, where=str(file))}
    out = {"database": Iceberg.model_fields["database"].default, **document["out"]}
    document |= {"connection": connection} if connection else {}
    asked = {"connection": document.get("connection"), "table": out.get("table")}
    missing = [f"--{option} {option.upper()}" for option, value in asked.items() if value is None]
    if missing:
        remedy = f"Say {' and '.join(missing)}, or write it into FILE; nothing was changed"
        raise ConfigError("it does not say where from, or where to", where=str(file), remedy=remedy)
    document["name"] = name or document.get("name") or f"{out['database']}.{out.get('table')}"
    return Pipeline.parse(document, where=str(file))


def _check_taken(known: Pipeline | None, pipeline: Pipeline) -> None:
    """A name stands for one ledger: of one bucket's keys, in one table. Raises ConfigError for a name of others."""
    if known is None:
        return
    why = None
    if known.source.bucket != pipeline.source.bucket:
        why = f"it reads s3://{known.source.bucket}, and its ledger knows the keys of that bucket"
    elif known.out.address != pipeline.out.address:
        why = f"it writes to {known.out.address}, and its ledger says what is there"
    elif (known.schedule and not pipeline.schedule) or (known.takes_arrivals and not pipeline.takes_arrivals):
        why = f"it loads by itself, and would not any more; `tidegate run {known.name} --full` loads what it missed"
    if why is not None:
        raise ConfigError(
            f"there is such a pipeline: {why}", where=f"pipeline {known.name}", remedy="Give another name: --as NAME"
        )


def _report(job: Job | None, told: dict[str, Any], trouble: TidegateError | None, *, wait: bool, as_json: bool) -> None:
    """Say how the job stands, or how to see it. Raises TidegateError if it was waited for and failed."""
    found = summary(job) if job is not None and wait else {}
    if as_json:
        show_one({**told, **found}, as_json=True)
    elif found:
        say(f"It is over. Objects: {found['loaded']}, rows: {found['rows']}, bad rows: {found['rejects']}.")
    else:
        say(f"`tidegate job {told['job']}` shows how far it is.")
    if trouble is not None:
        raise trouble
    if wait and job is not None and job.state is JobState.FAILED:
        remedy = f"`tidegate objects {job.pipeline}` says why of each object; after mending it: `tidegate replay`"
        raise TidegateError(job.error or "it failed", where=f"job {job.id}", remedy=remedy)


def _parts() -> Parts:
    """What the caller put into click's context, or the deployment's."""
    given: Parts | None = click.get_current_context().obj
    return given or wiring


COMMANDS = (issue,)

"""`apply`, `create`, `list`, `show`, `delete`: pipelines."""

from pathlib import Path

import click

from chalicelib import wiring
from chalicelib.cli.documents import Aim, aimed, store
from chalicelib.cli.output import json_option, read_document, say, show_one, show_rows
from chalicelib.config.destination import Transform
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.columns import time_agreement
from chalicelib.errors import ConfigError

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=FILE)
def apply(file: Path) -> None:
    """Store the pipeline in FILE, new or changed. Its ledger stays: nothing is loaded twice."""
    pipeline = Pipeline.parse(read_document(file), where=str(file))
    say(store(wiring.admin(), pipeline))
    _say_if_idle(pipeline)


@click.command()
@click.argument("name")
@click.argument("cron")
@click.argument("database")
@click.argument("table")
@click.argument("file", type=FILE)
@click.option("--connection", help="The connection to read over, if FILE names none.")
@click.option("--time-column", help="The column to partition by, one partition a day unless FILE says else.")
@click.option("--timezone", help="Of CRON: Region/City, or UTC, which is the default.")
@click.option("--delay", type=click.IntRange(min=0), help="Seconds that every sweep waits beyond CRON.")
def create(
    name: str,
    cron: str,
    database: str,
    table: str,
    file: Path,
    connection: str | None,
    time_column: str | None,
    timezone: str | None,
    delay: int | None,
) -> None:
    """Make pipeline NAME from a load.yml, as Treasure Data's connector:create does.

    CRON has five fields, or is @hourly, @daily, @monthly or rate(15 minutes); it is '' for a pipeline that listens to
    notifications only.
    """
    document = aimed(read_document(file), Aim(database, table, time_column), where=str(file))
    document |= {"name": name} | ({"connection": connection} if connection else {})
    if cron:
        given = {"cron": cron, "timezone": timezone, "delay": delay}
        document["schedule"] = {option: value for option, value in given.items() if value is not None}
    pipeline = Pipeline.parse(document, where=str(file))
    if wiring.pipelines().get(name) is not None:
        raise ConfigError(
            "this name is taken", where=f"pipeline {name}", remedy="Use `tidegate apply` to change a pipeline"
        )
    say(store(wiring.admin(), pipeline))
    _say_if_idle(pipeline)


def _say_if_idle(pipeline: Pipeline) -> None:
    """A pipeline that waits to be told is easily taken for one that is broken."""
    if not pipeline.takes_arrivals and pipeline.schedule is None:
        say(f"Note: it loads by runs only, and has no schedule: `tidegate run {pipeline.name}`.", err=True)


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All pipelines."""
    rows = (
        {
            "name": p.name,
            "connection": p.connection,
            "source": f"s3://{p.source.bucket}/{p.source.path_prefix}",
            "table": p.out.address,
        }
        for p in wiring.pipelines().all()
    )
    show_rows(rows, as_json=as_json, empty="No pipelines yet: `tidegate apply --help`.")


@click.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One pipeline, the columns its rows turned out to have, and where its schedule and its connection stand.

    `chosen_time_column` tells the partition where the document names no time_column.
    """
    pipeline = wiring.admin().pipeline(name)
    state = wiring.schedules().state(name)
    more = {
        "chosen_time_column": _chosen_time_column(pipeline),
        "settled_columns": [column.document() for column in wiring.pipelines().columns(name)],
        "next_run": state.run_at if state is not None else None,
        "connection_failing": wiring.health().get(pipeline.connection).reason,
    }
    show_one(pipeline.document() | {name: value for name, value in more.items() if value}, as_json=as_json)


def _chosen_time_column(pipeline: Pipeline) -> str | None:
    """The time column that was chosen by rule; None where the document names one, or no rows have come yet."""
    out = pipeline.out
    if out.transform is Transform.NONE or out.time_column is not None:
        return None
    return next((column.name for column in wiring.pipelines().columns(time_agreement(out.address))), None)


@click.command()
@click.argument("name")
def delete(name: str) -> None:
    """Forget pipeline NAME. Its ledger, its history and its table stay."""
    wiring.admin().delete(name)
    say(f"Pipeline {name} is deleted; its ledger and its table stay.")


COMMANDS = (apply, create, list_, show, delete)

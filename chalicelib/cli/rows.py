"""`rows`: look at the result."""

import json

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option, say, show_rows
from chalicelib.errors import ConfigError


@click.command()
@click.argument("table", metavar="DATABASE.TABLE")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=1))
@click.option("--count", is_flag=True, help="Only the number of rows.")
@click.option("--parquet", is_flag=True, help="The table is a plain Parquet dataset.")
@json_option
def rows(table: str, limit: int, count: bool, parquet: bool, as_json: bool) -> None:
    """The first rows of a table, or their number."""
    database, dot, name = table.partition(".")
    if not (database and dot and name):
        raise ConfigError("it is no DATABASE.TABLE", where=table, remedy="Write it like travel.flights")
    tables = wiring.parquet() if parquet or _is_parquet(table) else wiring.iceberg()
    if count:
        number = tables.count(database, name)
        say(json.dumps({"count": number}) if as_json else number)
        return
    show_rows(tables.rows(database, name, limit).to_pylist(), as_json=as_json, empty="No rows.")


def _is_parquet(table: str) -> bool:
    """True if a pipeline says so; a table that no pipeline writes is looked for in the catalogue."""
    return any(pipeline.out.address == f"parquet:{table}" for pipeline in wiring.pipelines().all())


COMMANDS = (rows,)

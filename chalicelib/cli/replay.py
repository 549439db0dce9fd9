"""`replay`: load objects once more."""

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option, show_one
from chalicelib.errors import ConfigError
from chalicelib.flows.replay import Chosen


@click.command()
@click.argument("name")
@click.option("--key", help="This object.")
@click.option("--prefix", help="All objects whose keys start with this; '' for all.")
@click.option("--rejected", is_flag=True, help="Only those with bad rows, or set aside as a whole.")
@click.option("--dry-run", is_flag=True, help="Only say what would be loaded and replaced.")
@json_option
def replay(name: str, key: str | None, prefix: str | None, rejected: bool, dry_run: bool, as_json: bool) -> None:
    """Load objects of pipeline NAME once more, as it is now; their rows replace the earlier ones, good and bad."""
    if (key is None) == (prefix is None) and not (rejected and key is None):
        raise ConfigError(
            "which objects?", where=f"replay {name}", remedy="Say --key KEY, --prefix PREFIX or --rejected"
        )
    chosen = Chosen(key, prefix or "", rejected)
    flow = wiring.replaying()
    done = flow.estimate(name, chosen) if dry_run else flow.start(name, chosen)
    if as_json:
        show_one(
            {"objects": done.objects, "rows": done.rows, "rejects": done.rejects, "jobs": list(done.jobs)}, as_json=True
        )
        return
    verb = "would be loaded" if dry_run else "are loaded"
    click.echo(f"{done.objects} objects {verb} again; {done.rows} rows and {done.rejects} bad rows are replaced.")
    for job in done.jobs:
        click.echo(f"Follow it with: tidegate job {job}")


COMMANDS = (replay,)

"""`local up` and `demo`: everything on one machine."""

from pathlib import Path

import click


@click.group()
def local() -> None:
    """The embedded AWS, on this machine."""


@local.command()
@click.option("--port", default=4566, show_default=True, help="On 127.0.0.1; 0 takes a free one.")
@click.option("--data", type=click.Path(path_type=Path), default=Path(".tidegate"), show_default=True)
@click.option("--workers", default=2, show_default=True, help="Processes a queue; 0 runs handlers in this one.")
def up(port: int, data: Path, workers: int) -> None:
    """Run the embedded AWS with the application in it, until stopped; its data stays."""
    from chalicelib.local.up import Options
    from chalicelib.local.up import up as run

    run(Options(data=data, port=port, workers=workers), click.echo)


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Keep everything here; left out, it is thrown away.")
def demo(data: Path | None) -> None:
    """A customer's bucket, real data, rows in a table; then every notification again."""
    from chalicelib.local.demo import demo as run

    run(data, click.echo)


COMMANDS = (local, demo)

"""`python -m chalicelib.local`: another runtime on an embedded AWS that is up already.

It takes the embedded AWS and the stack from the environment that `local up` prints, so that two runtimes can work on
the same queues, and one can be killed while the emulator lives.
"""

import os
import signal
import threading
from pathlib import Path

import click

from chalicelib.local.account import account_of
from chalicelib.local.project import Project
from chalicelib.local.runtime import TICK, WORKERS, Runtime
from chalicelib.local.stack import existing
from chalicelib.local.up import show_log


@click.command()
@click.option("--workers", default=WORKERS, help="Calls of one function at a time; 0 calls them in this process.")
@click.option("--tick", default=TICK, help="Seconds between two calls of the schedules' handlers.")
@click.option("--root", default=None, help="Folder of the application; this project's by default.")
@click.option("--module", default="app", help="Module of the application.")
def main(workers: int, tick: float, root: str | None, module: str) -> None:
    """Run the application on the stack that the environment names, until SIGINT or SIGTERM."""
    show_log()
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    project = Project(module=module) if root is None else Project(Path(root).resolve(), module)
    stack = existing(account_of(os.environ), os.environ.get("TIDEGATE_STACK", "tidegate"))
    with Runtime(project, stack, workers=workers, tick=tick):
        click.echo("listening")
        stop.wait()


if __name__ == "__main__":
    main()

"""`tidegate`: the commands, and how errors leave.

Exit code 0 is success, 1 a failed operation, 2 bad usage or bad configuration.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import click

from chalicelib.cli import (
    connections,
    doctor,
    guess,
    history,
    issue,
    local,
    maintain,
    pipelines,
    policy,
    preview,
    rejects,
    replay,
    rows,
    schedules,
    sweeps,
)
from chalicelib.cli.output import say
from chalicelib.errors import ConfigError, TidegateError


def _version() -> str:
    try:
        return version("tidegate")
    except PackageNotFoundError:
        return "(a checkout that is not installed)"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_version(), prog_name="tidegate")
def tidegate() -> None:
    """Data flows one way: from other people's S3 buckets into your lake tables, once, as soon as it lands.

    Commands talk to whatever the standard AWS environment points at (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL);
    TIDEGATE_STACK and TIDEGATE_BUCKET name the deployment.
    """


for command in (
    *connections.COMMANDS,
    *doctor.COMMANDS,
    *policy.COMMANDS,
    *pipelines.COMMANDS,
    *guess.COMMANDS,
    *preview.COMMANDS,
    *issue.COMMANDS,
    *history.COMMANDS,
    *rows.COMMANDS,
    *rejects.COMMANDS,
    *replay.COMMANDS,
    *schedules.COMMANDS,
    *sweeps.COMMANDS,
    *maintain.COMMANDS,
    *local.COMMANDS,
):
    tidegate.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command, from `sys.argv` unless told; an error is one sentence on standard error, never a traceback."""
    try:
        tidegate(arguments)
    except TidegateError as error:
        say(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)

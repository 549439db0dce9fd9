"""`policy`: what customers' admins, and our own, have to paste."""

import json

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option
from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.parsers.objects import Objects
from chalicelib.core import policies
from chalicelib.core.connections import Grant
from chalicelib.errors import ConfigError


@click.command()
@click.argument("name")
@click.argument("kind", type=click.Choice(["trust", "role", "all"]), default="all")
@json_option
def policy(name: str, kind: str, as_json: bool) -> None:
    """Print the policies that let connection NAME in, and no further.

    `trust` is who may assume the role, `role` is what the role may read.
    """
    grant = wiring.admin().connection(name)
    connection = grant.connection
    if not isinstance(connection, AssumeRole):
        raise ConfigError("it assumes no role", where=f"connection {name}")
    printed = {"trust": _trust(grant), "role": _role(grant)}
    if as_json or kind != "all":
        click.echo(json.dumps(printed if kind == "all" else printed[kind], indent=None if as_json else 2))
        return
    click.echo(f"# Trust policy of {connection.role}")
    click.echo(json.dumps(printed["trust"], indent=2))
    click.echo("\n# Permissions of that role")
    click.echo(json.dumps(printed["role"], indent=2))


def _trust(grant: Grant) -> policies.Policy:
    return policies.trust(f"arn:{grant.connection.partition}:iam::{wiring.account()}:root", grant.external_id)


def _role(grant: Grant) -> policies.Policy:
    connection = grant.connection
    reads = [p.source for p in wiring.pipelines().all() if p.connection == connection.name]
    buckets = connection.buckets or tuple(dict.fromkeys(source.bucket for source in reads))
    prefixes = connection.prefixes or tuple(dict.fromkeys(source.path_prefix for source in reads))
    tags = any(isinstance(source.parser, Objects) and source.parser.tags for source in reads)
    return policies.role(buckets, [] if "" in prefixes else prefixes, tags=tags, partition=connection.partition)


COMMANDS = (policy,)

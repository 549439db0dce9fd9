"""`connection …` and `policy`: ways into customers' accounts, and what their admins have to paste."""

import json
from pathlib import Path
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option, read_document, show_one, show_rows
from chalicelib.config.connection import Connection
from chalicelib.config.parsers.objects import Objects
from chalicelib.core import policies
from chalicelib.core.connections import Grant


@click.group()
def connection() -> None:
    """Ways into customers' accounts."""


@connection.command()
@click.argument("name")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="A YAML document with the options below.")
@click.option("--role-arn", help="The role that the customer makes for you.")
@click.option("--account-id", help="Instead of --role-arn, together with --role-name.")
@click.option("--role-name", help="With its path, if it has one.")
@click.option("--arn-partition", help="aws, aws-cn or aws-us-gov.")
@click.option("--session-name", help="Shows in the customer's CloudTrail.")
@click.option("--duration-in-seconds", type=int, help="900 to 3600; AWS caps chained roles at an hour.")
@click.option("--region", help="The region of the customer's buckets.")
@click.option("--bucket", "buckets", multiple=True, help="Allow this bucket only; may be repeated.")
@click.option("--prefix", "prefixes", multiple=True, help="Allow keys under this prefix only; may be repeated.")
@json_option
def create(name: str, file: Path | None, as_json: bool, **options: Any) -> None:
    """Make a connection; its external id is made here, once."""
    document = read_document(file) if file else {}
    document |= {key: value for key, value in options.items() if value not in (None, ())}
    spec = Connection.parse({**document, "name": name}, where=str(file or f"connection {name}"))
    grant = wiring.admin().connect(spec)
    show_one(_shown(grant), as_json=as_json)
    if not as_json:
        click.echo(f"\nNext: the customer's admin pastes what `tidegate policy {name}` prints.")


@connection.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All connections."""
    rows = (
        {"name": g.connection.name, "role": g.connection.role, "external id": g.external_id, "created": g.created_at}
        for g in wiring.connections().all()
    )
    show_rows(rows, as_json=as_json, empty="No connections yet: `tidegate connection create --help`.")


@connection.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One connection."""
    show_one(_shown(wiring.admin().connection(name)), as_json=as_json)


@connection.command()
@click.argument("name")
def delete(name: str) -> None:
    """Forget a connection that no pipeline uses; its external id is gone for good."""
    wiring.admin().disconnect(name)
    click.echo(f"Connection {name} is deleted.")


@click.command()
@click.argument("name")
@click.argument("kind", type=click.Choice(["trust", "role", "all"]), default="all")
@json_option
def policy(name: str, kind: str, as_json: bool) -> None:
    """Print the policies that let connection NAME in, and no further.

    `trust` is who may assume the role, `role` is what the role may read.
    """
    grant = wiring.admin().connection(name)
    printed = {"trust": _trust(grant), "role": _role(grant)}
    if as_json or kind != "all":
        click.echo(json.dumps(printed if kind == "all" else printed[kind], indent=None if as_json else 2))
        return
    click.echo(f"# Trust policy of {grant.connection.role}")
    click.echo(json.dumps(printed["trust"], indent=2))
    click.echo("\n# Permissions of that role")
    click.echo(json.dumps(printed["role"], indent=2))


def _trust(grant: Grant) -> policies.Policy:
    partition = grant.connection.role.split(":")[1]
    return policies.trust(f"arn:{partition}:iam::{wiring.account()}:root", grant.external_id)


def _role(grant: Grant) -> policies.Policy:
    connection = grant.connection
    partition = connection.role.split(":")[1]
    reads = [p.source for p in wiring.pipelines().all() if p.connection == connection.name]
    buckets = connection.buckets or tuple(dict.fromkeys(source.bucket for source in reads))
    prefixes = connection.prefixes or tuple(dict.fromkeys(source.path_prefix for source in reads))
    tags = any(isinstance(source.parser, Objects) and source.parser.tags for source in reads)
    return policies.role(buckets, [] if "" in prefixes else prefixes, tags=tags, partition=partition)


def _shown(grant: Grant) -> dict[str, Any]:
    return {
        **grant.connection.model_dump(mode="json", exclude_none=True),
        "role_arn": grant.connection.role,
        "external_id": grant.external_id,
        "created_at": grant.created_at,
    }


COMMANDS = (connection, policy)

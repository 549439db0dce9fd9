"""`connection …`: ways into customers' accounts."""

from pathlib import Path
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option, read_document, show_one, show_rows
from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.connection import parse_connection
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
    spec = parse_connection({**document, "name": name}, where=str(file or f"connection {name}"))
    grant = wiring.admin().connect(spec)
    show_one(_shown(grant), as_json=as_json)
    if not as_json:
        click.echo(f"\nNext: the customer's admin pastes what `tidegate policy {name}` prints.")


@connection.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All connections."""
    rows = (
        {"name": g.connection.name, "method": g.connection.auth_method, "created": g.created_at}
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


def _shown(grant: Grant) -> dict[str, Any]:
    role = {"role_arn": grant.connection.role} if isinstance(grant.connection, AssumeRole) else {}
    return {
        **grant.connection.model_dump(mode="json", exclude_none=True),
        **role,
        "external_id": grant.external_id,
        "created_at": grant.created_at,
    }


COMMANDS = (connection,)

"""`connection …`: ways into customers' accounts."""

from pathlib import Path
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.keys import Asking, read_keys
from chalicelib.cli.output import json_option, read_document, say, show_one, show_rows
from chalicelib.cli.ways import declared, way_options
from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.connection import Connection, parse_connection
from chalicelib.core.connections import Grant, standing
from chalicelib.core.keeping import doors, needed
from chalicelib.errors import ConfigError
from chalicelib.flows.connecting import taken

FILE = click.option("-f", "--file", type=click.Path(path_type=Path), help="A YAML document with the options below.")
KEYS = click.option(
    "--keys-file",
    type=click.Path(path_type=Path),
    help="Read keys from this file, or `-`: what `aws sts` prints, or lines as in ~/.aws/credentials.",
)


@click.group()
def connection() -> None:
    """Ways into customers' accounts."""


@connection.command()
@click.argument("name")
@FILE
@KEYS
@way_options
@json_option
def create(name: str, file: Path | None, keys_file: Path | None, as_json: bool, **options: Any) -> None:
    """Make a connection; its external id is made here, once. Secrets are asked for."""
    document = (read_document(file) if file else {}) | declared(options)
    spec = parse_connection({**document, "name": name}, where=str(file or f"connection {name}"))
    if wiring.connections().get(name) is not None:
        raise taken(name)
    wiring.connecting().check(spec)  # both before anybody types a secret
    keys = read_keys(keys_file) if keys_file else Asking().keys(spec) if needed(spec) else None
    grant = wiring.connecting().connect(spec, keys)
    show_one(_shown(grant), as_json=as_json)
    if not as_json:
        say("")
        say(f"Next: `tidegate policy {name}` prints what to paste, and who does. Then try `tidegate doctor {name}`.")


@connection.command()
@click.argument("name")
@FILE
@KEYS
@click.option("--unset", multiple=True, metavar="KEY", help="Take this key out again; may be repeated.")
@way_options
@json_option
def edit(
    name: str, file: Path | None, keys_file: Path | None, unset: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Change a connection. What is not given stays as it is; without options, asks for new secrets.

    Name, owner, customer and method stay: another one is another connection, with an external id of its own.
    """
    before = wiring.admin().connection(name)
    changes = (read_document(file) if file else {}) | declared(options)
    where = str(file or f"connection {name}")
    spec = wiring.connecting().edited(name, changes, unset, where=where)
    wiring.connecting().check(spec)
    keys = read_keys(keys_file) if keys_file else None
    if keys is None and needed(spec) and _asks(before, spec, changed=bool(changes or unset)):
        keys = Asking().keys(spec, known=True)
    if keys is None and not changes and not unset:
        raise ConfigError("there is nothing to change", where=where, remedy="Give options, see --help")
    edited = wiring.connecting().edit(spec, keys)
    for warning in edited.warnings:
        say(f"Warning: {warning}", err=True)
    show_one(_shown(edited.grant), as_json=as_json)


@connection.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All connections."""
    now = wiring.now()
    rows = (
        {
            "name": g.connection.name,
            "method": g.connection.auth_method,
            "region": g.connection.region,
            "owner": g.connection.owner,
            "state": standing(g, wiring.health().get(g.connection.name), now),
            "expires": None if g.kept is None else g.kept.expires_at,
        }
        for g in wiring.connections().all()
    )
    show_rows(rows, as_json=as_json, empty="No connections yet: `tidegate connection create --help`.")


@connection.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One connection, with what may be told of its keys, its state, and the pipelines that use it."""
    show_one(_shown(wiring.admin().connection(name)), as_json=as_json)


@connection.command()
@click.argument("name")
def delete(name: str) -> None:
    """Forget a connection that no pipeline uses; its external id and its keys are gone for good."""
    wiring.connecting().disconnect(name)
    say(f"Connection {name} is deleted.")


def _asks(before: Grant, after: Connection, *, changed: bool) -> bool:
    """True if secrets are to be asked for: nothing else is changed, or others are needed than before."""
    return not changed or before.kept is None or doors(before.connection) != doors(after)


def _shown(grant: Grant) -> dict[str, Any]:
    connection = grant.connection
    health = wiring.health().get(connection.name)
    shown = connection.model_dump(mode="json", exclude_none=True)
    if isinstance(connection, AssumeRole):
        shown |= {"role_arn": connection.role, "external_id": grant.external_id}
    if grant.kept is not None:
        shown["keys"] = {
            "access_key_id": grant.kept.access_key or None,
            "kept_at": grant.kept.at,
            "expires_at": grant.kept.expires_at,
        }
    return {
        **shown,
        "created_at": grant.created_at,
        "state": standing(grant, health, wiring.now()),
        "reason": health.reason,
        "next_try_at": health.next_try_at,
        "pipelines": [pipeline.name for pipeline in wiring.connecting().users(connection.name)],
    }


COMMANDS = (connection,)

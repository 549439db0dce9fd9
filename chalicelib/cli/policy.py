"""`policy`: what customers' admins, and our own, have to paste."""

import json
from collections.abc import Sequence

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option
from chalicelib.core import printing
from chalicelib.core.policies.recipes import absence, sheets
from chalicelib.core.policies.sheets import Facts, Kind, Seat, Sheet
from chalicelib.errors import ConfigError

ALL = "all"
TEXTS = {"cloudformation": printing.cloudformation, "terraform": printing.terraform, "cli": printing.shell}


@click.command()
@click.argument("name")
@click.argument("kind", type=click.Choice([*(kind.value for kind in Kind), ALL]), default=ALL)
@click.option("--format", "form", type=click.Choice(["json", *TEXTS]), default="json", help="json unless told.")
@click.option(
    "--for", "seat", type=click.Choice([seat.value for seat in Seat]), help="Only what this side's admin pastes."
)
@click.option("--account", help="Only what goes into this account.")
@json_option
def policy(name: str, kind: str, form: str, seat: str | None, account: str | None, as_json: bool) -> None:
    """Print the policies that let connection NAME in, and no further: ready to paste.

    KIND is `trust` (who may assume the role), `role` (what the reader may do), `bucket`, `kms` (what the bucket's and
    the key's policies must say), `queue` (who may send to our queue), `notification` (how the bucket tells us), or
    `all`.

    Templates and commands are for one account at a time, the customer's unless told. They leave out what is needed
    in some accounts only, such as a bucket policy beside a role; name its KIND to have it. With --json, a kind of
    several documents is a list that says where each belongs.
    """
    facts = wiring.facts(name)
    found = _chosen(facts, kind, seat, account)
    if as_json:
        by_kind = printing.by_kind(found)
        click.echo(json.dumps(by_kind if kind == ALL else by_kind[kind]))
    elif form == "json":
        click.echo(printing.documents(found), nl=False)
    else:
        click.echo(TEXTS[form](_bundle(name, found, kind, seat)), nl=False)


def _chosen(facts: Facts, kind: str, seat: str | None, account: str | None) -> list[Sheet]:
    """The sheets that are asked for; ConfigError if there are none."""
    of_kind = [sheet for sheet in sheets(facts) if kind in (sheet.kind, ALL)]
    where = f"connection {facts.grant.connection.name}"
    if not of_kind:
        if kind == ALL:
            raise ConfigError("nothing has to be pasted", where=where)
        raise ConfigError(f"it {absence(facts, Kind(kind)).removeprefix(f'{where} ')}", where=where)
    found = [s for s in of_kind if seat in (s.seat, None) and account in (s.account, None)]
    if not found:
        places = dict.fromkeys(f"the {s.seat}'s in account {s.account or 'unknown'}" for s in of_kind)
        raise ConfigError("nothing of it is asked there", where=where, remedy=f"There is: {', '.join(places)}")
    return found


def _bundle(name: str, found: Sequence[Sheet], kind: str, seat: str | None) -> printing.Bundle:
    """What one admin does in one account. With everything, what works without is left out: it is asked for by kind."""
    needed = [sheet for sheet in found if sheet.needed] if kind == ALL else []
    bundles = printing.bundles(name, needed or found)
    customers = [bundle for bundle in bundles if bundle.seat is Seat.CUSTOMER]
    mine = customers if customers and seat is None else bundles
    if len(mine) > 1:
        accounts = ", ".join(f"{bundle.account or 'unknown'} (for the {bundle.seat})" for bundle in mine)
        raise ConfigError(
            f"this goes into several accounts: {accounts}",
            where=f"connection {name}",
            remedy="Choose one with --account, or one KIND",
        )
    (bundle,) = mine
    return bundle


COMMANDS = (policy,)

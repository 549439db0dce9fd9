"""`doctor` and `connection test`: whether a connection lets us in, and which statement is missing if it does not."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.connections import connection
from chalicelib.cli.output import json_option, say, show_rows
from chalicelib.core.findings import Finding, Missing, Verdict
from chalicelib.core.policies.sheets import Seat

WIDTH = 9  # of the verdict
ADMIN = {Seat.CUSTOMER: "the customer's admin", Seat.OPERATOR: "you, Tidegate's operator"}


@click.command()
@click.argument("name")
@click.option("--bucket", help="Look at this bucket only; needed where no pipeline reads over the connection yet.")
@click.option("--key", help="Look at this object; left out: the newest that can be read.")
@json_option
@click.pass_context
def doctor(context: click.Context, name: str, bucket: str | None, key: str | None, as_json: bool) -> None:
    """Examine connection NAME step by step, reading only: what AWS said, what to do, which statement to add where.

    Exit code 1 if something fails.
    """
    findings = wiring.doctor().examine(name, bucket=bucket, key=key)
    if as_json:
        show_rows((asdict(each) for each in findings), as_json=True)
    else:
        for each in findings:
            _show(name, each)
    _leave(context, findings)


@connection.command("test")
@click.argument("name")
@click.option("--bucket", help="Look at this bucket only; needed where no pipeline reads over the connection yet.")
@json_option
@click.pass_context
def test(context: click.Context, name: str, bucket: str | None, as_json: bool) -> None:
    """Try connection NAME, reading only, and show how each step ended; `tidegate doctor` says more.

    Exit code 1 if one fails.
    """
    findings = wiring.doctor().examine(name, bucket=bucket)
    show_rows((_short(each) for each in findings), as_json=as_json)
    if not as_json and any(each.verdict is not Verdict.OK for each in findings):
        say(f"What to do about it: `tidegate doctor {name}`.")
    _leave(context, findings)


def _short(finding: Finding) -> dict[str, Any]:
    return {"step": finding.step, "of": finding.subject, "verdict": finding.verdict.value}


def _leave(context: click.Context, findings: Sequence[Finding]) -> None:
    if any(each.verdict is Verdict.FAIL for each in findings):
        context.exit(1)


def _show(name: str, finding: Finding) -> None:
    of = f" {finding.subject}:" if finding.subject else ":"
    say(f"{finding.verdict.value:<{WIDTH}}{finding.step}{of} {finding.evidence}")
    if finding.advice:
        say(f"{'':<{WIDTH}}{finding.advice}.")
    for each in finding.missing:
        _show_missing(name, each)


def _show_missing(name: str, missing: Missing) -> None:
    account = f" in account {missing.account}" if missing.account else ""
    what = "this" if missing.sid == missing.place else missing.sid
    say(f"{'':<{WIDTH}}- {what}, into {missing.place} ({missing.target}){account},")
    say(f"{'':<{WIDTH}}  by {ADMIN[missing.seat]}; `tidegate policy {name} {missing.kind.value}` prints it all:")
    for line in json.dumps(missing.statement, indent=2).splitlines():
        say(f"{'':<{WIDTH}}    {line}")


COMMANDS = (doctor,)

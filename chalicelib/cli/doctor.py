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
        show_findings(name, findings)
    _leave(context, findings)


@connection.command("test")
@click.argument("name")
@click.option("--bucket", help="Look at this bucket only; needed where no pipeline reads over the connection yet.")
@json_option
@click.pass_context
def test(context: click.Context, name: str, bucket: str | None, as_json: bool) -> None:
    """Try connection NAME, reading only: how each step ended, and what to do where one did not end well.

    `tidegate doctor` tries the same, and shows what AWS said in each step. Exit code 1 if one fails.
    """
    findings = wiring.doctor().examine(name, bucket=bucket)
    if as_json:
        show_rows((_short(each) for each in findings), as_json=True)
    else:
        show_findings(name, findings, brief=True)
    _leave(context, findings)


def _short(finding: Finding) -> dict[str, Any]:
    return {"step": finding.step, "of": finding.subject, "verdict": finding.verdict.value}


def _leave(context: click.Context, findings: Sequence[Finding]) -> None:
    if any(each.verdict is Verdict.FAIL for each in findings):
        context.exit(1)


def show_findings(name: str, findings: Sequence[Finding], *, brief: bool = False) -> None:
    """Each finding in words; `brief`: those that ended well by their names. A statement is printed once."""
    printed: list[dict[str, Any]] = []
    for finding in findings:
        step = f"{finding.verdict.value:<{WIDTH}}{finding.step} {finding.subject}".rstrip()
        if brief and finding.verdict in (Verdict.OK, Verdict.SKIPPED):
            say(step)
            continue
        say(f"{step}: {finding.evidence}")
        if finding.advice:
            say(f"{'':<{WIDTH}}{finding.advice}.")
        for number, each in enumerate(finding.missing):
            _show_missing(name, each, "or" if number else "-", again=each.statement in printed)
            printed.append(each.statement)


def _show_missing(name: str, missing: Missing, mark: str, *, again: bool) -> None:
    account = f" in account {missing.account}" if missing.account else ""
    what = "this" if missing.sid == missing.place else missing.sid
    by = f"{'':<{WIDTH}}  by {ADMIN[missing.seat]}"
    say(f"{'':<{WIDTH}}{mark} {what}, into {missing.place} ({missing.target}){account},")
    if again:
        say(f"{by}; it stands above")
        return
    say(f"{by}; `tidegate policy {name} {missing.kind.value}` prints it all:")
    for line in json.dumps(missing.statement, indent=2).splitlines():
        say(f"{'':<{WIDTH}}    {line}")


COMMANDS = (doctor,)

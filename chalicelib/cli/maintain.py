"""`maintain`: small files put together, old snapshots forgotten, unneeded files deleted, by hand."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option, say, show_rows
from chalicelib.core.maintenance import Part, Report
from chalicelib.errors import TransientError

UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


@click.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--only", type=click.Choice([part.value for part in Part]), help="This part alone.")
@json_option
def maintain(name: str, dry_run: bool, only: str | None, as_json: bool) -> None:
    """Maintain both tables of pipeline NAME now: its rows and its bad rows."""
    parts = frozenset({Part(only)}) if only else frozenset(Part)
    reports = wiring.maintaining().pipeline(name, parts, dry_run=dry_run)
    if as_json:
        show_rows(map(_document, reports), as_json=True)
    else:
        for report in reports:
            _tell(report, parts)
    errors = [report.error for report in reports if report.error]
    if errors:
        raise TransientError(errors[0], where=f"maintenance of {name}", remedy="What was done before it stays done")


def _document(report: Report) -> Mapping[str, Any]:
    derived = {"files_after": report.files_after, "bytes_saved": report.bytes_saved, "more": report.more}
    return {**asdict(report), **derived}


def _tell(report: Report, parts: frozenset[Part]) -> None:
    will = "would be " if report.dry_run else ""
    compacted, expired, cleaned = report.compacted, report.expired, report.cleaned
    say(report.table)
    if Part.COMPACT in parts and compacted.files:
        about, sizes = "about ", ""
        if not report.dry_run:
            about, sizes = "", f", {_size(compacted.read_bytes)} to {_size(compacted.written_bytes)}"
        result = f" in {about}{compacted.written}{sizes}" if compacted.read else ""
        say(f"  {compacted.read} of {compacted.files} files {will}put together{result}")
        _tell_left(compacted.left)
    if Part.EXPIRE in parts and expired.snapshots:
        say(f"  {expired.expired} of {expired.snapshots} snapshots {will}forgotten")
    if Part.ORPHANS in parts:
        say(
            f"  {cleaned.orphans} files that nobody needs {will}deleted, {_size(cleaned.orphan_bytes)}; "
            f"{cleaned.uploads} uploads {will}aborted"
        )
        _tell_left(cleaned.left)
    if report.more:
        say("  There is more to do: run it again")


def _tell_left(reasons: Mapping[str, int]) -> None:
    for why, count in reasons.items():
        say(f"    left alone: {count}, {why}")


def _size(count: int) -> str:
    for unit, name in UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


COMMANDS = (maintain,)

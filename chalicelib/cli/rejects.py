"""`rejects`: the rows that were set aside, and why."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option, show_rows
from chalicelib.destinations.wanted import Wanted

PLACE = ("record", "line", "reason", "text")


@click.command()
@click.argument("name")
@click.option("--key", help="Only those of this object.")
@click.option("--prefix", default="", help="Only those of keys that start with this.")
@click.option("--job", help="Only those that this job found.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--count", is_flag=True, help="Only how many there are of each reason, among the first LIMIT.")
@json_option
def rejects(name: str, key: str | None, prefix: str, job: str | None, limit: int, count: bool, as_json: bool) -> None:
    """Bad rows of pipeline NAME: where they stood, why they are not in the table, what they said."""
    out = wiring.admin().pipeline(name).out.rejects
    table = wiring.table(out)
    found = []
    if table.exists(out.database, out.table):
        given = {"pipeline": name, "job": job, "_key": key}
        wanted = Wanted({column: value for column, value in given.items() if value is not None}, prefix)
        found = table.rows(out.database, out.table, limit, wanted).to_pylist()
    found.sort(key=_where)
    rows = _by_reason(found) if count else found if as_json else _shown(found)
    show_rows(rows, as_json=as_json, empty="No bad rows.")


def _where(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """In the order of the object; nobody has counted the records before those of its later parts (W7)."""
    uncounted = row["record"] is None
    return row["_key"], row["entry"] or "", uncounted, (row["byte_offset"] if uncounted else row["record"]) or 0


def _shown(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    entry = ["entry"] if any(row["entry"] for row in rows) else []
    offset = ["byte_offset"] if any(row["record"] is None for row in rows) else []
    return [{"key": row["_key"]} | {name: row[name] for name in (*entry, *offset, *PLACE)} for row in rows]


def _by_reason(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many there are of each reason, whatever the values that it quotes."""
    counts = Counter(re.sub(r"'.*?'", "'…'", row["reason"]) for row in rows)
    return [{"rows": number, "reason": reason} for reason, number in counts.most_common()]


COMMANDS = (rejects,)

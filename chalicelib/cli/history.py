"""`history`, `job`, `objects`: what happened, to each run and to each object."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.output import ago, json_option, show_one, show_rows
from chalicelib.core.jobs import Job
from chalicelib.core.ledger import Entry, State
from chalicelib.core.parts import parts as parts_of
from chalicelib.core.tasks import Task, TaskState
from chalicelib.errors import ConfigError

SELDOM = ("rows_out", "rejects_out")  # of removals and undos: what left the tables


@click.command()
@click.argument("name")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1))
@json_option
def history(name: str, limit: int, as_json: bool) -> None:
    """The newest jobs of pipeline NAME."""
    found = wiring.jobs().history(name, limit=limit)
    if not found:
        wiring.admin().pipeline(name)  # a mistyped name is an error; a deleted pipeline still has its history
    rows = [summary(each) for each in found]
    show_rows(rows if as_json else _for_people(rows), as_json=as_json, empty="No jobs yet.")


@click.command()
@click.argument("id_", metavar="ID")
@json_option
def job(id_: str, as_json: bool) -> None:
    """One job, with its tasks and what became of their objects."""
    found = wiring.jobs().job(id_)
    if found is None:
        raise ConfigError("there is no job of this id", where=f"job {id_}", remedy="`tidegate history` lists them")
    tasks = [_task(task) for task in wiring.jobs().tasks(id_)]
    show_one({**summary(found), "error": found.error, "tasks": tasks}, as_json=as_json)


@click.command()
@click.argument("name")
@click.option("--state", type=click.Choice([state.value for state in State]))
@click.option("--prefix", default="", help="Only keys that start with this.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1))
@json_option
def objects(name: str, state: str | None, prefix: str, limit: int, as_json: bool) -> None:
    """What happened to each object of pipeline NAME, in key order."""
    wanted = State(state) if state else None
    found = wiring.ledger().entries(name, prefix=prefix, state=wanted, limit=limit)
    if not found and not wiring.ledger().entries(name, limit=1):
        wiring.admin().pipeline(name)
    shown = (_details(entry) if as_json else _entry(entry) for entry in found)
    show_rows(shown, as_json=as_json, empty="No such objects.")


def summary(job: Job) -> dict[str, Any]:
    """What a job did, in one line."""
    counts: Mapping[str, int] = job.counts
    told = ("loaded", "rows", "rejects", "rescued", *SELDOM, "bytes")
    other = {name: n for name, n in counts.items() if n and name not in told}
    return {
        "job": job.id,
        "kind": str(job.kind),
        "state": str(job.state),
        "created": job.created_at,
        "took": ago(job.created_at, job.finished_at),
        "tasks": job.tasks,
        "loaded": counts.get("loaded", 0),
        "rows": counts.get("rows", 0),
        "rejects": counts.get("rejects", 0),
        "rescued": counts.get("rescued", 0),
        **{name: counts.get(name, 0) for name in SELDOM},
        "bytes": counts.get("bytes", 0),
        "not loaded": other,
    }


def _for_people(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the columns that say nothing in any row; reasons as words."""
    silent = [name for name in ("rescued", *SELDOM) if not any(row[name] for row in rows)]
    for row in rows:
        row["not loaded"] = ", ".join(f"{reason} {count}" for reason, count in row["not loaded"].items())
    return [{name: value for name, value in row.items() if name not in silent} for row in rows]


def _task(task: Task) -> dict[str, Any]:
    left = task.staged or task.progress
    outcomes = {o.key: o for o in left.outcomes} if left else {}
    parts = _parts(task) if task.state is TaskState.DIVIDED else ()
    return {
        "task": task.number,
        "state": str(task.state),
        "attempt": task.attempt,
        **_so_far(task, parts),
        "snapshot": task.snapshot,
        "error": next((each.error for each in (task, *parts) if each.error), None),
        "rejects": sum(file.rows for file in task.staged.rejected) if task.staged else None,
        "objects": [
            {
                "key": member.key,
                "identity": member.identity,
                "outcome": str(outcomes[member.key].kind) if member.key in outcomes else None,
                "reason": outcomes[member.key].reason if member.key in outcomes else None,
                "error": outcomes[member.key].error if member.key in outcomes else None,
                "rows": outcomes[member.key].rows if member.key in outcomes else None,
            }
            for member in task.members
        ],
    }


def _parts(task: Task) -> Sequence[Task]:
    """As far as they are stored; the rest as they will be."""
    wanted = parts_of(task, due_at=task.due_at)
    stored = {part.number: part for part in wiring.jobs().tasks(wanted[0].job)}
    return [stored.get(part.number, part) for part in wanted]


def _so_far(task: Task, parts: Sequence[Task]) -> dict[str, Any]:
    """How far a large object is: what its parts have read, or what was handed over."""
    told: dict[str, Any] = {}
    if parts:
        told["parts"] = len(parts)
        told["parts read"] = sum(part.state is TaskState.READ for part in parts)
    begun = [each.progress.begun for each in (task, *parts) if each.progress and each.progress.begun]
    if begun:
        told["rows so far"] = sum(each.tally.rows for each in begun)
    return told


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "state": str(entry.state),
        "reason": str(entry.reason or entry.leaving or ""),
        "rows": entry.rows,
        "rejects": entry.rejects,
        "created": entry.ref.created_at,
        "discovered": ago(entry.ref.created_at, entry.discovered_at),
        "read": ago(entry.ref.created_at, entry.read_at),
        "committed": ago(entry.ref.created_at, entry.committed_at),
        "error": entry.error or "",
    }


def _details(entry: Entry) -> dict[str, Any]:
    return {
        "bucket": entry.ref.bucket,
        "key": entry.key,
        "identity": entry.ref.identity,
        "size": entry.ref.size,
        "state": str(entry.state),
        "reason": str(entry.reason) if entry.reason else None,
        "error": entry.error,
        "rows": entry.rows,
        "rejects": entry.rejects,
        "job": entry.owner.job if entry.owner else None,
        "task": entry.owner.task if entry.owner else None,
        "attempts": entry.attempts,
        "created_at": entry.ref.created_at,
        "discovered_at": entry.discovered_at,
        "claimed_at": entry.claimed_at,
        "read_at": entry.read_at,
        "staged_at": entry.staged_at,
        "committed_at": entry.committed_at,
        "removed_at": entry.removed_at,
        "leaving": str(entry.leaving) if entry.leaving else None,
        "snapshot": entry.snapshot,
    }


COMMANDS = (history, job, objects)

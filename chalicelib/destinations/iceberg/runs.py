"""Which run made a table's whole content, as a property of the table: it outlives the snapshots with their tags."""

import json
from collections.abc import Mapping
from datetime import datetime

from pyiceberg.table import Table

from chalicelib.core.tasks import Run
from chalicelib.errors import RunSuperseded

PROPERTY = "tidegate.run"


def recorded(run: Run) -> dict[str, str]:
    """What the change of a run writes down."""
    return {PROPERTY: json.dumps({"job": run.job, "started_at": run.started_at.isoformat()})}


def settled(table: Table, run: Run, where: str) -> bool:
    """Whether the table's content is this run's already. Raises RunSuperseded if a later run's is."""
    last = _last(table.properties)
    if last is None or last.job == run.job:
        return last is not None
    if (last.started_at, last.job) > (run.started_at, run.job):
        raise RunSuperseded(
            f"job {last.job} started later, at {last.started_at.isoformat()}, and has replaced the content already",
            where=where,
            remedy="Nothing is lost: its rows are the newer ones",
        )
    return False


def _last(properties: Mapping[str, str]) -> Run | None:
    value = properties.get(PROPERTY)
    if value is None:
        return None
    known = json.loads(value)
    return Run(known["job"], datetime.fromisoformat(known["started_at"]))

"""Which tasks a table's history names."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of

from chalicelib.core.tasks import Task
from chalicelib.destinations import tags

SKEW = timedelta(minutes=10)  # by which the clock that staged may be ahead of the clock that committed


def tagged(table: Table, tasks: Sequence[Task]) -> dict[str, str]:
    """Ids of those tasks that the table's history names, with their snapshots, newest first."""
    staged = [task.staged.at for task in tasks if task.staged]
    oldest = _millis(min(staged) - SKEW) if staged else None
    present: dict[str, str] = {}
    for snapshot in ancestors_of(table.current_snapshot(), table.metadata):
        if oldest is None or snapshot.timestamp_ms < oldest or len(present) == len(tasks):
            break
        value = snapshot.summary and snapshot.summary.additional_properties.get(tags.PROPERTY)
        if value:
            present |= dict.fromkeys(tags.found((task.id for task in tasks), value), str(snapshot.snapshot_id))
    return present


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)

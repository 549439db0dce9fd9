"""Snapshots forgotten: metadata stays short, so that commits stay quick. No file is deleted here."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.update import AssertRefSnapshotId, RemoveSnapshotsUpdate

from chalicelib.config.maintenance import Maintenance
from chalicelib.core.expiry import Branch, History, expired
from chalicelib.core.maintenance import Expired
from chalicelib.destinations.iceberg.once import Once
from chalicelib.destinations.iceberg.troubles import given_up

TRIES = 10  # each lost to somebody who was quicker


@dataclass(frozen=True, slots=True)
class Expiry:
    """Expires one table's snapshots. `load` gives it as it is now."""

    load: Callable[[], Table]
    calls: Callable[[str], AbstractContextManager[object]]
    where: str
    rules: Maintenance

    def run(self, *, now: datetime, needed_since: datetime, dry_run: bool = False) -> Expired:
        """Forget what the rules say, but nothing that exactly-once may look for: made at or after `needed_since`."""
        failure: Exception | None = None
        for _ in range(TRIES):
            table = self.load()
            gone = expired(history(table.metadata), self.rules, now=now, needed_since=needed_since)
            done = Expired(len(table.metadata.snapshots), len(gone))
            if dry_run or not gone:
                return done
            try:
                with self.calls(self.where):
                    _without(table, gone).commit_transaction()
            except CommitFailedException as error:  # look again at what there is
                failure = error
            else:
                return done
        assert failure is not None, "there was a try"
        raise given_up(self.where, failure) from failure


def history(metadata: TableMetadata) -> History:
    """The table's snapshots, as far as its metadata remembers."""
    return History(
        made={each.snapshot_id: datetime.fromtimestamp(each.timestamp_ms / 1000, UTC) for each in metadata.snapshots},
        parents={each.snapshot_id: each.parent_snapshot_id for each in metadata.snapshots},
        branches={
            ref.snapshot_id: Branch(
                ref.min_snapshots_to_keep or 0, timedelta(milliseconds=ref.max_snapshot_age_ms or 0)
            )
            for ref in metadata.refs.values()
            if ref.snapshot_ref_type is SnapshotRefType.BRANCH
        },
        tags=frozenset(ref.snapshot_id for ref in metadata.refs.values()),
    )


def _without(table: Table, gone: frozenset[int]) -> Once:
    """The change, complete but for the catalogue's word: refused if a branch or tag moved since we looked."""
    change = Once(table)
    unmoved = tuple(AssertRefSnapshotId(ref=name, snapshot_id=ref.snapshot_id) for name, ref in table.refs().items())
    change._apply((RemoveSnapshotsUpdate(snapshot_ids=sorted(gone)),), unmoved)  # noqa: SLF001
    return change

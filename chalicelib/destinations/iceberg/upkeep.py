"""Iceberg tables as their maintenance sees them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.maintenance import Maintenance
from chalicelib.core.maintenance import Compacted, Expired
from chalicelib.destinations.iceberg.compaction import Compaction
from chalicelib.destinations.iceberg.expiry import Expiry
from chalicelib.destinations.iceberg.history import SKEW
from chalicelib.destinations.iceberg.names import Names
from chalicelib.destinations.iceberg.troubles import ours

Out = Iceberg | Parquet


@dataclass(frozen=True, slots=True)
class IcebergUpkeep:
    """The tables of one catalogue. It is safe beside their committer, and beside itself."""

    catalog: Callable[[], Catalog]
    calls: Callable[[str], AbstractContextManager[object]] = nullcontext

    def compact(self, out: Out, rules: Maintenance, *, in_time: Callable[[], bool], dry_run: bool = False) -> Compacted:
        """Put small files together; no row changes."""
        with ours(self.calls, out.address):
            if not self._exists(out):
                return Compacted()
            return Compaction(lambda: self._load(out), self.calls, out.address, rules, in_time).run(dry_run=dry_run)

    def expire(
        self, out: Out, rules: Maintenance, *, now: datetime, oldest_staged: datetime | None, dry_run: bool = False
    ) -> Expired:
        """Forget old snapshots, but none that may name a task staged at or after `oldest_staged`."""
        with ours(self.calls, out.address):
            if not self._exists(out):
                return Expired()
            needed_since = min(oldest_staged or now, now) - SKEW
            expiry = Expiry(lambda: self._load(out), self.calls, out.address, rules)
            return expiry.run(now=now, needed_since=needed_since, dry_run=dry_run)

    def names(self, out: Out) -> Names | None:
        """The files that the table names; None if there is no table."""
        with ours(self.calls, out.address):
            return Names(lambda: self._looked_up(out)) if self._exists(out) else None

    def _looked_up(self, out: Out) -> Table:
        with ours(self.calls, out.address):
            return self._load(out)

    def _load(self, out: Out) -> Table:
        return self.catalog().load_table((out.database, out.table))

    def _exists(self, out: Out) -> bool:
        try:
            self._load(out)
        except NoSuchTableError:
            return False
        return True

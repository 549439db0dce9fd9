"""A change of a table that is tried once."""

from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import AssertTableUUID


class Once(Transaction):
    """A transaction that is tried once, by the one rule that is safe here, and that never deletes anything.

    pyiceberg's own would repeat a refused change without looking for our tags. And where it gives up it deletes the
    change's manifests, although a catalogue client that repeats a call after a lost answer reports its own success
    as a conflict: the table would name files that are gone.
    """

    _known: tuple[int, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata after the updates so far, not to be changed.

        Each new answer is a deep copy of the whole history, and one commit asks 25 times: so there is none before
        the first update, and one for each update after it.
        """
        if not self._updates:
            return self._table.metadata
        if self._known is None or self._known[0] != len(self._updates):
            self._known = (len(self._updates), super().table_metadata)
        return self._known[1]

    @property
    def is_something(self) -> bool:
        """False if the table would stay as it is."""
        return bool(self._updates)

    def commit_transaction(self) -> Table:
        """Ask the catalogue, once."""
        uuid = AssertTableUUID(uuid=self._table.metadata.table_uuid)
        self._table._do_commit(self._updates, (*self._requirements, uuid))  # noqa: SLF001
        return self._table

"""What destinations ask for: Tidegate's own bucket, where data files wait and lie, and a catalogue of plain files."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from chalicelib.config.columns import Column
from chalicelib.core.registered import Registered
from chalicelib.core.tasks import Upload


class Sink(Protocol):
    """A file being written, part by part, in bounded memory."""

    def write(self, data: bytes) -> int:
        """Take more bytes; returns how many, which is all of them."""
        ...

    def finish(self) -> Upload | None:
        """All bytes are in; nothing may be written after this. A hidden file's upload is what `publish` wants."""
        ...

    def abort(self) -> None:
        """Forget the file; safe to call twice.

        After `finish` this still takes back a hidden file, but never one that exists: nothing of ours deletes data
        files while loading, so an unwanted one stays as an orphan that no table names.
        """
        ...


class Lake(Protocol):
    """Tidegate's own bucket."""

    def create(self, path: str, *, hidden: bool) -> Sink:
        """A new file at an s3 URI. `hidden`: it exists only once `publish` was called with its upload."""
        ...

    def publish(self, path: str, upload: Upload) -> None:
        """Make a hidden file exist; doing it twice is the same as once.

        Raises StagedFileMissing if neither the upload nor the file is there any more.
        """
        ...

    def exists(self, paths: Sequence[str]) -> frozenset[str]:
        """Those of the paths that exist."""
        ...


class Documents(Protocol):
    """Small documents in Tidegate's own bucket, each written only over the version that its writer has read."""

    def get(self, path: str) -> tuple[bytes, str] | None:
        """The document at an s3 URI and its version; None if there is none."""
        ...

    def put(self, path: str, data: bytes, over: str | None) -> bool:
        """Write it over this version, or where there is none yet; False if somebody wrote in between."""
        ...


class Registry(Protocol):
    """A catalogue that engines ask where plain files lie: Glue."""

    def get(self, database: str, name: str) -> tuple[Registered, str] | None:
        """The table and its version; None if there is none."""
        ...

    def create(self, table: Registered, *, database_too: bool) -> bool:
        """Make the table, and its database if it is missing and may be made.

        False if somebody was first. Raises SchemaConflict where the database is missing and may not be made.
        """
        ...

    def update(self, table: Registered, version: str) -> bool:
        """Columns and location from now on; all else about the table stays. False if somebody was first."""
        ...

    def add_partitions(self, table: Registered, partitions: Mapping[tuple[str, ...], str]) -> None:
        """Tell where partitions lie, by their values; those that are known already stay as they are."""
        ...


class Agreed(Protocol):
    """What all tasks agree on: columns under a name; the first to say one decides."""

    def columns(self, name: str) -> tuple[Column, ...]:
        """What was said so far."""
        ...

    def settle(self, name: str, seen: tuple[Column, ...]) -> tuple[Column, ...]:
        """What is agreed on after somebody saw these columns: those that were said before come first."""
        ...

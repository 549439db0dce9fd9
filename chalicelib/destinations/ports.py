"""What destinations ask for: Tidegate's own bucket, where data files wait and lie."""

from collections.abc import Sequence
from typing import Protocol

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

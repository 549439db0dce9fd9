"""What maintenance of a table did, or would do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Part(StrEnum):
    """What maintenance does, in this order."""

    COMPACT = "compact"
    EXPIRE = "expire"
    ORPHANS = "orphans"


@dataclass(frozen=True, slots=True)
class Compacted:
    """Small files put together. Of a dry run, what is written is an estimate."""

    files: int = 0  # of the table before
    size: int = 0  # bytes of those
    read: int = 0  # files that are no longer in the table
    read_bytes: int = 0
    written: int = 0  # files in their place
    written_bytes: int = 0
    left: Mapping[str, int] = field(default_factory=dict)  # files left alone, by reason
    more: bool = False  # a further run would find more to do


@dataclass(frozen=True, slots=True)
class Expired:
    """Snapshots forgotten."""

    snapshots: int = 0  # of the table before
    expired: int = 0


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Files deleted that nobody needs, and uploads aborted."""

    orphans: int = 0
    orphan_bytes: int = 0
    uploads: int = 0
    left: Mapping[str, int] = field(default_factory=dict)  # unnamed files left alone, by reason
    more: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """One run over one table."""

    table: str  # its address
    dry_run: bool = False
    compacted: Compacted = Compacted()
    expired: Expired = Expired()
    cleaned: Cleaned = Cleaned()
    error: str | None = None  # what ended the run early

    @property
    def more(self) -> bool:
        """True if the next run should not wait."""
        return self.error is None and (self.compacted.more or self.cleaned.more)

    @property
    def files_after(self) -> int:
        """Data files of the table now, or after it is done."""
        return self.compacted.files - self.compacted.read + self.compacted.written

    @property
    def bytes_saved(self) -> int:
        """Bytes that nobody pays for any more."""
        return self.cleaned.orphan_bytes

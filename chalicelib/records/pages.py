"""What goes into a format and what comes out: Readable, Reject, Page, Rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from chalicelib.config.columns import Column

TEXT = 1000  # characters of a bad row that are kept: enough to find it, whatever its length


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, perhaps fewer; b"" at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Reject:
    """One bad row set aside (P6, F65)."""

    line: int | None  # physical line of the decoded object on which the row begins, from 1
    reason: str
    text: str  # the row as it stood there, cut at TEXT characters

    @classmethod
    def of(cls, line: int, reason: str, raw: bytes) -> "Reject":
        """A reject of these bytes; what is not UTF-8 in them is shown as \\xNN."""
        text = raw[: 4 * TEXT].decode("utf-8", "backslashreplace")  # UTF-8 takes at most 4 bytes a character
        return cls(line, reason, text if len(text) <= TEXT else text[:TEXT] + "…")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in order, and the rows between them that were set aside."""

    batch: pa.RecordBatch
    rejects: tuple[Reject, ...]


class Rows(Protocol):
    """The rows of one object."""

    def infer(self) -> tuple[Column, ...]:
        """The columns this object has; looks at its start (about 1 MiB decoded) without consuming it.

        A declared type is kept. Otherwise only the rows seen here decide: a later value that does not fit
        costs its row (a Reject), it never changes a type.
        """
        ...

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """Pages with exactly these columns in this order, mapped by name; can be read once.

        A column that this object lacks is NULL. Rows and rejects together are as many as the object's records.
        Raises DecodeError and ParseError where the object cannot be followed any further.
        """
        ...

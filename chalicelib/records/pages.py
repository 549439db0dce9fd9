"""What goes into a format and what comes out: Readable, Seekable, Reject, Page, Rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.core.places import Place

TEXT = 1000  # characters of a bad row that are kept: enough to find it, whatever its length


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, perhaps fewer; b"" at the end."""
        ...


@runtime_checkable
class Seekable(Readable, Protocol):
    """Bytes that can be read in any order; what Parquet, ORC and zip need."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...  # noqa: D102
    def tell(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Reject:
    """One bad row set aside (P6, F65).

    `record` is the row's place: from 0 among its page's records as a format gives it, from 1 among the object's
    once `records.quarantine` has counted.
    """

    record: int
    reason: str
    text: str  # the row as it stood there, cut at TEXT characters
    line: int | None = None  # physical line of the decoded object on which the row begins, from 1
    offset: int | None = None  # bytes of the decoded object before the row; None where the charset is not UTF-8

    @property
    def told(self) -> str:
        """Where it is, and why, in a few words."""
        return f"{f'line {self.line}' if self.line is not None else f'record {self.record}'}: {self.reason}"

    @classmethod
    def of(
        cls, record: int, reason: str, raw: bytes, *, line: int | None = None, offset: int | None = None
    ) -> "Reject":
        """A reject of these bytes; what is not UTF-8 in them is shown as \\xNN."""
        text = raw[: 4 * TEXT].decode("utf-8", "backslashreplace")  # UTF-8 takes at most 4 bytes a character
        return cls(record, reason, text if len(text) <= TEXT else text[:TEXT] + "…", line, offset)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in order, and the rows between them that were set aside.

    From a format, rows and rejects together are as many as the records they were read from, and rejects are in order.
    A format that can go on from places says where a page begins and ends; its `record` is filled in by whoever counts.
    """

    batch: pa.RecordBatch
    rejects: tuple[Reject, ...]
    records: pa.Array | None = None  # int64: of each row the record it came from, from 1, once counted
    begin: Place | None = None  # the place before the first record, where a format can go on from places
    end: Place | None = None  # and the one after the last


class Rows(Protocol):
    """The rows of one object, or of one entry of an archive."""

    def infer(self) -> tuple[Column, ...]:
        """The columns this object has; looks at its start (about 1 MiB decoded) without consuming it.

        A declared type is kept. Otherwise only the rows seen here decide: a later value that does not fit
        costs its row (a Reject), it never changes a type.
        """
        ...

    def fields(self) -> tuple[str, ...] | None:
        """The names of the fields that every record has, NULL or not; None where a record need not have any."""
        ...

    def head(self, columns: tuple[Column, ...]) -> Page:
        """The page that `pages` would give first, without consuming it; an empty one if there is none."""
        ...

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """Pages with exactly these columns in this order, mapped by name; can be read once.

        A column that this object lacks is NULL. Rows and rejects together are as many as the object's records. If the
        last column is records.rescue.RESCUED, a value that does not fit, or that no column takes, costs no row.
        Raises DecodeError and ParseError where the object cannot be followed any further.
        """
        ...

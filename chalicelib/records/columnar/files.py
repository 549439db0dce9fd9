"""Bodies as the files that Arrow reads in any order, and what Arrow says of broken ones."""

import io
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from chalicelib.errors import ParseError, TidegateError
from chalicelib.records.decoders.packed import seekable
from chalicelib.records.pages import Readable, Seekable
from chalicelib.records.spool import spooled


class ArrowFile:
    """A body as Arrow wants a file; one that can only be read from first to last goes to the temporary disk before.

    Nothing is read before Arrow does. Raises DecodeError then if the body is too large for the disk.
    """

    def __init__(self, body: Readable, what: str) -> None:
        self._body, self._what = body, what
        self._file: Seekable | None = None
        self._failure: Exception | None = None  # of the body, which Arrow may tell as its own

    closed = False  # whoever opened the body closes it

    def close(self) -> None:
        """Leave the body open."""

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end: Arrow takes less for a broken file."""
        parts: list[bytes] = []
        try:
            while size and (part := self._there.read(size)):
                parts.append(part)
                size -= len(part)
        except Exception as error:
            self._failure = error
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        return self._there.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._there.tell()

    @property
    def _there(self) -> Seekable:
        if self._file is None:
            self._file = seekable(self._body) or self._spooled()
        return self._file

    def _spooled(self) -> Seekable:
        file = spooled(self._body, f"{self._what} inside a compressed object")
        weakref.finalize(self, file.close)
        return file

    @contextmanager
    def understood(self, what: str) -> Iterator[None]:
        """What Arrow cannot read raises ParseError; what went wrong with the body is raised as it was."""
        try:
            yield
        except TidegateError:
            raise
        except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, MemoryError, OverflowError) as error:
            if self._failure is not None:
                raise self._failure from error
            raise _broken(what, str(error).strip().partition("\n")[0][:300].rstrip(".")) from error


def _broken(what: str, words: str) -> ParseError:
    if "crypt" in words:
        return ParseError(
            f"the {what} file is encrypted ({words})", remedy="Have it written without Parquet's own encryption"
        )
    return ParseError(
        f"the {what} file cannot be read ({words})",
        remedy="It is broken, cut short, or of another format; have it written again",
    )

"""Bodies: an object's bytes in any order, fetched range by range."""

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART = 8 * 2**20  # bytes of one range; two are held at most
SMALL = 32  # what part of a part is fetched at least: 256 KiB


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of one range, how many the whole object has, and how those say they are packed."""

    data: memoryview
    total: int
    encoding: str | None = None  # Content-Encoding


Fetch = Callable[[int | None, int], Part]  # so many bytes from this one; None: all, unless they are more than that


@dataclass(frozen=True, slots=True)
class _Window:
    """Bytes that are here."""

    start: int
    data: memoryview

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    def has(self, place: int) -> bool:
        return self.start <= place < self.end


class ObjectBody(io.RawIOBase):
    """An object's bytes, in any order (records.pages.Seekable).

    Read from first to last, they come in whole parts, one of which at most is fetched ahead of the reader. A read
    elsewhere fetches what it asks for, at least a SMALL of a part and at most a part at a time; as long as reads go
    on from there the ranges double until they are parts again. The last two ranges are kept, so that whoever goes
    back and forth between two places, such as a footer and the data it tells of, asks once for each.

    `size` is what the notification said; it only shapes the first request.

    Opening fetches the first range, so it raises what any read may raise: ObjectMissing, ObjectChanged,
    ObjectArchived, AccessDenied, BucketNotFound, Throttled, SourceUnavailable.
    """

    def __init__(self, fetch: Fetch, *, size: int, part: int = PART) -> None:
        self._ahead: tuple[int, int, Future[Part]] | None = None  # start, end
        self._pool: ThreadPoolExecutor | None = None
        self._windows: list[_Window] = []  # the one in use first
        first = fetch(0 if size > part else None, part)  # an empty object has no ranges
        self.size = first.total  # bytes, as S3 says
        self.encoding = first.encoding
        self._windows.append(_Window(0, first.data))
        self._fetch, self._part, self._stride, self._place = fetch, part, part, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The place of the next byte that is read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; nothing is fetched before the next read. Raises ValueError for one before the start."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"byte {base + offset} is before the object")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer, unless the object ends before."""
        if self.closed:
            raise ValueError("the object was closed")
        wanted = memoryview(buffer).cast("B")
        wanted = wanted[: max(0, self.size - self._place)]
        filled = 0
        while filled < len(wanted):
            window = self._at_hand(len(wanted) - filled)
            begin = self._place - window.start
            taken = window.data[begin : begin + len(wanted) - filled]
            wanted[filled : filled + len(taken)] = taken
            filled += len(taken)
            self._place += len(taken)
            self._look_ahead(window, len(wanted) - filled)
        return filled

    def close(self) -> None:
        """Forget what was fetched ahead; safe to call twice."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._windows, self._ahead = [], None
        super().close()

    def _at_hand(self, needed: int) -> _Window:
        """The window with the next byte, fetched if need be; `needed`: bytes that are about to be read from there."""
        current = next((window for window in self._windows if window.has(self._place)), None)
        if current is None:
            current = self._arrived() or self._fetched(needed)
        else:
            self._windows.remove(current)
        self._windows = [current, *self._windows[:1]]
        return current

    def _arrived(self) -> _Window | None:
        if self._ahead is None:
            return None
        (start, end, future), self._ahead = self._ahead, None
        if start <= self._place < end:
            if self._stride == self._part:
                self._windows = []  # whoever reads on does not come back
            return _Window(start, future.result().data)
        future.cancel()
        return None

    def _fetched(self, needed: int) -> _Window:
        goes_on = bool(self._windows) and self._place == self._windows[0].end
        self._stride = min(self._part, 2 * self._stride) if goes_on else -(-self._part // SMALL)
        length = min(self._part, max(self._stride, needed), self.size - self._place)
        return _Window(self._place, self._fetch(self._place, length).data)

    def _look_ahead(self, window: _Window, needed: int) -> None:
        """Fetch what follows the window, if it is certain to be read, or likely."""
        start = window.end
        likely = self._stride == self._part and start - self._place <= self._part // 2
        if self._ahead is not None or start >= self.size or not (needed or likely):
            return
        if any(kept.has(start) for kept in self._windows):
            return
        length = min(self._part if likely else needed, self._part, self.size - start)
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="range")
        self._ahead = (start, start + length, self._pool.submit(self._fetch, start, length))

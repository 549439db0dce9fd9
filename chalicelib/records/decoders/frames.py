"""Codecs that Arrow brings along: LZ4 frames, brotli, a frame of zstd. It reads all frames, and knows of cut ones."""

from typing import Protocol

import pyarrow as pa

from chalicelib.errors import DecodeError
from chalicelib.records.decoders.packed import MOST, Packed
from chalicelib.records.pages import Readable

FIRST = 4 << 10  # decoded bytes of the first read, doubling: an error costs the rest of its read, which a preview wants
CUT = "Truncated"


class Broken(Readable, Protocol):
    """Packed bytes, or some of them."""

    def broken(self, how: str, ahead: int = 0) -> DecodeError:
        """See decoders.packed.Packed."""
        ...


class Frames:
    """All frames of the packed bytes, one after the other. Nothing is read before the first `read`.

    Bytes behind the last frame are an error, as for zstd(1) and lz4(1), unless they are skippable frames. Arrow
    refuses zstd windows above 128 MiB, so that memory is bounded.
    """

    def __init__(self, packed: Broken, codec: str) -> None:
        self._packed = packed
        self._codec = codec
        self._source = _Source(packed)
        self._stream: pa.CompressedInputStream | None = None
        self._most = FIRST

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end. Raises DecodeError if the frames are cut or corrupt."""
        if self._stream is None:
            self._stream = pa.CompressedInputStream(pa.PythonFile(self._source, mode="r"), self._codec)
        asked = min(size, self._most)
        self._most = min(2 * self._most, MOST)
        try:
            data: bytes = self._stream.read(asked)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            if self._source.failure is not None:
                raise self._source.failure from None
            how = "ends too soon" if CUT in str(error) else f"is corrupt ({_reason(error)})"
            raise self._packed.broken(how) from None
        return data


class _Source:
    """The file object that Arrow wants; what fails below it is no fault of the frames, and is kept apart."""

    closed = False

    def __init__(self, packed: Broken) -> None:
        self._packed = packed
        self.failure: BaseException | None = None

    def read(self, size: int, /) -> bytes:
        try:
            return self._packed.read(size)
        except BaseException as failure:
            self.failure = failure
            raise

    def close(self) -> None:
        self.closed = True


def _reason(error: BaseException) -> str:
    """Arrow's words after "ZSTD decompress failed: "."""
    return str(error).rpartition("failed: ")[2].strip() or type(error).__name__


def unlz4(packed: Packed) -> Frames:
    """LZ4 frames, not its older formats."""
    return Frames(packed, "lz4")


def unbrotli(packed: Packed) -> Frames:
    """Brotli; without a checksum, so that corrupt data may go unnoticed until rows are read."""
    return Frames(packed, "brotli")

"""What an object may expand to, against bombs."""

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.config.decoders import MAX_ENTRIES, MAX_EXPANSION_RATIO
from chalicelib.errors import DecodeError
from chalicelib.records.decoders.units import Through
from chalicelib.records.pages import Readable

GRACE = 64 << 20  # decoded bytes that are never too many: honest small files can expand to any ratio
DEPTH = 4  # layers of packing that are told by content: tar in gzip in zip and one more


@dataclass(frozen=True, slots=True)
class Limits:
    """The two that users can move."""

    expansion_ratio: int = MAX_EXPANSION_RATIO
    entries: int = MAX_ENTRIES


class Meter:
    """Counts for one object what comes out of each layer of its packing, all entries together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._decoded: dict[int, int] = {}
        self._entries = 0
        self.packed: Callable[[], int] = lambda: 0  # bytes of the object that were needed so far

    def decoded(self, depth: int, size: int) -> None:
        """More bytes came out of this layer. Raises DecodeError if they are too many for the object's size."""
        total = self._decoded[depth] = self._decoded.get(depth, 0) + size
        if total > GRACE and total > self._limits.expansion_ratio * self.packed():
            raise DecodeError(
                f"the object expands to more than {self._limits.expansion_ratio} times its size "
                f"({total} bytes from {self.packed()} so far), which looks like a decompression bomb",
                remedy="If it is honest, raise in.max_expansion_ratio",
            )

    def entries(self, count: int) -> None:
        """More entries were found. Raises DecodeError if they are too many."""
        self._entries += count
        if self._entries > self._limits.entries:
            raise DecodeError(
                f"the archive has more than {self._limits.entries} entries",
                remedy="If it is honest, raise in.max_entries",
            )

    @property
    def most_entries(self) -> int:
        """What is allowed."""
        return self._limits.entries


class Metered(Through):
    """A decoded body under a meter."""

    def __init__(self, body: Readable, meter: Meter, depth: int) -> None:
        self._body = body
        self._meter = meter
        self._depth = depth

    def read(self, size: int, /) -> bytes:
        """As the body gives them."""
        data = self._body.read(size)
        self._meter.decoded(self._depth, len(data))
        return data

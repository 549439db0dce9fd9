"""Bodies to read in these tests, whatever is in them."""

from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"


@dataclass
class Trickle:
    """A body that gives at most `step` bytes a read, as networks do."""

    data: bytes
    step: int = 1 << 30

    def read(self, size: int, /) -> bytes:
        size = min(size, self.step)
        piece, self.data = self.data[:size], self.data[size:]
        return piece

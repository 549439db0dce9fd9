"""A body that keeps its task's lease while it is read: coming back to a place may take longer than a lease."""

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.flows.ports import Body


@dataclass(slots=True)
class Watched:
    """The same body (flows.ports.Body); `alive` is called at every read, and may raise."""

    body: Body
    alive: Callable[[], None]

    @property
    def size(self) -> int:
        """In bytes."""
        return self.body.size

    @property
    def encoding(self) -> str | None:
        """The Content-Encoding it was stored with."""
        return self.body.encoding

    def read(self, size: int, /) -> bytes:
        """As the body does."""
        self.alive()
        return self.body.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As the body does."""
        return self.body.seek(offset, whence)

    def tell(self) -> int:
        """As the body does."""
        return self.body.tell()

    def close(self) -> None:
        """As the body does."""
        self.body.close()

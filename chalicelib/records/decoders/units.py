"""Units: where in packed bytes a decoder can begin afresh: members, frames, blocks (P8, W7)."""

from collections import deque
from typing import Protocol, runtime_checkable

from chalicelib.records.pages import Readable

FEW = 1024  # units that are kept if nobody asks for them: more than lie in the first bytes, by which content is told


class Units:
    """The units that a decoder came by since it began, as far as somebody may still ask for them.

    `decoded` counts the bytes that it has given since then. The end of the packed bytes is a unit as well, in which
    nothing lies.
    """

    def __init__(self, scale: int = 1) -> None:
        """`scale`: how many places a packed byte has; 8 where they are bits."""
        self._scale = scale
        self._found: deque[tuple[int, int]] = deque()  # decoded bytes before it, and where it is in the packed ones
        self._asked = False  # somebody will ask
        self._end: int | None = None
        self.limit: int | None = None  # decoded bytes before the first unit at or beyond the end, once it was seen

    def ask(self, end: int | None) -> None:
        """From now on keep all units, and look for the one that begins at or after this packed byte."""
        self._asked, self._end = True, end
        for decoded, unit in self._found:
            self._look(decoded, unit)

    def restart(self) -> None:
        """The decoder begins somewhere else."""
        self._found.clear()
        self.limit = None

    def note(self, decoded: int, unit: int) -> None:
        """A unit begins here; it takes the place of one in which nothing lay."""
        if self._found and self._found[-1][0] == decoded:
            self._found.pop()
        self._found.append((decoded, unit))
        if not self._asked and len(self._found) > FEW:
            self._found.popleft()
        self._look(decoded, unit)

    def at(self, decoded: int) -> tuple[int, int]:
        """The unit in which this byte lies, and the decoded bytes before that; those before it are forgotten.

        To be asked once the decoder has given more than these bytes, or has come to its end.
        """
        while len(self._found) > 1 and self._found[1][0] <= decoded:
            self._found.popleft()
        before, unit = self._found[0] if self._found else (0, 0)
        return unit, before

    def _look(self, decoded: int, unit: int) -> None:
        if self._end is not None and self.limit is None and unit >= self._end * self._scale:
            self.limit = decoded


@runtime_checkable
class Jumping(Readable, Protocol):
    """A decoded body that can begin afresh in the middle."""

    @property
    def units(self) -> Units | None:
        """None: this one cannot, because of what it is read from."""
        ...

    def go(self, unit: int, /) -> None:
        """Go on with this unit, as if nothing came before it."""
        ...

    def next_unit(self, byte: int, /) -> int:
        """The first unit that begins at or after this packed byte, or what looks like one; else the end."""
        ...


class Through:
    """A body around another one, which can jump if that can."""

    _body: Readable

    @property
    def units(self) -> Units | None:
        """Those of the body within."""
        units: Units | None = getattr(self._body, "units", None)  # asked at every read: isinstance takes 0.1 ms
        return units

    def go(self, unit: int, /) -> None:
        """Go on with this unit."""
        self._there.go(unit)

    def next_unit(self, byte: int, /) -> int:
        """The first unit at or after this packed byte."""
        return self._there.next_unit(byte)

    @property
    def _there(self) -> Jumping:
        body = jumping(self._body)
        assert body is not None, "its units are None"
        return body


def jumping(body: Readable) -> Jumping | None:
    """The body, if it can begin afresh in the middle."""
    return body if isinstance(body, Jumping) and body.units is not None else None

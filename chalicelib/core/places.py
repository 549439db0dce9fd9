"""Places in an object between two of its records: where reading stopped, and from where it goes on (P8, W7)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A place between two records of one object.

    `unit` is where in the packed object a decoder can begin afresh: a byte, or of bzip2 a bit; 0 where nothing is
    packed, or only its start will do. `offset` are the decoded bytes from there to the place. Two places of one
    object are the same if both are equal.

    Where nothing but records can be counted `offset` is -1: reading goes on by reading again from the start of the
    object, or of the span, and leaving out so many records.

    Whoever began in the middle does not know what came before: then `line` and `base` are None, and `record` counts
    from where they began.
    """

    offset: int
    unit: int = 0
    base: int | None = None  # decoded bytes of the object before the unit
    line: int | None = None  # physical line that begins here
    record: int = 0  # records before it

    @property
    def is_counted(self) -> bool:
        """True if only `record` tells where it is."""
        return self.offset < 0

    @property
    def spot(self) -> tuple[int, int]:
        """What tells the place from others of its object."""
        return self.unit, self.offset


COUNTED = Place(-1)


@dataclass(frozen=True, slots=True)
class Span:
    """The part of an object that is to be read; the default is all of it.

    A record belongs to the span in which it begins: to the one with start < b <= end for a record that begins at byte
    b, so that neighbours need not know of each other. Bytes are those of the object as it lies in S3.

    `start` is a guess where the text was not read from its beginning: what looks like a line end may stand inside
    quotes. Only if the place at which the span before ended is the one at which this one began are both right
    (core.parts).
    """

    start: int = 0
    end: int | None = None  # None: to the end of the object
    after: Place | None = None  # an earlier attempt came this far, whatever `start` is

    @property
    def is_part(self) -> bool:
        """True if others read the rest."""
        return self.start > 0 or self.end is not None


WHOLE = Span()

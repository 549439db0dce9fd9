"""Listed: one object as a listing shows it. Page: what one call to S3 gives."""

from dataclasses import dataclass

from chalicelib.core.objects import ObjectRef

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})  # GLACIER_IR is read like any other class (E9)


@dataclass(frozen=True, slots=True)
class Listed:
    """The newest version of a key. Its `ref` has neither version id nor sequencer, and whole seconds only (E4)."""

    ref: ObjectRef
    storage_class: str  # empty where a server gives none
    restored: bool  # a readable copy of an archived object is there for now (E11)

    @property
    def archived(self) -> bool:
        """True if the bytes cannot be read before somebody restores them.

        False says little of INTELLIGENT_TIERING, whose archive tiers show only on reading (E10), and of a class that
        we do not know: reading tells (5.6).
        """
        return self.storage_class in ARCHIVES and not self.restored


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects in the order of their keys' UTF-8 bytes, which is also that of Python's strings (E1)."""

    objects: tuple[Listed, ...]
    next_after: str | None  # the next page starts after this key; None: there are no more

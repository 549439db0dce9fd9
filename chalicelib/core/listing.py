"""Listed: one object as a listing shows it. Page: what one call to S3 gives."""

from dataclasses import dataclass

from chalicelib.core.objects import ObjectRef
from chalicelib.errors import ConfigError

MAX_KEY = 1024  # bytes of a key in S3
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


def unlisted(connection: str, where: str) -> ConfigError:
    """What is said to whoever wants keys listed over a connection that may not list (F7)."""
    return ConfigError(
        f"connection {connection} was given no s3:ListBucket: notifications and single keys work, sweeps do not",
        where=where,
        remedy="Name one key with in.path; or have s3:ListBucket granted, and set the connection's can_list to true",
    )


def just_before(key: str) -> str:
    """A text before the key and after nearly every other before it, so that a listing from there begins with it."""
    code = ord(key[-1]) - 1
    if code < 0:
        return key[:-1]
    if 0xD800 <= code <= 0xDFFF:  # halves of characters, which are none by themselves
        code = 0xD7FF
    near = f"{key[:-1]}{chr(code)}\U0010ffff"
    return near if len(near.encode()) <= MAX_KEY else key[:-1]

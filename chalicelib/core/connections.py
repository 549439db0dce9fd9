"""Grant: a connection as it is kept, together with what Tidegate added to it, and how it stands."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.config.connection import Connection
from chalicelib.core.health import Health

EXTERNAL_ID_BYTES = 32
SOON = timedelta(hours=2)  # before their end, pasted keys are warned about


@dataclass(frozen=True, slots=True)
class Kept:
    """What may be told of the keys in the vault; so nobody has to open it to say when they end. Times are UTC."""

    access_key: str  # masked
    at: datetime  # when they were put there
    expires_at: datetime | None = None  # None: they do not end, or nobody said when


@dataclass(frozen=True, slots=True)
class Grant:
    """A way into a customer's account. The external id never changes: the customer's trust policy names it (F5)."""

    connection: Connection
    external_id: str
    created_at: datetime
    kept: Kept | None = None  # None: nothing is in the vault

    def __hash__(self) -> int:
        return hash((self.connection.name, self.external_id))  # session tags are a mapping, which has no hash


def new_external_id(random: Callable[[int], bytes] = os.urandom) -> str:
    """64 hexadecimal characters that nobody can guess; one for each connection (F5)."""
    return random(EXTERNAL_ID_BYTES).hex()


def time_left(grant: Grant, now: datetime) -> timedelta | None:
    """How long the pasted keys are good for, negative once they have ended; None if nobody knows an end."""
    return None if grant.kept is None or grant.kept.expires_at is None else grant.kept.expires_at - now


def ends_soon(grant: Grant, now: datetime) -> bool:
    """True if the keys still work, and end within two hours."""
    left = time_left(grant, now)
    return left is not None and timedelta() < left <= SOON


def standing(grant: Grant, health: Health, now: datetime) -> str:
    """In a few words, whether the connection lets us in, and for how long."""
    left = time_left(grant, now)
    if grant.connection.needs_keys and grant.kept is None:
        return "keys missing"
    if left is not None and left <= timedelta():
        return f"keys ended {_span(-left)} ago"
    if health.failing_since is not None:
        return f"failing since {health.failing_since:%Y-%m-%d %H:%M} UTC"
    return "ok" if left is None else f"ok, expires in {_span(left)}"


def _span(length: timedelta) -> str:
    """`45 min`, `3 h`, `12 d`: the largest unit of which there are two, or one hour."""
    minutes = int(length.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"

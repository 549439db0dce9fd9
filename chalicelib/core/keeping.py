"""Keeping: which keys a connection needs, and how new ones go over those that are kept."""

from dataclasses import fields, replace
from datetime import datetime

from chalicelib.config.access.keys import Basic, Session
from chalicelib.config.access.roles import AssumeRole, ThroughUser
from chalicelib.config.connection import Connection
from chalicelib.core.connections import Kept
from chalicelib.core.keys import Keys
from chalicelib.errors import ConfigError

PAIR = ("access_key_id", "secret_access_key")
TEMPORARY, LASTING = "ASIA", "AKIA"  # how AWS begins the ids of keys that end, and of those that do not
NOTHING = Keys()


def needed(connection: Connection) -> tuple[str, ...]:
    """The names of the secrets without which the connection does not work."""
    found: tuple[str, ...] = ()
    if isinstance(connection, Session):
        found = (*PAIR, "session_token")
    elif isinstance(connection, Basic) or (
        isinstance(connection, AssumeRole) and isinstance(connection.through, ThroughUser)
    ):
        found = PAIR
    proxy = connection.http_proxy is not None and connection.http_proxy.user is not None
    return (*found, "proxy_password") if proxy else found


def doors(connection: Connection) -> tuple[object, ...]:
    """What the keys are for: the method, the user, the proxy. Where this changes, others are needed."""
    proxy = connection.http_proxy
    through = connection.through if isinstance(connection, AssumeRole) else None
    user = through.user_arn if isinstance(through, ThroughUser) else None
    return connection.auth_method, user, proxy and (proxy.host, proxy.port, proxy.user)


def carried(before: Connection, after: Connection, old: Keys | None) -> Keys | None:
    """Of the keys of a connection before it was changed, those that are for the same user and the same proxy.

    So a changed document can never send a password to another host than the one that it was given for.
    """
    if old is None:
        return None
    first, second = doors(before), doors(after)
    if first[:2] != second[:2]:
        old = Keys(proxy_password=old.proxy_password)
    return old if first[2] == second[2] else replace(old, proxy_password=None)


def combined(connection: Connection, old: Keys | None, new: Keys | None, *, now: datetime) -> Keys | None:
    """What is to be kept for the connection: the new keys, and the old ones where a new one is empty.

    What belongs together comes together: another access key id needs its own secret and token, and a new token never
    keeps the old one's end. What the connection does not need is left out; None if it needs nothing.

    Raises ConfigError if something is missing, does not fit the method, or has ended already.
    """
    wanted = needed(connection)
    _check_wanted(connection, new or NOTHING, wanted)
    if not wanted:
        return None
    keys = _over(connection, old or NOTHING, new or NOTHING, wanted)
    absent = [name for name in wanted if not getattr(keys, name)]
    if absent:
        raise _wrong(connection, f"{' and '.join(absent)} must be given", "Paste all that belongs to the new keys")
    if new not in (None, NOTHING) and keys.expires_at is not None and keys.expires_at <= now:
        raise _wrong(connection, f"these keys ended at {keys.expires_at:%Y-%m-%d %H:%M} UTC", "Get new ones")
    return keys


def kept(keys: Keys | None, *, now: datetime) -> Kept | None:
    """What may be told of the keys."""
    return None if keys is None else Kept(masked(keys.access_key_id), now, keys.expires_at)


def masked(access_key: str) -> str:
    """The last four characters of an access key id, if that leaves most of it unsaid; empty if there is none."""
    return f"****{access_key[-4:]}" if len(access_key) >= 16 else "****" if access_key else ""


def _over(connection: Connection, old: Keys, new: Keys, wanted: tuple[str, ...]) -> Keys:
    """The new keys where they say something, else the old ones; only what is wanted."""
    if new.access_key_id not in ("", old.access_key_id):
        old = Keys(proxy_password=old.proxy_password)
    chosen = {name: getattr(new, name) or getattr(old, name) for name in wanted}
    ends = new.expires_at if new.expires_at or new.session_token else old.expires_at
    return Keys(**chosen, expires_at=ends if isinstance(connection, Session) else None)


def _check_wanted(connection: Connection, new: Keys, wanted: tuple[str, ...]) -> None:
    temporary = "session_token" in wanted
    named = (*wanted, "expires_at") if temporary else wanted
    strange = [each.name for each in fields(new) if getattr(new, each.name) and each.name not in named]
    if strange:
        what = f"auth_method {connection.auth_method} has no use for {' and '.join(strange)}"
        raise _wrong(connection, what, "Leave it out, or take another method")
    if temporary and new.access_key_id.startswith(LASTING):
        raise _wrong(connection, "these keys do not end by themselves", "Take auth_method basic for them")
    if not temporary and new.access_key_id.startswith(TEMPORARY):
        raise _wrong(connection, "these are temporary keys", "Take auth_method session for them")


def _wrong(connection: Connection, what: str, remedy: str) -> ConfigError:
    return ConfigError(what, where=f"connection {connection.name}", remedy=f"{remedy}; nothing was changed")

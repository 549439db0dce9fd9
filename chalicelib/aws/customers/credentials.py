"""Credentials: keys that are got again before they end, and what is said when AWS does not take them (F10, F11).

Times are this machine's. How long keys last is taken from AWS's own clock where it tells, so that a clock that is
some minutes off neither throws good keys away nor uses them too long.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock

from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials

from chalicelib.config.connection import Connection
from chalicelib.core.keys import Keys
from chalicelib.errors import CredentialsExpired, CredentialsRefused, TransientError

PAUSE = timedelta(seconds=30)  # between two tries to renew what is still good
READ_AGAIN = timedelta(minutes=10)  # after this, keys in the vault may have been changed (F14)
READ_AT_LEAST = timedelta(hours=1)  # for so long, the ones that are known are used if the vault cannot be reached


@dataclass(frozen=True, slots=True)
class Held:
    """Keys, and how long to go on with them: after `renew_at` newer ones are tried for, after `end` they are needed."""

    keys: ReadOnlyCredentials = field(repr=False)
    renew_at: datetime
    end: datetime


class Renewing(Credentials):
    """Credentials as botocore takes them. Each request asks for them anew, and then they are renewed if need be.

    Renewing raises what `get` raises; what may pass by itself is raised only once the keys may not be used any more.
    Threads may share one: one of them renews, and the others go on with what there is as long as it is good.
    """

    method = "tidegate"

    def __init__(self, get: Callable[[], Held], now: Callable[[], datetime]) -> None:
        self._get, self._now, self._lock = get, now, Lock()
        self._held = get()

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """The keys for one request."""
        if self._now() >= self._held.renew_at and self._lock.acquire(blocking=self._now() >= self._held.end):
            try:
                self._renew_if_due()
            finally:
                self._lock.release()
        return self._held.keys

    @property
    def current(self) -> ReadOnlyCredentials:
        """The keys as they are, due to be renewed or not."""
        return self._held.keys

    def renew(self, refused: ReadOnlyCredentials | None = None) -> bool:
        """Get them again now, since AWS did not take `refused`; False if that gives the same.

        Where another thread has got others meanwhile, those will do.
        """
        with self._lock:
            before = self._held.keys
            if refused is not None and before != refused:
                return True
            self._held = self._get()
            return self._held.keys != before

    def _renew_if_due(self) -> None:
        now = self._now()
        if now < self._held.renew_at:
            return  # somebody else did
        try:
            self._held = self._get()
        except TransientError:
            if now >= self._held.end:
                raise
            self._held = replace(self._held, renew_at=now + PAUSE)

    @property
    def access_key(self) -> str | None:  # type: ignore[override]
        """For whoever asks for a part of the keys alone; parts that are asked for one by one may not fit together."""
        return self.get_frozen_credentials().access_key

    @property
    def secret_key(self) -> str | None:  # type: ignore[override]
        """As `access_key`."""
        return self.get_frozen_credentials().secret_key

    @property
    def token(self) -> str | None:  # type: ignore[override]
        """As `access_key`."""
        return self.get_frozen_credentials().token

    account_id = None  # of no use with S3 and STS


class Given(CredentialProvider):
    """Credentials that are there already, as a session of botocore wants them offered."""

    METHOD = CANONICAL_NAME = "tidegate"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        """These."""
        return self._credentials


def from_vault(connection: Connection, keys: Keys | None, now: datetime) -> Held:
    """What somebody pasted for the connection, for the next ten minutes.

    Raises CredentialsRefused if that is nothing, CredentialsExpired if it has ended (F9).
    """
    if keys is None or not (keys.access_key_id and keys.secret_access_key):
        what, remedy = "no keys are kept for it", f"Give them with `tidegate connection edit {connection.name}`"
        raise CredentialsRefused(what, where=f"connection {connection.name}", remedy=remedy)
    ends = keys.expires_at
    if ends is not None and ends <= now:
        raise _ended(connection, f"the session keys ended at {ends:%Y-%m-%d %H:%M:%S} UTC")
    given = ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token, None)
    known = sendable(connection, given)
    renew_at, end = (min(now + good_for, ends or now + good_for) for good_for in (READ_AGAIN, READ_AT_LEAST))
    return Held(known, renew_at, end)


def sendable(connection: Connection, keys: ReadOnlyCredentials) -> ReadOnlyCredentials:
    """The keys, if a request can hold them: whoever fails to send them would repeat them, or end the process.

    Raises CredentialsRefused, which repeats nothing.
    """
    for part in (keys.access_key or "", keys.secret_key or "", keys.token or ""):
        if not all("!" <= char <= "~" for char in part):
            what, remedy = "its keys hold characters that no key has, such as a line's end", "Set them anew"
            raise CredentialsRefused(what, where=f"connection {connection.name}", remedy=remedy)
    return keys


def worded(connection: Connection, error: CredentialsRefused, whose: str) -> CredentialsRefused:
    """AWS's refusal of keys that somebody pasted, in words for whom they came from; `whose`: `session keys`, …"""
    said = error.what[error.what.rfind("(") :]  # AWS's code
    if isinstance(error, CredentialsExpired):
        return _ended(connection, f"the {whose} have ended {said}")
    return CredentialsRefused(
        f"AWS does not take the {whose} {said}", where=f"connection {connection.name}", remedy=_paste(connection)
    )


def _ended(connection: Connection, what: str) -> CredentialsExpired:
    return CredentialsExpired(what, where=f"connection {connection.name}", remedy=_paste(connection))


def _paste(connection: Connection) -> str:
    return f"Paste new ones with `tidegate connection edit {connection.name}`"

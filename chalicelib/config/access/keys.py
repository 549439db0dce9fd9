"""Access keys that somebody pasted, or none at all."""

from typing import Literal

from chalicelib.config.access.way import Way


class Session(Way):
    """Temporary keys with a session token: they end, and nobody can renew them but who pasted them (F9)."""

    auth_method: Literal["session"] = "session"

    @property
    def needs_keys(self) -> bool:
        """Always."""
        return True


class Basic(Way):
    """A user's access key, which does not end by itself: a role is better (F9)."""

    auth_method: Literal["basic"] = "basic"

    @property
    def needs_keys(self) -> bool:
        """Always."""
        return True


class Anonymous(Way):
    """No credentials: public objects only (F9)."""

    auth_method: Literal["anonymous"] = "anonymous"

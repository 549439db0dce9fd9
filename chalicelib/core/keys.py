"""Keys: the secret part of a connection. It is kept in a vault, and shown nowhere."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Keys:
    """What somebody pasted for a connection; what its method does not need is empty. `repr` shows none of it."""

    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None  # of temporary keys, UTC; None: they do not end, or nobody said when
    proxy_password: str | None = field(default=None, repr=False)

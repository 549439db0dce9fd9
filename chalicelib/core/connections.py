"""Grant: a connection as it is kept, together with what Tidegate added to it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.config.connection import Connection

EXTERNAL_ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class Grant:
    """A way into a customer's account. The external id never changes: the customer's trust policy names it (F5)."""

    connection: Connection
    external_id: str
    created_at: datetime

    def __hash__(self) -> int:
        return hash((self.connection.name, self.external_id))  # session tags are a mapping, which has no hash


def new_external_id(random: Callable[[int], bytes] = os.urandom) -> str:
    """64 hexadecimal characters that nobody can guess; one for each connection (F5)."""
    return random(EXTERNAL_ID_BYTES).hex()

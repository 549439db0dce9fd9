"""A vault in memory. It sits the exam of its AWS twin in tests/contracts."""

from dataclasses import dataclass, field

from chalicelib.config.connection import Connection
from chalicelib.core.keys import Keys


@dataclass
class FakeVault:
    stored: dict[tuple[str, str], Keys] = field(default_factory=dict)

    def get(self, connection: Connection) -> Keys | None:
        return self.stored.get((connection.secret_store, connection.name))

    def put(self, connection: Connection, keys: Keys) -> None:
        self.stored[connection.secret_store, connection.name] = keys

    def forget(self, connection: Connection) -> None:
        self.stored.pop((connection.secret_store, connection.name), None)

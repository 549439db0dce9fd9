"""Where maintenance stands, in memory. Sits the exam of its DynamoDB twin in tests/contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.core.upkeep import UpkeepState


@dataclass
class FakeUpkeep:
    stored: dict[str, UpkeepState] = field(default_factory=dict)

    def all(self) -> Mapping[str, UpkeepState]:
        return dict(self.stored)

    def get(self, table: str) -> UpkeepState | None:
        return self.stored.get(table)

    def swap(self, state: UpkeepState) -> bool:
        known = self.stored.get(state.table)
        if (known.revision if known else 0) + 1 != state.revision:
            return False
        self.stored[state.table] = state
        return True

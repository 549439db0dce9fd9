"""Schedule states in memory. Sits the exam of its DynamoDB twin in tests/contracts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.core.schedule import ScheduleState


@dataclass
class FakeSchedules:
    stored: dict[str, ScheduleState] = field(default_factory=dict)

    def get(self, pipeline: str) -> ScheduleState | None:
        return self.stored.get(pipeline)

    def swap(self, state: ScheduleState) -> bool:
        known = self.stored.get(state.pipeline)
        if (known.revision if known else 0) + 1 != state.revision:
            return False
        self.stored[state.pipeline] = state
        return True

    def due(self, now: datetime, *, limit: int) -> Sequence[ScheduleState]:
        found = [(state.next_at, state) for state in self.stored.values() if state.next_at and state.next_at <= now]
        return [state for _, state in sorted(found, key=lambda pair: pair[0])][:limit]

    def remove(self, state: ScheduleState) -> bool:
        known = self.stored.get(state.pipeline)
        if known is None or known.revision != state.revision:
            return False
        del self.stored[state.pipeline]
        return True

"""Pasted keys that end soon: counted every minute, and said once an hour, while somebody can still paste new ones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.core.connections import Grant, ends_soon, standing
from chalicelib.core.health import Health
from chalicelib.flows.ports import Connections, Metrics

AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Reminding:
    """Reminds of the connections whose keys end within two hours (F9).

    What was said is remembered in this process only: a new one may say it once more, and never too seldom.
    """

    connections: Connections
    metrics: Metrics
    now: Callable[[], datetime]
    warn: Callable[[str], object]
    said: dict[tuple[str, datetime | None], datetime] = field(default_factory=dict)

    def tick(self) -> None:
        """A minute has passed."""
        now = self.now()
        ending = [grant for grant in self.connections.all() if ends_soon(grant, now)]
        if ending:
            self.metrics.count("CredentialsExpiring", len(ending))  # without a dimension: one alarm watches them all
        for grant in ending:
            self._say(grant, now)
        known = {_keys(grant) for grant in ending}
        for key in self.said.keys() - known:
            del self.said[key]

    def _say(self, grant: Grant, now: datetime) -> None:
        last = self.said.get(_keys(grant))
        if last is not None and now - last < AGAIN:
            return
        self.said[_keys(grant)] = now
        name = grant.connection.name
        state = standing(grant, Health(name), now)
        self.warn(f"connection {name}: {state}. Paste new keys with `tidegate connection edit {name}`")


def _keys(grant: Grant) -> tuple[str, datetime | None]:
    return grant.connection.name, None if grant.kept is None else grant.kept.expires_at

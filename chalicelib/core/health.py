"""Whether a connection lets us in: a circuit breaker, so that lost access costs one try now and then, not thousands.

sound ─failed─▶ failing ─try_again─▶ trial ─recovered─▶ sound
                   ▲                   │
                   └──────failed───────┘   (each pause twice the last, an hour at most)
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
RETRIES = 20  # of those jobs, the newest ones are remembered
MAX_TRIES = 10  # of one object that is denied although its connection is sound; what else finds it may try again


@dataclass(frozen=True, slots=True)
class Health:
    """A connection's state of access. Times are UTC."""

    connection: str
    failing_since: datetime | None = None
    reason: str | None = None
    tries: int = 0  # trials that failed
    next_try_at: datetime | None = None
    trial: str | None = None  # the job that may try now
    tried_at: datetime | None = None  # the last trial; while sound, the one that found it so
    retries: tuple[str, ...] = ()  # jobs of objects that are denied by themselves: they say nothing of the connection
    revision: int = 0  # 0: not stored yet

    def lets(self, job: str) -> bool:
        """True if this job may call AWS over the connection."""
        return self.failing_since is None or job == self.trial

    def is_due(self, now: datetime) -> bool:
        """True if somebody should try again."""
        return self.failing_since is not None and self.next_try_at is not None and self.next_try_at <= now


def failed(health: Health, job: str, reason: str, *, now: datetime) -> Health | None:
    """The connection after a job was denied everything; None if that is known already, or says nothing."""
    if not health.lets(job) or (health.failing_since is None and job.partition(".")[0] in health.retries):
        return None
    if health.failing_since is None:
        return _next(health, failing_since=now, reason=reason, tries=0, next_try_at=now + FIRST_PAUSE, trial=None)
    tries = health.tries + 1
    return _next(health, reason=reason, tries=tries, next_try_at=now + _pause(tries), trial=None)


def try_again(health: Health, job: str, *, now: datetime) -> Health:
    """The connection while a job tries it; if the job never ends, the next one has its turn after the pause."""
    return _next(health, trial=job, tried_at=now, next_try_at=now + _pause(health.tries))


def recovered(health: Health) -> Health | None:
    """The connection after something was read over it; None if it was sound anyway."""
    if health.failing_since is None:
        return None
    return Health(health.connection, tried_at=health.tried_at, retries=health.retries, revision=health.revision + 1)


def hurried(health: Health, *, now: datetime) -> Health | None:
    """A failing connection after somebody mended something: it is tried as soon as may be; None if it is sound."""
    return None if health.failing_since is None else _next(health, tries=0, next_try_at=now, trial=None)


def retrying(health: Health, jobs: Iterable[str]) -> Health:
    """A sound connection over which these jobs try again what was denied."""
    return _next(health, retries=(*health.retries, *jobs)[-RETRIES:])


def wanted(health: Health, attempts: int, claimed_at: datetime, *, now: datetime) -> bool:
    """True if a denied object is to be tried again over a sound connection: ten times, each pause twice the last.

    What was denied before access came back does not count against it: that was not the object's fault.
    """
    if health.tried_at is not None and claimed_at < health.tried_at:
        return True
    return attempts < MAX_TRIES and claimed_at + _pause(attempts - 1) <= now


def _pause(tries: int) -> timedelta:
    return min(FIRST_PAUSE * (1 << min(tries, 10)), LONGEST_PAUSE)


def _next(health: Health, **changes: object) -> Health:
    return replace(health, revision=health.revision + 1, **changes)  # type: ignore[arg-type]

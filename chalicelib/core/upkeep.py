"""When which table is seen to, and by whom.

    idle ─ask─▶ asked ─begin─▶ running ─end─▶ idle
      ▲           └────lease over: asked again◀─┘

The tick asks, by a message; one run begins, and a second message of the same asking finds it at work. A run that dies
is asked for again when its lease is over. Maintenance is safe to run twice at once, so that all this only spares work.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.maintenance import Maintenance
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.maintenance import Report

LEASE = timedelta(minutes=17)  # longer than the function can run


@dataclass(frozen=True, slots=True)
class Target:
    """A table that maintenance sees to."""

    out: Iceberg | Parquet
    rules: Maintenance
    feeders: tuple[str, ...]  # addresses under which tasks are staged whose tags this table has

    @property
    def on_schedule(self) -> bool:
        """Whether the tick asks for it."""
        return self.rules.enabled


class Phase(StrEnum):
    """How far a run is."""

    IDLE = "idle"
    ASKED = "asked"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class UpkeepState:
    """Where one table's maintenance stands."""

    table: str  # address
    next_at: datetime
    phase: Phase = Phase.IDLE
    until: datetime | None = None  # the lease of who is asked or runs
    last: Report | None = None
    ended_at: datetime | None = None
    revision: int = 1  # as first stored


def targets(pipelines: Iterable[Pipeline]) -> dict[str, Target]:
    """All tables that the pipelines write, with those of bad rows, by address.

    Where several pipelines write one table, the first by name says how it is maintained. A table of bad rows is
    maintained as the table it belongs to, and has the tags of that one's tasks.
    """
    found: dict[str, Target] = {}
    feeders: defaultdict[str, list[str]] = defaultdict(list)
    for pipeline in sorted(pipelines, key=lambda each: each.name):
        main = pipeline.out
        rules = main.maintenance if isinstance(main, Iceberg) else Maintenance()
        for out in (main, main.rejects):
            found.setdefault(out.address, Target(out, rules, ()))
            feeders[out.address].append(main.address)
    return {address: replace(target, feeders=_once(feeders[address])) for address, target in found.items()}


def _once(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(addresses))


def planned(table: str, rules: Maintenance, *, now: datetime) -> UpkeepState:
    """The state of a table that is new to us: its first run is one period away."""
    return UpkeepState(table, now + timedelta(seconds=rules.every))


def asked(state: UpkeepState, *, now: datetime) -> UpkeepState | None:
    """The state after a run was asked for; None if it is not time, or one is at work."""
    at_work = state.phase is not Phase.IDLE and state.until is not None and now < state.until
    if at_work or now < state.next_at:
        return None
    return _next(state, phase=Phase.ASKED, until=now + LEASE)


def begun(state: UpkeepState, *, now: datetime) -> UpkeepState | None:
    """The state of a run that begins; None if another is at work, or none was asked for."""
    if state.phase is Phase.IDLE or (state.phase is Phase.RUNNING and state.until is not None and now < state.until):
        return None
    return _next(state, phase=Phase.RUNNING, until=now + LEASE)


def ended(state: UpkeepState, report: Report, rules: Maintenance, *, now: datetime) -> UpkeepState:
    """The state after a run; where it left work, the next one does not wait."""
    next_at = now if report.more else now + timedelta(seconds=rules.every)
    return _next(state, phase=Phase.IDLE, until=None, next_at=next_at, last=report, ended_at=now)


def _next(state: UpkeepState, **changes: object) -> UpkeepState:
    return replace(state, revision=state.revision + 1, **changes)  # type: ignore[arg-type]

"""Sweeps and cursors in memory; they sit the exam of their DynamoDB twins."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.core.cursors import Cursor
from chalicelib.core.health import Health
from chalicelib.core.jobs import JobChange
from chalicelib.core.sweeps import Stored, Sweep
from chalicelib.core.tasks import Task
from tests.fakes.stores import FakeJobs, changed


@dataclass
class FakeCursors:
    stored: dict[str, Cursor] = field(default_factory=dict)

    def get(self, pipeline: str) -> Cursor:
        return self.stored.get(pipeline, Cursor(pipeline))

    def swap(self, cursor: Cursor) -> bool:
        if self.get(cursor.pipeline).revision + 1 != cursor.revision:
            return False
        self.stored[cursor.pipeline] = cursor
        return True


@dataclass
class FakeSweeps:
    jobs: FakeJobs
    stored: dict[tuple[str, str], Sweep] = field(default_factory=dict)

    def get(self, pipeline: str, name: str) -> Sweep | None:
        return self.stored.get((pipeline, name))

    def all(self, pipeline: str) -> Sequence[Sweep]:
        return [sweep for (owner, _), sweep in sorted(self.stored.items()) if owner == pipeline]

    def swap(self, sweep: Sweep) -> bool:
        if not self._follows(sweep):
            return False
        self.stored[sweep.pipeline, sweep.name] = sweep
        return True

    def advance(self, sweep: Sweep, tasks: Sequence[Task], change: JobChange) -> Stored:
        if not self._follows(sweep) or change.job not in self.jobs.jobs:
            return Stored.LOST
        if any((task.job, task.number) in self.jobs.stored for task in tasks):
            return Stored.TASK_EXISTS
        self.stored[sweep.pipeline, sweep.name] = sweep
        self.jobs.jobs[change.job] = changed(self.jobs.jobs[change.job], change)
        self.jobs.add(tasks)
        return Stored.DONE

    def due(self, now: datetime, *, limit: int) -> Sequence[Sweep]:
        found = [sweep for sweep in self.stored.values() if not sweep.is_over and sweep.due_at <= now]
        return sorted(found, key=lambda sweep: sweep.due_at)[:limit]

    def _follows(self, sweep: Sweep) -> bool:
        known = self.stored.get((sweep.pipeline, sweep.name))
        return (known.revision if known else 0) + 1 == sweep.revision


@dataclass
class FakeHealth:
    stored: dict[str, Health] = field(default_factory=dict)

    def get(self, connection: str) -> Health:
        return self.stored.get(connection, Health(connection))

    def swap(self, health: Health) -> bool:
        if self.get(health.connection).revision + 1 != health.revision:
            return False
        self.stored[health.connection] = health
        return True

"""In-memory stores. Each sits the exam of its DynamoDB twin in tests/contracts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.config.columns import Column
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.columns import merge
from chalicelib.core.connections import Grant
from chalicelib.core.jobs import Job, JobChange
from chalicelib.core.ledger import Entry, State
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Task, TaskState


@dataclass
class FakeLedger:
    stored: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def get(self, pipeline: str, keys: Collection[str]) -> Mapping[str, Entry]:
        return {key: self.stored[pipeline, key] for key in keys if (pipeline, key) in self.stored}

    def swap(self, entries: Sequence[Entry]) -> frozenset[str]:
        lost = set()
        for entry in entries:
            known = self.stored.get((entry.pipeline, entry.key))
            if (known.revision if known else 0) + 1 == entry.revision:
                self.stored[entry.pipeline, entry.key] = entry
            else:
                lost.add(entry.key)
        return frozenset(lost)

    def open(self, pipeline: str, *, due: datetime, limit: int) -> Sequence[Entry]:
        found = [
            entry
            for (name, _), entry in self.stored.items()
            if name == pipeline
            and entry.state in (State.PENDING, State.CLAIMED)
            and entry.lease_until is not None
            and entry.lease_until <= due
        ]
        return sorted(found, key=lambda entry: str(entry.lease_until))[:limit]

    def refused(self, pipeline: str, reason: Reason, *, limit: int) -> Sequence[Entry]:
        found = [
            entry
            for (name, _), entry in self.stored.items()
            if name == pipeline and entry.state is State.REFUSED and entry.reason is reason
        ]
        return found[:limit]

    def span(self, pipeline: str, first: str, last: str) -> Iterator[Entry]:
        assert first and last, "DynamoDB takes no empty key"
        found = [
            entry
            for (name, key), entry in self.stored.items()
            if name == pipeline and first.encode() <= key.encode() <= last.encode()
        ]
        return iter(sorted(found, key=lambda entry: entry.key.encode()))

    def entries(
        self, pipeline: str, *, prefix: str = "", state: State | None = None, limit: int = 100
    ) -> Sequence[Entry]:
        found = [
            entry
            for (name, key), entry in self.stored.items()
            if name == pipeline and key.startswith(prefix) and (state is None or entry.state is state)
        ]
        return sorted(found, key=lambda entry: entry.key.encode())[:limit]


@dataclass
class FakeJobs:
    jobs: dict[str, Job] = field(default_factory=dict)
    stored: dict[tuple[str, int], Task] = field(default_factory=dict)

    def start(self, job: Job, tasks: Sequence[Task]) -> bool:
        if job.id in self.jobs or any((task.job, task.number) in self.stored for task in tasks):
            return False
        self.jobs[job.id] = job
        self.add(tasks)
        return True

    def job(self, job: str) -> Job | None:
        return self.jobs.get(job)

    def tasks(self, job: str) -> Sequence[Task]:
        return list(self.each(job))

    def each(self, job: str) -> Iterator[Task]:
        return (task for (name, _), task in sorted(self.stored.items()) if name == job)

    def several(self, jobs: Collection[str]) -> Sequence[Job]:
        return [self.jobs[job] for job in jobs if job in self.jobs]

    def task(self, job: str, number: int) -> Task | None:
        return self.stored.get((job, number))

    def named(self, tasks: Collection[tuple[str, int]]) -> Sequence[Task]:
        return [self.stored[task] for task in tasks if task in self.stored]

    def history(self, pipeline: str, *, limit: int = 20) -> Sequence[Job]:
        found = [job for job in self.jobs.values() if job.pipeline == pipeline]
        return sorted(found, key=lambda job: job.created_at, reverse=True)[:limit]

    def swap(self, task: Task, change: JobChange | None = None) -> bool:
        known = self.stored.get((task.job, task.number))
        if (known.revision if known else 0) + 1 != task.revision or (change and change.job not in self.jobs):
            return False
        self.stored[task.job, task.number] = task
        if change:
            self.jobs[change.job] = changed(self.jobs[change.job], change)
        return True

    def swap_all(self, steps: Sequence[tuple[Task, JobChange]]) -> frozenset[str]:
        return frozenset(task.id for task, change in steps if not self.swap(task, change))

    def add(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self.stored.setdefault((task.job, task.number), task)

    def bury(self, tombstone: Task) -> bool:
        return self.stored.setdefault((tombstone.job, tombstone.number), tombstone).is_over

    def staged(self, table: str, *, limit: int) -> Sequence[Task]:
        found = [task for task in self.stored.values() if task.table == table and task.state is TaskState.STAGED]
        return sorted(found, key=lambda task: task.due_at)[:limit]

    def due(self, now: datetime, *, limit: int) -> Sequence[Task]:
        found = [task for task in self.stored.values() if not task.is_over and task.due_at <= now]
        return sorted(found, key=lambda task: task.due_at)[:limit]


def changed(job: Job, change: JobChange) -> Job:
    counts = {name: job.counts.get(name, 0) + change.counts.get(name, 0) for name in {*job.counts, *change.counts}}
    return replace(
        job,
        tasks=job.tasks + change.tasks,
        staging=job.staging + change.staging,
        unfinished=job.unfinished + change.unfinished,
        counts=counts,
        finished_at=change.finished_at or job.finished_at,
        error=change.error or job.error,
        sealed=job.sealed if change.sealed is None else change.sealed,
    )


@dataclass
class FakePipelines:
    stored: dict[str, Pipeline] = field(default_factory=dict)
    settled: dict[str, tuple[Column, ...]] = field(default_factory=dict)

    def get(self, name: str) -> Pipeline | None:
        return self.stored.get(name)

    def all(self) -> Sequence[Pipeline]:
        return [pipeline for _, pipeline in sorted(self.stored.items())]

    def watching(self, bucket: str) -> Sequence[Pipeline]:
        return [pipeline for pipeline in self.all() if pipeline.source.bucket == bucket]

    def put(self, pipeline: Pipeline) -> None:
        self.stored[pipeline.name] = pipeline

    def remove(self, name: str) -> bool:
        return self.stored.pop(name, None) is not None

    def columns(self, name: str) -> tuple[Column, ...]:
        return self.settled.get(name, ())

    def settle(self, name: str, seen: tuple[Column, ...], *, grow: bool = True) -> tuple[Column, ...]:
        known = self.columns(name)
        self.settled[name] = merge(known, seen) if grow or not known else known
        return self.settled[name]


@dataclass
class FakeConnections:
    stored: dict[str, Grant] = field(default_factory=dict)

    def get(self, name: str) -> Grant | None:
        return self.stored.get(name)

    def all(self) -> Sequence[Grant]:
        return [grant for _, grant in sorted(self.stored.items())]

    def add(self, grant: Grant) -> bool:
        return self.stored.setdefault(grant.connection.name, grant) is grant

    def put(self, grant: Grant) -> bool:
        known = self.stored.get(grant.connection.name)
        if known is None or known.external_id != grant.external_id:
            return False
        self.stored[grant.connection.name] = grant
        return True

    def remove(self, name: str) -> bool:
        return self.stored.pop(name, None) is not None

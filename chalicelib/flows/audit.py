"""Audit: the listing, the ledger and the table side by side, each read once, in memory that does not grow.

The listing leads. For each page the ledger is asked for the stretch from the page before to this one, so that keys
which only the ledger has are seen as well: between two listed keys, between two pages, and after the last.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from chalicelib.config.destination import Iceberg, Mode, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.audit import (
    FIRST_KEY,
    PATIENCE,
    WRONG,
    Finding,
    Pair,
    is_out,
    judge,
    last_under,
    merged,
    narrowed,
    rows_differ,
)
from chalicelib.core.connections import Grant
from chalicelib.core.jobs import JobState
from chalicelib.core.ledger import Entry, Owner, State, taken_by
from chalicelib.core.listing import Listed
from chalicelib.core.selection import refusal
from chalicelib.core.tasks import Task
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.allowed import check
from chalicelib.flows.ports import Jobs, Ledger, Listing

TASKS = 100  # looked up in the table at once
RUNS = 100  # jobs among which the last good run is looked for

Rows = Mapping[tuple[str, str], int]


class Table(Protocol):
    """A destination that can be asked what it holds."""

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> Mapping[str, str | None]:
        """Those of the tasks whose rows are in the table."""
        ...

    def rows_by_key(self, database: str, table: str, *, bucket: str, prefix: str = "") -> Rows:
        """Rows by key and identity, of one bucket's keys under a prefix; empty if there is no table."""
        ...


@dataclass(frozen=True, slots=True)
class Example:
    """One finding."""

    finding: Finding
    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found. `states` and `refused` count ledger entries, `unwanted` listed objects without one."""

    pipeline: str
    prefix: str
    at: datetime
    listed: int
    entries: int
    findings: Mapping[Finding, int]
    states: Mapping[str, int]
    refused: Mapping[str, int]
    unwanted: Mapping[str, int]
    examples: Sequence[Example]

    @property
    def clean(self) -> bool:
        """True if no rows are missing or doubled, as far as was looked."""
        return not WRONG.intersection(self.findings)


@dataclass(frozen=True, slots=True)
class Auditing:
    """Audits pipelines. Reads only."""

    admin: Admin
    listing: Listing
    ledger: Ledger
    jobs: Jobs
    table: Callable[[Iceberg | Parquet], Table]
    now: Callable[[], datetime]

    def audit(
        self,
        name: str,
        *,
        prefix: str = "",
        since: timedelta = timedelta(hours=24),
        rows: bool = False,
        examples: int = 10,
    ) -> Audit:
        """Compare bucket, ledger and table.

        `since`: only tasks committed within it are looked for in the table, whose snapshots expire. `rows`: count
        the rows of each object as well, which reads three columns of the whole table and keeps a number a key.
        Raises ConfigError for an unknown pipeline or a prefix that it does not read, and what a listing raises.
        """
        pipeline = self.admin.pipeline(name)
        grant = self.admin.connection(pipeline.connection)
        where = narrowed(pipeline, prefix)
        check(grant, pipeline.source.bucket, where, owner=pipeline.owner)
        if isinstance(pipeline.out, Iceberg):  # what is older may have expired with its tags
            since = min(since, timedelta(seconds=pipeline.out.maintenance.snapshot_age))
        tally = _Tally(self, pipeline, self.now(), since, examples, self._rows(pipeline, where) if rows else None)
        tally.run = self._run(pipeline) if pipeline.out.replaces else None
        for listed, entry in self._pairs(pipeline, grant, where):
            tally.add(listed, entry)
        return tally.result(where)

    def _rows(self, pipeline: Pipeline, prefix: str) -> Rows:
        out = pipeline.out
        if not out.origin_columns:
            raise ConfigError(
                "its rows do not tell where they came from",
                where=f"pipeline {pipeline.name}",
                remedy="Audit it without rows, or let it write origin columns",
            )
        return self.table(out).rows_by_key(out.database, out.table, bucket=pipeline.source.bucket, prefix=prefix)

    def _run(self, pipeline: Pipeline) -> str:
        """The job whose rows are the whole content: the last run that ended well."""
        jobs = self.jobs.history(pipeline.name, limit=RUNS)
        return next((job.id for job in jobs if job.sweep is not None and job.state is JobState.DONE), "")

    def _pairs(self, pipeline: Pipeline, grant: Grant, prefix: str) -> Iterator[Pair]:
        after, exact = "", pipeline.source.path is not None
        while True:
            page = self.listing.page(grant, pipeline.source.bucket, prefix, start_after=after, exact=exact)
            last = page.next_after or last_under(prefix)
            yield from merged(page.objects, self._between(pipeline.name, prefix, after, last))
            if page.next_after is None:
                return
            after = page.next_after

    def _between(self, pipeline: str, prefix: str, after: str, last: str) -> Iterator[Entry]:
        """The ledger's entries after one key and up to another."""
        for entry in self.ledger.span(pipeline, after or prefix or FIRST_KEY, last):
            if entry.key > after and entry.key.startswith(prefix):
                yield entry


@dataclass(slots=True)
class _Tally:
    """What has been seen so far: numbers, a few examples, and entries whose task is still to be looked up."""

    flow: Auditing
    pipeline: Pipeline
    now: datetime
    since: timedelta
    most: int
    rows: Rows | None
    listed: int = 0
    entries: int = 0
    findings: Counter[Finding] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unwanted: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)
    waiting: dict[Owner, list[str]] = field(default_factory=dict)  # keys by the task to look up
    kept: int = 0  # of those keys
    run: str | None = None  # the only job that has rows in a table whose content is replaced

    def add(self, listed: Listed | None, entry: Entry | None) -> None:
        """Take in one key."""
        self.listed += listed is not None
        if entry is not None:
            self._count(entry)
        elif listed is not None:
            reason = refusal(self.pipeline.source, listed.ref, archived=listed.archived)
            self.unwanted.update([str(reason)] if reason else [])
        finding = judge(self.pipeline, listed, entry, now=self.now)
        if finding is not None:
            self._found(finding, _key(listed, entry), _detail(finding, listed, entry))
        if entry is not None and (entry.state is State.COMMITTED or is_out(entry)):
            self._look_in_table(entry)

    def result(self, prefix: str) -> Audit:
        """The whole audit."""
        self._look_up()
        return Audit(
            self.pipeline.name,
            prefix,
            self.now,
            self.listed,
            self.entries,
            dict(self.findings),
            dict(self.states),
            dict(self.refused),
            dict(self.unwanted),
            tuple(self.examples),
        )

    def _count(self, entry: Entry) -> None:
        self.entries += 1
        self.states[entry.state] += 1
        if entry.reason is not None:
            self.refused[entry.reason] += 1

    def _found(self, finding: Finding, key: str, detail: str) -> None:
        self.findings[finding] += 1
        if self.findings[finding] <= self.most:
            self.examples.append(Example(finding, key, detail))

    def _look_in_table(self, entry: Entry) -> None:
        at = entry.claimed_at if is_out(entry) else entry.committed_at
        if self.run is not None and not taken_by(entry, self.run):
            return  # its rows went with an earlier content
        if at is None or at > self.now - PATIENCE:
            return  # the table was perhaps read before
        if self.rows is not None:
            rows = self.rows.get((entry.key, entry.ref.identity), 0)
            differs = rows_differ(entry, rows)
            if differs is Finding.FEWER_ROWS and self.pipeline.out.mode is Mode.MERGE:
                differs = None  # later rows with the same keys took their place
            if differs is not None:
                self._found(differs, entry.key, f"{rows} in the table, {entry.rows} in the ledger")
        if at >= self.now - self.since and entry.owner is not None and entry.rows > 0:
            self.waiting.setdefault(entry.owner, []).append(entry.key)
            self.kept += 1
            if len(self.waiting) >= TASKS or self.kept >= TASKS * TASKS:
                self._look_up()

    def _look_up(self) -> None:
        """Which of the waiting entries' tasks the table names; entries of a task that is not kept say nothing."""
        tasks = {owner: self.flow.jobs.task(owner.job, owner.task) for owner in self.waiting}
        by_out: dict[Iceberg | Parquet, list[Task]] = {}
        for task in tasks.values():
            if task is not None and task.staged is not None and task.staged.files:
                by_out.setdefault(task.staged.out or self.pipeline.out, []).append(task)
        looked_for = {task.id for each in by_out.values() for task in each}
        there = {id_ for out, each in by_out.items() for id_ in self.flow.table(out).committed(out, each)}
        for owner, keys in self.waiting.items():
            task = tasks[owner]
            if task is not None and task.id in looked_for - there:
                for key in keys:
                    self._found(Finding.UNTAGGED, key, f"task {task.id} is not in the table's history")
        self.waiting, self.kept = {}, 0


def _key(listed: Listed | None, entry: Entry | None) -> str:
    return entry.key if entry is not None else listed.ref.key if listed is not None else ""


def _detail(finding: Finding, listed: Listed | None, entry: Entry | None) -> str:
    """What somebody who looks into it wants to know first."""
    if finding is Finding.STUCK and entry is not None:
        return f"{entry.state} until {entry.lease_until:%Y-%m-%d %H:%M:%S}" + (
            f" by task {entry.owner.job}/{entry.owner.task}" if entry.owner else ""
        )
    if finding is Finding.REMOVED and entry is not None:
        return f"deleted {entry.removed_at:%Y-%m-%d %H:%M:%S}"
    here = f"{listed.ref.identity} of {listed.ref.created_at:%Y-%m-%d %H:%M:%S} in the bucket" if listed else ""
    known = f"{entry.ref.identity} of {entry.ref.created_at:%Y-%m-%d %H:%M:%S} in the ledger" if entry else ""
    return ", ".join(part for part in (here, known) if part)

"""Maintenance: small files put together, old snapshots forgotten, files deleted that nobody needs (W16).

Each part is safe beside commits, beside itself, and may die at any point. Nothing else in Tidegate deletes anything.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Protocol

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.maintenance import Maintenance
from chalicelib.core import orphans as proofs
from chalicelib.core import upkeep as rules
from chalicelib.core.maintenance import Cleaned, Compacted, Expired, Part, Report
from chalicelib.core.orphans import Lying, Maker, OpenUpload, Orphan
from chalicelib.core.tasks import Task
from chalicelib.core.upkeep import Target, UpkeepState
from chalicelib.errors import ConfigError, TidegateError
from chalicelib.flows.ports import Jobs, Metrics, Pipelines, Queue
from chalicelib.flows.troubles import try_all

ALL = frozenset(Part)
STAGED = 100  # tasks, the oldest of a table, among which the oldest moment that its history is asked for is found
BATCH = 1000  # files that are judged and deleted at a time

Out = Iceberg | Parquet
InTime = Callable[[], bool]


class Names(Protocol):
    """The files that a table names."""

    location: str

    def __contains__(self, path: object) -> bool: ...
    def again(self) -> None:
        """Look at the table as it is now."""
        ...


class Keeper(Protocol):
    """Iceberg tables."""

    def compact(self, out: Out, rules: Maintenance, *, in_time: InTime, dry_run: bool = False) -> Compacted:
        """Put small files together."""
        ...

    def expire(
        self, out: Out, rules: Maintenance, *, now: datetime, oldest_staged: datetime | None, dry_run: bool = False
    ) -> Expired:
        """Forget old snapshots, but none that may name a task staged at or after `oldest_staged`."""
        ...

    def names(self, out: Out) -> Names | None:
        """The files that the table names; None if there is no table."""
        ...


class Leftovers(Protocol):
    """Tidegate's own bucket, with the right to delete."""

    def files(self, folder: str) -> Iterable[Lying]: ...  # noqa: D102
    def uploads(self, folder: str) -> Iterable[OpenUpload]: ...  # noqa: D102
    def delete(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Returns those that could not be deleted, with the reasons."""
        ...

    def abort(self, upload: OpenUpload) -> None: ...  # noqa: D102


class States(Protocol):
    """Where each table's maintenance stands, by compare-and-swap on the revision."""

    def all(self) -> Mapping[str, UpkeepState]:
        """By address."""
        ...

    def get(self, table: str) -> UpkeepState | None: ...  # noqa: D102
    def swap(self, state: UpkeepState) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Maintain:
    """Sees to tables."""

    pipelines: Pipelines
    jobs: Jobs
    states: States
    queue: Queue
    keeper: Callable[[], Keeper]
    leftovers: Leftovers
    folder: Callable[[Out], str]  # where a table of ours lies, without a trailing slash
    replaced: Callable[[Parquet, datetime], Collection[str]]  # files that were content until a run replaced them, then
    metrics: Metrics
    now: Callable[[], datetime]
    budget: timedelta  # that one run begins new work in

    def tick(self) -> None:
        """A minute has passed: ask for the tables whose time has come. One's trouble keeps no other waiting (P6)."""
        found = rules.targets(self.pipelines.all())
        states = self.states.all() if found else {}
        due = (target for target in found.values() if target.on_schedule)
        try_all((partial(self._ask, target, states.get(target.out.address)) for target in due), self.metrics)

    def run(self, address: str) -> Report | None:
        """The run that the tick asked for; None if another is at work, or nobody writes this table any more.

        Raises what ended it early, after the next run is set down.
        """
        target, state = rules.targets(self.pipelines.all()).get(address), self.states.get(address)
        mine = rules.begun(state, now=self.now()) if state is not None else None
        if target is None or mine is None or not self.states.swap(mine):
            return None
        report, error = self._table(target, ALL, dry_run=False)
        self.states.swap(rules.ended(mine, report, target.rules, now=self.now()))
        if error is not None:
            raise error
        return report

    def pipeline(self, name: str, parts: Collection[Part] = ALL, *, dry_run: bool = False) -> list[Report]:
        """Both tables of a pipeline, now. Raises ConfigError if there is none of this name."""
        pipeline = self.pipelines.get(name)
        if pipeline is None:
            raise ConfigError(
                "there is no pipeline of this name",
                where=f"pipeline {name}",
                remedy="`tidegate list` shows those there are",
            )
        found = rules.targets(self.pipelines.all())
        chosen = (found[out.address] for out in (pipeline.out, pipeline.out.rejects))
        return [self.table(target, parts, dry_run=dry_run) for target in chosen]

    def table(self, target: Target, parts: Collection[Part] = ALL, *, dry_run: bool = False) -> Report:
        """One table, now. What goes wrong ends the run, and is told in the report."""
        return self._table(target, parts, dry_run=dry_run)[0]

    def _ask(self, target: Target, state: UpkeepState | None) -> None:
        now = self.now()
        if state is None:
            self.states.swap(rules.planned(target.out.address, target.rules, now=now))
            return
        asked = rules.asked(state, now=now)
        if asked is not None and self.states.swap(asked):
            self.queue.maintain(target.out.address)

    def _table(self, target: Target, parts: Collection[Part], *, dry_run: bool) -> tuple[Report, TidegateError | None]:
        report = Report(target.out.address, dry_run)
        deadline = self.now() + self.budget
        try:
            for part in Part:
                if part in parts:
                    report = self._part(part, target, report, lambda: self.now() < deadline)
        except TidegateError as error:
            return replace(report, error=str(error)), error
        finally:
            if not dry_run:
                self._measure(report)
        return report, None

    def _part(self, part: Part, target: Target, report: Report, in_time: InTime) -> Report:
        out, dry_run = target.out, report.dry_run
        if part is Part.ORPHANS:
            return replace(report, cleaned=self._clean(target, in_time, dry_run=dry_run))
        if not isinstance(out, Iceberg):
            return report
        if part is Part.COMPACT:
            done = self.keeper().compact(out, target.rules, in_time=in_time, dry_run=dry_run)
            return replace(report, compacted=done)
        oldest = self._oldest_staged(target)
        expired = self.keeper().expire(out, target.rules, now=self.now(), oldest_staged=oldest, dry_run=dry_run)
        return replace(report, expired=expired)

    def _oldest_staged(self, target: Target) -> datetime | None:
        """Since when the table's history may be asked for tags: the oldest staged task, or the run that it ends."""
        staged = (
            task.staged for address in target.feeders for task in self.jobs.staged(address, limit=STAGED) if task.staged
        )
        times = (min(each.at, each.closes.started_at) if each.closes else each.at for each in staged)
        return min(times, default=None)

    def _clean(self, target: Target, in_time: InTime, *, dry_run: bool) -> Cleaned:
        """Delete what is proven to be of no use, batch by batch, and abort uploads that nobody will complete."""
        sweep = _Cleaning(self, target, self.now() - timedelta(seconds=target.rules.orphan_age), dry_run)
        sweep.uploads(in_time)
        if isinstance(target.out, Iceberg):
            sweep.files(in_time)
        else:
            sweep.replaced(target.out, in_time)
        return sweep.done

    def _measure(self, report: Report) -> None:
        self.metrics.count("FilesCompacted", report.compacted.read, table=report.table)
        self.metrics.count("BytesCompacted", report.compacted.read_bytes, table=report.table)
        self.metrics.count("SnapshotsExpired", report.expired.expired, table=report.table)
        self.metrics.count("OrphansDeleted", report.cleaned.orphans, table=report.table)


@dataclass(slots=True)
class _Cleaning:
    """One pass over a table's folder."""

    flow: Maintain
    target: Target
    before: datetime  # what was made later is not looked at
    dry_run: bool
    done: Cleaned = field(default_factory=Cleaned)
    _tasks: dict[tuple[str, int], Task | None] = field(default_factory=dict)

    def uploads(self, in_time: InTime) -> None:
        """Abort the uploads of attempts that are over."""
        for upload in self.flow.leftovers.uploads(self.flow.folder(self.target.out)):
            if not in_time():
                self.done = replace(self.done, more=True)
                return
            if upload.started_at < self.before and self._why(upload.path) is not None:
                if not self.dry_run:
                    self.flow.leftovers.abort(upload)
                self.done = replace(self.done, uploads=self.done.uploads + 1)

    def files(self, in_time: InTime) -> None:
        """Delete the files that no snapshot names any more and that nobody can commit."""
        folder, names = self.flow.folder(self.target.out), self.flow.keeper().names(self.target.out)
        if names is None:
            return
        if names.location != folder:  # where tables of others may lie as well
            self._leave({"the table lies where another hand put it": 1})
            return
        old = (file for file in self.flow.leftovers.files(folder) if file.modified_at < self.before)
        for batch in _batches(file for file in old if file.path not in names):
            if not in_time():
                self.done = replace(self.done, more=True)
                return
            self._delete(batch, names)

    def replaced(self, out: Parquet, in_time: InTime) -> None:
        """Delete the files that runs have replaced, once no reader can be at work on them any more."""
        past = frozenset(self.flow.replaced(out, self.before))
        files = self.flow.leftovers.files(self.flow.folder(out)) if past else ()
        for batch in _batches(file for file in files if file.path in past):
            if not in_time():
                self.done = replace(self.done, more=True)
                return
            self._discard([Orphan(file.path, file.size, "a run has replaced it") for file in batch])

    def _delete(self, batch: Sequence[Lying], names: Names) -> None:
        """First whose tasks are over, then what the table names: a task that is over is never committed later."""
        judged = [(file, self._why(file.path)) for file in batch]
        names.again()
        found = [Orphan(file.path, file.size, why) for file, why in judged if why and file.path not in names]
        self._leave(Counter(_unproven(file.path) for file, why in judged if why is None))
        self._discard(found)

    def _discard(self, found: Sequence[Orphan]) -> None:
        refused = {} if self.dry_run else self.flow.leftovers.delete([orphan.path for orphan in found])
        self._leave({f"S3 does not delete it ({why})": 1 for why in refused.values()})
        gone = [orphan for orphan in found if orphan.path not in refused]
        size = sum(orphan.size for orphan in gone)
        self.done = replace(
            self.done, orphans=self.done.orphans + len(gone), orphan_bytes=self.done.orphan_bytes + size
        )

    def _why(self, path: str) -> str | None:
        """The proof that nobody can commit this file any more."""
        who = proofs.maker(path)
        return proofs.by_age_alone(path) if who is None else proofs.by_task(path, who, self._task(who))

    def _task(self, who: Maker) -> Task | None:
        key = (who.job, who.number)
        if key not in self._tasks:
            self._tasks[key] = self.flow.jobs.task(*key)
        return self._tasks[key]

    def _leave(self, reasons: Mapping[str, int]) -> None:
        self.done = replace(self.done, left=dict(Counter(self.done.left) + Counter(reasons)))


def _unproven(path: str) -> str:
    return "of a task that may still be committed, or is unknown" if proofs.maker(path) else "not of our making"


def _batches(files: Iterator[Lying]) -> Iterator[list[Lying]]:
    while batch := list(islice(files, BATCH)):
        yield batch

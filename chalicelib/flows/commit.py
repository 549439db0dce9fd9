"""Staged tasks to one change of their table, then the ledger, the tasks, the jobs.

This is the only writer of a table: the queue delivers one message group, the table, to one reader at a time.
Even if two ran at once the rows would count once: each looks for the tasks' tags first, and the catalogue
refuses the slower of two changes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core import ledger
from chalicelib.core import tasks as rules
from chalicelib.core.jobs import on_committed, on_void
from chalicelib.core.ledger import Entry, Owner, State
from chalicelib.core.objects import UNKNOWN_TIME
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Former, Outcome, OutcomeKind, Staged, Task, TaskState
from chalicelib.errors import SchemaConflict, StagedFileMissing, TidegateError
from chalicelib.flows.claim import rewrite
from chalicelib.flows.ports import Jobs, Ledger, Metrics, Queue, Table

GROUP = 100  # tasks in one change

Hint = tuple[str, int]  # job and number of a task
Claims = Mapping[str, Entry]  # by key


@dataclass(frozen=True, slots=True)
class Commit:
    """Makes staged rows count, atomically, and remembers that they do."""

    ledger: Ledger
    jobs: Jobs
    queue: Queue
    table: Callable[[Iceberg | Parquet], Table]
    metrics: Metrics
    now: Callable[[], datetime]

    def tasks(self, hints: Iterable[Hint]) -> Mapping[Hint, TidegateError]:
        """Commit the tasks that messages named, and whatever else is ready for the same tables.

        The index of staged tasks may lag; the named ones are read directly. One table's error stops that table
        only: returned are the hints that have to be given again, with the reason.
        """
        tables: dict[str, dict[Hint, Task]] = {}
        for hint in dict.fromkeys(hints):
            task = self.jobs.task(*hint)
            if task is not None and task.state is TaskState.STAGED:
                tables.setdefault(task.table, {})[hint] = task
        failed: dict[Hint, TidegateError] = {}
        for address, named in tables.items():
            try:
                self._table(address, named)
            except TidegateError as error:
                failed.update(dict.fromkeys(named, error))
        return failed

    def _table(self, address: str, named: Mapping[Hint, Task]) -> None:
        indexed = {(task.job, task.number): task for task in self.jobs.staged(address, limit=GROUP)}
        ready = list({**indexed, **named}.values())
        for start in range(0, len(ready), GROUP):
            self._group(ready[start : start + GROUP])

    def _group(self, tasks: Sequence[Task]) -> None:
        for out, group in _by_destination(tasks):
            known = self._known(out, group)
            claims = {task.id: self._claims(task) for task in group}
            fresh = [task for task in group if task.id not in known and _owns_its_members(task, claims[task.id])]
            done = {**known, **self._commit(out, fresh, claims)}
            if out is not None:
                self._commit_rejects(out.rejects, [task for task in group if task.id in done], claims)
            for task in group:
                if task.id in done:
                    self._mark(task, done[task.id])
                elif task not in fresh:
                    self._void(task)
        self._tell_sweeps({task.job for task in tasks})

    def _tell_sweeps(self, jobs: Iterable[str]) -> None:
        """A sweep whose last task is over can move its cursor now; without this word it looks within a minute."""
        for name in jobs:
            job = self.jobs.job(name)
            if job is not None and job.sweep is not None and job.sealed and job.unfinished == 0:
                self.queue.sweep(job.pipeline, job.sweep)

    def _known(self, out: Iceberg | Parquet | None, tasks: Sequence[Task]) -> Mapping[str, str | None]:
        return {} if out is None else self.table(out).committed(out, tasks)

    def _commit(
        self, out: Iceberg | Parquet | None, tasks: Sequence[Task], claims: Mapping[str, Claims]
    ) -> dict[str, str | None]:
        """Commit all, or set aside the ones that cannot be brought together with the table.

        Returns the snapshot of each task that is settled by this.
        """
        if out is None or not tasks:
            return dict.fromkeys((task.id for task in tasks), None)
        try:
            snapshot = self.table(out).commit(out, tasks, {task.id: formers(task, claims[task.id]) for task in tasks})
        except (SchemaConflict, StagedFileMissing) as error:
            if len(tasks) > 1:
                return {key: value for task in tasks for key, value in self._commit(out, [task], claims).items()}
            self._set_aside(tasks[0], error)
            return {}
        return dict.fromkeys((task.id for task in tasks), snapshot)

    def _commit_rejects(self, out: Iceberg | Parquet, tasks: Sequence[Task], claims: Mapping[str, Claims]) -> None:
        """The bad rows of tasks whose good ones are in the table, under tags of their own: twice is the same as once.

        Rows that count are never held back by a rejects table that somebody made in another shape.
        """
        gone = {task.id: formers(task, claims[task.id], rejects=True) for task in tasks}
        bad = [as_rejects(task) for task in tasks if task.staged and (task.staged.rejected or gone[task.id])]
        if not bad:
            return
        try:
            self.table(out).commit(out, bad, gone)
        except (SchemaConflict, StagedFileMissing):
            if len(bad) > 1:
                for task in tasks:
                    self._commit_rejects(out, [task], claims)
            else:
                self.metrics.count("RejectsLost", 1, pipeline=bad[0].pipeline)

    def _set_aside(self, task: Task, error: SchemaConflict | StagedFileMissing) -> None:
        assert task.staged is not None
        reason = Reason.SCHEMA_CONFLICT if isinstance(error, SchemaConflict) else Reason.STAGED_FILE_MISSING
        outcomes = (
            Outcome(o.key, OutcomeKind.FAILED, reason=reason, error=str(error)) if o.kind is OutcomeKind.LOADED else o
            for o in task.staged.outcomes
        )
        failed = replace(task, staged=replace(task.staged, outcomes=tuple(outcomes), files=()))
        self._mark(failed, None)

    def _claims(self, task: Task) -> Claims:
        """What the ledger says of the task's members; not asked where nothing was loaded, and so nothing replaced."""
        if task.staged is None or not any(o.rows or o.rejects or o.read_at for o in task.staged.outcomes):
            return {}
        return self.ledger.get(task.pipeline, [member.key for member in task.members])

    def _void(self, task: Task) -> None:
        voided = rules.void(task, error="its claims were taken over")
        if voided is not None:
            self.jobs.swap(voided, on_void(voided, now=self.now()))

    def _mark(self, task: Task, snapshot: str | None) -> None:
        """Members first, then the task with its job: repeating either changes nothing."""
        assert task.staged is not None
        now = self.now()
        self._mark_members(task, task.staged, snapshot, now)
        done = rules.commit(task, snapshot=snapshot)
        if done is not None and self.jobs.swap(done, on_committed(done, now=now)):
            self._measure(task, now)

    def _mark_members(self, task: Task, staged: Staged, snapshot: str | None, now: datetime) -> None:
        owner = Owner(task.job, task.number)
        outcomes = {outcome.key: outcome for outcome in staged.outcomes}
        members = {member.key: member for member in task.members}

        def marked(entry: Entry) -> Entry | None:
            return ledger.mark(
                entry,
                owner,
                members[entry.key],
                outcomes[entry.key],
                staged_at=staged.at,
                now=now,
                snapshot=snapshot,
            )

        rewrite(self.ledger, task.pipeline, outcomes.keys(), marked)

    def _measure(self, task: Task, now: datetime) -> None:
        assert task.staged is not None
        loaded = {outcome.key for outcome in task.staged.outcomes if outcome.kind is OutcomeKind.LOADED}
        for member in task.members:
            if member.key in loaded and member.created_at != UNKNOWN_TIME:
                lag = (now - member.created_at).total_seconds()
                self.metrics.seconds("Lag", lag, pipeline=task.pipeline)


def _owns_its_members(task: Task, claims: Claims) -> bool:
    """False if a claim was taken over after all: then another task brings those rows, and this one must not.

    Asked only of tasks that the table does not know: those have marked none of their members, unless they have
    no files, and then it does not matter.
    """
    if task.staged is not None and not task.staged.files:
        return True
    return all(_owned(task, claims.get(member.key)) for member in task.members)


def _owned(task: Task, entry: Entry | None) -> bool:
    return entry is not None and entry.state is State.CLAIMED and entry.owner == Owner(task.job, task.number)


def formers(task: Task, claims: Claims, *, rejects: bool = False) -> tuple[Former, ...]:
    """What goes as the task's rows come; of the rejects table also where bad rows are all there is to show."""
    if task.staged is None or task.staged.out is None:
        return ()
    replacing = task.staged.out.overwrite == "replace"
    outcomes = (o for o in task.staged.outcomes if o.kind is OutcomeKind.LOADED or (rejects and o.rejects))
    entries = (claims.get(outcome.key) for outcome in outcomes)
    return tuple(
        Former(entry.ref.bucket, entry.key, identity)
        for entry in entries
        if entry is not None and _owned(task, entry)
        for identity in ledger.formers(entry, replacing=replacing)
    )


def as_rejects(task: Task) -> Task:
    """The task as the rejects table sees it: its files are those of the bad rows."""
    assert task.staged is not None
    staged = replace(task.staged, files=task.staged.rejected, rejected=())
    return replace(task, staged=staged)


def _by_destination(tasks: Sequence[Task]) -> list[tuple[Iceberg | Parquet | None, list[Task]]]:
    """The tasks grouped by what their files were made for; tasks that can have no files come as None."""
    groups: dict[str, tuple[Iceberg | Parquet | None, list[Task]]] = {}
    for task in tasks:
        out = task.staged.out if task.staged is not None else None
        groups.setdefault(out.model_dump_json() if out else "", (out, []))[1].append(task)
    return list(groups.values())

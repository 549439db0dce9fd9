"""Staged tasks to one change of their table, then the ledger, the tasks, the jobs.

This is the only writer of a table: the queue delivers one message group, the table, to one reader at a time.
Even if two ran at once the rows would count once: each looks for the tasks' tags first, and the catalogue
refuses the slower of two changes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Task, TaskState
from chalicelib.errors import SchemaConflict, StagedFileMissing, TidegateError
from chalicelib.flows.bad_rows import BadRows
from chalicelib.flows.formers import Claims, claims_of_all, formers, owned
from chalicelib.flows.mark import Ended, Marks
from chalicelib.flows.pace import Pace
from chalicelib.flows.ports import Jobs, Ledger, Metrics, Queue, Table
from chalicelib.flows.runs import Runs

Hint = tuple[str, int]  # job and number of a task


@dataclass(frozen=True, slots=True)
class Commit:
    """Makes staged rows count, atomically, and remembers that they do."""

    ledger: Ledger
    jobs: Jobs
    queue: Queue
    table: Callable[[Iceberg | Parquet], Table]
    metrics: Metrics
    now: Callable[[], datetime]
    pace: Pace = field(default_factory=Pace)

    def tasks(self, hints: Iterable[Hint]) -> Mapping[Hint, TidegateError]:
        """Commit the tasks that messages named, and whatever else is ready for the same tables.

        The index of staged tasks may lag; the named ones are read directly. One table's error stops that table
        only: returned are the hints that have to be given again, with the reason.
        """
        tables: dict[str, dict[Hint, Task]] = {}
        for task in self.jobs.named(dict.fromkeys(hints)):
            if task.state is TaskState.STAGED:
                tables.setdefault(task.table, {})[task.job, task.number] = task
        failed: dict[Hint, TidegateError] = {}
        for address, named in tables.items():
            try:
                self._table(address, named)
            except TidegateError as error:
                failed.update(dict.fromkeys(named, error))
        return failed

    def _table(self, address: str, named: Mapping[Hint, Task]) -> None:
        indexed = {(task.job, task.number): task for task in self.jobs.staged(address, limit=self.pace.tasks)}
        found = list({**indexed, **named}.values())
        ready = [task for task in found if not _replaces(task)]
        if self.pace.is_due(ready, self.now()):
            for start in range(0, len(ready), self.pace.tasks):
                self._group(ready[start : start + self.pace.tasks])
        else:
            self._gather(task for task in named.values() if not _replaces(task))
        for job in dict.fromkeys(task.job for task in found if _replaces(task)):
            Runs(self.ledger, self.jobs, self.table, self._marks, self._bad_rows).commit(job)
            self._tell_sweeps([job])

    def _gather(self, tasks: Iterable[Task]) -> None:
        """Leave them staged; their messages are done with, and the tick sends others in time."""
        for task in tasks:
            waiting = self.pace.waiting(task)
            if waiting is not None:
                self.jobs.swap(waiting)

    @property
    def _bad_rows(self) -> BadRows:
        return BadRows(self.table, self.metrics)

    @property
    def _marks(self) -> Marks:
        return Marks(self.ledger, self.jobs, self.metrics, self.now)

    def _group(self, tasks: Sequence[Task]) -> None:
        for out, group in _by_destination(tasks):
            known = self._known(out, group)
            claims = claims_of_all(self.ledger, group)
            fresh = [task for task in group if task.id not in known and _owns_its_members(task, claims[task.id])]
            done = {**known, **self._commit(out, fresh, claims)}
            if out is not None:
                self._bad_rows.commit(out.rejects, [task for task in group if task.id in done], claims)
            self._marks.all_committed([Ended(task, done[task.id]) for task in group if task.id in done], claims)
            for task in group:
                if task.id not in done and task not in fresh:
                    self._marks.void(task)
        self._tell_sweeps({task.job for task in tasks})

    def _tell_sweeps(self, jobs: Iterable[str]) -> None:
        """A sweep whose last task is over can move its cursor now; without this word it looks within a minute."""
        for job in self.jobs.several(tuple(jobs)):
            if job.sweep is not None and job.sealed and job.unfinished == 0:
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
            self._marks.set_aside(tasks[0], error)
            return {}
        return dict.fromkeys((task.id for task in tasks), snapshot)


def _owns_its_members(task: Task, claims: Claims) -> bool:
    """False if a claim was taken over after all: then another task brings those rows, and this one must not.

    Asked only of tasks that the table does not know: those have marked none of their members, unless they have
    no files, and then it does not matter.
    """
    if task.staged is not None and not task.staged.files:
        return True
    return all(owned(task, claims.get(member.key)) for member in task.members)


def _replaces(task: Task) -> bool:
    """True if its rows count only together with those of its whole run."""
    return task.staged is not None and task.staged.out is not None and task.staged.out.replaces


def _by_destination(tasks: Sequence[Task]) -> list[tuple[Iceberg | Parquet | None, list[Task]]]:
    """The tasks grouped by what their files were made for; tasks that can have no files come as None."""
    groups: dict[str, tuple[Iceberg | Parquet | None, list[Task]]] = {}
    for task in tasks:
        out = task.staged.out if task.staged is not None else None
        groups.setdefault(out.model_dump_json() if out else "", (out, []))[1].append(task)
    return list(groups.values())

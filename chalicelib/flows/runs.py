"""All tasks of one run to the whole content of their table, in one change (F80–F82)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from chalicelib.config.destination import Iceberg, Mode, Parquet
from chalicelib.core import runs as rules
from chalicelib.core.ledger import Owner
from chalicelib.core.tasks import Run, Task, TaskState
from chalicelib.errors import RunSuperseded, SchemaConflict, StagedFileMissing
from chalicelib.flows.bad_rows import BadRows
from chalicelib.flows.formers import claims_of
from chalicelib.flows.mark import Marks
from chalicelib.flows.pace import GROUP
from chalicelib.flows.ports import Jobs, Ledger, Table


@dataclass(frozen=True, slots=True)
class Runs:
    """Commits runs that replace their table's content. Every step may be repeated."""

    ledger: Ledger
    jobs: Jobs
    table: Callable[[Iceberg | Parquet], Table]
    marks: Marks
    bad_rows: BadRows

    def commit(self, name: str) -> None:
        """Replace the content by what the job has loaded, once all of it is staged; before that, nothing.

        A run that is not the whole content changes nothing (core.runs), and its objects wait for the next.
        """
        job = self.jobs.job(name)
        if job is None or not rules.is_ready(job):
            return
        tasks = [rules.light(task) for task in self.jobs.each(name)]
        if not any(task.state is TaskState.STAGED for task in tasks):
            return
        why, snapshot = rules.incomplete(job, tasks) or self._lost(name, tasks), None
        closes = rules.closing(tasks)
        if why is None and closes is not None:
            why, snapshot = self._replace(*closes, tasks)
        waiting = self._staged(name, tasks)
        while group := list(islice(waiting, GROUP)):
            self._settle(group, snapshot, why)

    def _replace(self, run: Run, out: Iceberg | Parquet, tasks: Sequence[Task]) -> tuple[str | None, str | None]:
        """Why the content stays, or None with the snapshot of the new one."""
        if out.mode is Mode.REPLACE_ON_NEW_DATA and not rules.has_rows(tasks):
            return None, None
        try:
            return None, self.table(out).commit(out, [task for task in tasks if task.staged], run=run)
        except (SchemaConflict, StagedFileMissing, RunSuperseded) as error:
            return str(error), None

    def _lost(self, name: str, tasks: Sequence[Task]) -> str | None:
        """An object whose claim was taken over after all; not asked once the rows count, when claims move on."""
        closes = rules.closing(tasks)
        if closes is None or self.table(closes[1]).committed(closes[1], tasks):
            return None
        for task in self._staged(name, tasks):
            owner = Owner(task.job, task.number)
            claims = claims_of(self.ledger, task)
            lost = next((key for key, entry in claims.items() if entry.owner != owner), None)
            if lost is not None:
                return f"another job has taken {lost}"
        return None

    def _staged(self, name: str, tasks: Sequence[Task]) -> Iterator[Task]:
        """The tasks that wait, whole and one after the other; the closing one last, so that a crash is gone on from."""
        for light in sorted(tasks, key=lambda task: bool(task.staged and task.staged.closes)):
            task = self.jobs.task(name, light.number)
            if task is not None and task.state is TaskState.STAGED:
                yield task

    def _settle(self, tasks: Sequence[Task], snapshot: str | None, why: str | None) -> None:
        if why is not None:
            for task in tasks:
                self.marks.committed(rules.given_up(task, why), None, error=why)
            return
        claims = {task.id: claims_of(self.ledger, task) for task in tasks}
        for out in {task.staged.out for task in tasks if task.staged and task.staged.out}:
            mine = [task for task in tasks if task.staged and task.staged.out == out]
            self.bad_rows.commit(out.rejects, mine, claims)
        for task in tasks:
            self.marks.committed(task, snapshot)

"""Rows out of a table again: objects that are leaving to tasks that the commit can take at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import withdrawal
from chalicelib.core.jobs import Job, JobKind, job_id
from chalicelib.core.ledger import Entry, Owner
from chalicelib.core.planning import MAX_TASKS, plan
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Task, TaskState
from chalicelib.flows.claim import Claims
from chalicelib.flows.ports import Jobs, Ledger, Queue

KINDS = {Reason.DELETED: JobKind.REMOVAL, Reason.EMPTY: JobKind.REMOVAL, Reason.UNDONE: JobKind.UNDO}


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Starts jobs that take rows out. Every step may be repeated: what a crash leaves behind, the tick finds."""

    ledger: Ledger
    jobs: Jobs
    queue: Queue
    now: Callable[[], datetime]
    lease: timedelta  # longer than this function may run
    nudge_after: timedelta

    def start(self, pipeline: Pipeline, cause: str, entries: Sequence[Entry]) -> tuple[str, ...]:
        """The ids of the jobs for those of the entries that are leaving and that nobody else takes out already."""
        started: list[str] = []
        for reason, kind in KINDS.items():
            mine = {entry.key: entry for entry in entries if entry.leaving is reason}
            groups = list(plan([entry.ref for entry in mine.values()], min_task_size=1 << 62))
            for part in range(0, len(groups), MAX_TASKS):
                job = job_id(kind, pipeline.name, f"{cause} {reason} {part}")
                owners = {Owner(job, number): group for number, group in enumerate(groups[part : part + MAX_TASKS])}
                claims = Claims(self.ledger, self.jobs, self.lease, leaving=True)
                won = claims.take(pipeline, owners, now=self.now()).won
                tasks = [self._staged(pipeline, owner, [mine[ref.key] for ref in won[owner]]) for owner in won]
                if tasks:
                    started.append(job)
                    self._send(pipeline, kind, job, tasks)
        return tuple(started)

    def _staged(self, pipeline: Pipeline, owner: Owner, entries: Sequence[Entry]) -> Task:
        return withdrawal.staged(pipeline, owner, entries, now=self.now(), nudge_after=self.nudge_after)

    def _send(self, pipeline: Pipeline, kind: JobKind, job: str, tasks: Sequence[Task]) -> None:
        now, count = self.now(), len(tasks)
        fresh = Job(job, kind, pipeline.name, created_at=now, tasks=count, staging=0, unfinished=count)
        if not self.jobs.start(fresh, tasks):
            tasks = [task for task in self.jobs.tasks(job) if task.state is TaskState.STAGED]
        self.queue.commit(tasks)

"""How often a table gets a commit, and how many tasks one takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.core import tasks as rules
from chalicelib.core.tasks import Task

GROUP = 100  # tasks in one change of a table or of its table of bad rows, unless told


@dataclass(frozen=True, slots=True)
class Pace:
    """Fewer, larger commits, for rows that come a little later.

    A task is never kept longer than `gather` after it was staged, except by the tick's minute; what was staged
    meanwhile goes with it. So two commits of a table lie about `gather` apart, whatever arrives, and nobody has to
    remember when the last one was. A full change does not wait.
    """

    tasks: int = GROUP  # of one change, at most
    gather: timedelta = timedelta()  # since the oldest staged task was staged

    def is_due(self, staged: Sequence[Task], now: datetime) -> bool:
        """Whether these tasks, which are all that is known to be staged for a table, should be committed now."""
        if len(staged) >= self.tasks:
            return True
        return any(self.until(task) <= now for task in staged)

    def until(self, task: Task) -> datetime:
        """When a staged task is to be committed at the latest."""
        assert task.staged is not None, "only staged tasks are committed"
        return task.staged.at + self.gather

    def waiting(self, task: Task) -> Task | None:
        """The task, for the tick to find in time; None if it does already."""
        until = self.until(task)
        return rules.resume(task, until=until) if task.due_at > until else None

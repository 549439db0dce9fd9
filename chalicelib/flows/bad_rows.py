"""Bad rows to the rejects table, after the good ones and under tags of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Task
from chalicelib.errors import SchemaConflict, StagedFileMissing
from chalicelib.flows.formers import Claims, formers
from chalicelib.flows.ports import Metrics, Table


@dataclass(frozen=True, slots=True)
class BadRows:
    """Commits what was set aside of loaded objects."""

    table: Callable[[Iceberg | Parquet], Table]
    metrics: Metrics

    def commit(self, out: Iceberg | Parquet, tasks: Sequence[Task], claims: Mapping[str, Claims]) -> None:
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
                    self.commit(out, [task], claims)
            else:
                self.metrics.count("RejectsLost", 1, pipeline=bad[0].pipeline)


def as_rejects(task: Task) -> Task:
    """The task as the rejects table sees it: its files are those of the bad rows."""
    assert task.staged is not None
    staged = replace(task.staged, files=task.staged.rejected, rejected=())
    return replace(task, staged=staged)

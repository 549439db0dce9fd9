"""Runs that replace a table's whole content: whether what they staged may take its place (F80–F82, E47).

All or nothing: content that lacks an object without anybody having said so would be a loss that no reader can see.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.jobs import Job
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Outcome, OutcomeKind, Run, Task, TaskState

LEFT_OUT = frozenset({Reason.MISSING, Reason.EMPTY, Reason.FOLDER})
"""Reasons for which an object of the run has no rows, and rightly so: it was deleted, or there is nothing in it."""


def is_ready(job: Job) -> bool:
    """True if all tasks of the run are stored, and all are staged."""
    return job.sealed and job.staging == 0


def light(task: Task) -> Task:
    """The task without what the decision does not need: a run may have millions of members."""
    if task.staged is None:
        return replace(task, members=())
    lacking = tuple(outcome for outcome in task.staged.outcomes if _lacks(outcome))
    return replace(task, members=(), staged=replace(task.staged, outcomes=lacking))


def closing(tasks: Iterable[Task]) -> tuple[Run, Iceberg | Parquet] | None:
    """The run that the closing task names, and its destination; None if there is none, as after a cancellation."""
    for task in tasks:
        if task.staged and task.staged.closes and task.staged.out:
            return task.staged.closes, task.staged.out
    return None


def incomplete(job: Job, tasks: Sequence[Task]) -> str | None:
    """Why the run's rows are not the whole content; None if they are. Tasks may be `light`."""
    closes = closing(tasks)
    if job.sweep is None:
        return "only a run brings the whole content; the next one takes it"
    if job.error:
        return job.error
    if closes is None:
        return "it was cancelled before its listing ended"
    run, out = closes
    skipped = {Reason.ARCHIVED} if run.skips_archived else frozenset()
    for task in tasks:
        if task.state is TaskState.FAILED and task.error and task.staged:
            return f"task {task.id} lost its objects: {task.error}"
        outcomes = task.staged.outcomes if task.staged else ()
        lacking = next((each for each in outcomes if _lacks(each) and each.reason not in skipped), None)
        if lacking is not None:
            return f"the table stays as it was, since {lacking.key} was not loaded: {lacking.error or lacking.reason}"
        if task.staged and task.staged.out not in (None, out):
            return "its pipeline was changed while it ran"
    return None


def has_rows(tasks: Iterable[Task]) -> bool:
    """True if the run found new data (F82)."""
    return any(task.staged and task.staged.files for task in tasks)


def given_up(task: Task, why: str) -> Task:
    """The task of a run that replaces nothing: what it loaded does not count, and the next run takes it again."""
    assert task.staged is not None, "only staged tasks are given up"
    outcomes = (
        replace(outcome, kind=OutcomeKind.REFUSED, reason=Reason.RUN_INCOMPLETE, error=why, rows=0)
        if outcome.kind is OutcomeKind.LOADED
        else outcome
        for outcome in task.staged.outcomes
    )
    return replace(task, staged=replace(task.staged, outcomes=tuple(outcomes), files=()))


def _lacks(outcome: Outcome) -> bool:
    if outcome.kind is OutcomeKind.FAILED:
        return True
    return outcome.kind is OutcomeKind.REFUSED and outcome.reason not in LEFT_OUT

"""Undo: take the rows that one job brought out of the tables again, good and bad; everybody else's stay."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import withdrawal
from chalicelib.core.jobs import Job, JobKind, JobState
from chalicelib.core.ledger import Entry
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import OutcomeKind, Task, TaskState
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.claim import rewrite
from chalicelib.flows.ports import Jobs, Ledger
from chalicelib.flows.withdraw import Withdraw

AT_ONCE = 500  # objects of one task


@dataclass(slots=True)
class Undone:
    """What an undo did, or would do."""

    job: str  # that is undone
    pipeline: str
    objects: int = 0
    rows: int = 0  # of the objects, that leave
    rejects: int = 0  # the same
    left: Counter[str] = field(default_factory=Counter)  # objects that are left alone, by the reason
    examples: dict[str, str] = field(default_factory=dict)  # the first key of each reason
    replaced: int = 0  # objects of which the job had replaced earlier rows: those do not come back
    jobs: tuple[str, ...] = ()  # that take the rows out


@dataclass(frozen=True, slots=True)
class Undoing:
    """Undoes jobs."""

    admin: Admin
    ledger: Ledger
    jobs: Jobs
    withdraw: Withdraw
    now: Callable[[], datetime]

    def estimate(self, name: str) -> Undone:
        """What `start` would do, and nothing done. Raises ConfigError as it does."""
        return self._undo(name, dry=True)

    def start(self, name: str) -> Undone:
        """Take the rows of a job out; safe to repeat, and beside arrivals and sweeps.

        An object whose content was loaded again since, replaced, or deleted is not the job's any more, and is left
        alone. If this dies half-way, the tick goes on with what was made to leave.

        Raises ConfigError for a job that is unknown, not over, or whose rows cannot be found.
        """
        return self._undo(name, dry=False)

    def _undo(self, name: str, *, dry: bool) -> Undone:
        job, pipeline = self._checked(name)
        done = Undone(name, pipeline.name)
        loaded = (pair for task in self.jobs.tasks(name) for pair in self._loaded(pipeline, task))
        while part := dict(islice(loaded, AT_ONCE)):
            self._part(pipeline, job, part, done, dry=dry)
        return done

    def _part(self, pipeline: Pipeline, job: Job, part: Mapping[str, ObjectRef], done: Undone, *, dry: bool) -> None:
        entries, mine = self.ledger.get(pipeline.name, part.keys()), list[Entry]()
        for key, member in part.items():
            entry = entries.get(key)
            why = withdrawal.kept_from(entry, job.id, member)
            if why is not None or entry is None:
                done.left[str(why)] += 1
                done.examples.setdefault(str(why), key)
                continue
            mine.append(entry)
            done.objects += 1
            done.rows += entry.rows
            done.rejects += entry.rejects
            done.replaced += _had_replaced(pipeline, job, entry)
        if not dry and mine:
            done.jobs += self._leave(pipeline, job, part, mine)

    def _leave(
        self, pipeline: Pipeline, job: Job, part: Mapping[str, ObjectRef], mine: Sequence[Entry]
    ) -> tuple[str, ...]:
        now, keys = self.now(), [entry.key for entry in mine]

        def leaving(entry: Entry) -> Entry | None:
            return withdrawal.undo(entry, job.id, part[entry.key], now=now)

        rewrite(self.ledger, pipeline.name, keys, leaving)
        found = self.ledger.get(pipeline.name, keys)
        return self.withdraw.start(pipeline, f"undo {job.id} {now.isoformat()} {keys[0]}", list(found.values()))

    def _loaded(self, pipeline: Pipeline, task: Task) -> Iterator[tuple[str, ObjectRef]]:
        """The members of the task that brought rows, good or bad."""
        if task.staged is None or task.state is not TaskState.COMMITTED:
            return
        members = {member.key: member for member in task.members}
        brought = [o for o in task.staged.outcomes if o.kind is OutcomeKind.LOADED or o.rejects]
        out = task.staged.out
        if brought and out is not None and out.address != pipeline.out.address:
            raise ConfigError(
                f"its rows are in {out.address}, and the pipeline writes to {pipeline.out.address} now",
                where=f"job {task.job}",
                remedy="Let the pipeline write there again for as long as you undo",
            )
        yield from ((outcome.key, members[outcome.key]) for outcome in brought)

    def _checked(self, name: str) -> tuple[Job, Pipeline]:
        job = self.jobs.job(name)
        if job is None:
            raise ConfigError("there is no job of this id", where=f"job {name}", remedy="`tidegate history` lists them")
        where = f"job {name} of {job.pipeline}"
        pipeline = self.admin.pipeline(job.pipeline)
        if job.state is JobState.RUNNING:
            raise ConfigError("it is not over", where=where, remedy="Wait until it is, or cancel its sweep first")
        if job.kind in (JobKind.UNDO, JobKind.REMOVAL):
            remedy = f"`tidegate replay {job.pipeline} --job {name}` loads its objects again, if they are still there"
            raise ConfigError("it brought no rows, it took some out", where=where, remedy=remedy)
        if pipeline.out.replaces:
            raise ConfigError(
                "its rows were the whole content, and what they replaced is not kept",
                where=where,
                remedy=f"Run it again: `tidegate run {job.pipeline}`",
            )
        if not pipeline.out.finds_rows_again:
            raise ConfigError(
                "its rows cannot be told from others",
                where=where,
                remedy="Only Iceberg tables with out.origin_columns let rows be taken out",
            )
        return job, pipeline


def _had_replaced(pipeline: Pipeline, job: Job, entry: Entry) -> bool:
    """True if the rows that leave had taken the place of others."""
    overwrote = entry.replaces is not None and pipeline.out.overwrite == "replace"
    return overwrote or job.kind is JobKind.REPLAY

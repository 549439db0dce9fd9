"""Replay: load objects once more; their rows, good and bad, replace the earlier ones (W5, W8)."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice

from chalicelib.config.destination import Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core import ledger as rules
from chalicelib.core.audit import FIRST_KEY, last_under
from chalicelib.core.connections import Grant
from chalicelib.core.ledger import Entry, State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Outcome, OutcomeKind, TaskState
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.allowed import check
from chalicelib.flows.claim import rewrite
from chalicelib.flows.discover import Discover
from chalicelib.flows.ports import Jobs, Ledger
from chalicelib.flows.rehearse import Rehearsing

AT_ONCE = 500  # objects of one job
READ_OBJECTS = 100  # by a dry run
READ_BYTES = 1 << 30  # the same, as they lie in S3


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of a pipeline's objects are loaded again: those for which all that is given holds."""

    key: str | None = None
    prefix: str = ""
    rejected: bool = False  # those with bad rows, or set aside as a whole
    job: str | None = None  # those that this job had, loaded or taken out, while their content is still the same
    since: datetime | None = None  # those loaded, or tried, at this time or later

    def __call__(self, entry: Entry) -> bool:
        """Whether this one is, as far as the entry alone can tell."""
        if not entry.key.startswith(self.prefix) or (self.key is not None and entry.key != self.key):
            return False
        last = entry.committed_at or entry.claimed_at or entry.discovered_at
        if self.since is not None and last < self.since:
            return False
        return not self.rejected or entry.rejects > 0 or entry.state is State.FAILED


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did."""

    objects: int
    rows: int  # of the objects, that are replaced
    rejects: int  # the same
    jobs: tuple[str, ...] = ()


@dataclass(slots=True)
class Estimated:
    """What a replay would do. What was not read may bring any number of rows; its earlier ones count as replaced."""

    objects: int = 0
    rows: int = 0  # that would leave
    rejects: int = 0
    read: int = 0  # objects
    read_bytes: int = 0
    rows_in: int = 0  # of those read
    rejects_in: int = 0
    not_loaded: Counter[str] = field(default_factory=Counter)  # objects whose earlier rows would stay, by reason
    errors: dict[str, str] = field(default_factory=dict)  # the first of each reason

    @property
    def unread(self) -> int:
        """Objects of which nobody knows what they would bring."""
        return self.objects - self.read


@dataclass(frozen=True, slots=True)
class Replaying:
    """Makes objects wait for another load, and starts it."""

    admin: Admin
    ledger: Ledger
    jobs: Jobs
    discover: Discover
    rehearsing: Rehearsing
    now: Callable[[], datetime]

    def estimate(self, name: str, chosen: Chosen, *, objects: int = READ_OBJECTS, size: int = READ_BYTES) -> Estimated:
        """What `start` would do, and nothing done: the first objects are read as they would be.

        `objects`, `size`: so many are read, of so many bytes together; 0 objects reads none. Raises ConfigError as
        `start` does.
        """
        pipeline = self._pipeline(name)
        read = self.rehearsing.reader(self.admin.connection(pipeline.connection), pipeline)
        found = Estimated()
        for entry in self._entries(pipeline, chosen):
            found.objects += 1
            if found.read >= objects or found.read_bytes + entry.ref.size > size:
                _replaced(found, entry)
                continue
            found.read += 1
            found.read_bytes += entry.ref.size
            _compare(found, entry, read(entry.ref))
        return found

    def start(self, name: str, chosen: Chosen) -> Replayed:
        """Load the chosen objects again; safe to repeat, and beside arrivals and sweeps.

        An object that waits or is being loaded already is left alone. If this dies half-way, the tick goes on with
        what was made to wait. Raises ConfigError for an unknown pipeline or job, and where rows cannot be replaced.
        """
        pipeline = self._pipeline(name)
        entries = self._entries(pipeline, chosen)
        done = Replayed(0, 0, 0)
        while part := {entry.key: entry for entry in islice(entries, AT_ONCE)}:
            jobs = self._again(pipeline, part)
            done = Replayed(
                done.objects + len(part),
                done.rows + sum(entry.rows for entry in part.values()),
                done.rejects + sum(entry.rejects for entry in part.values()),
                (*done.jobs, *jobs),
            )
        return done

    def _again(self, pipeline: Pipeline, part: Mapping[str, Entry]) -> tuple[str, ...]:
        now = self.now()
        rewrite(self.ledger, pipeline.name, part.keys(), partial(rules.replay, now=now))
        cause = f"replay {now.isoformat()} {next(iter(part))}"
        return self.discover.replay(pipeline, cause, [entry.ref for entry in part.values()])

    def _entries(self, pipeline: Pipeline, chosen: Chosen) -> Iterator[Entry]:
        grant = self.admin.connection(pipeline.connection)
        for entry in self._of_job(pipeline, chosen.job) if chosen.job is not None else self._under(pipeline, chosen):
            if chosen(entry) and rules.replay(entry, now=self.now()) is not None:
                self._check(pipeline, grant, entry)
                yield entry

    def _under(self, pipeline: Pipeline, chosen: Chosen) -> Iterator[Entry]:
        first, last = chosen.prefix or FIRST_KEY, last_under(chosen.prefix)
        if chosen.key is not None:
            first = last = chosen.key
        return self.ledger.span(pipeline.name, first, last)

    def _of_job(self, pipeline: Pipeline, name: str) -> Iterator[Entry]:
        """The entries of what the job's tasks had, while they are of the same content."""
        job = self.jobs.job(name)
        if job is None or job.pipeline != pipeline.name:
            remedy = f"`tidegate history {pipeline.name}` lists them"
            raise ConfigError("the pipeline has no job of this id", where=f"job {name}", remedy=remedy)
        for task in self.jobs.tasks(name):
            if task.state is not TaskState.COMMITTED:
                continue
            members: Mapping[str, ObjectRef] = {member.key: member for member in task.members}
            entries = self.ledger.get(pipeline.name, members.keys())
            yield from (entry for key, entry in sorted(entries.items()) if entry.ref.same(members[key]))

    def _pipeline(self, name: str) -> Pipeline:
        pipeline = self.admin.pipeline(name)
        if pipeline.out.replaces:
            raise ConfigError(
                f"out.mode {pipeline.out.mode} takes the whole content from one run; single objects cannot be replayed",
                where=f"pipeline {name}",
                remedy=f"Run it again: `tidegate run {name}`",
            )
        return pipeline

    def _check(self, pipeline: Pipeline, grant: Grant, entry: Entry) -> None:
        check(grant, entry.ref.bucket, entry.key, owner=pipeline.owner)
        if not (entry.rows or entry.rejects):
            return
        if not pipeline.out.origin_columns:
            raise ConfigError(
                "its rows cannot be told from others without origin columns, and so not be replaced",
                where=f"{pipeline.name}, {entry.key}",
                remedy="Only pipelines with out.origin_columns can replay what was loaded",
            )
        if isinstance(pipeline.out, Parquet):
            raise ConfigError(
                "its rows lie in plain Parquet files beside others, and cannot be replaced",
                where=f"{pipeline.name}, {entry.key}",
                remedy="Write to an Iceberg table to replay what was loaded; objects without rows can be replayed",
            )


def _replaced(found: Estimated, entry: Entry) -> None:
    found.rows += entry.rows
    found.rejects += entry.rejects


def _compare(found: Estimated, entry: Entry, outcome: Outcome) -> None:
    """What comes of one object, and what goes: earlier rows stay where none take their place."""
    found.rows_in += outcome.rows
    found.rejects_in += outcome.rejects
    if outcome.kind is OutcomeKind.LOADED:
        _replaced(found, entry)
        return
    reason = outcome.reason or str(outcome.kind)
    found.not_loaded[reason] += 1
    found.errors.setdefault(reason, outcome.error or "")
    if outcome.rejects:
        found.rejects += entry.rejects

"""Replay: load objects once more; their rows, good and bad, replace the earlier ones (W5, W8)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice

from chalicelib.config.destination import Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core import ledger as rules
from chalicelib.core.audit import FIRST_KEY, last_under
from chalicelib.core.ledger import Entry, State
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.claim import rewrite
from chalicelib.flows.discover import Discover
from chalicelib.flows.ports import Ledger

AT_ONCE = 500  # objects of one job


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of a pipeline's objects are loaded again."""

    key: str | None = None
    prefix: str = ""
    rejected: bool = False  # only those with bad rows, or set aside as a whole

    def __call__(self, entry: Entry) -> bool:
        """Whether this one is."""
        if not entry.key.startswith(self.prefix):
            return False
        return not self.rejected or entry.rejects > 0 or entry.state is State.FAILED


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did, or would do."""

    objects: int
    rows: int  # of the objects, that are replaced
    rejects: int  # the same
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replaying:
    """Makes objects wait for another load, and starts it."""

    admin: Admin
    ledger: Ledger
    discover: Discover
    now: Callable[[], datetime]

    def estimate(self, name: str, chosen: Chosen) -> Replayed:
        """What `start` would do, and nothing done. Raises ConfigError as it does."""
        pipeline = self.admin.pipeline(name)
        objects = rows = rejects = 0
        for entry in self._entries(pipeline, chosen):
            objects, rows, rejects = objects + 1, rows + entry.rows, rejects + entry.rejects
        return Replayed(objects, rows, rejects)

    def start(self, name: str, chosen: Chosen) -> Replayed:
        """Load the chosen objects again; safe to repeat, and beside arrivals and sweeps.

        An object that waits or is being loaded already is left alone. If this dies half-way, the tick goes on with
        what was made to wait. Raises ConfigError for an unknown pipeline, and where rows cannot be replaced.
        """
        pipeline = self.admin.pipeline(name)
        entries = self._entries(pipeline, chosen)
        done = Replayed(0, 0, 0)
        while part := {entry.key: entry for entry in islice(entries, AT_ONCE)}:
            job = self._again(pipeline, part)
            done = Replayed(
                done.objects + len(part),
                done.rows + sum(entry.rows for entry in part.values()),
                done.rejects + sum(entry.rejects for entry in part.values()),
                (*done.jobs, job),
            )
        return done

    def _again(self, pipeline: Pipeline, part: Mapping[str, Entry]) -> str:
        now = self.now()
        rewrite(self.ledger, pipeline.name, part.keys(), partial(rules.replay, now=now))
        cause = f"replay {now.isoformat()} {next(iter(part))}"
        return self.discover.replay(pipeline, cause, [entry.ref for entry in part.values()])

    def _entries(self, pipeline: Pipeline, chosen: Chosen) -> Iterator[Entry]:
        first, last = chosen.prefix or FIRST_KEY, last_under(chosen.prefix)
        if chosen.key is not None:
            first = last = chosen.key
        for entry in self.ledger.span(pipeline.name, first, last):
            if chosen(entry) and rules.replay(entry, now=self.now()) is not None:
                self._check(pipeline, entry)
                yield entry

    def _check(self, pipeline: Pipeline, entry: Entry) -> None:
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

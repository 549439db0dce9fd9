"""Estimate: a backfill's dry run. The same rules as the real one, asked without writing anything."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import ledger as rules
from chalicelib.core.audit import narrowed
from chalicelib.core.ledger import Entry, Owner, Skipped, State, Verdict
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef
from chalicelib.core.planning import plan
from chalicelib.core.repeats import settled
from chalicelib.core.selection import UNRECORDED, Reason, refusals
from chalicelib.core.sweeps import Bounds
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.allowed import check
from chalicelib.flows.ports import Ledger, Listing

BYTES_PER_SECOND = 20_000_000  # of one task, compressed as it lies there: an assumption, not a promise
TASKS_AT_ONCE = 10  # assumed where the backfill sets no limit
SECONDS_PER_CALL = 0.25  # of a listing
ALREADY_LOADED = "already_loaded"
NOBODY = Owner("dry run", 0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a backfill would do if it started now."""

    pipeline: str
    prefix: str
    listed: int
    calls: int  # of the listing; the real one makes about as many
    objects: int  # that would be loaded
    bytes: int  # of those
    tasks: int
    skipped: Mapping[str, int]  # wanted, but the ledger has the last word: and why
    refused: Mapping[str, int]  # by the pipeline's rules, or by the bounds
    seconds: int  # until the last row is in the table, at BYTES_PER_SECOND a task


@dataclass(frozen=True, slots=True)
class Estimating:
    """Estimates backfills. Reads only."""

    admin: Admin
    listing: Listing
    ledger: Ledger
    now: Callable[[], datetime]

    def estimate(self, name: str, bounds: Bounds, *, max_concurrent_tasks: int | None = None) -> Estimate:
        """Walk the bounds as a backfill would, in memory that does not grow.

        Raises ConfigError for an unknown pipeline or bounds that hold nothing, and what a listing raises.
        """
        pipeline = self.admin.pipeline(name)
        prefix = checked(pipeline, bounds)
        walk = _Walk(self, pipeline, bounds, prefix)
        source = pipeline.source
        least, most = source.min_task_size, source.max_task_files
        for group in plan(walk.wanted(), min_task_size=least, max_objects=most, alone=source.divided_from):
            walk.tasks += bool(group)
        at_once = max(1, min(walk.tasks, max_concurrent_tasks or TASKS_AT_ONCE))
        return Estimate(
            name,
            prefix,
            walk.listed,
            walk.calls,
            walk.objects,
            walk.bytes,
            walk.tasks,
            dict(walk.skipped),
            dict(walk.refused),
            round(walk.calls * SECONDS_PER_CALL + walk.bytes / (BYTES_PER_SECOND * at_once)),
        )


def checked(pipeline: Pipeline, bounds: Bounds) -> str:
    """The prefix that a backfill lists. Raises ConfigError if the bounds can hold nothing."""
    crossed = bounds.end_at is not None and bounds.end_at <= bounds.start_after
    early, late = bounds.modified_after, bounds.modified_before
    if crossed or (early is not None and late is not None and late <= early):
        raise ConfigError(
            "its bounds hold nothing: the end is not after the start",
            where=f"backfill of {pipeline.name}",
            remedy="Swap them; --end-at and --modified-before are exclusive",
        )
    return narrowed(pipeline, bounds.prefix)


@dataclass(slots=True)
class _Walk:
    """What has been listed so far, as numbers."""

    flow: Estimating
    pipeline: Pipeline
    bounds: Bounds
    prefix: str
    listed: int = 0
    calls: int = 0
    objects: int = 0
    bytes: int = 0
    tasks: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def wanted(self) -> Iterator[ObjectRef]:
        """What would be loaded, in order; a sweep's limits are none of a backfill's."""
        for page in self._pages():
            for ref in self._claimable(self._selected(page)):
                self.objects += 1
                self.bytes += ref.size
                yield ref

    def _pages(self) -> Iterator[Sequence[Listed]]:
        grant = self.flow.admin.connection(self.pipeline.connection)
        check(grant, self.pipeline.source.bucket, self.prefix, owner=self.pipeline.owner)
        after: str | None = self.bounds.start_after
        while after is not None:
            page = self.flow.listing.page(
                grant,
                self.pipeline.source.bucket,
                self.prefix,
                start_after=after,
                until=self.bounds.end_at,
                exact=self.pipeline.source.path is not None,
            )
            self.calls += 1
            self.listed += len(page.objects)
            yield page.objects
            after = page.next_after

    def _selected(self, page: Sequence[Listed]) -> list[ObjectRef]:
        selected = []
        for listed, refused in zip(page, refusals(self.pipeline.source, page), strict=True):
            outside = refused not in UNRECORDED and not self._modified_within(listed.ref)
            reason = Reason.OUTSIDE_WINDOW if outside else refused
            if reason is None:
                selected.append(listed.ref)
            else:
                self.refused[reason] += 1
        return selected

    def _modified_within(self, ref: ObjectRef) -> bool:
        early, late = self.bounds.modified_after, self.bounds.modified_before
        return (early is None or ref.created_at >= early) and (late is None or ref.created_at < late)

    def _claimable(self, refs: Sequence[ObjectRef]) -> Iterator[ObjectRef]:
        """Those that a claim would win now."""
        known = {}
        if refs:
            span = self.flow.ledger.span(self.pipeline.name, refs[0].key, refs[-1].key)
            keys = {ref.key for ref in refs}
            known = {entry.key: entry for entry in span if entry.key in keys}
        for ref in refs:
            why = self._skipped(known.get(ref.key), ref)
            if why is None:
                yield ref
            else:
                self.skipped[why] += 1

    def _skipped(self, entry: Entry | None, ref: ObjectRef) -> str | None:
        now = self.flow.now()
        verdict = self._claim(entry, ref, now)
        if isinstance(verdict, Skipped) and verdict.reason is Reason.OUTDATED:
            verdict = self._claim(entry, replace(ref, created_at=now), now)  # it lies there, whatever its time (E4, E5)
        if not isinstance(verdict, Skipped):
            return None
        if verdict.reason is not Reason.DUPLICATE or entry is None:
            return str(verdict.reason)
        return ALREADY_LOADED if entry.state is State.COMMITTED else str(entry.reason or entry.state)

    def _claim(self, entry: Entry | None, ref: ObjectRef, now: datetime) -> Verdict:
        ignoring = self.pipeline.out.overwrite == "ignore"
        verdict = rules.claim(
            entry,
            ref,
            self.pipeline.name,
            NOBODY,
            now=now,
            lease=timedelta(),
            ignore_overwrites=ignoring,
            again=self.pipeline.out.replaces,
        )
        if self.pipeline.out.replaces:
            return verdict
        return settled(verdict, findable=self.pipeline.out.finds_rows_again, now=now)

"""Access that was lost and comes back: try now and then, and load what was denied once it works (F13, W15)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import health as rules
from chalicelib.core.connections import Grant
from chalicelib.core.health import Health
from chalicelib.core.jobs import JobKind, job_id
from chalicelib.core.ledger import Entry
from chalicelib.core.selection import Reason
from chalicelib.errors import ConfigError
from chalicelib.flows.allowed import check
from chalicelib.flows.discover import Discover
from chalicelib.flows.ports import Connections, HealthStore, Ledger, Listing, Metrics, Pipelines
from chalicelib.flows.troubles import try_all

TRIAL = 10  # objects that a failing connection is tried with
LIMIT = 500  # denied objects of a pipeline taken up again in one tick


@dataclass(frozen=True, slots=True)
class Revalidate:
    """Tries failing connections when their time comes, and takes up again what was denied over sound ones."""

    connections: Connections
    pipelines: Pipelines
    ledger: Ledger
    health: HealthStore
    listing: Listing
    discover: Discover
    metrics: Metrics
    now: Callable[[], datetime]

    def tick(self) -> None:
        """A minute has passed."""
        readers: dict[str, list[Pipeline]] = {}
        for pipeline in self.pipelines.all():
            readers.setdefault(pipeline.connection, []).append(pipeline)
        grants = self.connections.all()
        try_all((partial(self._connection, g, readers.get(g.connection.name, [])) for g in grants), self.metrics)

    def _connection(self, grant: Grant, pipelines: Sequence[Pipeline]) -> None:
        health = self.health.get(grant.connection.name)
        if health.failing_since is None:
            self._retry(health, grant, pipelines)
        elif health.is_due(self.now()):
            self._try(health, grant, pipelines)

    def _retry(self, health: Health, grant: Grant, pipelines: Sequence[Pipeline]) -> None:
        """What is denied although others are not: that is between AWS and the object."""
        now = self.now()
        cause = f"denied {now.isoformat()}"
        found = {
            job_id(JobKind.RECOVERY, pipeline.name, cause): (pipeline, entries)
            for pipeline in pipelines
            if (entries := [each for each in self._denied(grant, pipeline) if _wanted(health, each, now)])
        }
        if found and self.health.swap(rules.retrying(health, found)):
            for pipeline, entries in found.values():
                self._take_up(pipeline, cause, entries)

    def _try(self, health: Health, grant: Grant, pipelines: Sequence[Pipeline]) -> None:
        """One job with a few denied objects may call AWS; if there are none, one listing tells.

        Each trial is another pipeline's turn, and of its objects those that were tried least, the newest first: what
        is denied for ever does not stand before what is not.
        """
        now = self.now()
        cause = f"trial {now.isoformat()}"
        denied = [(pipeline, found) for pipeline in pipelines if (found := self._denied(grant, pipeline))]
        if denied:
            pipeline, found = denied[health.tries % len(denied)]
            trial = rules.try_again(health, job_id(JobKind.RECOVERY, pipeline.name, cause), now=now)
            if self.health.swap(trial):
                self._take_up(pipeline, cause, sorted(found, key=lambda e: (e.attempts, now - _tried_at(e)))[:TRIAL])
        elif pipelines:
            self._probe(health, grant, pipelines[health.tries % len(pipelines)], cause, now)

    def _probe(self, health: Health, grant: Grant, pipeline: Pipeline, cause: str, now: datetime) -> None:
        trial = rules.try_again(health, cause, now=now)
        if not self.health.swap(trial):
            return
        try:
            check(grant, pipeline.source.bucket, pipeline.source.listed_prefix, owner=pipeline.owner)
            self.listing.probe(grant, pipeline.source.bucket, pipeline.source.listed_prefix)
        except ConfigError as error:
            after = rules.failed(trial, cause, str(error), now=now)
        else:
            after = rules.recovered(trial)
        if after is not None:
            self.health.swap(after)

    def _take_up(self, pipeline: Pipeline, cause: str, found: Sequence[Entry]) -> None:
        if found:
            self.discover.resume(pipeline, cause, [entry.ref for entry in found])

    def _denied(self, grant: Grant, pipeline: Pipeline) -> list[Entry]:
        """Objects that AWS denied us; what our own connection is not for is left alone until it is widened."""
        if pipeline.out.replaces:
            return []  # its next run takes everything again
        entries = self.ledger.refused(pipeline.name, Reason.DENIED, limit=LIMIT)
        refusal = partial(grant.connection.refusal, owner=pipeline.owner)
        return [entry for entry in entries if not refusal(entry.ref.bucket, entry.key)]


def _wanted(health: Health, entry: Entry, now: datetime) -> bool:
    return rules.wanted(health, entry.attempts, _tried_at(entry), now=now)


def _tried_at(entry: Entry) -> datetime:
    return entry.claimed_at or entry.discovered_at

"""A listing to claimed objects and queued tasks: the second and third way in, on the same ledger as the first.

A sweep works in turns. Each turn lists from where the last one stopped, and stores each task together with the place
that the listing has reached; when its time is up it hands itself on by a message. Whatever dies, the next turn lists
a little again, meets its own claims, and goes on. When the listing has ended and all tasks are over, the cursor moves.
"""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import cursors, sweeps
from chalicelib.core.jobs import Job, JobChange, JobKind
from chalicelib.core.sweeps import BACKFILL, SCHEDULED, Bounds, Stored, Sweep, Walk
from chalicelib.errors import ConfigError, LeaseLost
from chalicelib.flows.allowed import check_listing
from chalicelib.flows.ports import Connections, Pipelines
from chalicelib.flows.turn import Means, Turn


@dataclass(frozen=True, slots=True)
class Sweeping(Means):
    """Starts sweeps and gives them their turns."""

    pipelines: Pipelines
    connections: Connections

    def trigger(self, pipeline: Pipeline, session: datetime, *, full: bool = False) -> bool:
        """Start the pipeline's sweep for this session; False if another one runs. Twice is the same as once.

        Raises ConfigError if its connection may not list what it reads.
        """
        check_listing(self.connections, pipeline, pipeline.source.listed_prefix)
        if self._other_run(pipeline, SCHEDULED):
            self.metrics.count("SweepsSkipped", 1, pipeline=pipeline.name)
            return False
        known = self.sweeps.get(pipeline.name, SCHEDULED)
        cursor = cursors.start(pipeline.source, self.cursors.get(pipeline.name))
        fresh = sweeps.scheduled(
            pipeline,
            session,
            full=full,
            last_path=cursor.last_path,
            last_modified_time=cursor.last_modified_time,
            now=self.now(),
        )
        if known is not None and known.job == fresh.job:
            if not known.is_over:
                self.queue.sweep(pipeline.name, SCHEDULED)
            return True
        return self._start(known, fresh)

    def backfill(
        self, pipeline: Pipeline, name: str, bounds: Bounds, *, max_concurrent_tasks: int | None = None
    ) -> Sweep:
        """Start a backfill; a name is used once, and a cancelled one is resumed under its own.

        Raises ConfigError if the name is taken, or if its connection may not list what it is for.
        """
        fresh = sweeps.backfill(pipeline, name, bounds, max_concurrent_tasks=max_concurrent_tasks, now=self.now())
        check_listing(self.connections, pipeline, fresh.prefix)
        other = self._other_run(pipeline, BACKFILL + name)
        if other:
            raise ConfigError(
                f"{other} is not over, and each would replace the content that the other brings",
                where=f"backfill {name} of {pipeline.name}",
                remedy="Wait for it, or cancel it, first",
            )
        known = self.sweeps.get(pipeline.name, BACKFILL + name)
        if known is not None and pipeline.out.replaces:
            raise ConfigError(
                f"it is {known.state}, and what replaces a table's content is loaded in one run",
                where=f"backfill {name} of {pipeline.name}",
                remedy="Choose another name",
            )
        if known is not None:
            resumed = sweeps.resume(known, now=self.now())
            if resumed is None or not self.sweeps.swap(resumed):
                raise ConfigError(
                    f"it is {known.state}",
                    where=f"backfill {name} of {pipeline.name}",
                    remedy="Choose another name; loading again what is loaded already is never done twice",
                )
            self.queue.sweep(pipeline.name, resumed.name)
            return resumed
        self._start(None, fresh)
        return fresh

    def cancel(self, pipeline: str, name: str) -> bool:
        """Stop listing; what is queued is still loaded. False if there is nothing to stop."""
        known = self.sweeps.get(pipeline, name)
        cancelled = sweeps.cancel(known) if known is not None else None
        if cancelled is None:
            return False
        return self.sweeps.advance(cancelled, [], JobChange(cancelled.job, sealed=True)) is Stored.DONE

    def turn(self, pipeline: str, name: str) -> None:
        """One message's worth: list on, or move the cursor once all tasks are over."""
        known = self.sweeps.get(pipeline, name)
        sweep = sweeps.begin(known, now=self.now(), lease=self.lease) if known is not None else None
        if sweep is None or not self.sweeps.swap(sweep):
            return
        self._start_job(sweep)
        document = self.pipelines.get(pipeline)
        grant = self.connections.get(document.connection) if document is not None else None
        if document is None or grant is None:
            self._fail(sweep, "its pipeline or connection was deleted")
            return
        try:
            Turn(self, document, grant, sweep).run()
        except LeaseLost:
            return  # whoever has the turn now goes on
        except ConfigError as error:
            self._fail(self.sweeps.get(pipeline, name) or sweep, str(error))

    def tick(self) -> None:
        """Give a turn to every sweep that stands still."""
        for sweep in self.sweeps.due(self.now(), limit=100):
            self.queue.sweep(sweep.pipeline, sweep.name)

    def _other_run(self, pipeline: Pipeline, name: str) -> str | None:
        """Another run that is not over, where only one at a time may decide what the table holds (F81)."""
        if not pipeline.out.replaces:
            return None
        running = (sweep for sweep in self.sweeps.all(pipeline.name) if sweep.name != name and not sweep.is_over)
        return next((sweep.name.replace(BACKFILL, "backfill ") for sweep in running), None)

    def _fail(self, sweep: Sweep, error: str) -> None:
        cancelled = sweeps.cancel(sweep, error=error)
        if cancelled is not None:
            self.sweeps.advance(cancelled, [], JobChange(sweep.job, sealed=True, error=error, finished_at=self.now()))

    def _start(self, known: Sweep | None, fresh: Sweep) -> bool:
        sweep = sweeps.successor(known, fresh)
        if sweep is None:
            self.metrics.count("SweepsSkipped", 1, pipeline=fresh.pipeline)
            return False
        if not self.sweeps.swap(sweep):
            return False
        self._start_job(sweep)
        self.queue.sweep(sweep.pipeline, sweep.name)
        return True

    def _start_job(self, sweep: Sweep) -> None:
        """After the sweep, so that a trigger that loses leaves no job; every turn makes up for a crash in between."""
        job = Job(
            id=sweep.job,
            kind=JobKind.BACKFILL if sweep.walk is Walk.RANGE else JobKind.SWEEP,
            pipeline=sweep.pipeline,
            created_at=sweep.started_at,
            tasks=0,
            staging=0,
            unfinished=0,
            sealed=False,
            sweep=sweep.name,
        )
        self.jobs.start(job, [])

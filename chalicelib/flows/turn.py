"""One turn of a sweep: list from where the last one stopped, store tasks and place together, hand on or end.

Whatever dies, the next turn lists a little again, meets its own claims, and goes on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import itemgetter

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import cursors, sweeps
from chalicelib.core.connections import Grant
from chalicelib.core.jobs import JobChange
from chalicelib.core.ledger import Entry, Owner, State, taken_by
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef
from chalicelib.core.planning import plan
from chalicelib.core.selection import RETRYABLE, UNRECORDED, Reason, refusals
from chalicelib.core.sweeps import Step, Stored, Sweep, SweepState, Walk
from chalicelib.core.tasks import Run, Task, closing, planned
from chalicelib.errors import LeaseLost
from chalicelib.flows.allowed import check
from chalicelib.flows.claim import Claims
from chalicelib.flows.ports import Cursors, Jobs, Ledger, Listing, Metrics, Queue, Sweeps
from chalicelib.flows.refuse import record

SAVE_PAGES = 20  # without a task, after which the place is stored and the turn renewed all the same
LOOK_AGAIN = timedelta(minutes=1)
THROTTLED_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Means:
    """What a turn works with."""

    listing: Listing
    ledger: Ledger
    jobs: Jobs
    sweeps: Sweeps
    cursors: Cursors
    queue: Queue
    metrics: Metrics
    now: Callable[[], datetime]
    lease: timedelta  # of claims, and of a turn between two steps
    budget: timedelta  # of one turn; shorter than the function may run


@dataclass(slots=True)
class Turn:
    """What was listed and is not in a task yet."""

    flow: Means
    pipeline: Pipeline
    grant: Grant
    sweep: Sweep
    waiting: list[ObjectRef] = field(default_factory=list)  # wanted, for the next task
    listed_to: str = ""
    seen: int = 0
    pages: int = 0
    matched: list[str] = field(default_factory=list)
    settled: bool = False  # the last of `matched` is

    def run(self) -> None:
        """List until the end, a limit, or until the time is up."""
        if self.sweep.state is SweepState.DRAINING:
            self._drain()
            return
        check(self.grant, self.pipeline.source.bucket, self.sweep.prefix, owner=self.pipeline.owner)
        self.listed_to = self.sweep.position
        deadline = self.flow.now() + self.flow.budget
        while True:
            listed_at = self.flow.now()
            page = self.flow.listing.page(
                self.grant,
                self.pipeline.source.bucket,
                self.sweep.prefix,
                start_after=self.listed_to,
                until=self.sweep.until,
                exact=self.pipeline.source.path is not None,
            )
            self._take_in(page.objects, listed_at)
            self.listed_to = page.next_after or (page.objects[-1].ref.key if page.objects else self.listed_to)
            self.pages += 1
            ended = page.next_after is None
            late = self.flow.now() >= deadline
            cut = self._make_tasks(everything=ended or late)
            if cut or (ended and not self.waiting):
                self._end(cut=cut)
                return
            if late or self._throttled():
                self._hand_on()
                return

    def _take_in(self, objects: Sequence[Listed], listed_at: datetime) -> None:
        """Sort a page into refused, already loaded, and waiting."""
        self.seen += len(objects)
        wanted, refused = self._select(objects, listed_at)
        now = self.flow.now()
        if refused:
            record(self.flow.ledger, self.pipeline, refused, now=now)
            self._note_archives(refused)
        known: dict[str, Entry] = {}
        if wanted and self.sweep.walk in (Walk.FULL, Walk.RANGE):
            keys = {ref.key for ref in wanted}
            span = self.flow.ledger.span(self.pipeline.name, wanted[0].key, wanted[-1].key)
            known = {entry.key: entry for entry in span if entry.key in keys}
        for ref in wanted:
            self._note(ref, listed_at, settled=self._settled(known.get(ref.key), ref))

    def _settled(self, entry: Entry | None, ref: ObjectRef) -> bool:
        """True if the ledger has the last word on it; a run that replaces everything takes what others have loaded."""
        if entry is None or (self.pipeline.out.replaces and not taken_by(entry, self.sweep.job)):
            return False
        return _settled(entry, ref)

    def _note(self, ref: ObjectRef, listed_at: datetime, *, settled: bool) -> None:
        """Of neighbours that are settled the last one says it all; so memory stays small however many there are.

        The time is set on what waits only: to copy each of a page's objects took a sixth of the sweep.
        """
        if settled and self.settled and self.matched:
            self.matched.pop()
        self.matched.append(ref.key)
        self.settled = settled
        if not settled:
            self.waiting.append(replace(ref, listed_at=listed_at))

    def _select(
        self, objects: Sequence[Listed], listed_at: datetime
    ) -> tuple[list[ObjectRef], dict[ObjectRef, Reason]]:
        """What the pipeline wants of a page, and what it refuses on record."""
        wanted: list[ObjectRef] = []
        refused: dict[ObjectRef, Reason] = {}
        overlap = timedelta(seconds=self.pipeline.source.overlap) if self.sweep.walk is Walk.TIME else timedelta()
        for listed, reason in zip(objects, refusals(self.pipeline.source, objects), strict=True):
            if reason in UNRECORDED or not sweeps.in_window(self.sweep, listed.ref, overlap):
                continue
            if reason is None:
                wanted.append(listed.ref)
            else:
                refused[replace(listed.ref, listed_at=listed_at)] = reason
        return wanted, refused

    def _note_archives(self, refused: dict[ObjectRef, Reason]) -> None:
        for reason in refused.values():
            self.flow.metrics.count("ObjectsRefused", 1, pipeline=self.pipeline.name, reason=reason)
        archived = next((ref for ref, reason in refused.items() if reason is Reason.ARCHIVED), None)
        if archived is not None and not self.pipeline.source.skip_glacier_objects and self.sweep.error is None:
            error = f"{archived} is archived; restore it, or set skip_glacier_objects: true"
            self.sweep = replace(self.sweep, error=error)  # stored with the next step

    def _make_tasks(self, *, everything: bool) -> bool:
        """Tasks of what is waiting, the last one only if it is full or `everything`; True if a limit is reached.

        What does not fit under `max_concurrent_tasks` stays waiting, and the next turn lists it again.
        """
        source = self.pipeline.source
        while not self._throttled():
            files, size = self.sweep.room(source)
            if (files is not None and files <= 0) or (size is not None and size <= 0):
                return True
            most = min(source.max_task_files, files or source.max_task_files)
            least = min(source.min_task_size, size or source.min_task_size)
            groups = plan(self.waiting, min_task_size=least, max_objects=most, alone=source.divided_from)
            group = next(groups, [])
            full = len(group) == most or sum(ref.size for ref in group) >= least or len(group) < len(self.waiting)
            if not group or not (full or everything):
                if self.pages >= SAVE_PAGES:
                    self._store([], ())
                return False
            self.waiting = self.waiting[len(group) :]
            self._claim(group)
        return False

    def _claim(self, group: Sequence[ObjectRef]) -> None:
        """Claim a group for the sweep's next task and store it; a number that was buried is passed over."""
        claims = Claims(self.flow.ledger, self.flow.jobs, self.flow.lease)
        while True:
            owner = Owner(self.sweep.job, self.sweep.next_task)
            claimed = claims.take(self.pipeline, {owner: group}, now=self.flow.now())
            doubtful = [key for key, reason in claimed.skipped.items() if reason is Reason.OUTDATED]
            shown = self._shown_now(doubtful)
            again = claims.take(self.pipeline, {owner: shown}, now=self.flow.now())
            won = tuple(sorted((*claimed.won.get(owner, ()), *again.won.get(owner, ())), key=lambda ref: ref.key))
            held = tuple(ref for ref in group if claimed.skipped.get(ref.key) is Reason.HELD)
            if self._store(won, held):
                return
            self.sweep = replace(self.sweep, next_task=self.sweep.next_task + 1)

    def _shown_now(self, keys: Sequence[str]) -> list[ObjectRef]:
        """What the bucket shows under keys whose listed content looks older than what the ledger knows.

        Times cannot tell: a listing has whole seconds, and a multipart upload the time of its initiation (E4, E5).
        But what is shown after the ledger was read, and is not what the ledger knows, was written since.
        """
        known = self.flow.ledger.get(self.pipeline.name, keys)
        found: list[ObjectRef] = []
        for key in keys:
            page = self.flow.listing.page(self.grant, self.pipeline.source.bucket, key, limit=1, exact=True)
            shown = [listed.ref for listed in page.objects if listed.ref.key == key and not listed.archived]
            if shown and key in known and not known[key].ref.same(shown[0]):
                found.append(replace(shown[0], listed_at=self.flow.now()))
        return found

    def _store(self, won: Sequence[ObjectRef], held: Sequence[ObjectRef]) -> bool:
        """Store the place with the task; False if the task's number is taken. Raises LeaseLost."""
        flow, now = self.flow, self.flow.now()
        position = self._place()
        away = {ref.key for ref in held}
        matched = tuple(key for key in self.matched if key <= position and key not in away)
        step = Step(position, self.seen, self.pages, matched, tuple(won), tuple(held))
        after = sweeps.advance(self.sweep, step, task=bool(won), now=now, lease=flow.lease)
        due_at = now + flow.lease
        tasks = [planned(self.pipeline, after.job, self.sweep.next_task, won, due_at=due_at)] if won else []
        change = JobChange(after.job, tasks=len(tasks), staging=len(tasks), unfinished=len(tasks))
        stored = flow.sweeps.advance(after, tasks, change)
        if stored is Stored.LOST:
            raise LeaseLost("another turn has begun", where=f"sweep {after.name} of {after.pipeline}")
        if stored is Stored.TASK_EXISTS:
            return False
        flow.metrics.count("ObjectsSeen", self.seen, pipeline=self.pipeline.name)
        self.sweep, self.seen, self.pages = after, 0, 0
        self.matched = [key for key in self.matched if key > position]
        if tasks:
            flow.queue.load(tasks)
        return True

    def _place(self) -> str:
        """The last key that is decided once the group at hand is stored: all before the first that still waits."""
        if not self.waiting:
            return self.listed_to
        first = self.waiting[0].key
        return max((key for key in self.matched if key < first), default=self.sweep.position)

    def _throttled(self) -> bool:
        if self.sweep.max_concurrent_tasks is None:
            return False
        job = self.flow.jobs.job(self.sweep.job)
        return job is not None and job.staging >= self.sweep.max_concurrent_tasks

    def _hand_on(self) -> None:
        delay = THROTTLED_SECONDS if self._throttled() else 0
        self._store([], ())
        if self.flow.sweeps.swap(sweeps.pause(self.sweep, now=self.flow.now())):
            self.flow.queue.sweep(self.sweep.pipeline, self.sweep.name, delay=delay)

    def _end(self, *, cut: bool) -> None:
        """The listing is over: seal the job, then see whether all tasks are over too."""
        self._store([], ())
        while (ended := self._sealed(cut=cut)) is None:
            self.sweep = replace(self.sweep, next_task=self.sweep.next_task + 1)
        self.sweep = ended
        self._drain()

    def _sealed(self, *, cut: bool) -> Sweep | None:
        """The sweep with its job sealed, and closed if it replaces; None if the closing task's number was buried."""
        flow, now = self.flow, self.flow.now()
        ended, error, last = sweeps.listed(self.sweep, cut=cut, now=now), self.sweep.error, list[Task]()
        if self.pipeline.out.replaces:
            error = error or _left_out(self.sweep, cut=cut)
            run = Run(ended.job, ended.started_at, self.pipeline.source.skip_glacier_objects)
            last = [closing(self.pipeline, run, ended.next_task, now=now, nudge_after=flow.lease)]
        change = JobChange(ended.job, tasks=len(last), unfinished=len(last), sealed=True, finished_at=now, error=error)
        stored = flow.sweeps.advance(ended, last, change)
        if stored is Stored.LOST:
            raise LeaseLost("another turn has begun", where=f"sweep {ended.name} of {ended.pipeline}")
        if stored is Stored.TASK_EXISTS:
            return None
        flow.queue.commit(last)
        return ended

    def _drain(self) -> None:
        """Move the cursor once all tasks are over; before that, look again later (the commit sends word too)."""
        flow, now = self.flow, self.flow.now()
        job = flow.jobs.job(self.sweep.job)
        if job is None or job.unfinished > 0:
            flow.sweeps.swap(sweeps.wait(self.sweep, until=now + LOOK_AGAIN))
            return
        if self.sweep.walk is not Walk.RANGE and self.pipeline.source.incremental:
            moved = cursors.after(flow.cursors.get(self.pipeline.name), self.sweep, self._undecided(), now=now)
            if moved is not None and not flow.cursors.swap(moved):
                flow.sweeps.swap(sweeps.wait(self.sweep, until=now))
                return
        flow.sweeps.swap(sweeps.done(self.sweep, error=job.error))

    def _undecided(self) -> set[tuple[str, datetime]]:
        """The first by key and the earliest of `_waiting`: the cursor goes by these, and there may be a million."""
        bounds: set[tuple[str, datetime]] = set()
        for pair in self._waiting():
            both = {*bounds, pair}
            bounds = {min(both), min(both, key=itemgetter(1))}
        return bounds

    def _waiting(self) -> Iterator[tuple[str, datetime]]:
        """Objects of this sweep's tasks that were not loaded, for reasons that may pass."""
        for task in self.flow.jobs.each(self.sweep.job):
            times = {member.key: member.created_at for member in task.members}
            for outcome in task.staged.outcomes if task.staged else ():
                if outcome.reason in RETRYABLE and outcome.reason != Reason.ARCHIVED:
                    yield outcome.key, times[outcome.key]


def _left_out(sweep: Sweep, *, cut: bool) -> str | None:
    """Why what the sweep found is not the whole content (F81)."""
    if sweep.held_path is not None:
        return f"another job holds {sweep.held_path}"
    return "a limit ended the listing early" if cut else None


def _settled(entry: Entry, ref: ObjectRef) -> bool:
    """True if the ledger already has the last word on this identity: the cheap half of the merge.

    What is claimed counts as settled while its lease runs; whatever is left to claiming is decided there.
    """
    if not entry.ref.same(ref) or entry.removal is not None:  # it may have been made again
        return False
    if entry.state in (State.COMMITTED, State.FAILED):
        return True
    return entry.state is State.REFUSED and entry.reason not in RETRYABLE

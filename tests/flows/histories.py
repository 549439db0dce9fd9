"""Random histories: what customers, queues, schedules and dying processes do, and what must be true all the while.

A `History` is the `World` plus the truth about the customer's bucket. It plays one `Step` after the other; a step may
carry a `Fault`, which kills the process at one of the calls that it makes, or lets others act before that call.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core import cursors
from chalicelib.core.cursors import Cursor
from chalicelib.core.jobs import JobState
from chalicelib.core.ledger import Entry, Owner, State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import BACKFILL, SCHEDULED, Bounds, Walk
from chalicelib.core.tasks import MAX_ATTEMPTS_ALONE, Task, TaskState
from tests.examples import BUCKET, pipeline
from tests.fakes.destination import FakeStaging, FakeTable
from tests.fakes.stores import FakeLedger
from tests.fakes.sweeps import FakeCursors
from tests.flows.world import Crash, Faults, World, notification

FLIGHTS = "flights"
KEYS = ("in/a.csv", "in/b.csv", "in/b/c.csv", "in/d.csv", "in/é.csv", "out/a.csv")
WAITS = (0.3, 1, 60, 180, 660)  # seconds
BOUNDS = (
    Bounds(),
    Bounds(start_after="in/a.csv", end_at="in/d.csv"),
    Bounds(prefix="in/b"),
    Bounds(start_after="in/b.csv"),
)
AT_WORK = (TaskState.PLANNED, TaskState.LOADING, TaskState.DIVIDED, TaskState.STAGED)
WAITING = frozenset({Reason.DENIED, Reason.MISSING, Reason.OVERWRITTEN, Reason.DELETED})
"""Refusals that a cursor must not pass, if the object is there."""


@dataclass(frozen=True)
class Setup:
    """What the pipeline and the bucket are like."""

    versioned: bool = False
    by_time: bool = False
    ignore: bool = False  # overwrites
    replace: bool = False  # by overwrites
    delete_rows: bool = False
    overlap: int = 600
    limit: int | None = None
    per_task: int = 500
    split: int = 0  # bytes of the parts of objects, which have some twenty
    haste: bool = False  # every attempt hands over as soon as it can

    def pipeline(self) -> Pipeline:
        made = pipeline(
            FLIGHTS,
            use_modified_time=self.by_time,
            overlap=self.overlap,
            total_file_count_limit=self.limit,
            max_task_files=self.per_task,
            split_size=self.split,
            skip_glacier_objects=True,
        )
        policy = {"on_overwrite": "ignore" if self.ignore else "replace" if self.replace else "append"}
        policy |= {"on_delete": "delete_rows" if self.delete_rows else "keep"}
        return made.model_copy(update={"out": made.out.model_copy(update=policy)})


@dataclass(frozen=True)
class Step:
    """One thing that happens: `do` names a method of History."""

    do: str
    n: int = 0  # which key, message, wait or bound: modulo what there is
    tell: int = 0  # how many notifications
    fault: "Fault | None" = None


@dataclass(frozen=True)
class Fault:
    """At this call of the step: die before it, die after it, or first let others do these steps."""

    call: int
    how: str
    meanwhile: tuple[Step, ...] = ()


@dataclass
class Interruptions(Faults):
    """The fault of the step that is being played."""

    fault: Fault | None = None
    play: Callable[[Step], None] = lambda step: None
    happened: int = 0

    def begin(self, fault: Fault | None) -> None:
        self.fault, self.calls = fault, 0

    def call(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        fault, self.calls = self.fault, self.calls + 1
        if fault is None or self.calls != fault.call + 1:
            return action(*args, **kwargs)
        self.happened += 1
        if fault.how == "before":
            raise Crash
        for step in fault.meanwhile:
            self.begin(step.fault)
            self.play(step)
        self.begin(None)
        result = action(*args, **kwargs)
        if fault.how == "after":
            raise Crash
        return result


@dataclass
class Made:
    """The latest object under a key, as the customer knows it."""

    ref: ObjectRef
    number: int | None  # what its rows say; None without rows
    shown_at: datetime  # since when it is there and can be read; a late-visible one is older than that
    told: bool = False  # a notification was taken in while it was the latest
    archived: bool = False  # ever

    @property
    def listed_at(self) -> datetime:
        """Its time in whole seconds, as listings have it."""
        return self.ref.created_at.replace(microsecond=0)

    def same(self, ref: ObjectRef) -> bool:
        """As a listing can tell, which knows no versions."""
        return replace(self.ref, version_id=None).same(ref)


@dataclass
class WatchedTable(FakeTable):
    """Tells when an attempt begins to write."""

    begun: Callable[[str], None] = lambda task: None

    def __call__(self, out: Iceberg | Parquet, task_id: str, attempt: int) -> FakeStaging:
        if not out.table.endswith("_rejects"):
            self.begun(task_id)
        return super().__call__(out, task_id, attempt)


@dataclass
class WatchedCursors(FakeCursors):
    moved: Callable[[Cursor, Cursor], None] = lambda before, after: None

    def swap(self, cursor: Cursor) -> bool:
        before = self.get(cursor.pipeline)
        if not super().swap(cursor):
            return False
        self.moved(before, cursor)
        return True


@dataclass
class WatchedLedger(FakeLedger):
    changed: Callable[[Entry | None, Entry], None] = lambda before, after: None

    def swap(self, entries: Any) -> frozenset[str]:
        before = {entry.key: self.stored.get((entry.pipeline, entry.key)) for entry in entries}
        lost = super().swap(entries)
        for entry in entries:
            if entry.key not in lost:
                self.changed(before[entry.key], entry)
        return lost


@dataclass
class History(World):
    """The world, the truth, and the promises."""

    setup: Setup = field(default_factory=Setup)
    made: dict[str, Made] = field(default_factory=dict)  # what the customer's bucket holds now
    puts: Counter[tuple[str, int]] = field(default_factory=Counter)  # how often this content was put under this key
    refs: list[ObjectRef] = field(default_factory=list)  # everything that a notification can be about
    uploads: list[tuple[str, datetime]] = field(default_factory=list)  # multiparts that have begun
    shown: dict[ObjectRef, datetime] = field(default_factory=dict)  # since when each was there to be read
    touched: dict[str, datetime] = field(default_factory=dict)  # when a key was last put or deleted
    triggers: list[tuple[datetime, bool]] = field(default_factory=list)
    sent: dict[str, tuple[ObjectRef, ...]] = field(default_factory=dict)  # what each message is about
    deletions: dict[str, ObjectRef] = field(default_factory=dict)  # the same of removals
    deleted: dict[str, Made] = field(default_factory=dict)  # the last object of each key that holds nothing now
    told_gone: set[str] = field(default_factory=set)  # of those keys
    seen: list[tuple[list[Any], Any]] = field(default_factory=list)  # messages that were delivered, with their queue
    working: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # who writes at this moment: attempt, lease
    interruptions: Interruptions = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.now += timedelta(seconds=0.5)  # listings tell whole seconds
        self.small, self.in_haste = 0, self.setup.haste
        self.faults = self.interruptions = Interruptions(play=self.play)
        self.ledger = WatchedLedger(changed=self._changed)
        self.table = WatchedTable(begun=self._begun)
        self.cursors = WatchedCursors(moved=self._moved)
        self.buckets.create(BUCKET, versioned=self.setup.versioned)
        self.pipelines.put(self.setup.pipeline())

    def play(self, step: Step) -> None:
        """Do one step, by itself or while another is half done."""
        getattr(self, step.do)(step)

    def step(self, step: Step) -> None:
        """Do one step; what a process that dies leaves undone stays undone."""
        self.interruptions.begin(step.fault)
        self.play(step)
        self.interruptions.begin(None)
        self.working.clear()
        self.check()

    # What customers do.

    def new(self, step: Step) -> None:
        """Content that was never there."""
        self._put(KEYS[step.n % len(KEYS)], len(self.refs), step.tell)

    def same(self, step: Step) -> None:
        """The same content again."""
        made = self._some(step)
        if made is not None:
            self._put(made.ref.key, made.number, step.tell)

    def empty(self, step: Step) -> None:
        self._put(KEYS[step.n % len(KEYS)], None, step.tell)

    def upload(self, step: Step) -> None:
        """A multipart upload begins."""
        self.uploads.append((KEYS[step.n % len(KEYS)], self.now))

    def complete(self, step: Step) -> None:
        """It ends, and shows with the date of its begin (E5), unless something newer was put meanwhile."""
        if self.uploads:
            key, began = self.uploads.pop(step.n % len(self.uploads))
            if key not in self.touched or self.touched[key] < began:
                self._written(key, len(self.refs), began, step.tell)

    def delete(self, step: Step) -> None:
        made = self._some(step)
        if made is None:
            return
        del self.made[made.ref.key]
        self.buckets.delete(made.ref)
        self.touched[made.ref.key] = self.now
        self.deleted[made.ref.key] = made
        for _ in range(step.tell):
            name = f"m{next(self._ids)}"
            self.deletions[name] = made.ref
            self.arrivals.append((name, removed(made.ref, self.now, marker=self.setup.versioned)))

    def lie(self, step: Step) -> None:
        """Somebody says that an object was deleted, which it was not."""
        made = self._some(step)
        if made is not None:
            name = f"m{next(self._ids)}"
            self.arrivals.append((name, removed(made.ref, self.now, marker=self.setup.versioned)))
            self.now += timedelta(milliseconds=1)  # whoever lists later is later

    def remake(self, step: Step) -> None:
        """What was deleted comes again, with the same content."""
        if self.deleted:
            made = self.deleted[sorted(self.deleted)[step.n % len(self.deleted)]]
            self._put(made.ref.key, made.number, step.tell)

    def archive(self, step: Step) -> None:
        made = self._some(step)
        if made is not None:
            made.archived = True
            self.buckets.archive(made.ref)

    def restore(self, step: Step) -> None:
        archived = [made for made in self.made.values() if not self._readable(made)]
        for made in archived[step.n % 2 :]:
            self.buckets.restore(made.ref)
            made.shown_at = self.now
            for _ in range(step.tell):
                self._send("ObjectRestore:Completed", made.ref)

    def announce(self, step: Step) -> None:
        """Notifications of anything that ever was, late and out of order; `tell` of them in one message."""
        if self.refs:
            found = [self.refs[(step.n + index) % len(self.refs)] for index in range(max(1, step.tell))]
            self._send("ObjectCreated:Put", *found)

    # What time, schedules and people do.

    def wait(self, step: Step) -> None:
        self.now += timedelta(seconds=WAITS[step.n % len(WAITS)])

    def trigger(self, step: Step) -> None:
        """A sweep for this moment; every third is full. A scheduler that dies comes again for the same session."""
        self.triggers.append((self.now, step.n % 3 == 2))
        self._trigger_all()

    def switch(self, step: Step) -> None:
        """From path to time or back (F32)."""
        self.setup = replace(self.setup, by_time=not self.setup.by_time)
        self.pipelines.put(self.setup.pipeline())

    def rewind(self, step: Step) -> None:
        """The cursor is set back by hand, or reset."""
        known = self.cursors.get(FLIGHTS)
        back = min(filter(None, [known.last_path, (None, *KEYS)[step.n % 4]]), default=None) if step.n % 4 else None
        time = known.last_modified_time - timedelta(minutes=5) if known.last_modified_time and step.n % 2 else None
        self.cursors.swap(cursors.reset(known, last_path=back, last_modified_time=time, now=self.now))

    def backfill(self, step: Step) -> None:
        bounds = BOUNDS[step.n % len(BOUNDS)]
        flights = self.pipelines.stored[FLIGHTS]
        at_once = 1 if step.n % 2 else None
        self._survives(lambda: self.sweeping.backfill(flights, f"{step.n % 7}", bounds, max_concurrent_tasks=at_once))

    def cancel(self, step: Step) -> None:
        name = SCHEDULED if step.n % 2 else f"{BACKFILL}{step.n % 7}"
        self._survives(lambda: self.sweeping.cancel(FLIGHTS, name))

    # What queues and clocks do.

    def arrive(self, step: Step) -> None:
        """One message, or some at once."""
        if step.n % 3 == 2 and len(self.arrivals) > 1:
            self._arrive_together(step)
        else:
            self._next(self.arrivals, step, self._arrive)

    def _arrive_together(self, step: Step) -> None:
        start = step.n % len(self.arrivals)
        messages = [*self.arrivals[start:], *self.arrivals[:start]][: 2 + step.n // 3]
        for message in messages:
            self.arrivals.remove(message)
            self.seen.append((self.arrivals, message))
        if step.tell == 2:
            self.arrivals += messages
        failed: dict[str, Exception] = {}
        survived = self._survives(lambda: failed.update(self.discover.arrivals(dict(messages))))
        for message in messages:
            if survived and message[0] not in failed:
                self._told(message)
            else:
                self.arrivals.append(message)

    def load_one(self, step: Step) -> None:
        self._next(self.queue.loads, step, lambda hint: self._survives(lambda: self.load_task(hint)))

    def turn(self, step: Step) -> None:
        self._next(self.queue.sweeps, step, self._turn)

    def commit_one(self, step: Step) -> None:
        self._next(self.queue.commits, step, self._commit)

    def again(self, step: Step) -> None:
        """A message comes once more."""
        if self.seen:
            queue, message = self.seen[step.n % len(self.seen)]
            queue.append(message)

    def lose(self, step: Step) -> None:
        """A message of ours is lost; the tick makes up for it."""
        queue = (self.queue.loads, self.queue.sweeps, self.queue.commits)[step.n % 3]
        del queue[:1]

    def tick(self, step: Step) -> None:
        self._trigger_all()
        self._tick()

    def rounds(self, step: Step) -> None:
        """Everything is delivered, and a minute passes."""
        self._deliver(Counter())
        self._tick()
        self.now += timedelta(minutes=1)

    def settle(self) -> None:
        """Until nothing moves any more."""
        self.run(rounds=60)
        assert not self._unfinished(), "something never ends"

    # The promises.

    def check(self) -> None:
        """What is true after every step."""
        held: Counter[tuple[str, str]] = Counter()
        for task in self.jobs.stored.values():
            if task.state in AT_WORK and not self._is_settled(task):
                held.update((member.key, member.identity) for member in task.members if task.part_of is None)
                self._check_task(task)
        assert not {member for member, count in held.items() if count > 1}, "two tasks have the same object"
        self.check_rows()
        for sweep in self.sweeps.stored.values():
            bounded = self.setup.limit is not None and sweep.walk is not Walk.RANGE
            assert not bounded or sweep.accepted <= (self.setup.limit or 0), "a sweep took more than its limit"

    def check_rows(self) -> None:
        identities = Counter((row["_key"], row["_identity"], row["id"], row["part"]) for row in self.table.rows)
        assert all(count == 1 for count in identities.values()), "an identity's rows came twice"
        loaded = {(row["_key"], row["_identity"]) for row in self.table.rows}
        rejects = Counter((row["_key"], row["_identity"]) for row in self.table.rejects)
        assert all(count == 1 for count in rejects.values()), "an identity's bad row came twice"
        going = self.setup.replace or self.setup.delete_rows  # bad rows go after the good ones
        assert going or rejects.keys() <= loaded, "bad rows came before good ones"
        for (key, number), count in self.rows().items():
            allowed = self.puts[key, number] if self.setup.versioned else 1
            assert count % 2 == 0, "half an object is in the table"
            assert count // 2 <= allowed, "an object's rows came twice"

    def rows(self) -> Counter[tuple[str, int]]:
        return Counter((row["_key"], row["id"]) for row in self.table.rows)

    def check_told(self) -> None:
        """What was announced needs no sweep."""
        for made in self.made.values():
            if made.told and not made.archived:
                assert self._decided(made), f"{made} was announced and is {self.ledger.stored.get(self._at(made))}"

    def check_swept(self, before: Cursor) -> None:
        """After the pipeline's own sweeps nothing is missing that lies after the cursor they started from."""
        for made in self.made.values():
            if self.setup.by_time:
                in_time = made.shown_at - made.ref.created_at <= timedelta(seconds=self.setup.overlap)
                promised = in_time and not made.archived
            else:
                promised = before.last_path is None or made.ref.key > before.last_path
            if promised:
                assert self._decided(made), f"{made} is {self.ledger.stored.get(self._at(made))}"

    def check_settled(self) -> None:
        """After a full sweep every identity has its end, and everything else is over."""
        for made in self.made.values():
            entry = self.ledger.stored.get(self._at(made))
            assert self._decided(made), f"{made} is {entry}"
            if (
                entry is not None
                and entry.reason is Reason.GAVE_UP
                and self.interruptions.happened > MAX_ATTEMPTS_ALONE
            ):
                continue
            if self._wanted(made) and self._readable(made) and not self._ignored(made, entry):
                assert entry is not None and entry.state is State.COMMITTED, f"{made} is {entry}"
                assert made.number is None or self.rows()[made.ref.key, made.number] > 0, f"{made} has no rows"
        for entry in self.ledger.stored.values():
            assert entry.state not in (State.PENDING, State.CLAIMED), f"{entry} is not at its end"
            assert (entry.state is State.COMMITTED) == (entry.reason is None), f"{entry} without a reason"
        self.check_gone()
        loaded = {(row["_key"], row["_identity"]) for row in self.table.rows}
        assert loaded == {(row["_key"], row["_identity"]) for row in self.table.rejects}, "bad rows are missing"
        assert all(task.is_over for task in self.jobs.stored.values())
        assert all(sweep.is_over for sweep in self.sweeps.stored.values())
        for job in self.jobs.jobs.values():
            assert (job.unfinished, job.staging) == (0, 0), f"{job} is not over"
            assert job.state is not JobState.RUNNING, f"{job} is not over"

    def check_gone(self) -> None:
        """By the pipeline's policies, nothing is left of what was deleted or written over."""
        identities = {(row["_key"], row["_identity"]) for row in self.table.rows}
        if self.setup.delete_rows:
            left = {key for key, _ in identities} & self.told_gone
            assert not left, f"{left} were deleted, and their rows are there"
        for key, identity in identities if self.setup.replace and not self.setup.ignore else ():
            entry = self.ledger.stored[FLIGHTS, key]
            empty = key in self.made and self.made[key].number is None and entry.reason is Reason.EMPTY
            assert not empty, f"{key} is empty, and {identity} is there"
            assert entry.state is not State.COMMITTED or entry.ref.identity == identity, f"{entry} beside {identity}"

    def _check_task(self, task: Task) -> None:
        """Until its rows are in the table a task holds its claims, and what is staged is of the attempt that counts."""
        if task.state is TaskState.STAGED:
            assert task.staged is not None
            if not (self.setup.split or self.setup.haste):
                assert all(f"/{task.attempt}/" in file.path for file in task.staged.files), (
                    "a zombie's files are staged"
                )
            if self._is_settled(task):
                return
        owners = {Owner(task.job, task.number), Owner(task.job, task.number // 1_000_000 - 1)}
        owners |= {Owner(*task.part_of)} if task.part_of else set()
        for member in task.members:
            entry = self.ledger.stored[task.pipeline, member.key]
            assert entry.state is State.CLAIMED and entry.owner in owners, f"{task.id} lost its claim: {entry}"
            assert entry.ref.same(member), f"{task.id} has {member}, its claim is of {entry.ref}"

    def _is_settled(self, task: Task) -> bool:
        """Nothing hangs on its claims any more: its rows are in the table, or there are none."""
        return task.staged is not None and (not task.staged.files or task.id in self.table.tags)

    def _begun(self, task: str) -> None:
        """One attempt at a time, as long as its lease runs, or until it has handed over."""
        job, number = task.rsplit("/", 1)
        stored = self.jobs.stored[job, int(number)]
        attempt, until = self.working.get(task, (0, self.now))
        has_handed_over = stored.progress is not None and stored.progress.attempt >= attempt
        assert self.now >= until or has_handed_over, f"{task} is loaded twice at a time"
        self.working[task] = stored.attempt, stored.due_at

    def load_task(self, hint: tuple[str, int]) -> None:
        try:
            super().load_task(hint)
        finally:
            self.working.pop("{}/{}".format(*hint), None)

    def _changed(self, before: Entry | None, after: Entry) -> None:
        if before is None or before.state is not State.COMMITTED or after.state is State.COMMITTED:
            return
        left = self.setup.delete_rows and after.leaving is not None
        assert left or not before.ref.same(after.ref), f"{before} was committed, and is {after}"
        assert not (self.setup.ignore and after.state is State.CLAIMED), "an overwrite was to be ignored"

    def _moved(self, before: Cursor, after: Cursor) -> None:
        """A cursor that a sweep moves passes nothing that the sweep could have seen and that is not decided (P3)."""
        if after.job is None:
            return
        began = self.jobs.jobs[after.job].created_at
        for made in self.made.values():
            entry = self.ledger.stored.get(self._at(made))
            ours = entry is not None and entry.owner is not None and entry.owner.job == after.job
            shown = made.shown_at < began or (ours and entry is not None and entry.reason in WAITING)
            if (
                shown
                and self._readable(made)
                and (self._passed_by_key(before, after, made) or self._passed_by_time(before, after, made))
            ):
                lied_about = entry is not None and (entry.leaving is not None or entry.replay)  # the tick has it
                same = entry is not None and entry.former_etag == made.ref.etag  # loaded, as far as a listing can tell
                assert lied_about or same or self._decided(made), f"cursor {before} to {after} passed {made}: {entry}"
        assert after.last_modified_time is None or after.last_modified_time <= self.now
        if after.last_modified_time != before.last_modified_time:
            assert after.last_modified_time is not None and after.last_modified_time <= began, (
                "not fixed before listing"
            )

    def _passed_by_key(self, before: Cursor, after: Cursor, made: Made) -> bool:
        return after.last_path is not None and (before.last_path or "") < made.ref.key <= after.last_path

    def _passed_by_time(self, before: Cursor, after: Cursor, made: Made) -> bool:
        if after.last_modified_time is None or after.last_modified_time == before.last_modified_time:
            return False
        since = before.last_modified_time
        overlap = timedelta(seconds=self.setup.overlap)
        return made.listed_at < after.last_modified_time and (since is None or made.listed_at >= since - overlap)

    def _decided(self, made: Made) -> bool:
        """True if the ledger has the last word on what the bucket holds."""
        if not self._wanted(made):
            return True
        entry = self.ledger.stored.get(self._at(made))
        if entry is None or self._ignored(made, entry):
            return entry is not None
        if not made.same(entry.ref) or entry.state in (State.CLAIMED, State.PENDING):
            return False
        return entry.state is not State.REFUSED or entry.reason not in WAITING

    def _ignored(self, made: Made, entry: Entry | None) -> bool:
        ended = entry is not None and entry.state is State.COMMITTED and not made.same(entry.ref)
        return self.setup.ignore and ended

    def _wanted(self, made: Made) -> bool:
        return made.ref.key.startswith("in/") and made.number is not None

    def _readable(self, made: Made) -> bool:
        place = (BUCKET, made.ref.key)
        return place not in self.buckets.archived - self.buckets.restored

    def _at(self, made: Made) -> tuple[str, str]:
        return FLIGHTS, made.ref.key

    # How it is done.

    def _some(self, step: Step) -> Made | None:
        """One of the objects that there are."""
        found = sorted(self.made)
        return self.made[found[step.n % len(found)]] if found else None

    def _put(self, key: str, number: int | None, tell: int) -> None:
        self.now += timedelta(milliseconds=1)  # no two things happen at once to a bucket
        self._written(key, number, self.now, tell)

    def _written(self, key: str, number: int | None, created_at: datetime, tell: int) -> None:
        content = b"" if number is None else f"id,part\n{number},1\nbad\n{number},2\n".encode()
        self.buckets.now = created_at
        ref = self.buckets.put(BUCKET, key, content)
        self.made[key] = Made(ref, number, self.now)
        self.shown[ref] = self.now
        self.touched[key] = self.now
        self.deleted.pop(key, None)
        self.told_gone.discard(key)
        self.refs.append(ref)
        if number is not None:
            self.puts[key, number] += 1
        for _ in range(tell):
            self._send("ObjectCreated:Put", ref)

    def _send(self, event: str, *refs: ObjectRef) -> None:
        name = f"m{next(self._ids)}"
        self.sent[name] = refs
        self.arrivals.append((name, message([self._announced(ref) for ref in refs], event)))

    def _announced(self, ref: ObjectRef) -> ObjectRef:
        """As S3 tells of it: an event has the time at which the object was there, not that of its begin (E5)."""
        return replace(shortened(ref), created_at=self.shown[ref])

    def _next(self, queue: list[Any], step: Step, deliver: Callable[[Any], bool]) -> None:
        if queue:
            message = queue.pop(step.n % len(queue))
            self.seen.append((queue, message))
            if step.tell == 2:
                queue.append(message)  # somebody else gets it too, perhaps at the same time
            if not deliver(message):
                queue.append(message)

    def _arrive(self, message: tuple[str, str]) -> bool:
        done = self._survives(lambda: self.discover.arrival(*message))
        if done:
            self._told(message)
        return done

    def _told(self, message: tuple[str, str]) -> None:
        for ref in self.sent.get(message[0], ()):
            made = self.made.get(ref.key)
            if made is not None and made.ref == ref:
                made.told = True
        gone = self.deletions.get(message[0])
        if gone is not None and gone.key in self.deleted and self.deleted[gone.key].ref is gone:
            self.told_gone.add(gone.key)

    def _turn(self, turn: tuple[str, str]) -> bool:
        return self._survives(lambda: self.sweeping.turn(*turn))

    def _commit(self, hint: tuple[str, int]) -> bool:
        failed: list[Any] = []
        return self._survives(lambda: failed.extend(self.commit.tasks([hint]))) and not failed

    def _trigger_all(self) -> None:
        triggers, self.triggers[:] = list(self.triggers), []
        for session, full in triggers:
            start = partial(self.sweeping.trigger, self.pipelines.stored[FLIGHTS], session, full=full)
            if not self._survives(start):
                self.triggers.append((session, full))

    def _deliver(self, tries: Counter[Any]) -> None:
        for _ in range(len(self.arrivals)):
            self.arrive(Step("arrive"))
        self._trigger_all()
        super()._deliver(tries)


def shortened(ref: ObjectRef) -> ObjectRef:
    """Sequencers differ in length; only padding with zeros on the right makes them comparable (E21)."""
    return replace(ref, sequencer=sequencer(ref))


def sequencer(ref: ObjectRef, later: int = 0) -> str:
    """The fake's, spread out so that every other one ends in a zero, which is left out."""
    return f"{(int(ref.sequencer or '0', 16) + 1) * 8 + later:06X}".rstrip("0")


def removed(ref: ObjectRef, at: datetime, *, marker: bool) -> str:
    """What S3 puts into SQS when an object is deleted."""
    event = "ObjectRemoved:DeleteMarkerCreated" if marker else "ObjectRemoved:Delete"
    after = replace(ref, created_at=at, sequencer=sequencer(ref, 4), version_id="marker" if marker else None)
    return message([after], event)


def message(refs: Sequence[ObjectRef], event: str) -> str:
    body = json.loads(notification(refs))
    return json.dumps({"Records": [record | {"eventName": event} for record in body["Records"]]})

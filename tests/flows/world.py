"""The whole walk on fakes: queues that deliver as badly as SQS may, and processes that die at any call."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.core.objects import ObjectRef
from chalicelib.errors import TidegateError
from chalicelib.flows.attempt import SMALL
from chalicelib.flows.commit import Commit
from chalicelib.flows.confirm import Confirm
from chalicelib.flows.discover import Discover
from chalicelib.flows.load import Load
from chalicelib.flows.recover import Recover
from chalicelib.flows.revalidate import Revalidate
from chalicelib.flows.sweep import Sweeping
from chalicelib.flows.withdraw import Withdraw
from tests import planted
from tests.examples import BUCKET, START, grant, pipeline
from tests.fakes.buckets import FakeBuckets
from tests.fakes.destination import FakeTable
from tests.fakes.queue import FakeMetrics, FakeQueue
from tests.fakes.stores import FakeConnections, FakeJobs, FakeLedger, FakePipelines
from tests.fakes.sweeps import FakeCursors, FakeHealth, FakeSweeps

LEASE = timedelta(minutes=2)


class Crash(BaseException):
    """The process is gone: no handler of ours runs any more."""


@dataclass
class Faults:
    """Counts the calls to all ports, and dies at those that it is told."""

    at: frozenset[int] = frozenset()
    after: bool = False  # die after the call took effect, not before
    calls: int = 0

    def wrap(self, port: Any) -> Any:
        return _Faulty(port, self)

    def call(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        number, self.calls = self.calls, self.calls + 1
        if number in self.at and not self.after:
            raise Crash
        result = action(*args, **kwargs)
        if number in self.at:
            raise Crash
        return result


@dataclass
class _Faulty:
    port: Any
    faults: Faults

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.faults.call(self.port, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        action = getattr(self.port, name)
        return lambda *args, **kwargs: self.faults.call(action, *args, **kwargs)


@dataclass
class World:
    """One pipeline and all its stores; `now` moves only when a test moves it."""

    faults: Faults = field(default_factory=Faults)
    now: datetime = START
    ledger: FakeLedger = field(default_factory=FakeLedger)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    pipelines: FakePipelines = field(default_factory=FakePipelines)
    connections: FakeConnections = field(default_factory=FakeConnections)
    buckets: FakeBuckets = field(default_factory=FakeBuckets)
    queue: FakeQueue = field(default_factory=FakeQueue)
    table: FakeTable = field(default_factory=FakeTable)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    health: FakeHealth = field(default_factory=FakeHealth)
    cursors: FakeCursors = field(default_factory=FakeCursors)
    sweeps: FakeSweeps = field(init=False)
    arrivals: list[tuple[str, str]] = field(default_factory=list)
    listing: Any = None  # stands in for the buckets while they are listed
    reading: Any = None  # stands in for the buckets while they are read
    small: int = SMALL  # bytes of an object that is read without looking at the clock
    in_haste: bool = False  # functions' time is always up at once
    refused: list[tuple[str, str]] = field(default_factory=list)  # arrivals that ended in the dead-letter queue
    _ids: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.sweeps = FakeSweeps(self.jobs)
        self.pipelines.put(pipeline())
        self.connections.add(grant())

    def put(self, key: str, content: bytes, *, notify: int = 1) -> ObjectRef:
        """An object in the customer's bucket, with as many notifications as wanted."""
        self.buckets.now = self.now
        ref = self.buckets.put(BUCKET, key, content)
        for _ in range(notify):
            self.notify(ref)
        return ref

    def notify(self, *refs: ObjectRef) -> None:
        self.arrivals.append((f"m{next(self._ids)}", notification(refs)))

    @property
    def discover(self) -> Discover:
        wrap = self.faults.wrap
        return Discover(
            self.pipelines, wrap(self.ledger), wrap(self.jobs), wrap(self.queue), self.metrics, self.clock, LEASE
        )

    @property
    def load(self) -> Load:
        wrap = self.faults.wrap
        return Load(
            pipelines=self.pipelines,
            connections=self.connections,
            health=wrap(self.health),
            buckets=wrap(self.reading or self.buckets),
            ledger=wrap(self.ledger),
            jobs=wrap(self.jobs),
            queue=wrap(self.queue),
            stage=wrap(self.table),
            secret=lambda name: f"{planted.PEPPER} {name}".encode(),
            metrics=self.metrics,
            now=self.clock,
            lease=LEASE,
            nudge_after=timedelta(minutes=1),
            small=self.small,
        )

    def load_task(self, hint: tuple[str, int]) -> None:
        """One delivery of a task."""
        self.load.task(*hint, self.now if self.in_haste else None)

    @property
    def commit(self) -> Commit:
        wrap = self.faults.wrap
        table = wrap(self.table)
        return Commit(wrap(self.ledger), wrap(self.jobs), wrap(self.queue), lambda _: table, self.metrics, self.clock)

    @property
    def revalidate(self) -> Revalidate:
        wrap = self.faults.wrap
        return Revalidate(
            self.connections,
            self.pipelines,
            wrap(self.ledger),
            wrap(self.health),
            wrap(self.listing or self.buckets),
            self.discover,
            self.metrics,
            self.clock,
        )

    @property
    def sweeping(self) -> Sweeping:
        wrap = self.faults.wrap
        return Sweeping(
            pipelines=self.pipelines,
            connections=self.connections,
            listing=wrap(self.listing or self.buckets),
            ledger=wrap(self.ledger),
            jobs=wrap(self.jobs),
            sweeps=wrap(self.sweeps),
            cursors=wrap(self.cursors),
            queue=wrap(self.queue),
            metrics=self.metrics,
            now=self.clock,
            lease=LEASE,
            budget=timedelta(minutes=5),
        )

    def sweep(self, *, full: bool = False, name: str = "flights") -> bool:
        """Trigger the scheduled sweep for this moment's session."""
        return self.sweeping.trigger(self.pipelines.stored[name], self.now, full=full)

    @property
    def recover(self) -> Recover:
        wrap = self.faults.wrap
        return Recover(
            self.pipelines,
            wrap(self.ledger),
            wrap(self.jobs),
            wrap(self.queue),
            self.metrics,
            self.clock,
            timedelta(minutes=3),
            self.discover,
            self.withdraw,
            self.load.split,
            self.confirm,
        )

    @property
    def confirm(self) -> Confirm:
        wrap = self.faults.wrap
        listing = wrap(self.listing or self.buckets)
        return Confirm(self.connections, wrap(self.ledger), listing, self.metrics, self.clock)

    @property
    def withdraw(self) -> Withdraw:
        wrap = self.faults.wrap
        return Withdraw(wrap(self.ledger), wrap(self.jobs), wrap(self.queue), self.clock, LEASE, timedelta(minutes=1))

    def clock(self) -> datetime:
        return self.now

    def run(self, rounds: int = 30) -> None:
        """Deliver everything, tick every minute, until nothing moves any more; what dies is delivered again."""
        tries: Counter[Any] = Counter()
        for _ in range(rounds):
            self._deliver(tries)
            self._tick()
            if not (self.arrivals or self.queue.loads or self.queue.commits or self.queue.sweeps or self._unfinished()):
                return
            self.now += timedelta(minutes=1)

    def _unfinished(self) -> bool:
        return (
            any(not task.is_over for task in self.jobs.stored.values())
            or any(entry.state in ("claimed", "pending") for entry in self.ledger.stored.values())
            or any(not sweep.is_over for sweep in self.sweeps.stored.values())
        )

    def discover_all(self) -> None:
        """Deliver the notifications only; tasks stay in their queue."""
        arrivals, self.arrivals[:] = list(self.arrivals), []
        for message in arrivals:
            self.discover.arrival(*message)

    def _deliver(self, tries: Counter[Any]) -> None:
        arrivals, self.arrivals[:] = list(self.arrivals), []
        for message in arrivals:
            if not self._survives(lambda m=message: self.discover.arrival(*m)):
                tries[message] += 1
                (self.arrivals if tries[message] < 5 else self.refused).append(message)
        loads, self.queue.loads[:] = list(self.queue.loads), []
        for hint in loads:
            if not self._survives(lambda h=hint: self.load_task(h)):
                self.queue.loads.append(hint)
        sweeps, self.queue.sweeps[:] = list(self.queue.sweeps), []
        for turn in sweeps:
            if not self._survives(lambda t=turn: self.sweeping.turn(*t)):
                self.queue.sweeps.append(turn)
        commits, self.queue.commits[:] = list(self.queue.commits), []
        if commits:
            failed: list[Any] = []
            if not self._survives(lambda: failed.extend(self.commit.tasks(commits))):
                failed = commits
            self.queue.commits += failed

    def _tick(self) -> None:
        self._survives(lambda: self.recover.tick())
        self._survives(lambda: self.sweeping.tick())
        self._survives(lambda: self.revalidate.tick())

    def _survives(self, action: Callable[[], Any]) -> bool:
        try:
            action()
        except (Crash, TidegateError):
            return False
        return True

    def loaded(self) -> Counter[str]:
        """How many rows of each object are in the table."""
        return Counter(row["_key"] for row in self.table.rows)

    def set_aside(self) -> Counter[str]:
        """How many rows of each object are in the rejects table."""
        return Counter(row["_key"] for row in self.table.rejects)

    def state(self, key: str, name: str = "flights") -> str:
        return str(self.ledger.stored[name, key].state)


def notification(refs: Iterable[ObjectRef]) -> str:
    """What S3 puts into SQS for these objects."""
    from urllib.parse import quote_plus

    records = [
        {
            "eventName": "ObjectCreated:Put",
            "eventTime": ref.created_at.isoformat(),
            "s3": {
                "bucket": {"name": ref.bucket},
                "object": {"key": quote_plus(ref.key, safe="/"), "eTag": ref.etag, "size": ref.size}
                | ({"versionId": ref.version_id} if ref.version_id else {})
                | ({"sequencer": ref.sequencer} if ref.sequencer else {}),
            },
        }
        for ref in refs
    ]
    return json.dumps({"Records": records})

"""What the tick finds, what it leaves alone, and that one thing's trouble is not everything's (P6)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.core.jobs import Job, JobKind
from chalicelib.core.ledger import Entry, State
from chalicelib.core.tasks import Task, TaskState
from chalicelib.errors import AccessDenied, Throttled
from tests.examples import pipeline
from tests.fakes.stores import FakeJobs, FakeLedger
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
MINUTE = timedelta(minutes=1)


def ticks(world: World, minutes: int) -> list[int]:
    """How many messages each of these minutes' ticks sent to the loading door."""
    sent = []
    for _ in range(minutes):
        before = len(world.queue.loads)
        world.now += MINUTE
        world.recover.tick()
        sent.append(len(world.queue.loads) - before)
    return sent


def test_a_task_that_waits_in_its_queue_is_not_sent_again_at_each_tick() -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.discover_all()
    assert ticks(world, 10) == [0, 1, 0, 0, 1, 0, 0, 1, 0, 0], "first after its lease, then with patience"


def test_a_backlog_keeps_its_claims_and_makes_no_jobs() -> None:
    world = World()
    for number in range(20):
        world.put(f"in/{number}.csv", CSV)
    world.discover_all()
    ticks(world, 30)
    assert len(world.jobs.jobs) == 20
    assert {job.kind for job in world.jobs.jobs.values()} == {JobKind.ARRIVAL}
    assert all(entry.state is State.CLAIMED and entry.attempts == 1 for entry in world.ledger.stored.values())
    world.run()
    assert sum(world.loaded().values()) == 60


def test_a_loading_task_is_left_alone_while_its_lease_runs_and_sent_again_after() -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.discover_all()
    (task,) = world.jobs.stored.values()
    loading = world.jobs.stored[task.job, task.number] = _begun(world, task)
    world.queue.loads.clear()
    assert ticks(world, 1) == [0]
    assert world.jobs.stored[task.job, task.number] == loading
    assert ticks(world, 1) == [1]
    assert world.jobs.stored[task.job, task.number].state is TaskState.PLANNED
    assert world.metrics.totals["TasksRecovered"] == 1


def _begun(world: World, task: Task) -> Task:
    from chalicelib.core.tasks import begin

    begun = begin(task, now=world.now, lease=2 * MINUTE)
    assert begun is not None
    return begun


def test_a_staged_task_whose_nudge_was_lost_is_committed_by_the_tick() -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.discover_all()
    world.load.task(*world.queue.loads.pop())
    world.queue.commits.clear()
    ticks(world, 1)
    assert len(world.queue.commits) == 1
    world.run()
    assert world.loaded() == {"in/a.csv": 3}


def test_a_tick_with_nothing_to_do_writes_nothing() -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.run()
    before = dict(world.ledger.stored), dict(world.jobs.stored), dict(world.jobs.jobs)
    ticks(world, 5)
    assert (dict(world.ledger.stored), dict(world.jobs.stored), dict(world.jobs.jobs)) == before


def test_pending_objects_of_a_deleted_pipeline_wait_for_it() -> None:
    world = World()
    world.put("in/a.csv", CSV)
    world.discover_all()
    world.put("in/a.csv", b"id,name\n9,z\n")
    world.discover_all()
    document = world.pipelines.stored.pop("flights")
    world.run(rounds=5)
    assert world.state("in/a.csv") == "pending"
    world.pipelines.put(document)
    world.run()
    assert [row["id"] for row in world.table.rows] == [9]


@dataclass
class StrictJobs(FakeJobs):
    """Refuses what does not fit into one DynamoDB transaction, as its twin does."""

    def start(self, job: Job, tasks: Sequence[Task]) -> bool:
        if len(tasks) >= 100:
            raise ValueError(f"{len(tasks)} tasks do not fit into one transaction with their job")
        return super().start(job, tasks)


def test_more_orphans_than_one_transaction_holds_tasks_are_all_taken_on() -> None:
    world = World(jobs=StrictJobs())
    world.pipelines.put(pipeline(min_task_size=1))
    for number in range(250):
        world.put(f"in/{number:03}.csv", CSV)
    world.discover_all()
    world.queue.loads.clear()
    world.jobs = StrictJobs()  # every job is gone, all claims stay
    world.run()
    assert world.loaded() == Counter({f"in/{number:03}.csv": 3 for number in range(250)})


@dataclass
class SickLedger(FakeLedger):
    """Fails for one pipeline."""

    sick: str = ""

    def open(self, pipeline: str, *, due: datetime, limit: int) -> Sequence[Entry]:
        self._check(pipeline)
        return super().open(pipeline, due=due, limit=limit)

    def get(self, pipeline: str, keys: Any) -> Mapping[str, Entry]:
        self._check(pipeline)
        return super().get(pipeline, keys)

    def _check(self, pipeline: str) -> None:
        if pipeline == self.sick:
            raise Throttled("too many calls", where=f"ledger of {pipeline}")


def test_one_pipelines_trouble_does_not_keep_the_tick_from_the_others() -> None:
    world = World(ledger=SickLedger())
    world.pipelines.put(pipeline("a-sick-one"))
    world.put("in/a.csv", CSV)
    world.discover_all()
    world.jobs.jobs.clear()
    world.jobs.stored.clear()
    world.queue.loads.clear()
    assert isinstance(world.ledger, SickLedger)
    world.ledger.sick = "a-sick-one"
    world.run(rounds=10)
    assert world.state("in/a.csv") == "committed"
    world.ledger.sick = ""
    world.run()
    assert world.state("in/a.csv", "a-sick-one") == "committed"


@dataclass
class SickJobs(FakeJobs):
    """Refuses to write one task."""

    sick: set[str] = field(default_factory=set)

    def swap(self, task: Task, change: Any = None) -> bool:
        if task.pipeline in self.sick:
            raise AccessDenied("refused", where=task.id)
        return super().swap(task, change)


def test_one_tasks_trouble_does_not_keep_the_tick_from_the_others() -> None:
    world = World(jobs=SickJobs())
    world.pipelines.put(pipeline("a-sick-one"))
    world.put("in/a.csv", CSV)
    world.discover_all()
    world.queue.loads.clear()
    assert isinstance(world.jobs, SickJobs)
    world.jobs.sick.add("a-sick-one")
    world.run(rounds=10)
    assert world.state("in/a.csv") == "committed"
    world.jobs.sick.clear()
    world.run()
    assert world.state("in/a.csv", "a-sick-one") == "committed"

"""How often a table gets a commit, and how many tasks one takes."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from chalicelib.core.tasks import Staged, Task, TaskState
from chalicelib.flows.commit import Commit
from chalicelib.flows.pace import GROUP, Pace
from tests.examples import START
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
SECOND = timedelta(seconds=1)
NUDGE = timedelta(minutes=1)  # of the world's loader


def staged(number: int, at: datetime = START) -> Task:
    return Task("a01", number, "p", "t", (), TaskState.STAGED, at + NUDGE, 1, Staged((), (), at))


@pytest.mark.parametrize(
    ("ages", "due"),
    [([], False), ([0], False), ([29], False), ([30], True), ([29, 31, 1], True), ([0] * 4, False), ([0] * 5, True)],
)
def test_what_is_staged_is_due_by_the_oldest_or_when_a_change_is_full(ages: list[int], due: bool) -> None:
    tasks = [staged(number, START - age * SECOND) for number, age in enumerate(ages)]
    assert Pace(5, 30 * SECOND).is_due(tasks, START) is due


def test_without_a_pace_everything_is_due_at_once() -> None:
    assert Pace().is_due([staged(0)], START)


def test_a_task_is_looked_at_in_time_however_late_it_was_to_be() -> None:
    task, pace = staged(0), Pace(5, 30 * SECOND)
    (waiting,) = [pace.waiting(task)]
    assert waiting == replace(task, due_at=START + 30 * SECOND, revision=task.revision + 1)
    assert pace.waiting(waiting) is None, "and not written again"
    assert Pace(5, 90 * SECOND).waiting(task) is None, "looked at too early is no harm"


@dataclass
class Paced(World):
    """A world whose committer gathers, and in which seconds pass."""

    pace: Pace = field(default_factory=Pace)
    commits: dict[datetime, int] = field(default_factory=dict)  # tasks by the time of their commit
    deaf: bool = False  # messages of loaders are lost

    @property
    def commit(self) -> Commit:
        return replace(super().commit, pace=self.pace)

    def pass_by(self, seconds: int, *, arrivals: int = 0) -> None:
        """So many seconds, with so many objects in each; all are loaded at once, and the tick comes every minute."""
        for _ in range(seconds):
            for number in range(arrivals):
                self.put(f"in/{self.now.timestamp():.0f}-{number}.csv", CSV)
            self.discover_all()
            while self.queue.loads:
                self.load.task(*self.queue.loads.pop(0))
            if self.deaf:
                self.queue.commits.clear()
            if self.now.second == 59:
                self.recover.tick()
            before = len(self.table.tags)
            hints, self.queue.commits[:] = list(self.queue.commits), []
            assert self.commit.tasks(hints) == {}
            if len(self.table.tags) > before:
                self.commits[self.now] = len(self.table.tags) - before
            self.now += SECOND

    def pauses(self) -> list[timedelta]:
        times = sorted(self.commits)
        return [after - before for before, after in pairwise(times)]


def test_a_steady_stream_is_committed_once_in_so_many_seconds() -> None:
    world = Paced(pace=Pace(GROUP, 30 * SECOND))
    world.pass_by(150, arrivals=1)
    assert len(world.commits) == 4
    assert all(30 * SECOND <= pause <= 32 * SECOND for pause in world.pauses())
    world.pass_by(120)
    assert sum(world.commits.values()) == 150
    assert set(world.loaded().values()) == {3}


def test_without_a_pace_the_stream_is_committed_as_it_comes() -> None:
    world = Paced()
    world.pass_by(10, arrivals=1)
    assert list(world.commits.values()) == [1] * 10


@pytest.mark.parametrize("deaf", [False, True], ids=["nudged", "every nudge is lost"])
@pytest.mark.parametrize("gather", [1, 30, 90, 200])
def test_what_is_staged_last_is_committed_by_the_tick(gather: int, deaf: bool) -> None:
    world = Paced(pace=Pace(GROUP, gather * SECOND), deaf=deaf)
    world.pass_by(3, arrivals=1)
    staged_at = world.now
    world.pass_by(gather + 121)
    assert len(world.loaded()) == 3
    assert max(world.commits) - staged_at <= gather * SECOND + NUDGE * 2


def test_a_full_change_does_not_wait() -> None:
    world = Paced(pace=Pace(5, 60 * SECOND))
    world.pass_by(10, arrivals=1)
    assert list(world.commits.values()) == [5, 5]


def test_what_waits_for_another_table_does_not_make_this_one_due() -> None:
    world = Paced(pace=Pace(GROUP, 30 * SECOND))
    world.pass_by(1, arrivals=1)
    (task,) = world.jobs.stored.values()
    assert task.staged is not None
    old = replace(task.staged, at=task.staged.at - 60 * SECOND)
    world.jobs.add([replace(task, job="b01", table="iceberg:travel.other", staged=old)])
    assert world.commit.tasks([(task.job, task.number)]) == {}
    assert {task.state for task in world.jobs.stored.values()} == {TaskState.STAGED}

"""Random histories of runs that replace a table's content: every content is a whole one (P4, F81)."""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.sweeps import SCHEDULED
from chalicelib.core.tasks import Run
from chalicelib.flows.attempt import SMALL
from tests.examples import BUCKET
from tests.fakes.destination import FakeTable
from tests.flows.test_runs import csv, replacing
from tests.flows.world import Faults, World

KEYS = ("in/a.csv", "in/b.csv", "in/c.csv", "in/d.csv")
BROKEN = b"\x1f\x8bnot gzip at all"
HISTORIES = max(40, int(os.environ.get("TIDEGATE_HISTORIES", "0")))


@dataclass
class Watched(FakeTable):
    """Remembers when each content came."""

    clock: Any = None
    came: list[tuple[Run, datetime, dict[str, int]]] = field(default_factory=list)

    def _replace(self, run: Run, tasks: Any, rows: list[dict[str, Any]]) -> str:
        before = len(self.contents)
        snapshot = super()._replace(run, tasks, rows)
        if len(self.contents) > before:
            self.came.append((run, self.clock(), {row["_key"]: row["id"] for row in rows}))
            assert len(rows) == len({row["_key"] for row in rows}), "nothing is doubled"
        return snapshot


@dataclass
class Story:
    """The world, and what each key held since when; None: nothing."""

    world: World
    held: dict[str, list[tuple[datetime, int | None]]] = field(default_factory=dict)
    number: int = 0

    def put(self, n: int) -> None:
        self.number += 1
        self._set(KEYS[n % len(KEYS)], csv(self.number), self.number)

    def ruin(self, n: int) -> None:
        self._set(KEYS[n % len(KEYS)], BROKEN, -1)

    def delete(self, n: int) -> None:
        key = KEYS[n % len(KEYS)]
        if (BUCKET, key) in self.world.buckets.latest:
            self.world.buckets.delete(self.world.buckets.latest[BUCKET, key])
            self._note(key, None)

    def sweep(self, n: int) -> None:
        self.world._survives(lambda: self.world.sweep())

    def cancel(self, n: int) -> None:
        self.world._survives(lambda: self.world.sweeping.cancel("flights", SCHEDULED))

    def deliver(self, n: int) -> None:
        """A few messages, in an order of their own; a process may die at one of its calls."""
        self.world.faults.at, self.world.faults.after = frozenset({self.world.faults.calls + n % 40}), n % 2 == 0
        queue = self.world.queue
        for _ in range(1 + n % 3):
            if queue.sweeps and self._dies(self.world.sweeping.turn, *queue.sweeps[0]):
                queue.sweeps.pop(0)
            if queue.loads and self._dies(self.world.load_task, queue.loads[n % len(queue.loads)]):
                queue.loads.pop(n % len(queue.loads))
            if queue.commits and self._dies(self.world.commit.tasks, list(queue.commits)):
                queue.commits.clear()
        self.world.faults.at = frozenset()

    def wait(self, n: int) -> None:
        self.world.now += timedelta(seconds=(1, 30, 200)[n % 3])
        self.world.buckets.now = self.world.now
        self.world._tick()

    def check(self) -> None:
        for run, at, content in self.world.table.came:
            for key in KEYS:
                during = self._during(key, run.started_at, at)
                assert content.get(key) in during, f"{key} is {content.get(key)}, and was {during} during the run"

    def _dies(self, action: Any, *arguments: Any) -> bool:
        """True if it ended well and its message is gone."""
        return self.world._survives(lambda: action(*arguments))

    def _during(self, key: str, first: datetime, last: datetime) -> set[int | None]:
        told = [(datetime.min.replace(tzinfo=first.tzinfo), None), *self.held.get(key, [])]
        ends = [since for since, _ in told[1:]] + [last + timedelta(days=1)]
        return {what for (since, what), end in zip(told, ends, strict=True) if since <= last and end >= first}

    def _set(self, key: str, data: bytes, what: int) -> None:
        self.world.put(key, data, notify=0)
        self._note(key, what)

    def _note(self, key: str, what: int | None) -> None:
        self.held.setdefault(key, []).append((self.world.now, what))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "ruin", "delete", "sweep", "sweep", "cancel", *["deliver"] * 6, "wait", "wait"]),
        st.integers(0, 119),
    ),
    max_size=60,
)


@given(steps=STEPS, per_task=st.sampled_from([1, 2, 500]), split=st.sampled_from([0, 2]), haste=st.booleans())
@settings(max_examples=HISTORIES)
def test_every_content_is_what_the_bucket_held_during_its_run(
    steps: list[tuple[str, int]], per_task: int, split: int, haste: bool
) -> None:
    world = World(Faults(), small=0 if haste else SMALL, in_haste=haste)
    world.table = Watched(clock=world.clock)
    world.pipelines.put(replacing(max_task_files=per_task, split_size=split))
    world.buckets.create(BUCKET)
    story = Story(world)
    for do, n in steps:
        getattr(story, do)(n)
    story.check()
    world.run(rounds=60)
    story.check()
    for key in KEYS:
        story.put(KEYS.index(key))
    world.now += timedelta(hours=1)
    world.buckets.now = world.now
    assert world.sweep(), "nothing stands in the way of the next run"
    world.run()
    story.check()
    assert {row["_key"]: row["id"] for row in world.table.rows} == {key: story.held[key][-1][1] for key in KEYS}

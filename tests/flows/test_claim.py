"""Claims against rivals who write in between (P1, P7)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from chalicelib.core.ledger import Entry, Owner, State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Task, TaskState, tombstone
from chalicelib.errors import Throttled
from chalicelib.flows.claim import ROUNDS, Claimed, Claims, rewrite
from tests.examples import START, pipeline
from tests.fakes.stores import FakeJobs, FakeLedger

LEASE = timedelta(minutes=2)
MINE, OTHER = Owner("j1", 0), Owner("j2", 0)


@dataclass
class RivalLedger(FakeLedger):
    """Before each of the next writes somebody else writes `rival`, or the same entry as it stood."""

    losses: int = 0
    rival: Entry | None = None

    def swap(self, entries: Sequence[Entry]) -> frozenset[str]:
        if self.losses:
            self.losses -= 1
            for entry in entries:
                known = self.stored.get((entry.pipeline, entry.key)) or self.rival
                if known is not None:
                    self.stored[entry.pipeline, entry.key] = replace(known, revision=entry.revision)
        return super().swap(entries)


@dataclass
class CountingJobs(FakeJobs):
    buried: Counter[str] = field(default_factory=Counter)

    def bury(self, tombstone: Task) -> bool:
        self.buried[tombstone.id] += 1
        return super().bury(tombstone)


def ref(key: str = "a.csv", number: int = 1) -> ObjectRef:
    return ObjectRef("acme", key, f"e{number}", 12, START, sequencer=f"{number:04X}")


def held(key: str = "a.csv", owner: Owner = OTHER, *, over: bool = False, revision: int = 1) -> Entry:
    until = START if over else START + LEASE
    return Entry("p", ref(key), State.CLAIMED, START, owner=owner, lease_until=until, attempts=1, revision=revision)


def ledger(*entries: Entry, losses: int = 0, rival: Entry | None = None) -> RivalLedger:
    return RivalLedger({("p", entry.key): entry for entry in entries}, losses, rival)


def task(owner: Owner, state: TaskState) -> Task:
    return Task(owner.job, owner.task, "p", "t", (ref(),), state, START)


def jobs(*tasks: Task) -> CountingJobs:
    made = CountingJobs()
    made.add(tasks)
    return made


def take(store: FakeLedger, stored: FakeJobs | None = None, *refs: ObjectRef, owner: Owner = MINE) -> Claimed:
    claims = Claims(store, stored or FakeJobs(), LEASE)
    return claims.take(pipeline("p"), {owner: refs or (ref(),)}, now=START)


def test_what_nobody_has_is_won_and_a_repetition_wins_it_again() -> None:
    store = ledger()
    refs = (ref("b"), ref("a"))
    first = take(store, None, *refs)
    assert first == Claimed({MINE: [*refs]}, {})
    assert take(store, None, *refs) == first
    assert {entry.revision for entry in store.stored.values()} == {1}


def test_nothing_is_asked_for_nothing() -> None:
    assert Claims(ledger(), FakeJobs(), LEASE).take(pipeline("p"), {}, now=START) == Claimed({}, {})


def test_objects_go_to_the_tasks_that_asked_for_them() -> None:
    second = Owner("j1", 1)
    claimed = Claims(ledger(), FakeJobs(), LEASE).take(
        pipeline("p"), {MINE: [ref("a")], second: [ref("b"), ref("c")]}, now=START
    )
    assert claimed.won == {MINE: [ref("a")], second: [ref("b"), ref("c")]}


def test_a_rival_who_was_first_keeps_the_object_and_the_rest_is_won() -> None:
    store = ledger(losses=1, rival=held())
    claimed = take(store, None, ref("a.csv"))
    assert claimed == Claimed({}, {"a.csv": Reason.HELD})
    assert store.stored["p", "a.csv"].owner == OTHER


@pytest.mark.parametrize("losses", [1, ROUNDS - 1])
def test_lost_rounds_are_played_again(losses: int) -> None:
    archived = replace(held(), state=State.REFUSED, reason=Reason.ARCHIVED, owner=None, lease_until=None)
    store = ledger(archived, losses=losses)
    assert take(store).won == {MINE: [ref()]}
    entry = store.stored["p", "a.csv"]
    assert (entry.owner, entry.state, entry.revision) == (MINE, State.CLAIMED, losses + 2)


def test_who_only_ever_loses_comes_back_later() -> None:
    archived = replace(held(), state=State.REFUSED, reason=Reason.ARCHIVED, owner=None, lease_until=None)
    store = ledger(archived, losses=ROUNDS)
    with pytest.raises(Throttled, match="changed hands"):
        take(store)
    assert store.stored["p", "a.csv"].state is State.REFUSED
    assert take(store).won == {MINE: [ref()]}


@pytest.mark.parametrize("state", [TaskState.PLANNED, TaskState.LOADING, TaskState.STAGED, TaskState.SPLIT])
def test_an_expired_claim_of_a_living_task_is_renewed_and_kept(state: TaskState) -> None:
    store = ledger(replace(held(over=True), claimed_at=START))
    stored = jobs(task(OTHER, state))
    assert take(store, stored) == Claimed({}, {"a.csv": Reason.HELD})
    entry = store.stored["p", "a.csv"]
    assert (entry.owner, entry.lease_until, entry.revision) == (OTHER, START + LEASE, 2)
    assert not stored.stored["j2", 0].is_over
    assert store.open("p", due=START, limit=10) == [], "nobody asks again before the new lease is over"


@pytest.mark.parametrize("state", [TaskState.COMMITTED, TaskState.FAILED])
def test_an_expired_claim_of_a_task_that_is_over_is_taken(state: TaskState) -> None:
    store = ledger(held(over=True))
    assert take(store, jobs(task(OTHER, state))).won == {MINE: [ref()]}
    assert store.stored["p", "a.csv"].attempts == 2


def test_an_expired_claim_of_a_task_that_was_never_stored_is_taken_once_the_task_is_buried() -> None:
    store, stored = ledger(held(over=True)), jobs()
    assert take(store, stored).won == {MINE: [ref()]}
    assert stored.stored["j2", 0] == tombstone("j2", 0, "p", now=START)


def test_a_claim_whose_lease_runs_is_nobodys_to_bury() -> None:
    stored = jobs()
    assert take(ledger(held()), stored).skipped == {"a.csv": Reason.HELD}
    assert not stored.buried


def test_a_dead_owner_is_buried_once_however_many_objects_it_held() -> None:
    refs = [ref(f"{number:03}") for number in range(50)]
    store, stored = ledger(*(held(one.key, over=True) for one in refs)), jobs()
    assert take(store, stored, *refs).won == {MINE: refs}
    assert stored.buried == {"j2/0": 1}


def test_a_newer_identity_is_remembered_beside_the_claim_whoever_writes_in_between() -> None:
    store = ledger(held(), losses=2)
    newer = ref(number=2)
    assert take(store, None, newer).skipped == {"a.csv": Reason.HELD}
    entry = store.stored["p", "a.csv"]
    assert (entry.ref, entry.successor, entry.owner) == (ref(), newer, OTHER)


def test_two_jobs_that_take_turns_never_both_win() -> None:
    store = ledger()
    wins = Counter[str]()
    for number in range(20):
        owner = Owner(f"j{number % 4}", 0)
        wins.update(key.job for key in take(store, jobs(task(Owner("j0", 0), TaskState.LOADING)), owner=owner).won)
    assert wins == {"j0": 5}


# rewriting


def test_a_rewrite_is_repeated_for_what_changed_in_between() -> None:
    store = ledger(held("a"), held("b"), losses=3)
    rewrite(store, "p", ["a", "b", "none"], lambda entry: replace(entry, rows=9, revision=entry.revision + 1))
    assert [entry.rows for entry in store.stored.values()] == [9, 9]


def test_a_rewrite_that_always_loses_comes_back_later() -> None:
    store = ledger(held(), losses=ROUNDS)
    with pytest.raises(Throttled):
        rewrite(store, "p", ["a.csv"], lambda entry: replace(entry, rows=9, revision=entry.revision + 1))


def test_a_rewrite_leaves_alone_what_it_makes_nothing_of() -> None:
    store = ledger(held())
    rewrite(store, "p", ["a.csv"], lambda _: None)
    assert store.stored["p", "a.csv"] == held()

"""Who gets an object: every case of `claim` as a table, and what no sequence of moves may ever do (P1, P7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.ledger import (
    Contested,
    Entry,
    Owner,
    Skipped,
    State,
    Verdict,
    Won,
    claim,
    mark,
    reassign,
    refuse,
)
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import RETRYABLE, Reason
from chalicelib.core.tasks import Outcome, OutcomeKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEASE = timedelta(minutes=2)
MINE, OTHER = Owner("j1", 0), Owner("j2", 0)


def version(number: int) -> ObjectRef:
    made = NOW + timedelta(seconds=number)
    return ObjectRef("acme", "a.csv", f"e{number}", 12, made, sequencer=f"{number:04X}")


REFS = {"older": version(1), "same": version(2), "newer": version(3)}
LOADED = Outcome("a.csv", OutcomeKind.LOADED, rows=3, rejects=1, read_at=NOW)


def entry(state: State, *, owner: Owner = MINE, over: bool = False, reason: Reason | None = None) -> Entry:
    until = NOW if over else NOW + timedelta(microseconds=1)
    working = state is State.CLAIMED
    return Entry(
        "p",
        REFS["same"],
        state,
        discovered_at=NOW - LEASE,
        owner=owner if working else None,
        lease_until=until if working else None,
        attempts=4,
        reason=reason,
        revision=7,
    )


WORDS: Mapping[str, tuple[State, Reason | None]] = {
    "claimed": (State.CLAIMED, None),
    "pending": (State.PENDING, None),
    "committed": (State.COMMITTED, None),
    "failed": (State.FAILED, Reason.BROKEN),
    "empty": (State.REFUSED, Reason.EMPTY),
    "archived": (State.REFUSED, Reason.ARCHIVED),
}

# state, identity, owner of the claim, lease, that owner's task: verdict. A dot is anything; the first line counts.
TABLE = """
    claimed    newer  .      .     .      held, and remembered
    claimed    older  .      .     .      outdated
    claimed    same   mine   .     alive  won already
    claimed    same   .      runs  .      held
    claimed    same   other  over  alive  contested
    claimed    same   .      over  dead   won
    pending    same   .      .     .      won
    archived   same   .      .     .      won
    .          same   .      .     .      duplicate
    .          older  .      .     .      outdated
    .          newer  .      .     .      won
"""
ROWS = [(line.split()[:5], " ".join(line.split()[5:])) for line in TABLE.strip().splitlines()]
CASES = list(product(WORDS, REFS, ("mine", "other"), ("runs", "over"), ("alive", "dead")))


def expected(case: tuple[str, ...]) -> str:
    return next(
        verdict for row, verdict in ROWS if all(want in (".", have) for want, have in zip(row, case, strict=True))
    )


def said(verdict: Verdict, wanted: ObjectRef) -> str:
    match verdict:
        case Won(_, write=False):
            return "won already"
        case Won(found, write=True):
            return "won" if found.ref == wanted else f"won, but {found.ref.etag}"
        case Contested():
            return "contested"
        case Skipped(reason, write=None):
            return str(reason)
        case Skipped(reason, write=_):
            return f"{reason}, and remembered"


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_claim_is_decided_by_the_table(case: tuple[str, ...]) -> None:
    word, identity, owner, lease, task = case
    state, reason = WORDS[word]
    holder = MINE if owner == "mine" else OTHER
    known = entry(state, owner=holder, over=lease == "over", reason=reason)
    dead = {holder} if task == "dead" else set()
    verdict = claim(known, REFS[identity], "p", MINE, now=NOW, lease=LEASE, dead=dead)
    assert said(verdict, REFS[identity]) == expected(case)
    match verdict:
        case Won(found, write=True):
            again = identity == "same"
            assert (found.state, found.owner, found.lease_until) == (State.CLAIMED, MINE, NOW + LEASE)
            assert (found.revision, found.attempts) == (8, 5 if again else 1)
            assert found.discovered_at == (known.discovered_at if again else NOW)
            assert (found.reason, found.error, found.successor, found.rows) == (None, None, None, 0)
        case Skipped(_, write=Entry() as kept):
            assert kept == replace(known, successor=REFS["newer"], revision=8)
        case Contested(whose, alive):
            assert whose == holder
            assert alive == replace(known, lease_until=NOW + LEASE, revision=8)


def test_an_object_that_nobody_has_seen_is_the_first_ones() -> None:
    won = claim(None, REFS["same"], "p", MINE, now=NOW, lease=LEASE)
    assert won == Won(
        Entry(
            "p",
            REFS["same"],
            State.CLAIMED,
            discovered_at=NOW,
            owner=MINE,
            lease_until=NOW + LEASE,
            attempts=1,
            claimed_at=NOW,
            revision=1,
        ),
        write=True,
    )


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.DELETED}))
def test_a_refusal_is_lifted_only_where_it_may_pass(reason: Reason) -> None:
    verdict = claim(entry(State.REFUSED, reason=reason), REFS["same"], "p", MINE, now=NOW, lease=LEASE)
    assert said(verdict, REFS["same"]) == ("won" if reason in RETRYABLE else "duplicate")


def test_another_task_of_the_same_job_is_another_owner() -> None:
    verdict = claim(entry(State.CLAIMED), REFS["same"], "p", Owner("j1", 1), now=NOW, lease=LEASE)
    assert verdict == Skipped(Reason.HELD)


def test_a_dead_claim_with_a_successor_goes_on_with_the_successor() -> None:
    known = replace(entry(State.CLAIMED, owner=OTHER, over=True), successor=REFS["newer"])
    verdict = claim(known, REFS["same"], "p", MINE, now=NOW, lease=LEASE, dead={OTHER})
    assert isinstance(verdict, Won)
    assert verdict.entry.ref == REFS["newer"]


@given(st.permutations([version(n) for n in range(5)]))
def test_of_all_that_come_while_one_is_loaded_the_newest_is_kept(refs: list[ObjectRef]) -> None:
    first, *rest = refs
    known = replace(entry(State.CLAIMED), ref=first)
    for ref in rest:
        verdict = claim(known, ref, "p", OTHER, now=NOW, lease=LEASE)
        assert isinstance(verdict, Skipped)
        known = verdict.write or known
    newest = max(refs, key=lambda ref: ref.etag)
    assert (known.successor or known.ref) == newest
    assert known.ref == first


# marking


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (LOADED, State.COMMITTED),
        (Outcome("a.csv", OutcomeKind.REFUSED, "archived", "why"), State.REFUSED),
        (Outcome("a.csv", OutcomeKind.FAILED, "broken", "why"), State.FAILED),
    ],
)
def test_a_mark_ends_the_claim_with_what_became_of_it(outcome: Outcome, state: State) -> None:
    known = entry(State.CLAIMED)
    staged_at, later = NOW + LEASE, NOW + 2 * LEASE
    marked = mark(known, MINE, REFS["same"], outcome, staged_at=staged_at, now=later, snapshot="s1")
    loaded = state is State.COMMITTED
    assert marked == replace(
        known,
        state=state,
        lease_until=None,
        reason=Reason(outcome.reason) if outcome.reason else None,
        error=outcome.error,
        rows=outcome.rows,
        rejects=outcome.rejects,
        read_at=outcome.read_at,
        staged_at=staged_at,
        committed_at=later if loaded else None,
        snapshot="s1" if loaded else None,
        revision=8,
    )


@pytest.mark.parametrize("word", [word for word in WORDS if word != "claimed"])
def test_only_a_claim_is_marked(word: str) -> None:
    state, reason = WORDS[word]
    known = replace(entry(state, reason=reason), owner=MINE)
    assert mark(known, MINE, REFS["same"], LOADED, staged_at=NOW, now=NOW, snapshot=None) is None


def test_only_its_owner_marks_a_claim() -> None:
    assert (
        mark(entry(State.CLAIMED, owner=OTHER), MINE, REFS["same"], LOADED, staged_at=NOW, now=NOW, snapshot=None)
        is None
    )


@pytest.mark.parametrize("identity", ["older", "newer"])
def test_only_the_identity_that_was_loaded_is_marked(identity: str) -> None:
    known = entry(State.CLAIMED)
    assert mark(known, MINE, REFS[identity], LOADED, staged_at=NOW, now=NOW, snapshot=None) is None


def test_a_waiting_successor_is_next_whatever_became_of_the_first() -> None:
    known = replace(entry(State.CLAIMED), successor=REFS["newer"])
    for kind in OutcomeKind:
        marked = mark(known, MINE, REFS["same"], replace(LOADED, kind=kind), staged_at=NOW, now=NOW, snapshot="s1")
        assert marked is not None
        assert (marked.state, marked.ref, marked.revision) == (State.PENDING, REFS["newer"], 8)
        assert (marked.lease_until, marked.owner, marked.successor) == (NOW, None, None), "it is due at once"


# refusing and reassigning


def test_a_refusal_is_recorded_where_nothing_is_known() -> None:
    refused = refuse(None, REFS["same"], "p", Reason.EMPTY, now=NOW)
    assert refused == Entry("p", REFS["same"], State.REFUSED, discovered_at=NOW, reason=Reason.EMPTY, revision=1)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("identity", REFS)
def test_a_refusal_never_hides_what_is_known_of_the_same_or_a_newer_identity(word: str, identity: str) -> None:
    state, reason = WORDS[word]
    refused = refuse(entry(state, reason=reason), REFS[identity], "p", Reason.EMPTY, now=NOW)
    if identity == "newer" and word not in ("claimed", "pending"):
        assert refused is not None
        assert (refused.ref, refused.state, refused.revision) == (REFS["newer"], State.REFUSED, 8)
    else:
        assert refused is None


def test_a_claim_is_handed_to_a_child_by_its_owner_only() -> None:
    known, child = entry(State.CLAIMED, over=True), Owner("j1", 1_000_000)
    handed = reassign(known, MINE, child, now=NOW, lease=LEASE)
    assert handed == replace(known, owner=child, lease_until=NOW + LEASE, revision=8)
    assert reassign(known, OTHER, child, now=NOW, lease=LEASE) is None
    assert reassign(entry(State.COMMITTED), MINE, child, now=NOW, lease=LEASE) is None


# any sequence of moves


@dataclass
class Story:
    """One key, several tasks. A task that is over never marks again; that is what makes it `dead` to a claim."""

    now: datetime = NOW
    entry: Entry | None = None
    holds: dict[Owner, ObjectRef] = field(default_factory=dict)
    over: set[Owner] = field(default_factory=set)
    committed: list[ObjectRef] = field(default_factory=list)
    newest: ObjectRef | None = None  # that anybody claimed or that waits

    def claim(self, owner: Owner, ref: ObjectRef) -> None:
        if owner in self.over:
            return  # its job was delivered again, but a task that is over is not stored again
        verdict = claim(self.entry, ref, "p", owner, now=self.now, lease=LEASE, dead=self.over)
        match verdict:
            case Won(found, write):
                assert found.owner == owner
                if write:
                    assert all(holder in self.over for holder in self.holds if holder != owner), "two owners at once"
                    self.store(found)
                self.holds = {owner: found.ref}
            case Skipped(_, Entry() as kept):
                self.store(kept)
            case Contested(whose, alive):
                assert whose not in self.over
                self.store(alive)

    def store(self, after: Entry) -> None:
        before = self.entry
        assert after.revision == (before.revision if before else 0) + 1
        if before is not None:
            assert not after.ref.older(before.ref), "an older identity came back"
            waiting = before.successor
            assert (
                waiting is None
                or waiting in (after.ref, after.successor)
                or waiting.older(after.successor or after.ref)
            )
        self.entry = after

    def mark(self, owner: Owner, kind: OutcomeKind) -> None:
        if self.entry is None or owner not in self.holds or owner in self.over:
            return
        member = self.holds.pop(owner)
        reason = None if kind is OutcomeKind.LOADED else "archived"
        outcome = Outcome("a.csv", kind, reason)
        marked = mark(self.entry, owner, member, outcome, staged_at=self.now, now=self.now, snapshot=None)
        assert marked is not None, "whoever holds it can mark it"
        assert self.entry.ref == member
        if kind is OutcomeKind.LOADED:
            assert self.entry.ref not in self.committed, "an identity was committed twice"
            self.committed.append(self.entry.ref)
        self.store(marked)
        self.over.add(owner)


owners = st.builds(Owner, st.sampled_from(["j1", "j2", "j3", "j4"]), st.integers(0, 2))
moves = st.one_of(
    st.tuples(st.just("claim"), owners, st.integers(0, 4)),
    st.tuples(st.just("mark"), owners, st.sampled_from([OutcomeKind.LOADED, OutcomeKind.REFUSED])),
    st.tuples(st.just("die"), owners, st.none()),
    st.tuples(st.just("wait"), st.none(), st.integers(1, 300)),
)


@given(st.lists(moves, max_size=40))
def test_no_sequence_of_moves_gives_two_owners_or_commits_an_identity_twice(
    steps: list[tuple[str, Owner, int]],
) -> None:
    story = Story()
    for name, owner, argument in steps:
        match name:
            case "claim":
                story.claim(owner, version(argument))
            case "mark":
                story.mark(owner, OutcomeKind(argument))
            case "die":
                story.over.add(owner)
            case "wait":
                story.now += timedelta(seconds=argument)
    assert story.committed == sorted(set(story.committed), key=lambda ref: ref.etag)

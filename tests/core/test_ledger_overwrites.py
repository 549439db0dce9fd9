"""What the ledger remembers of overwritten and deleted objects, for whoever has to mend the table's rows."""

from dataclasses import replace
from datetime import timedelta

from chalicelib.core import ledger, withdrawal
from chalicelib.core.ledger import Entry, Owner, State, Won
from chalicelib.core.objects import ObjectRef, Removal
from chalicelib.core.tasks import Outcome, OutcomeKind
from tests.examples import BUCKET, START

LEASE = timedelta(minutes=2)
FIRST = ObjectRef(BUCKET, "in/a", "etag1", 1, START)
SECOND = replace(FIRST, etag="etag2", created_at=START + timedelta(minutes=1))
MINE = Owner("j1", 0)


def claimed(entry: Entry | None, ref: ObjectRef, owner: Owner = MINE) -> Entry:
    verdict = ledger.claim(entry, ref, "flights", owner, now=START, lease=LEASE)
    assert isinstance(verdict, Won)
    return verdict.entry


def marked(entry: Entry, kind: OutcomeKind = OutcomeKind.LOADED) -> Entry:
    assert entry.owner is not None
    outcome = Outcome(entry.key, kind, reason=None if kind is OutcomeKind.LOADED else "missing")
    after = ledger.mark(entry, entry.owner, entry.ref, outcome, staged_at=START, now=START, snapshot="s")
    assert after is not None
    return after


def test_a_new_content_remembers_the_one_whose_rows_are_in_the_table() -> None:
    first = marked(claimed(None, FIRST))
    assert first.replaces is None
    second = claimed(first, SECOND, Owner("j2", 0))
    assert second.replaces == FIRST.identity
    assert marked(second).replaces == FIRST.identity


def test_a_content_that_could_not_be_loaded_is_replaced_by_nobody() -> None:
    first = marked(claimed(None, FIRST))
    lost = marked(claimed(first, SECOND), OutcomeKind.REFUSED)
    third = replace(SECOND, etag="etag3", created_at=START + timedelta(minutes=2))
    assert claimed(lost, third).replaces == FIRST.identity


def test_a_waiting_content_remembers_it_too() -> None:
    first = claimed(None, FIRST)
    waiting = replace(first, successor=SECOND)
    pending = marked(waiting)
    assert (pending.state, pending.ref, pending.replaces) == (State.PENDING, SECOND, FIRST.identity)


def test_a_deletion_is_remembered_once_and_only_of_the_content_it_ended() -> None:
    first = marked(claimed(None, FIRST))
    gone = Removal(BUCKET, "in/a", START + timedelta(seconds=5))
    removed = withdrawal.remove(first, removal=gone, delete_rows=False, now=START)
    assert removed is not None
    assert (removed.state, removed.removed_at) == (State.COMMITTED, gone.removed_at)
    assert withdrawal.remove(removed, removal=gone, delete_rows=False, now=START) is None
    later = marked(claimed(first, SECOND))
    assert withdrawal.remove(later, removal=gone, delete_rows=False, now=START) is None
    assert claimed(removed, SECOND).removed_at is None


def test_a_run_that_replaced_nothing_after_all_leaves_the_rows_to_the_next_content() -> None:
    """Its pipeline may be one that appends by then: the rows that the run before brought must be found."""
    first = marked(claimed(None, FIRST))
    verdict = ledger.claim(first, FIRST, "flights", Owner("run2", 0), now=START, lease=LEASE, again=True)
    assert isinstance(verdict, Won) and verdict.entry.replay
    given_up = marked(verdict.entry, OutcomeKind.REFUSED)
    assert claimed(given_up, SECOND).replaces == FIRST.identity
    gone = Removal(BUCKET, "in/a", START + timedelta(seconds=5))
    leaving = withdrawal.remove(given_up, removal=gone, delete_rows=True, now=START)
    assert leaving is not None and leaving.leaving is not None

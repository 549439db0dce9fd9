"""Which rows leave, and who takes them out: every state of an entry against every word of a removal or an undo."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import ledger, withdrawal
from chalicelib.core.jobs import on_committed
from chalicelib.core.ledger import Contested, Entry, Owner, Skipped, State, Won
from chalicelib.core.objects import ObjectRef, Removal
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Outcome, OutcomeKind, TaskState
from tests.examples import BUCKET, START, pipeline

LEASE = timedelta(minutes=2)
SECOND = timedelta(seconds=1)
KEY = "in/a"
ONE = ObjectRef(BUCKET, KEY, "etag1", 1, START, sequencer="10")
TWO = ObjectRef(BUCKET, KEY, "etag2", 1, START + 20 * SECOND, sequencer="30")
AGAIN = replace(ONE, created_at=START + 20 * SECOND, sequencer="30")  # the same content, after GONE
GONE = Removal(BUCKET, KEY, START + 10 * SECOND, sequencer="20")
GONE_LATER = Removal(BUCKET, KEY, START + 30 * SECOND, sequencer="40")
LOADER, TAKER, OTHER = Owner("j1", 0), Owner("u1", 0), Owner("j2", 0)


def claimed(entry: Entry | None, ref: ObjectRef, owner: Owner = LOADER) -> Entry:
    verdict = ledger.claim(entry, ref, "flights", owner, now=START, lease=LEASE)
    assert isinstance(verdict, Won), verdict
    return verdict.entry


def loaded(ref: ObjectRef = ONE, before: Entry | None = None) -> Entry:
    entry = claimed(before, ref)
    return ended(entry, LOADER, Outcome(KEY, OutcomeKind.LOADED, rows=5, rejects=1))


def ended(entry: Entry, owner: Owner, outcome: Outcome) -> Entry:
    after = ledger.mark(entry, owner, entry.ref, outcome, staged_at=START, now=START, snapshot="s")
    assert after is not None
    return after


def removed(entry: Entry, removal: Removal = GONE, *, delete_rows: bool = True) -> Entry:
    after = withdrawal.remove(entry, removal=removal, delete_rows=delete_rows, now=START)
    assert after is not None
    assert after.revision == entry.revision + 1
    return after


def taken(entry: Entry, owner: Owner = TAKER) -> Entry:
    verdict = withdrawal.take(entry, entry.ref, owner, now=START, lease=LEASE)
    assert isinstance(verdict, Won), verdict
    return verdict.entry


def out(entry: Entry, reason: Reason = Reason.DELETED) -> Entry:
    """The entry after its rows are out."""
    return ended(taken(entry), TAKER, Outcome(KEY, OutcomeKind.REMOVED, reason=reason, rows=entry.rows))


def seen(entry: Entry, ref: ObjectRef, owner: Owner = OTHER) -> str:
    """What claiming says of a sighting, as `won`, or the reason with `+` where it waits as a successor."""
    verdict = ledger.claim(entry, ref, "flights", owner, now=START, lease=LEASE)
    if isinstance(verdict, Won):
        return "won"
    assert isinstance(verdict, Skipped)
    return verdict.reason + ("+" if verdict.write is not None and verdict.write.successor == ref else "")


# Deleted objects.


def test_the_rows_of_a_loaded_object_leave_and_then_it_is_deleted() -> None:
    leaving = removed(loaded())
    assert (leaving.state, leaving.leaving, leaving.lease_until, leaving.owner) == (
        State.PENDING,
        Reason.DELETED,
        START,
        None,
    )
    assert withdrawal.formers(taken(leaving)) == (None,)
    gone = out(leaving)
    assert (gone.state, gone.reason, gone.leaving) == (State.REFUSED, Reason.DELETED, None)
    assert (gone.rows, gone.rejects, gone.snapshot, gone.committed_at, gone.replaces) == (0, 0, None, None, None)
    assert gone.removed_at == GONE.removed_at


def test_where_rows_are_kept_only_the_deletion_is_remembered() -> None:
    kept = removed(loaded(), delete_rows=False)
    assert (kept.state, kept.leaving, kept.removed_at) == (State.COMMITTED, None, GONE.removed_at)
    assert withdrawal.remove(kept, removal=GONE_LATER, delete_rows=False, now=START) is None


def test_a_removal_that_comes_while_the_object_is_loaded_waits_for_the_mark() -> None:
    leaving = removed(claimed(None, ONE))
    assert (leaving.state, leaving.owner) == (State.CLAIMED, LOADER)
    marked = ended(leaving, LOADER, Outcome(KEY, OutcomeKind.LOADED, rows=5))
    assert (marked.state, marked.leaving, marked.rows) == (State.PENDING, Reason.DELETED, 5)
    assert out(marked).reason is Reason.DELETED


@pytest.mark.parametrize("kind", [OutcomeKind.REFUSED, OutcomeKind.FAILED])
def test_it_is_not_forgotten_if_the_load_fails(kind: OutcomeKind) -> None:
    marked = ended(removed(claimed(None, ONE)), LOADER, Outcome(KEY, kind, reason=Reason.MISSING))
    assert (marked.state, marked.leaving) == (State.PENDING, Reason.DELETED)


@pytest.mark.parametrize("reason", [Reason.MISSING, Reason.BROKEN])
def test_what_was_never_loaded_has_no_rows_to_take_out(reason: Reason) -> None:
    never = ended(claimed(None, ONE), LOADER, Outcome(KEY, OutcomeKind.REFUSED, reason=reason))
    gone = removed(never)
    assert (gone.state, gone.reason, gone.leaving) == (State.REFUSED, Reason.DELETED, None)


def test_bad_rows_and_rows_of_an_earlier_content_leave_as_well() -> None:
    bad = ended(
        claimed(None, ONE), LOADER, Outcome(KEY, OutcomeKind.FAILED, reason=Reason.TOO_MANY_BAD_ROWS, rejects=3)
    )
    assert removed(bad).leaving is Reason.DELETED
    lost = ended(claimed(loaded(), TWO), LOADER, Outcome(KEY, OutcomeKind.REFUSED, reason=Reason.DENIED))
    assert removed(lost, GONE_LATER).leaving is Reason.DELETED


@pytest.mark.parametrize("again", [GONE, replace(GONE, removed_at=START + SECOND, sequencer="11")])
def test_word_of_the_same_removal_or_of_an_earlier_one_changes_nothing(again: Removal) -> None:
    for entry in (removed(loaded()), taken(removed(loaded())), out(removed(loaded()))):
        assert withdrawal.remove(entry, removal=again, delete_rows=True, now=START) is None


def test_a_removal_of_an_earlier_content_does_not_end_a_later_one() -> None:
    assert withdrawal.remove(loaded(TWO), removal=GONE, delete_rows=True, now=START) is None


@pytest.mark.parametrize("stage", [removed, lambda entry: taken(removed(entry))], ids=["waiting", "taken"])
def test_what_comes_while_rows_leave_waits_even_if_it_is_the_same_content(stage: Callable[[Entry], Entry]) -> None:
    leaving = stage(loaded())
    assert seen(leaving, ONE) == Reason.OUTDATED, "word of what was deleted, late"
    assert seen(leaving, replace(ONE, etag="etag0", sequencer="05")) == Reason.OUTDATED
    assert seen(leaving, TWO) == seen(leaving, AGAIN) == Reason.HELD + "+"
    waiting = replace(leaving, successor=AGAIN)
    assert seen(waiting, AGAIN) == Reason.HELD
    after = ended(waiting if waiting.state is State.CLAIMED else taken(waiting), TAKER, DELETED)
    assert (after.state, after.ref, after.leaving, after.replaces) == (State.PENDING, AGAIN, None, None)
    assert seen(after, AGAIN) == "won"


DELETED = Outcome(KEY, OutcomeKind.REMOVED, reason=Reason.DELETED)


def test_a_removal_drops_what_waits_if_it_ends_that_too() -> None:
    waiting = replace(claimed(None, ONE), successor=TWO)
    assert removed(waiting, GONE).successor == TWO
    assert removed(waiting, GONE_LATER).successor is None
    assert removed(removed(waiting, GONE), GONE_LATER).successor is None


def test_after_a_deletion_only_what_came_later_is_loaded() -> None:
    gone = out(removed(loaded()))
    assert seen(gone, ONE) == seen(gone, replace(ONE, etag="etag0", sequencer="15")) == Reason.OUTDATED
    for ref in (TWO, AGAIN):
        entry = claimed(gone, ref)
        assert (entry.ref, entry.removal, entry.replaces) == (ref, None, None)
        assert withdrawal.remove(entry, removal=GONE, delete_rows=True, now=START) is None, "its word comes again"


def test_a_listing_shows_what_is_there_again() -> None:
    gone = out(removed(loaded()))
    listed = replace(ONE, sequencer=None)
    assert seen(gone, replace(listed, listed_at=GONE.removed_at - SECOND)) == Reason.OUTDATED
    assert seen(gone, replace(listed, listed_at=GONE.removed_at + SECOND)) == "won"


def test_an_empty_object_that_was_deleted_too_is_not_recorded_after_it() -> None:
    gone = out(removed(loaded()))
    late = replace(ONE, etag="empty", size=0, sequencer="15")
    assert ledger.refuse(gone, late, "flights", Reason.EMPTY, now=START) is None
    later = ledger.refuse(gone, replace(late, sequencer="50"), "flights", Reason.EMPTY, now=START)
    assert later is not None and later.reason is Reason.EMPTY


@pytest.mark.parametrize("state", ["committed", "claimed"])
def test_late_word_of_a_removal_does_not_hit_the_same_content_made_again(state: str) -> None:
    """Created, deleted, created again; we hear of both creations first. The second is a duplicate, but is noted."""
    entry = loaded() if state == "committed" else claimed(None, ONE)
    verdict = ledger.claim(entry, AGAIN, "flights", OTHER, now=START, lease=LEASE)
    assert isinstance(verdict, Skipped) and verdict.write is not None
    noted = verdict.write
    assert (noted.state, noted.ref.identity, noted.owner) == (entry.state, entry.ref.identity, entry.owner)
    assert withdrawal.remove(noted, removal=GONE, delete_rows=True, now=START) is None
    assert removed(noted, GONE_LATER).leaving is Reason.DELETED


def test_late_word_of_a_removal_does_not_hit_what_was_written_over_while_overwrites_are_ignored() -> None:
    verdict = ledger.claim(loaded(), TWO, "flights", OTHER, now=START, lease=LEASE, ignore_overwrites=True)
    assert isinstance(verdict, Skipped) and verdict.write is not None
    assert (verdict.reason, verdict.write.ref.identity) == (Reason.OVERWRITE_IGNORED, ONE.identity)
    assert withdrawal.remove(verdict.write, removal=GONE, delete_rows=True, now=START) is None
    assert removed(verdict.write, GONE_LATER).leaving is Reason.DELETED


def test_nor_the_same_content_made_again_while_it_waits_for_its_turn() -> None:
    later = replace(TWO, created_at=START + 60 * SECOND, sequencer="50")
    waiting = replace(claimed(None, ONE), successor=TWO)
    verdict = ledger.claim(waiting, later, "flights", OTHER, now=START, lease=LEASE)
    assert isinstance(verdict, Skipped) and verdict.write is not None
    assert removed(verdict.write, GONE_LATER).successor == later
    pending = ledger.replay(loaded(), now=START)
    assert withdrawal.remove(claimed(pending, AGAIN), removal=GONE, delete_rows=True, now=START) is None


def test_a_duplicate_of_the_very_same_creation_writes_nothing() -> None:
    for entry in (loaded(), claimed(None, ONE)):
        for ref in (ONE, replace(ONE, sequencer=None, listed_at=START + 60 * SECOND)):
            verdict = ledger.claim(entry, ref, "flights", OTHER, now=START, lease=LEASE)
            assert isinstance(verdict, Skipped) and verdict.write is None


def test_a_kept_object_that_is_made_again_can_be_replayed_again() -> None:
    kept = removed(loaded(), delete_rows=False)
    assert ledger.replay(kept, now=START) is None
    verdict = ledger.claim(kept, AGAIN, "flights", OTHER, now=START, lease=LEASE)
    assert isinstance(verdict, Skipped) and verdict.write is not None
    assert ledger.replay(verdict.write, now=START) is not None


@pytest.mark.parametrize(("after", "ends"), [(-1, True), (30, True), (61, False)])
def test_a_removal_does_not_end_what_a_listing_showed_long_after_it(after: int, ends: bool) -> None:
    """A clock of ours against one of S3's: in doubt the removal counts, and a later listing brings the object back."""
    listed = replace(ONE, sequencer=None, listed_at=GONE.removed_at + after * SECOND)
    assert GONE.ends(listed) == ends


# Versions.

V1 = replace(ONE, version_id="v1")
V2 = replace(TWO, version_id="v2")
MARKER = Removal(BUCKET, KEY, GONE_LATER.removed_at, "m", marker=True, sequencer="40")


def of_version(ref: ObjectRef) -> Removal:
    return Removal(BUCKET, KEY, GONE_LATER.removed_at, ref.version_id, sequencer="40")


def test_the_deletion_of_an_old_version_leaves_the_latest_alone() -> None:
    assert withdrawal.remove(loaded(V2, loaded(V1)), removal=of_version(V1), delete_rows=True, now=START) is None


def test_the_deletion_of_the_latest_version_takes_its_own_rows_only() -> None:
    latest = loaded(V2, loaded(V1))
    leaving = removed(latest, of_version(V2))
    assert withdrawal.formers(taken(leaving)) == (V2.identity,)
    gone = out(leaving)
    assert gone.replaces == V1.identity, "where overwrites append, its rows are there still"
    assert seen(gone, V2) == Reason.OUTDATED
    assert seen(gone, replace(V2, version_id="v3", etag="etag3", sequencer="35")) == "won", "of which we hear late"
    assert withdrawal.formers(taken(removed(gone, replace(MARKER, sequencer="50")))) == (None,)


def test_a_delete_marker_takes_the_rows_of_all_versions() -> None:
    leaving = removed(loaded(V2, loaded(V1)), MARKER)
    assert withdrawal.formers(taken(leaving)) == (None,)
    assert withdrawal.remove(out(leaving), removal=of_version(V2), delete_rows=True, now=START) is None


def test_behind_a_marker_nothing_is_loaded_even_if_we_hear_of_it_for_the_first_time() -> None:
    unseen = withdrawal.unseen(MARKER, "flights", now=START)
    assert unseen is not None
    assert seen(unseen, V1) == seen(unseen, V2) == Reason.OUTDATED
    later = replace(V2, version_id="v3", sequencer="50", created_at=START + 60 * SECOND)
    assert seen(unseen, later) == "won"
    shown = replace(V2, version_id=None, sequencer=None, listed_at=START + 60 * SECOND)
    assert seen(unseen, shown) == "won", "the marker was deleted"


@pytest.mark.parametrize("removal", [GONE, of_version(V1)])
def test_what_can_be_read_no_more_needs_no_entry(removal: Removal) -> None:
    assert withdrawal.unseen(removal, "flights", now=START) is None


# Contents without rows.

EMPTY = replace(TWO, size=0)


def test_where_overwrites_replace_an_empty_content_takes_the_former_rows_out() -> None:
    leaving = ledger.refuse(loaded(), EMPTY, "flights", Reason.EMPTY, now=START, replacing=True)
    assert leaving is not None
    assert (leaving.state, leaving.leaving, leaving.ref, leaving.rows) == (State.PENDING, Reason.EMPTY, EMPTY, 5)
    assert withdrawal.formers(taken(leaving)) == (None,)
    assert seen(leaving, EMPTY) == Reason.HELD
    gone = out(leaving, Reason.EMPTY)
    assert (gone.state, gone.reason, gone.rows, gone.replaces) == (State.REFUSED, Reason.EMPTY, 0, None)
    failed = ended(taken(leaving), TAKER, Outcome(KEY, OutcomeKind.REMOVED, reason=Reason.SCHEMA_CONFLICT))
    assert (failed.state, failed.replaces) == (State.FAILED, ONE.identity)


@pytest.mark.parametrize(
    ("entry", "replacing", "reason"),
    [(loaded(), False, Reason.EMPTY), (loaded(), True, Reason.ARCHIVED), (None, True, Reason.EMPTY)],
)
def test_other_refusals_take_nothing_out(entry: Entry | None, replacing: bool, reason: Reason) -> None:
    refused = ledger.refuse(entry, EMPTY, "flights", reason, now=START, replacing=replacing)
    assert refused is not None
    assert (refused.state, refused.reason, refused.leaving) == (State.REFUSED, reason, None)
    assert refused.replaces == (ONE.identity if entry is not None else None)


def refused(entry: Entry, *, replacing: bool = True, ref: ObjectRef = EMPTY) -> Entry | None:
    return ledger.refuse(entry, ref, "flights", Reason.EMPTY, now=START, replacing=replacing)


def test_an_empty_content_that_comes_while_the_former_is_loaded_takes_its_rows_out_afterwards() -> None:
    waiting = refused(claimed(None, ONE))
    assert waiting is not None and waiting.successor == EMPTY
    assert refused(waiting) is None
    pending = ended(waiting, LOADER, Outcome(KEY, OutcomeKind.LOADED, rows=5))
    assert (pending.state, pending.ref, pending.leaving) == (State.PENDING, EMPTY, None)
    leaving = refused(pending)
    assert leaving is not None
    assert (leaving.state, leaving.leaving, leaving.ref) == (State.PENDING, Reason.EMPTY, EMPTY)
    assert withdrawal.formers(taken(leaving)) == (None,)


def test_an_empty_content_that_comes_while_a_replay_waits_takes_the_rows_out_instead() -> None:
    waiting = ledger.replay(loaded(), now=START)
    assert waiting is not None
    leaving = refused(waiting)
    assert leaving is not None
    assert (leaving.state, leaving.leaving, leaving.ref) == (State.PENDING, Reason.EMPTY, EMPTY)


def test_an_empty_content_of_which_nothing_was_loaded_before_is_only_recorded() -> None:
    waiting = refused(claimed(None, ONE))
    assert waiting is not None
    pending = ended(waiting, LOADER, Outcome(KEY, OutcomeKind.FAILED, reason="broken"))
    done = refused(pending)
    assert done is not None
    assert (done.state, done.reason, done.leaving) == (State.REFUSED, Reason.EMPTY, None)


def test_late_word_of_an_empty_content_and_one_that_replaces_nothing_leave_what_is_under_way() -> None:
    before = replace(EMPTY, created_at=START - 20 * SECOND, sequencer="05")
    under_way = claimed(None, ONE)
    assert refused(under_way, ref=before) is None
    assert refused(under_way, replacing=False) is None
    pending = ledger.replay(loaded(), now=START)
    assert pending is not None
    assert refused(pending, ref=before) is None
    assert refused(pending, replacing=False) is None


# Undo.


def test_the_rows_of_an_undone_job_leave_and_the_object_is_not_loaded_by_itself_again() -> None:
    leaving = withdrawal.undo(loaded(), "j1", ONE, now=START)
    assert leaving is not None
    assert (leaving.state, leaving.leaving) == (State.PENDING, Reason.UNDONE)
    for entry in (leaving, removed(leaving, delete_rows=False)):
        assert seen(entry, ONE) == Reason.HELD
        assert seen(entry, TWO) == Reason.HELD + "+"
    assert withdrawal.formers(taken(leaving)) == (ONE.identity,)
    gone = out(leaving, Reason.UNDONE)
    assert (gone.state, gone.reason, gone.rows) == (State.REFUSED, Reason.UNDONE, 0)
    assert seen(gone, ONE) == Reason.DUPLICATE
    assert seen(gone, TWO) == "won"
    again = ledger.replay(gone, now=START)
    assert again is not None and seen(again, ONE) == "won"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (None, "its entry is gone"),
        (replace(loaded(), owner=OTHER), "job j2 loaded it again"),
        (loaded(TWO, loaded()), "another content came after it"),
        (replace(loaded(), state=State.CLAIMED), "it is being loaded again"),
        (removed(loaded()), "its rows are being taken out already"),
        (out(removed(loaded())), "it is deleted already"),
        (replace(loaded(), state=State.FAILED, rejects=0, reason=Reason.BROKEN), "nothing of it was loaded"),
        (replace(loaded(), state=State.FAILED, rejects=3, reason=Reason.TOO_MANY_BAD_ROWS), None),
        (loaded(), None),
    ],
)
def test_what_an_undo_leaves_alone_and_why(entry: Entry | None, why: str | None) -> None:
    assert withdrawal.kept_from(entry, "j1", ONE) == why
    if entry is not None:
        assert (withdrawal.undo(entry, "j1", ONE, now=START) is None) == (why is not None)


def test_an_object_that_is_deleted_while_it_is_undone_is_taken_out_once_more() -> None:
    undoing = withdrawal.undo(loaded(), "j1", ONE, now=START)
    assert undoing is not None
    both = removed(taken(undoing))
    marked = ended(both, TAKER, Outcome(KEY, OutcomeKind.REMOVED, reason=Reason.UNDONE))
    assert (marked.state, marked.leaving) == (State.PENDING, Reason.DELETED)
    assert out(marked).reason is Reason.DELETED


# Who takes them out.


def test_one_task_takes_the_rows_out_and_a_dead_ones_claim_is_taken_over() -> None:
    mine = taken(removed(loaded()))
    later = START + LEASE
    assert withdrawal.take(mine, ONE, TAKER, now=START, lease=LEASE) == Won(mine, write=False)
    assert withdrawal.take(mine, ONE, OTHER, now=START, lease=LEASE) == Skipped(Reason.HELD)
    contested = withdrawal.take(mine, ONE, OTHER, now=later, lease=LEASE)
    assert isinstance(contested, Contested) and contested.owner == TAKER
    won = withdrawal.take(mine, ONE, OTHER, now=later, lease=LEASE, dead={TAKER})
    assert isinstance(won, Won) and won.entry.owner == OTHER and won.entry.leaving is Reason.DELETED


@pytest.mark.parametrize("entry", [None, loaded(), claimed(None, ONE), out(removed(loaded()))])
def test_nobody_takes_out_what_is_not_leaving(entry: Entry | None) -> None:
    assert withdrawal.take(entry, ONE, TAKER, now=START, lease=LEASE) == Skipped(Reason.OUTDATED)


def test_a_loader_never_takes_over_what_is_leaving() -> None:
    dead = removed(claimed(None, ONE))
    verdict = ledger.claim(dead, ONE, "flights", OTHER, now=START + LEASE, lease=LEASE, dead={LOADER})
    assert isinstance(verdict, Skipped)
    assert seen(dead, ONE, LOADER) == "won", "its own job goes on"


def test_rows_that_cannot_be_found_again_stay_and_that_is_said() -> None:
    task = withdrawal.staged(
        pipeline_of(origin_columns=False), TAKER, [removed(loaded())], now=START, nudge_after=LEASE
    )
    assert task.staged is not None and task.staged.out is None
    failed = ended(taken(removed(loaded())), TAKER, task.staged.outcomes[0])
    assert (failed.state, failed.reason, failed.rows) == (State.FAILED, Reason.MISCONFIGURED, 5)
    assert failed.error


def test_where_runs_replace_the_whole_content_nothing_is_taken_out_of_it() -> None:
    task = withdrawal.staged(pipeline_of(mode="replace"), TAKER, [removed(loaded())], now=START, nudge_after=LEASE)
    assert task.staged is not None and task.staged.out is None
    assert task.staged.outcomes[0].reason == Reason.DELETED


def test_what_left_is_counted_as_that() -> None:
    task = withdrawal.staged(pipeline_of(), TAKER, [removed(loaded())], now=START, nudge_after=LEASE)
    assert (task.state, task.id, task.members) == (TaskState.STAGED, "u1/0", (ONE,))
    change = on_committed(task, now=START)
    assert {name: count for name, count in change.counts.items() if count} == {
        "deleted": 1,
        "rows_out": 5,
        "rejects_out": 1,
    }


def pipeline_of(**out: object) -> Pipeline:
    document = pipeline().document()
    document["out"] |= out
    return Pipeline.parse(document, where="test")

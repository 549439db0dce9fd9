"""The life of an object in a pipeline.

Everything that affects an entry's state lives in this file and in core.withdrawal, and nothing there knows how
entries are kept: a store writes what these functions return, by compare-and-swap on `revision`.

    unseen ──claim──▶ claimed ──mark──▶ committed ──claim (new identity)──▶ claimed …
       │               │  ▲  ├────────▶ failed        (set aside; a new identity or a replay claims it)
       │               │  │  └────────▶ refused       (archived, empty, missing …; some are wanted again later)
       └──refuse──▶ refused              ▲      committed, failed, refused ──replay──▶ pending
                   supersede: a newer identity waits beside the claimed one; mark leaves it `pending`
    committed ──undo, delete──▶ pending, leaving ──take──▶ claimed ──mark──▶ refused (undone, deleted)

One key has one entry. While one identity is being loaded a newer one waits in `successor`; the mark of the first
makes the entry `pending` for the second, and whoever finds it claims it. Nothing is retried, nothing is lost.

A claim belongs to a job *and* a task. It may be taken over only when its lease is over and its task is over too;
a task that was never stored is first buried (core.tasks.tombstone), so that its late owner cannot store it.

What is `leaving` is loaded by nobody before its rows are out of the table; what comes meanwhile waits in `successor`.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.core.objects import DOUBT, UNKNOWN_TIME, ObjectRef, Removal
from chalicelib.core.selection import LEAVING, RETRYABLE, VANISHED, Reason
from chalicelib.core.tasks import Outcome, OutcomeKind


class State(StrEnum):
    """Where an object stands in a pipeline."""

    PENDING = "pending"
    CLAIMED = "claimed"
    COMMITTED = "committed"
    REFUSED = "refused"
    FAILED = "failed"


OPEN = frozenset({State.PENDING, State.CLAIMED, State.REFUSED, State.FAILED})
"""States that a sparse index carries, so that what is not finished is found without a scan."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The task that a claim belongs to."""

    job: str
    task: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One pipeline's word on one key. Times are UTC."""

    pipeline: str
    ref: ObjectRef
    state: State
    discovered_at: datetime
    owner: Owner | None = None
    lease_until: datetime | None = None
    successor: ObjectRef | None = None
    attempts: int = 0  # claims of this identity
    reason: Reason | None = None
    error: str | None = None
    rows: int = 0
    rejects: int = 0
    claimed_at: datetime | None = None
    read_at: datetime | None = None
    staged_at: datetime | None = None
    committed_at: datetime | None = None
    removal: Removal | None = None  # the customer deleted it
    leaving: Reason | None = None  # why its rows are to be taken out, until they are
    replaces: str | None = None  # the identity under this key that was committed last, before this one
    former_etag: str | None = None  # of that one: a listing knows no versions
    replay: bool = False  # what this very identity left in the tables goes when it is loaded again
    snapshot: str | None = None
    revision: int = 0  # 0: not stored yet

    @property
    def key(self) -> str:
        """The S3 key, the entry's name within its pipeline."""
        return self.ref.key

    @property
    def removed_at(self) -> datetime | None:
        """When the customer deleted it, if we were told."""
        return self.removal.removed_at if self.removal is not None else None


@dataclass(frozen=True, slots=True)
class Won:
    """The object is this owner's to load; `write` is None if it already was."""

    entry: Entry
    write: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """The object is not this owner's; `write`, if any, remembers a successor or a refusal."""

    reason: Reason
    write: Entry | None = None


@dataclass(frozen=True, slots=True)
class Contested:
    """A claim whose lease is over: it can be taken if its owner's task is over, else `alive` renews it."""

    owner: Owner
    alive: Entry


Verdict = Won | Skipped | Contested


def claim(
    entry: Entry | None,
    ref: ObjectRef,
    pipeline: str,
    owner: Owner,
    *,
    now: datetime,
    lease: timedelta,
    dead: Set[Owner] = frozenset(),
    ignore_overwrites: bool = False,
    again: bool = False,
) -> Verdict:
    """Who gets the object. `dead` are owners whose tasks are known to be over.

    `again`: a run that replaces the whole content takes what other jobs have loaded once more (F80).
    """
    if entry is None:
        if ref.created_at == UNKNOWN_TIME and ref.listed_at is None:
            return Skipped(Reason.OUTDATED)  # a version restored, of a key that nobody knows: a full sweep will tell
        return Won(_claimed(None, ref, pipeline, owner, now, lease), write=True)
    if entry.leaving is not None and not (entry.owner == owner and entry.ref.same(ref)):
        return _wait(entry, ref)
    if entry.state is State.CLAIMED:
        return _claim_from_owner(entry, ref, owner, now, lease, dead)
    if _is_late(entry, ref):
        return Skipped(Reason.OUTDATED)
    if not entry.ref.same(ref) and ignore_overwrites and not again and entry.state is State.COMMITTED:
        return Skipped(Reason.OVERWRITE_IGNORED, write=_made_again(entry, ref))
    if not entry.ref.same(ref) or entry.reason is Reason.DELETED:  # another content, or the same made again
        return Won(_claimed(entry, ref, pipeline, owner, now, lease), write=True)
    if again and not taken_by(entry, owner.job):
        taken = _claimed(entry, ref, pipeline, owner, now, lease)
        again_over = replace(taken, replay=True, replaces=_replaced(entry, known=False))
        return Won(knowing(entry, again_over), write=True)
    wanted = entry.state is State.PENDING or (entry.state is State.REFUSED and entry.reason in RETRYABLE)
    if not wanted:
        return Skipped(Reason.DUPLICATE, write=_made_again(entry, ref))
    return Won(_claimed(entry, (_made_again(entry, ref) or entry).ref, pipeline, owner, now, lease), write=True)


def taken_by(entry: Entry, job: str) -> bool:
    """True if this job had the object last, whatever became of it."""
    return entry.owner is not None and entry.owner.job == job


def _claim_from_owner(
    entry: Entry, ref: ObjectRef, owner: Owner, now: datetime, lease: timedelta, dead: Set[Owner]
) -> Verdict:
    assert entry.owner is not None and entry.lease_until is not None, "a claimed entry has an owner and a lease"
    if not entry.ref.same(ref):
        return _supersede(entry, ref)
    if entry.owner == owner and owner not in dead:
        return Won(entry, write=False)
    if now < entry.lease_until or entry.leaving is not None:
        return Skipped(Reason.HELD, write=_made_again(entry, ref))
    if entry.owner not in dead:
        alive = replace(entry, lease_until=now + lease, revision=entry.revision + 1)
        return Contested(entry.owner, alive)
    return Won(_claimed(entry, entry.successor or ref, entry.pipeline, owner, now, lease), write=True)


def _supersede(entry: Entry, ref: ObjectRef) -> Skipped:
    return Skipped(Reason.OUTDATED) if ref.older(entry.ref) else _succeed(entry, ref)


def _succeed(entry: Entry, ref: ObjectRef) -> Skipped:
    """It waits for its turn; of the same content the latest word counts, as late word of a removal may be of others."""
    known = entry.successor
    if known is not None and known.same(ref) and (ref.listed_at is not None or not known.older(ref)):
        return Skipped(Reason.HELD)
    if known is not None and ref.older(known):
        return Skipped(Reason.OUTDATED)
    return Skipped(Reason.HELD, write=replace(entry, successor=ref, revision=entry.revision + 1))


def _wait(entry: Entry, ref: ObjectRef) -> Skipped:
    """Nothing is loaded before its rows are out; what comes meanwhile, even if it is the same again, comes after."""
    if _is_late(entry, ref):
        return Skipped(Reason.OUTDATED)
    if entry.ref.same(ref) and not (entry.removal is not None and entry.removal.outlived_by(ref)):
        return Skipped(Reason.HELD)
    return _succeed(entry, ref)


def _is_late(entry: Entry, ref: ObjectRef) -> bool:
    """True if this is word of what went before: of the content that was deleted, or of an older one."""
    deleted = Reason.DELETED in (entry.reason, entry.leaving)
    if deleted and entry.removal is not None and not entry.removal.outlived_by(ref):
        return True
    return not entry.ref.same(ref) and not _comes_after_nothing(entry, ref) and ref.older(entry.ref)


def _comes_after_nothing(entry: Entry, ref: ObjectRef) -> bool:
    """True if `ref` was written after the entry's identity was looked for and not found.

    Whether such an identity ever was nobody can show: its sequencer must not outrank what came later.
    """
    if entry.state is not State.REFUSED or entry.reason not in VANISHED or entry.claimed_at is None:
        return False
    return ref.created_at > entry.claimed_at + DOUBT


def _made_again(entry: Entry, ref: ObjectRef) -> Entry | None:
    """The entry of an object whose key was written once more, or None if it was not.

    Nothing is loaded for that, since the content is the same or overwrites are ignored; but late word that the first
    one was deleted must not be taken for this one's.
    """
    gone = entry.removal is not None and not entry.removal.outlived_by(ref)
    written = ref.listed_at is None and entry.ref.older(ref)
    if gone or not (written or entry.removal is not None):
        return None
    made = replace(entry.ref, created_at=ref.created_at, sequencer=ref.sequencer, listed_at=ref.listed_at)
    return replace(entry, ref=made, removal=None, revision=entry.revision + 1)


def _claimed(
    before: Entry | None, ref: ObjectRef, pipeline: str, owner: Owner, now: datetime, lease: timedelta
) -> Entry:
    known = before is not None and before.ref.same(ref)
    claimed = Entry(
        pipeline=pipeline,
        ref=ref,
        state=State.CLAIMED,
        discovered_at=before.discovered_at if before is not None and known else now,
        owner=owner,
        lease_until=now + lease,
        attempts=(before.attempts if before is not None and known else 0) + 1,
        claimed_at=now,
        replaces=_replaced(before, known=known),
        replay=before is not None and known and before.replay,
        revision=(before.revision if before is not None else 0) + 1,
    )
    return knowing(before, claimed)


def knowing(before: Entry | None, after: Entry) -> Entry:
    """`after`, which came of `before`, with the ETag of what it replaces."""
    if before is None or after.replaces is None:
        return replace(after, former_etag=None) if after.former_etag else after
    etag = before.ref.etag if after.replaces == before.ref.identity else before.former_etag
    return replace(after, former_etag=etag) if etag != after.former_etag else after


def _replaced(before: Entry | None, *, known: bool) -> str | None:
    if before is None:
        return None
    return before.ref.identity if before.state is State.COMMITTED and not known else before.replaces


def refuse(
    entry: Entry | None, ref: ObjectRef, pipeline: str, reason: Reason, *, now: datetime, replacing: bool = False
) -> Entry | None:
    """The entry that records a refusal made before any claim, or None if the ledger says as much or more.

    Where overwrites replace, a content without rows takes those of the former ones out too (W1), after what is under
    way has ended.
    """
    empties = replacing and reason is Reason.EMPTY
    if entry is not None and (entry.state is State.CLAIMED or entry.leaving is not None):
        waits = empties and entry.leaving is None and not entry.ref.same(ref)
        return _supersede(entry, ref).write if waits else None  # what is under way ends first
    if entry is not None and entry.state is State.PENDING:
        if not empties or _is_late(entry, ref):
            return None
    elif entry is not None:
        known = entry.ref.same(ref) and entry.reason is not Reason.DELETED  # what was deleted can be there again
        if known or _is_late(entry, ref):
            return None
    revision, former = (entry.revision if entry is not None else 0) + 1, _replaced(entry, known=False)
    refused = Entry(pipeline, ref, State.REFUSED, discovered_at=now, reason=reason, replaces=former, revision=revision)
    refused = knowing(entry, refused)
    if not empties or entry is None or not has_rows(entry):
        return refused
    leaving = replace(refused, state=State.PENDING, reason=None, leaving=reason, lease_until=now)
    return replace(leaving, rows=entry.rows, rejects=entry.rejects)


def mark(
    entry: Entry,
    owner: Owner,
    member: ObjectRef,
    outcome: Outcome,
    *,
    staged_at: datetime,
    now: datetime,
    snapshot: str | None,
) -> Entry | None:
    """The entry after its task was committed, or None if it is not this owner's (any more), or of another identity."""
    if entry.state is not State.CLAIMED or entry.owner != owner or not entry.ref.same(member):
        return None
    loaded = outcome.kind is OutcomeKind.LOADED
    if outcome.kind is OutcomeKind.REMOVED:
        return _left(entry, outcome, now)
    if entry.leaving is not None:
        return _leaving(replace(entry, rows=outcome.rows, rejects=outcome.rejects), now)
    if entry.successor is not None:
        return pending(entry, entry.successor, entry.ref.identity if loaded else entry.replaces, now)
    states = {OutcomeKind.LOADED: State.COMMITTED, OutcomeKind.REFUSED: State.REFUSED, OutcomeKind.FAILED: State.FAILED}
    return replace(
        entry,
        state=states[outcome.kind],
        lease_until=None,
        reason=Reason(outcome.reason) if outcome.reason else None,
        error=outcome.error,
        rows=outcome.rows,
        rejects=outcome.rejects,
        read_at=outcome.read_at,
        staged_at=staged_at,
        committed_at=now if loaded else None,
        replay=entry.replay and not loaded,
        snapshot=snapshot if loaded else None,
        revision=entry.revision + 1,
    )


def has_rows(entry: Entry) -> bool:
    """True if rows of its key, good or bad, may lie in the tables."""
    return entry.state is State.COMMITTED or entry.replaces is not None or entry.rejects > 0


def leaves_whole(entry: Entry) -> bool:
    """True if the rows of all contents go that the key ever had, not only those of its own."""
    one_version = entry.removal is not None and entry.removal.of_one_version
    return entry.leaving is Reason.EMPTY or (entry.leaving is Reason.DELETED and not one_version)


def _leaving(entry: Entry, now: datetime) -> Entry:
    """Whoever finds it takes its rows out."""
    return replace(entry, state=State.PENDING, owner=None, lease_until=now, revision=entry.revision + 1)


def _left(entry: Entry, outcome: Outcome, now: datetime) -> Entry:
    """The entry after its rows were taken out, or could not be for good."""
    failed = outcome.reason not in LEAVING
    if not failed and outcome.reason != entry.leaving:
        return _leaving(entry, now)  # it was deleted while it was undone, and that takes more
    replaces = None if leaves_whole(entry) else entry.replaces
    if failed:
        replaces = entry.replaces if entry.leaving is Reason.EMPTY else entry.ref.identity
    if entry.successor is not None:
        return pending(entry, entry.successor, replaces, now)
    left = replace(
        entry,
        state=State.FAILED if failed else State.REFUSED,
        lease_until=None,
        leaving=None,
        reason=Reason(outcome.reason) if outcome.reason else None,
        error=outcome.error,
        rows=entry.rows if failed else 0,
        rejects=entry.rejects if failed else 0,
        committed_at=None,
        snapshot=None,
        replaces=replaces,
        replay=False,
        revision=entry.revision + 1,
    )
    return knowing(entry, left)


def pending(entry: Entry, ref: ObjectRef, replaces: str | None, now: datetime) -> Entry:
    """The entry of what is to be loaded after `entry`; `replaces`: the identity that lies in the table until then."""
    waiting = Entry(
        entry.pipeline,
        ref,
        State.PENDING,
        discovered_at=now,
        lease_until=now,
        replaces=replaces,
        revision=entry.revision + 1,
    )
    return knowing(entry, waiting)


def replay(entry: Entry, *, now: datetime) -> Entry | None:
    """The entry of an object that is to be loaded once more, its rows replacing the earlier ones (W5).

    None if it waits or is being loaded already, or was deleted by the customer.
    """
    if entry.state in (State.PENDING, State.CLAIMED) or entry.removed_at is not None:
        return None
    again = Entry(
        entry.pipeline,
        entry.ref,
        State.PENDING,
        discovered_at=entry.discovered_at,
        lease_until=now,
        attempts=entry.attempts,
        replaces=entry.ref.identity if entry.state is State.COMMITTED else entry.replaces,
        replay=True,
        revision=entry.revision + 1,
    )
    return knowing(entry, again)


def formers(entry: Entry, *, replacing: bool) -> tuple[str, ...]:
    """The identities whose rows under this key go when this one's come; `replacing`: overwrites replace (W1)."""
    older = {entry.replaces} if replacing and entry.replaces is not None else set[str]()
    return tuple(sorted(older | {entry.ref.identity} if entry.replay else older))


def reassign(entry: Entry, owner: Owner, to: Owner, *, now: datetime, lease: timedelta) -> Entry | None:
    """The claim handed from a split task to one of its children; None if it is not `owner`'s."""
    if entry.state is not State.CLAIMED or entry.owner != owner:
        return None
    return replace(entry, owner=to, lease_until=now + lease, revision=entry.revision + 1)

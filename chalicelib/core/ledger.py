"""The life of an object in a pipeline.

Everything that affects an entry's state lives in this file, and nothing here knows how entries are kept: a store
writes what these functions return, by compare-and-swap on `revision`.

    unseen ──claim──▶ claimed ──mark──▶ committed ──claim (new identity)──▶ claimed …
       │               │  ▲  ├────────▶ failed        (set aside; a new identity or a replay claims it)
       │               │  │  └────────▶ refused       (archived, empty, missing …; some are wanted again later)
       └──refuse──▶ refused              ▲      committed, failed, refused ──replay──▶ pending
                   supersede: a newer identity waits beside the claimed one; mark leaves it `pending`

One key has one entry. While one identity is being loaded a newer one waits in `successor`; the mark of the first
makes the entry `pending` for the second, and whoever finds it claims it. Nothing is retried, nothing is lost.

A claim belongs to a job *and* a task. It may be taken over only when its lease is over and its task is over too;
a task that was never stored is first buried (core.tasks.tombstone), so that its late owner cannot store it.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.core.objects import UNKNOWN_TIME, ObjectRef, Removal
from chalicelib.core.selection import RETRYABLE, Reason
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
    removed_at: datetime | None = None  # when the customer deleted it
    replaces: str | None = None  # the identity under this key that was committed last, before this one
    replay: bool = False  # what this very identity left in the tables goes when it is loaded again
    snapshot: str | None = None
    revision: int = 0  # 0: not stored yet

    @property
    def key(self) -> str:
        """The S3 key, the entry's name within its pipeline."""
        return self.ref.key


@dataclass(frozen=True, slots=True)
class Write:
    """An entry to store if the stored revision is still the one before it."""

    entry: Entry


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
) -> Verdict:
    """Who gets the object. `dead` are owners whose tasks are known to be over."""
    if entry is None:
        if ref.created_at == UNKNOWN_TIME and ref.listed_at is None:
            return Skipped(Reason.OUTDATED)  # a version restored, of a key that nobody knows: a full sweep will tell
        return Won(_claimed(None, ref, pipeline, owner, now, lease), write=True)
    if entry.state is State.CLAIMED:
        return _claim_from_owner(entry, ref, owner, now, lease, dead)
    if not entry.ref.same(ref):
        if ref.older(entry.ref):
            return Skipped(Reason.OUTDATED)
        if ignore_overwrites and entry.state is State.COMMITTED:
            return Skipped(Reason.OVERWRITE_IGNORED)
        return Won(_claimed(entry, ref, pipeline, owner, now, lease), write=True)
    wanted = entry.state is State.PENDING or (entry.state is State.REFUSED and entry.reason in RETRYABLE)
    if not wanted:
        return Skipped(Reason.DUPLICATE)
    return Won(_claimed(entry, entry.ref, pipeline, owner, now, lease), write=True)


def _claim_from_owner(
    entry: Entry, ref: ObjectRef, owner: Owner, now: datetime, lease: timedelta, dead: Set[Owner]
) -> Verdict:
    assert entry.owner is not None and entry.lease_until is not None, "a claimed entry has an owner and a lease"
    if not entry.ref.same(ref):
        return _supersede(entry, ref)
    if entry.owner == owner and owner not in dead:
        return Won(entry, write=False)
    if now < entry.lease_until:
        return Skipped(Reason.HELD)
    if entry.owner not in dead:
        alive = replace(entry, lease_until=now + lease, revision=entry.revision + 1)
        return Contested(entry.owner, alive)
    return Won(_claimed(entry, entry.successor or ref, entry.pipeline, owner, now, lease), write=True)


def _supersede(entry: Entry, ref: ObjectRef) -> Skipped:
    known = entry.successor
    if known is not None and known.same(ref):
        return Skipped(Reason.HELD)
    if ref.older(entry.ref) or (known is not None and ref.older(known)):
        return Skipped(Reason.OUTDATED)
    return Skipped(Reason.HELD, write=replace(entry, successor=ref, revision=entry.revision + 1))


def _claimed(
    before: Entry | None, ref: ObjectRef, pipeline: str, owner: Owner, now: datetime, lease: timedelta
) -> Entry:
    known = before is not None and before.ref.same(ref)
    return Entry(
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


def _replaced(before: Entry | None, *, known: bool) -> str | None:
    if before is None:
        return None
    return before.ref.identity if before.state is State.COMMITTED and not known else before.replaces


def refuse(entry: Entry | None, ref: ObjectRef, pipeline: str, reason: Reason, *, now: datetime) -> Entry | None:
    """The entry that records a refusal made before any claim, or None if the ledger says as much or more."""
    if entry is not None:
        if entry.state in (State.CLAIMED, State.PENDING):
            return None  # what is under way ends first; an empty successor has no rows to bring
        if entry.ref.same(ref) or ref.older(entry.ref):
            return None
    revision = (entry.revision if entry is not None else 0) + 1
    return Entry(pipeline, ref, State.REFUSED, discovered_at=now, reason=reason, revision=revision)


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
    if entry.successor is not None:
        return _pending(entry, entry.successor, entry.ref.identity if loaded else entry.replaces, now)
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
        replay=False,
        snapshot=snapshot if loaded else None,
        revision=entry.revision + 1,
    )


def _pending(entry: Entry, successor: ObjectRef, replaces: str | None, now: datetime) -> Entry:
    return Entry(
        entry.pipeline,
        successor,
        State.PENDING,
        discovered_at=now,
        lease_until=now,
        replaces=replaces,
        revision=entry.revision + 1,
    )


def replay(entry: Entry, *, now: datetime) -> Entry | None:
    """The entry of an object that is to be loaded once more, its rows replacing the earlier ones (W5).

    None if it waits or is being loaded already, or was deleted by the customer.
    """
    if entry.state in (State.PENDING, State.CLAIMED) or entry.removed_at is not None:
        return None
    return Entry(
        entry.pipeline,
        entry.ref,
        State.PENDING,
        discovered_at=entry.discovered_at,
        lease_until=now,
        attempts=entry.attempts,
        replaces=entry.replaces,
        replay=True,
        revision=entry.revision + 1,
    )


def formers(entry: Entry, *, replacing: bool) -> tuple[str, ...]:
    """The identities whose rows under this key go when this one's come; `replacing`: overwrites replace (W1)."""
    older = (entry.replaces,) if replacing and entry.replaces is not None else ()
    return (*older, entry.ref.identity) if entry.replay else older


def remove(entry: Entry, *, removal: Removal) -> Entry | None:
    """The entry of an object that the customer deleted; None if the deletion is not of this identity (F43)."""
    if entry.removed_at is not None or not removal.ends(entry.ref):
        return None
    return replace(entry, removed_at=removal.removed_at, revision=entry.revision + 1)


def reassign(entry: Entry, owner: Owner, to: Owner, *, now: datetime, lease: timedelta) -> Entry | None:
    """The claim handed from a split task to one of its children; None if it is not `owner`'s."""
    if entry.state is not State.CLAIMED or entry.owner != owner:
        return None
    return replace(entry, owner=to, lease_until=now + lease, revision=entry.revision + 1)

"""Rows that are taken out of a table again: the customer deleted or emptied the object, or somebody undoes a job.

An entry says why it is `leaving`, and whoever finds it gives it to a job of its own (flows.withdraw), whose tasks are
staged at once: they have no files, and each member's rows go in the commit. Until then the entry is nobody else's.
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import (
    Contested,
    Entry,
    Owner,
    Skipped,
    State,
    Verdict,
    Won,
    has_rows,
    leaves_whole,
    pending,
    taken_by,
)
from chalicelib.core.objects import ObjectRef, Removal
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Outcome, OutcomeKind, Staged, Task, TaskState

UNFINDABLE = "out has no origin columns or is no Iceberg table any more: its rows cannot be found again"


def remove(entry: Entry, *, removal: Removal, delete_rows: bool, now: datetime) -> Entry | None:
    """The entry of an object that the customer deleted; None if that changes nothing (F43).

    A removal of another, or of one version that is not the latest, changes nothing. With `delete_rows` the rows of
    the key leave the table, once nobody is loading it; of one version that was deleted for good, its own.
    """
    if not removal.ends(entry.ref):
        return None
    known, successor = entry.removal, entry.successor
    overtaken = successor is not None and removal.ends(successor)
    if known is not None and not removal.supersedes(known) and not overtaken:
        return None
    if not delete_rows:
        return None if known is not None else replace(entry, removal=removal, revision=entry.revision + 1)
    gone = replace(
        entry,
        removal=removal,
        leaving=Reason.DELETED,
        successor=None if overtaken else successor,
        revision=entry.revision + 1,
    )
    if entry.state is State.CLAIMED:
        return gone
    if entry.state is State.PENDING or has_rows(entry):
        return replace(gone, state=State.PENDING, owner=None, lease_until=now)
    return replace(gone, state=State.REFUSED, reason=Reason.DELETED, error=None, leaving=None)


def unseen(removal: Removal, pipeline: str, *, now: datetime) -> Entry | None:
    """The entry of a deleted object that nobody knows yet; None where late word of it can do no harm.

    Behind a delete marker the object can still be read, by whoever hears of its creation only now.
    """
    if not removal.marker:
        return None
    ref = ObjectRef(
        removal.bucket, removal.key, "", 0, removal.removed_at, removal.version_id, sequencer=removal.sequencer
    )
    return Entry(pipeline, ref, State.REFUSED, discovered_at=now, reason=Reason.DELETED, removal=removal, revision=1)


def kept(entry: Entry, held: ObjectRef | None, *, now: datetime) -> Entry | None:
    """The entry of an object that was said to be deleted or emptied, after a look at what its key holds now.

    None: so it is, and its rows may go. Else it waits to be loaded, in place of the rows that it left: also if it
    was deleted and written again meanwhile, which looks the same. Another content, of which nobody has told us, waits
    until those rows are out. `held` has the time of the look as `listed_at`.
    """
    if held is None or held.size == 0 or entry.state is not State.PENDING:
        return None
    if entry.leaving is Reason.EMPTY:
        return pending(entry, entry.successor or held, entry.replaces, now)
    if not entry.ref.same(held):
        return None if entry.successor is not None else replace(entry, successor=held, revision=entry.revision + 1)
    if entry.successor is not None and not entry.successor.same(held):
        return pending(entry, entry.successor, entry.ref.identity, now)
    brought = entry.committed_at is not None or entry.rows > 0
    there = entry.ref.identity if brought or (entry.rejects and entry.replaces is None) else entry.replaces
    again = pending(entry, replace(entry.ref, listed_at=held.listed_at), there, now)
    return replace(again, discovered_at=entry.discovered_at, replay=True)


def undo(entry: Entry, job: str, member: ObjectRef, *, now: datetime) -> Entry | None:
    """The entry of an object whose rows are taken out because the job that brought them is undone.

    None if they are not there any more, or another job's: see `kept_from`.
    """
    if kept_from(entry, job, member) is not None:
        return None
    return replace(
        entry,
        state=State.PENDING,
        owner=None,
        leaving=Reason.UNDONE,
        lease_until=now,
        revision=entry.revision + 1,
    )


def kept_from(entry: Entry | None, job: str, member: ObjectRef) -> str | None:
    """Why undoing the job leaves this object alone; None if it does not."""
    if entry is None:
        return "its entry is gone"
    if entry.state in (State.PENDING, State.CLAIMED):
        return "its rows are being taken out already" if entry.leaving else "it is being loaded again"
    if not entry.ref.same(member):
        return "another content came after it"
    if entry.reason in (Reason.DELETED, Reason.UNDONE):
        return f"it is {entry.reason} already"
    if not taken_by(entry, job):
        return f"job {entry.owner.job} loaded it again" if entry.owner else "another job loaded it again"
    return None if entry.state is State.COMMITTED or entry.rejects else "nothing of it was loaded"


def take(
    entry: Entry | None,
    ref: ObjectRef,
    owner: Owner,
    *,
    now: datetime,
    lease: timedelta,
    dead: Set[Owner] = frozenset(),
) -> Verdict:
    """Who takes the rows out. `dead` are owners whose tasks are known to be over."""
    if entry is None or entry.leaving is None or not entry.ref.same(ref):
        return Skipped(Reason.OUTDATED)
    if entry.state is State.CLAIMED:
        assert entry.owner is not None and entry.lease_until is not None, "a claimed entry has an owner and a lease"
        if entry.owner == owner and owner not in dead:
            return Won(entry, write=False)
        if now < entry.lease_until:
            return Skipped(Reason.HELD)
        if entry.owner not in dead:
            return Contested(entry.owner, replace(entry, lease_until=now + lease, revision=entry.revision + 1))
    taken = replace(
        entry,
        state=State.CLAIMED,
        owner=owner,
        claimed_at=now,
        lease_until=now + lease,
        revision=entry.revision + 1,
    )
    return Won(taken, write=True)


def formers(entry: Entry) -> tuple[str | None, ...]:
    """The identities whose rows under this key go; None stands for all."""
    return (None,) if leaves_whole(entry) else (entry.ref.identity,)


def staged(
    pipeline: Pipeline, owner: Owner, entries: Sequence[Entry], *, now: datetime, nudge_after: timedelta
) -> Task:
    """The task that takes the rows of these entries out, ready for its commit.

    Where the next run replaces the whole content anyway, there is nothing to take out of it.
    """
    out = pipeline.out if pipeline.out.finds_rows_again and not pipeline.out.replaces else None
    lost = out is None and not pipeline.out.replaces
    outcomes = tuple(
        Outcome(
            entry.key,
            OutcomeKind.REMOVED,
            reason=Reason.MISCONFIGURED if lost else entry.leaving,
            error=UNFINDABLE if lost else None,
            rows=0 if lost else entry.rows,
            rejects=0 if lost else entry.rejects,
        )
        for entry in entries
    )
    return Task(
        owner.job,
        owner.task,
        pipeline.name,
        pipeline.out.address,
        tuple(entry.ref for entry in entries),
        TaskState.STAGED,
        due_at=now + nudge_after,
        staged=Staged(outcomes, files=(), at=now, out=out),
    )

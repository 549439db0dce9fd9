"""Repeats: a content that comes again after others of its key, of which nothing was loaded.

Anybody who may speak to our queue can name a content that never was (E21); a customer can put one back. The ledger
remembers then what lies in the table under the key (`Entry.replaces`), and that is never brought a second time (P2).
"""

from dataclasses import replace
from datetime import datetime

from chalicelib.core.ledger import Entry, Skipped, State, Verdict, Won
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason


def settled(verdict: Verdict, *, findable: bool, now: datetime) -> Verdict:
    """The ledger's verdict on a claim, unless the object's rows are in the table already.

    Where rows can be found again, they are exchanged for themselves: they may have been taken out meanwhile. Where
    not, nothing ever takes them out, so that the object is as good as loaded. So it is, too, where only the ETag tells
    that it is the same, one of the two having no version.
    """
    if not isinstance(verdict, Won) or not verdict.write or verdict.entry.replay:
        return verdict
    entry = verdict.entry
    there = _there(entry)
    if there is None:
        return verdict
    if findable and there == entry.ref:
        return Won(replace(entry, replay=True), write=True)
    kept = replace(entry, ref=there, state=State.COMMITTED, owner=None, lease_until=None, committed_at=now)
    return Skipped(Reason.DUPLICATE, write=replace(kept, replaces=None, former_etag=None))


def _there(entry: Entry) -> ObjectRef | None:
    """The content as it lies in the table; None if another one does."""
    ref, known = entry.ref, entry.replaces
    if known is None or known == ref.identity:
        return ref if known else None
    version = known.removeprefix("v:") if known.startswith("v:") else None
    comparable = (ref.version_id is None) != (version is None)
    return replace(ref, version_id=version) if comparable and ref.etag == entry.former_etag else None

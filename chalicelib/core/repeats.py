"""Repeats: a content that comes again after others of its key, of which nothing was loaded.

Anybody who may speak to our queue can name a content that never was (E21); a customer can put one back. The ledger
remembers then what lies in the table under the key (`Entry.replaces`), and that is never brought a second time (P2).
"""

from dataclasses import replace
from datetime import datetime

from chalicelib.core.ledger import Entry, Skipped, State, Verdict, Won
from chalicelib.core.selection import Reason


def settled(verdict: Verdict, *, findable: bool, now: datetime) -> Verdict:
    """The ledger's verdict on a claim, unless the object's rows are in the table already.

    Where rows can be found again, they are exchanged for themselves: they may have been taken out meanwhile. Where
    not, nothing ever takes them out, so that the object is as good as loaded.
    """
    if not isinstance(verdict, Won) or not verdict.write or not _is_there(verdict.entry):
        return verdict
    entry = verdict.entry
    if findable:
        return Won(replace(entry, replay=True), write=True)
    return Skipped(
        Reason.DUPLICATE,
        write=replace(entry, state=State.COMMITTED, owner=None, lease_until=None, replaces=None, committed_at=now),
    )


def _is_there(entry: Entry) -> bool:
    return entry.replaces == entry.ref.identity and not entry.replay

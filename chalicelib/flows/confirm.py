"""A look before rows leave: whoever may write to our queue can claim that an object was deleted or emptied."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import withdrawal
from chalicelib.core.connections import Grant
from chalicelib.core.ledger import Entry
from chalicelib.core.listing import just_before
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.errors import AccessDenied
from chalicelib.flows.allowed import check
from chalicelib.flows.ports import Connections, Ledger, Listing, Metrics

PAGES = 50  # of listings a pipeline and tick; what was not looked at then waits for the next
TOLD = (Reason.DELETED, Reason.EMPTY)  # by a message; what an operator undoes goes without a look


@dataclass(frozen=True, slots=True)
class Confirm:
    """Asks the bucket itself. What is there after all is loaded again in place of its own rows, so that none is missed.

    Of what the pipeline reads no longer, and of what is refused where we were given no s3:ListBucket, the message is
    believed.
    """

    connections: Connections
    ledger: Ledger
    listing: Listing
    metrics: Metrics
    now: Callable[[], datetime]

    def __call__(self, pipeline: Pipeline, leaving: Sequence[Entry]) -> list[Entry]:
        """Those of the entries whose rows may go now.

        Raises what listing raises: while we cannot look, nothing leaves.
        """
        told = {entry.key: entry for entry in leaving if self._can_be_seen(pipeline, entry)}
        grant = self.connections.get(pipeline.connection) if told else None
        if grant is None:
            return list(leaving)
        check(grant, pipeline.source.bucket, pipeline.source.listed_prefix, owner=pipeline.owner)
        look = self._held if grant.connection.can_list else self._held_one_by_one
        held = look(grant, pipeline, sorted(told))
        kept = {key: withdrawal.kept(told[key], ref, now=self.now()) for key, ref in held.items()}
        changed = [entry for entry in kept.values() if entry is not None]
        if changed:
            self.ledger.swap(changed)  # one that somebody else changed is looked at again
        if refuted := sum(entry.leaving is None for entry in changed):
            self.metrics.count("RemovalsRefuted", refuted, pipeline=pipeline.name)
        return [entry for entry in leaving if entry.key not in told or (entry.key in held and kept[entry.key] is None)]

    def _can_be_seen(self, pipeline: Pipeline, entry: Entry) -> bool:
        source = pipeline.source
        mine = entry.ref.bucket == source.bucket and entry.key.startswith(source.listed_prefix)
        return mine and entry.leaving in TOLD and pipeline.out.finds_rows_again

    def _held_one_by_one(self, grant: Grant, pipeline: Pipeline, keys: Sequence[str]) -> Mapping[str, ObjectRef | None]:
        """Without the right to list S3 refuses a key that holds nothing like one that we may not read (E28)."""
        held: dict[str, ObjectRef | None] = {}
        for key in keys[:PAGES]:
            try:
                page = self.listing.page(grant, pipeline.source.bucket, key, limit=1, exact=True)
            except AccessDenied:
                held[key] = None
            else:
                held[key] = next((replace(each.ref, listed_at=self.now()) for each in page.objects), None)
        return held

    def _held(self, grant: Grant, pipeline: Pipeline, keys: Sequence[str]) -> Mapping[str, ObjectRef | None]:
        """What each key holds now; keys that PAGES pages did not reach are left out."""
        held: dict[str, ObjectRef | None] = {}
        left, passed = deque(keys), ""
        for _ in range(PAGES):
            if not left:
                break
            now, after = self.now(), max(passed, just_before(left[0]))
            page = self.listing.page(grant, pipeline.source.bucket, pipeline.source.listed_prefix, start_after=after)
            found = {each.ref.key: replace(each.ref, listed_at=now) for each in page.objects}
            while left and (page.next_after is None or left[0] <= page.next_after):
                key = left.popleft()
                held[key] = found.get(key)
            passed = page.next_after or ""
        return held

"""Buckets' policies: they let in whoever is of another account, or whom nobody else is to be."""

from typing import Any

from chalicelib.core.policies.parties import foreign, named, owner, reader, seat
from chalicelib.core.policies.reading import Opening, listing, objects, openings, tagged
from chalicelib.core.policies.sheets import Facts, Kind, Place, Sheet
from chalicelib.core.policies.statements import READ_TAGS, aws, policy

RESTRICTIVE = (
    "Only where the bucket's policy shuts out whom it does not name: add this, and except the same principal from its "
    "Deny statements, which go before any Allow."
)
ACROSS = (
    "It holds for objects that the bucket's own account owns. Those that are encrypted with the key aws/s3 stay "
    "closed: AWS lets no other account use it."
)


def bucket_sheets(facts: Facts) -> tuple[Sheet, ...]:
    """One for each bucket that is known. Needed where reader and bucket are of two accounts (F7).

    AWS takes 20 KB, twice as much as for the role's policy, which has the same resources.
    """
    reading = reader(facts)
    if reading is None or not reading.arns:
        return ()
    needed = foreign(facts)
    return tuple(
        _bucket_sheet(facts, bucket, opening, reading.arns, needed=needed)
        for opening in openings(facts)
        for bucket in opening.buckets
    )


def _bucket_sheet(facts: Facts, bucket: str, opening: Opening, principals: tuple[str, ...], *, needed: bool) -> Sheet:
    connection, own, who = facts.grant.connection, Opening((bucket,), opening.prefixes), aws(principals)
    statements = [
        *(
            [listing(own, connection.partition, named(facts, "ListBucket"), principal=who)]
            if connection.can_list
            else []
        ),
        objects(own, connection.partition, named(facts, "ReadObjects"), principal=who),
        *_tags(facts, bucket, who),
    ]
    account = owner(facts)
    return Sheet(
        Kind.BUCKET,
        Place.BUCKET_POLICY,
        seat(account, facts),
        account,
        bucket,
        policy(*statements),
        needed=needed,
        note=ACROSS if needed else RESTRICTIVE,
    )


def _tags(facts: Facts, bucket: str, principal: dict[str, Any]) -> list[dict[str, Any]]:
    partition, sid = facts.grant.connection.partition, named(facts, "ReadObjectTags")
    return [
        objects(Opening((bucket,), opening.prefixes), partition, sid, actions=READ_TAGS, principal=principal)
        for opening in tagged(facts)
        if bucket in opening.buckets
    ]

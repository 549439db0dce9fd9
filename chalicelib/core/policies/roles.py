"""Roles and users: what the identity that reads must be allowed by its own account."""

from chalicelib.core.policies.kms import decrypting
from chalicelib.core.policies.parties import made, owner, reader
from chalicelib.core.policies.reading import reading
from chalicelib.core.policies.sheets import Facts, Kind, Place, Sheet, within
from chalicelib.core.policies.statements import compact, policy

ROLE_LIMIT = 10_240  # characters of all inline policies of a role together
USER_LIMIT = 2048  # and of a user's
MANAGED_LIMIT = 6144  # of one managed policy, of which both may have ten
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
SHORTER = "Give the connection fewer and shorter `prefixes`: one that several pipelines share will do"
LONG = f"More than the {USER_LIMIT:,} characters of a user's inline policies: attach it as a managed policy."


def role_sheets(facts: Facts) -> tuple[Sheet, ...]:
    """What the customer's role, our own roles, or the user of pasted keys may do; nothing if anybody may read."""
    reading_party = reader(facts)
    if reading_party is None:
        return ()
    owned_by = owner(facts)
    document = policy(*reading(facts, owned_by if owned_by != reading_party.account else None), *decrypting(facts))
    user = reading_party.place is Place.USER_POLICY
    within(document, MANAGED_LIMIT if user else ROLE_LIMIT, "the policy of whoever reads", facts, SHORTER)
    long = user and len(compact(document)) > USER_LIMIT
    return tuple(
        Sheet(
            Kind.ROLE,
            reading_party.place,
            reading_party.seat,
            reading_party.account,
            target,
            document,
            name=made(facts),
            note=LONG if long else "",
        )
        for target in reading_party.targets()
    )

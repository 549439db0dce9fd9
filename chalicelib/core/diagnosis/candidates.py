"""Which statements of the sheets would allow what was refused, the likeliest first."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from chalicelib.core.diagnosis.answers import Refusal, Source, is_of
from chalicelib.core.diagnosis.coverage import allows, covered, listed, matches, reaches
from chalicelib.core.findings import Missing
from chalicelib.core.policies.sheets import Kind, Place, Seat, Sheet, statements

TRUSTS = frozenset({Place.ROLE_TRUST})
IDENTITIES = frozenset({Place.ROLE_POLICY, Place.USER_POLICY})
RESOURCES = frozenset({Place.BUCKET_POLICY, Place.KEY_POLICY, Place.QUEUE_POLICY, Place.TOPIC_POLICY})
NOTHING_TOLD = Refusal()
POINTED = {Source.IDENTITY: IDENTITIES, Source.RESOURCE: RESOURCES | TRUSTS, Source.TRUST: TRUSTS}


def candidates(
    sheets: Sequence[Sheet],
    action: str,
    *,
    resource: str = "",
    prefix: str = "",
    told: Refusal = NOTHING_TOLD,
) -> tuple[Missing, ...]:
    """The statements that allow `action` on `resource`; on anything, if none does on just this.

    `prefix` is what was listed. What AWS `told` puts first the policies of the kind that it names, and those of whom it
    names; beside that, what works without comes last, and those of resources come before those of identities: S3 is
    silent where the bucket is another account's.
    """
    reading = [sheet for sheet in sheets if sheet.kind not in (Kind.QUEUE, Kind.NOTIFICATION)]
    found = [(sheet, each) for sheet in reading for each in statements(sheet) if allows(each, action)]
    if resource:
        found = [pair for pair in found if reaches(pair[1], resource)] or found
    ranked = sorted(found, key=lambda pair: (*_rank(pair[0], told), not _lists(pair[1], prefix)))
    return tuple(missing(sheet, statement) for sheet, statement in ranked)


def missing(sheet: Sheet, statement: dict[str, Any]) -> Missing:
    """A statement of a sheet as something to add. What is no policy is named by its place."""
    sid = statement.get("Sid", sheet.place.value)
    return Missing(sheet.kind, sid, sheet.seat, sheet.account, sheet.target, statement, sheet.place.value)


def of_kinds(sheets: Sequence[Sheet], kinds: Collection[Kind], *, seat: Seat | None = None) -> Iterator[Missing]:
    """Everything on the sheets of these kinds."""
    for sheet in sheets:
        if sheet.kind in kinds and seat in (None, sheet.seat):
            yield from (missing(sheet, each) for each in statements(sheet))


def uncovered(sheet: Sheet, present: Sequence[dict[str, Any]]) -> tuple[Missing, ...]:
    """The sheet's statements that the policy which is there does not allow."""
    return tuple(missing(sheet, each) for each in statements(sheet) if not covered(present, each))


def _rank(sheet: Sheet, told: Refusal) -> tuple[bool, ...]:
    pointed = POINTED.get(told.source)
    return (
        pointed is not None and sheet.place not in pointed,
        not sheet.needed,
        sheet.place not in RESOURCES | TRUSTS,
        not is_of(told.who, sheet.target),
    )


def _lists(statement: dict[str, Any], prefix: str) -> bool:
    patterns = listed((statement.get("Condition") or {}).get("StringLike", {}).get("s3:prefix"))
    return not patterns or any(matches(pattern, prefix) for pattern in patterns)

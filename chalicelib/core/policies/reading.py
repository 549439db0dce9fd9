"""Reading: which keys of which buckets, as statements of IAM."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.core.policies.sheets import Facts, Read
from chalicelib.core.policies.statements import READ, READ_TAGS, allow, literal


@dataclass(frozen=True, slots=True)
class Opening:
    """Buckets of which the same keys are read."""

    buckets: tuple[str, ...]  # empty: any bucket
    prefixes: tuple[str, ...]  # empty: any key; none of them begins with another

    def arns(self, partition: str) -> list[str]:
        """The buckets, as IAM patterns."""
        return [bucket_arn(bucket, partition) for bucket in self.buckets] or [f"arn:{partition}:s3:::*"]

    def objects(self, partition: str) -> list[str]:
        """The objects, as IAM patterns."""
        return [f"{arn}/{start}" for arn in self.arns(partition) for start in self.starts() or ["*"]]

    def starts(self) -> list[str]:
        """The prefixes, as IAM patterns."""
        return [f"{literal(prefix)}*" for prefix in self.prefixes]


def openings(facts: Facts) -> tuple[Opening, ...]:
    """What is read over a connection (F6, F17).

    The connection's buckets and prefixes, each prefix in each bucket; what it does not say follows from its pipelines,
    for each bucket by itself. A bucket without a pipeline is open to every key.
    """
    connection = facts.grant.connection
    buckets = connection.buckets or tuple(dict.fromkeys(read.bucket for read in facts.reads))
    if not buckets:
        return (Opening((), least(connection.prefixes or ("",))),)
    return _grouped({bucket: connection.prefixes or _prefixes(facts.reads, bucket) or ("",) for bucket in buckets})


def tagged(facts: Facts) -> tuple[Opening, ...]:
    """Where a pipeline reads objects' tags, and nothing beside."""
    reads = [read for read in facts.reads if read.tags]
    return _grouped({read.bucket: _prefixes(reads, read.bucket) for read in reads})


def told(facts: Facts) -> tuple[Opening, ...]:
    """What a bucket is to tell us of: what pipelines read of it, or else what the connection is open to."""
    allowed = {bucket: opening.prefixes or ("",) for opening in openings(facts) for bucket in opening.buckets}
    return _grouped({bucket: _prefixes(facts.reads, bucket) or prefixes for bucket, prefixes in allowed.items()})


def least(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Those prefixes that begin with no other of them, in order; empty if all keys are meant."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return () if kept == [""] else tuple(kept)


def bucket_arn(bucket: str, partition: str) -> str:
    """The bucket as an IAM pattern."""
    return f"arn:{partition}:s3:::{literal(bucket)}"


def listing(
    opening: Opening,
    partition: str,
    sid: str | None,
    *,
    owner: str | None = None,
    principal: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """List the keys under the prefixes. `owner`: the account that must own the bucket."""
    prefixes = {"StringLike": {"s3:prefix": opening.starts()}} if opening.prefixes else {}
    return allow(sid, "s3:ListBucket", opening.arns(partition), {**prefixes, **_owned(owner)}, principal=principal)


def objects(
    opening: Opening,
    partition: str,
    sid: str | None,
    *,
    owner: str | None = None,
    actions: Sequence[str] = READ,
    principal: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Get the objects under the prefixes. `owner`: the account that must own the bucket."""
    return allow(sid, list(actions), opening.objects(partition), _owned(owner), principal=principal)


def reading(facts: Facts, owner: str | None) -> list[dict[str, Any]]:
    """All that an identity must be allowed in S3; the first of each sort has the plain Sid, others a number."""
    connection = facts.grant.connection
    partition, opened = connection.partition, openings(facts)
    lists = enumerate(opened if connection.can_list else (), 1)
    return [
        *(listing(opening, partition, _nth("ListBucket", n), owner=owner) for n, opening in lists),
        *(objects(opening, partition, _nth("ReadObjects", n), owner=owner) for n, opening in enumerate(opened, 1)),
        *(
            objects(opening, partition, _nth("ReadObjectTags", n), owner=owner, actions=READ_TAGS)
            for n, opening in enumerate(tagged(facts), 1)
        ),
    ]


def _prefixes(reads: Iterable[Read], bucket: str) -> tuple[str, ...]:
    return tuple(read.prefix for read in reads if read.bucket == bucket)


def _grouped(prefixes: dict[str, tuple[str, ...]]) -> tuple[Opening, ...]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for bucket, wanted in prefixes.items():
        groups.setdefault(least(wanted), []).append(bucket)
    return tuple(Opening(tuple(buckets), wanted) for wanted, buckets in groups.items())


def _owned(owner: str | None) -> dict[str, Any]:
    """Nobody else can take the bucket's name once it is free, and feed us other data."""
    return {} if owner is None else {"StringEquals": {"aws:ResourceAccount": owner}}


def _nth(verb: str, number: int) -> str:
    return verb if number == 1 else f"{verb}{number}"

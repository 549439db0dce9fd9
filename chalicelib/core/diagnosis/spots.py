"""Spot: the part of a bucket that is probed, and the session it is probed with; and which parts are."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chalicelib.core.connections import Grant
from chalicelib.core.diagnosis.roles import Attempt
from chalicelib.core.policies.sheets import Facts, Read
from chalicelib.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Spot:
    """A prefix of a bucket, as a connection sees it."""

    grant: Grant
    bucket: str
    prefix: str = ""
    attempt: Attempt = field(default_factory=Attempt)  # the way of asking for the role that works

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def chosen(facts: Facts, bucket: str | None, key: str | None) -> tuple[Read, ...]:
    """What to probe: what pipelines read, else what the connection names; of one bucket or for one key if told.

    Raises ConfigError for what the connection is not for, and for a key without a bucket where there are several.
    """
    connection = facts.grant.connection
    where = f"connection {connection.name}"
    reads = _merged(facts.reads) or _everywhere(connection.buckets, connection.prefixes)
    if bucket is not None:
        reads = tuple(read for read in reads if read.bucket == bucket) or _everywhere((bucket,), connection.prefixes)
    names = {read.bucket for read in reads}
    if key is not None and len(names) != 1:
        raise ConfigError("a key alone does not say where it lies", where=where, remedy="Give --bucket too")
    asked = [(name, key or "") for name in names] if key is not None else []
    asked += [(read.bucket, read.prefix) for read in reads] if key is None and bucket is not None else []
    for name, start in asked:
        refused = connection.refusal(name, start, owner=connection.owner)
        if refused is not None:
            told = f"it {refused.removeprefix(f'{where} ')}"
            raise ConfigError(told, where=where, remedy="Ask for what it is for, or widen the connection")
    if key is None:
        return reads
    return (next((read for read in reads if key.startswith(read.prefix)), Read(names.pop(), key)),)


def _everywhere(buckets: Sequence[str], prefixes: Sequence[str]) -> tuple[Read, ...]:
    return tuple(Read(name, prefix) for name in buckets for prefix in prefixes or ("",))


def _merged(reads: Sequence[Read]) -> tuple[Read, ...]:
    """One a prefix; with tags if any pipeline wants them."""
    found: dict[tuple[str, str], Read] = {}
    for read in reads:
        known = found.get((read.bucket, read.prefix), read)
        found[read.bucket, read.prefix] = replace(known, tags=known.tags or read.tags)
    return tuple(found.values())

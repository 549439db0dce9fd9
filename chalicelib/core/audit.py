"""The audit's judgement: a bucket's listing beside the ledger, key by key."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import Entry, State
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import LEAVING, Reason, refusal
from chalicelib.errors import ConfigError

PATIENCE = timedelta(minutes=10)  # for what is on its way: a listing and a ledger are never read at one moment
FIRST_KEY = "\0"  # DynamoDB takes no empty string for a key
LAST_KEY = "\U0010ffff" * 256  # 1,024 bytes: no S3 key sorts after it
Pair = tuple[Listed | None, Entry | None]


class Finding(StrEnum):
    """What an audit may find of a key."""

    MISSING = "missing"  # in the bucket and wanted; the ledger knows nothing of it
    NEWER = "newer"  # the bucket holds a later content than the ledger knows
    STUCK = "stuck"  # claimed or pending, long after its lease
    UNTAGGED = "untagged"  # the ledger says committed; the table's history does not name its task
    FEWER_ROWS = "fewer_rows"  # in the table than the ledger says
    MORE_ROWS = "more_rows"
    OLDER = "older"  # it holds another content of an earlier time, as an upload shows that began earlier (E5)
    GONE = "gone"  # loaded, then deleted, and nobody told
    REMOVED = "removed"  # loaded, then deleted, as the ledger knows


WRONG = frozenset(
    {
        Finding.MISSING,
        Finding.NEWER,
        Finding.OLDER,
        Finding.STUCK,
        Finding.UNTAGGED,
        Finding.FEWER_ROWS,
        Finding.MORE_ROWS,
    }
)
"""Findings of rows that are missing or doubled; the others are news."""


def judge(pipeline: Pipeline, listed: Listed | None, entry: Entry | None, *, now: datetime) -> Finding | None:
    """What is to be said of one key; None if bucket and ledger agree, or will soon."""
    if entry is None:
        return Finding.MISSING if listed is not None and _expected(pipeline, listed, now) else None
    if entry.state in (State.CLAIMED, State.PENDING):
        overdue = entry.lease_until is not None and entry.lease_until + PATIENCE < now
        return Finding.STUCK if overdue else None
    if entry.reason is Reason.DELETED:
        back = listed is not None and _expected(pipeline, listed, now)
        return Finding.NEWER if back else None
    if listed is None:
        if entry.state is not State.COMMITTED or entry.discovered_at > now - PATIENCE:
            return None  # found after its page was listed, perhaps
        return Finding.REMOVED if entry.removed_at else Finding.GONE
    if entry.ref.same(listed.ref) or not _expected(pipeline, listed, now):
        return None
    if pipeline.out.on_overwrite == "ignore" and entry.state is State.COMMITTED:
        return None
    return Finding.OLDER if _earlier(listed.ref, entry.ref) else Finding.NEWER


def rows_differ(entry: Entry, rows: int) -> Finding | None:
    """What is to be said of an object that has so many rows in the table, and was loaded or taken out."""
    if rows == entry.rows:
        return None
    return Finding.FEWER_ROWS if rows < entry.rows else Finding.MORE_ROWS


def is_out(entry: Entry) -> bool:
    """True if the ledger says that its rows were taken out of the table."""
    return entry.reason in LEAVING


def merged(listed: Iterable[Listed], entries: Iterable[Entry]) -> Iterator[Pair]:
    """Both sides, each in key order, as pairs of one key; either may lack its half."""
    left, right = iter(listed), iter(entries)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.ref.key < other.key):
            yield one, None
            one = next(left, None)
        elif one is None or other.key < one.ref.key:
            yield None, other
            other = next(right, None)
        else:
            yield one, other
            one, other = next(left, None), next(right, None)


def narrowed(pipeline: Pipeline, prefix: str) -> str:
    """The prefix to list where only `prefix` is asked for. Raises ConfigError if the pipeline wants nothing there."""
    listed = pipeline.source.listed_prefix
    if not (listed.startswith(prefix) or prefix.startswith(listed)):
        raise ConfigError(
            f"the pipeline takes nothing under {prefix!r}",
            where=f"pipeline {pipeline.name}",
            remedy=f"Give a prefix that starts with {listed!r}",
        )
    return max(listed, prefix, key=len)


def last_under(prefix: str) -> str:
    """A key after all that start with `prefix`, and before most others; never longer than S3's keys are."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return LAST_KEY
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)


def _expected(pipeline: Pipeline, listed: Listed, now: datetime) -> bool:
    """True if the pipeline wants the object, and should know it by now."""
    young = listed.ref.created_at > now - PATIENCE
    return not young and refusal(pipeline.source, listed.ref, archived=listed.archived) is None


def _earlier(listed: ObjectRef, known: ObjectRef) -> bool:
    """True if the listed content was written before the known one; a listing tells whole seconds only (E4)."""
    return listed.created_at < known.created_at.replace(microsecond=0)

"""Explain: why one key is, or is not, in the table. Everything is recomputed; nothing is stored for it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chalicelib.config.pipeline import Pipeline
from chalicelib.config.source import Source
from chalicelib.core import cursors
from chalicelib.core.cursors import Cursor
from chalicelib.core.ledger import Entry
from chalicelib.core.listing import Listed
from chalicelib.core.objects import UNKNOWN_TIME, ObjectRef
from chalicelib.core.selection import Reason, refusal
from chalicelib.errors import TidegateError
from chalicelib.flows.admin import Admin
from chalicelib.flows.allowed import check
from chalicelib.flows.ports import Cursors, Ledger, Listing

FILTERS = ("path", "path_prefix", "suffix", "include", "exclude", "path_match_pattern")  # in the order they are asked
_OFF: dict[str, Any] = dict.fromkeys(("path", "path_match_pattern")) | {"path_prefix": ""}
_OFF |= dict.fromkeys(("suffix", "include", "exclude"), ())


class There(StrEnum):
    """What the bucket holds under the key now, beside what the ledger knows."""

    UNKNOWN = "unknown"  # we could not look
    MISSING = "missing"
    UNSEEN = "unseen"  # it is there, and the ledger knows nothing of it
    SAME = "same"
    NEWER = "newer"
    OLDER = "older"


@dataclass(frozen=True, slots=True)
class Ruling:
    """One rule's word on the key; None if there is nothing it could be said of."""

    rule: str
    setting: str  # as declared; empty where nothing is
    passes: bool | None
    reason: Reason | None = None  # of the refusal


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known of one key."""

    pipeline: str
    key: str
    rulings: tuple[Ruling, ...]
    refused_by: Ruling | None  # the first rule that refuses
    runs_only: bool  # notifications load nothing: a run finds the object, or nothing does
    entry: Entry | None
    cursor: Cursor  # as it counts, declared start positions included
    passed: bool | None  # sweeps have passed it: only a notification or a full sweep would find it now
    there: There
    listed: Listed | None  # as it lies in the bucket now
    trouble: str | None = None  # why we could not look


@dataclass(frozen=True, slots=True)
class Explaining:
    """Explains keys. Reads only."""

    admin: Admin
    listing: Listing
    ledger: Ledger
    cursors: Cursors

    def explain(self, name: str, key: str) -> Explanation:
        """All that rules, ledger, cursor and bucket say of the key, which need not exist (F26).

        Raises ConfigError for an unknown pipeline; a bucket that refuses us is part of the answer.
        """
        pipeline = self.admin.pipeline(name)
        entry = self.ledger.get(name, [key]).get(key)
        listed, trouble = self._look(pipeline, key)
        cursor = cursors.start(pipeline.source, self.cursors.get(name))
        ref = listed.ref if listed is not None else entry.ref if entry is not None else None
        rulings = tuple(rules(pipeline.source, key, ref, archived=listed.archived if listed is not None else None))
        passed = _passed(pipeline.source, cursor, key, ref)
        return Explanation(
            pipeline=name,
            key=key,
            rulings=(
                *rulings[: len(FILTERS)],
                _window(pipeline.source, passed),
                *rulings[len(FILTERS) :],
                _arrivals(pipeline),
            ),
            refused_by=next((ruling for ruling in rulings if ruling.passes is False), None),
            runs_only=not pipeline.takes_arrivals,
            entry=entry,
            cursor=cursor,
            passed=passed,
            there=There.UNKNOWN if trouble else _there(listed, entry),
            listed=listed,
            trouble=trouble,
        )

    def _look(self, pipeline: Pipeline, key: str) -> tuple[Listed | None, str | None]:
        """The object as it lies there: of all keys that start with this one, it is the first."""
        try:
            grant = self.admin.connection(pipeline.connection)
            check(grant, pipeline.source.bucket, key, owner=pipeline.owner)
            page = self.listing.page(grant, pipeline.source.bucket, key, limit=1, exact=True)
        except TidegateError as error:
            return None, str(error)
        return next((each for each in page.objects if each.ref.key == key), None), None


def rules(source: Source, key: str, ref: ObjectRef | None, *, archived: bool | None) -> Iterator[Ruling]:
    """Each rule's verdict, in the order in which `refusal` asks them, by `refusal` itself.

    Each filter is asked through a source that has no other.
    """
    named = ref or ObjectRef(source.bucket, key, "", 1, UNKNOWN_TIME)
    for name in FILTERS:
        kept = {name: getattr(source, name)}
        applies = not (name == "path_prefix" and source.path is not None)  # the path wins (F23)
        alone = source.model_copy(update=_OFF | kept if applies else _OFF)
        reason = refusal(alone, replace(named, size=1))
        yield Ruling(name, _setting(kept[name]) if applies else "", reason is None, reason)
    anything = source.model_copy(update=_OFF)
    reason = refusal(anything, named)
    yield Ruling("size", "", None if ref is None else reason is None, reason)
    if archived is None:
        yield Ruling("archive", "", None)
    else:
        yield Ruling("archive", "", not archived, Reason.ARCHIVED if archived else None)


def _window(source: Source, passed: bool | None) -> Ruling:
    """By time, what the cursor has passed is outside the next sweep's window; by key there is no window."""
    if not source.use_modified_time:
        return Ruling("window", "", passes=True)
    setting = f"modified since the cursor, or up to {source.overlap} s before"
    return Ruling("window", setting, None if passed is None else not passed, Reason.OUTSIDE_WINDOW if passed else None)


def _arrivals(pipeline: Pipeline) -> Ruling:
    """Whether notifications load; where they do not, runs still do, so that this refuses no object for good."""
    setting = "" if pipeline.arrivals is None and not pipeline.out.replaces else f"out.mode {pipeline.out.mode}"
    if pipeline.arrivals is not None:
        setting = f"arrivals: {str(pipeline.arrivals).lower()}"
    taken = pipeline.takes_arrivals
    return Ruling("arrivals", setting, taken, None if taken else Reason.ARRIVALS_OFF)


def _passed(source: Source, cursor: Cursor, key: str, ref: ObjectRef | None) -> bool | None:
    if not source.incremental or source.path is not None:
        return False  # every sweep lists everything
    if not source.use_modified_time:
        return cursor.last_path is not None and key <= cursor.last_path
    if cursor.last_modified_time is None:
        return False
    return None if ref is None else ref.created_at < cursor.last_modified_time - timedelta(seconds=source.overlap)


def _there(listed: Listed | None, entry: Entry | None) -> There:
    if listed is None:
        return There.MISSING
    if entry is None:
        return There.UNSEEN
    if entry.ref.same(listed.ref):
        return There.SAME
    return There.OLDER if listed.ref.created_at < _seconds(entry.ref.created_at) else There.NEWER


def _seconds(time: datetime) -> datetime:
    return time.replace(microsecond=0)  # a listing tells no more (E4)


def _setting(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)

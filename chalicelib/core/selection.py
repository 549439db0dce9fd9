"""Which objects a pipeline wants, and the reason for each one refused."""

import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from functools import cache

import re2

from chalicelib.config.parsers.objects import Objects
from chalicelib.config.patterns import Together, together
from chalicelib.config.source import Source
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef


class Reason(StrEnum):
    """Why an object's rows are not, or not yet, in the table (P2, F91)."""

    OUTSIDE_PATH = "outside_path"
    OUTSIDE_PREFIX = "outside_prefix"
    OUTSIDE_SUFFIX = "outside_suffix"
    NOT_INCLUDED = "not_included"
    EXCLUDED = "excluded"
    OUTSIDE_PATTERN = "outside_pattern"
    OUTSIDE_WINDOW = "outside_window"
    EMPTY = "empty"
    FOLDER = "folder"
    ARCHIVED = "archived"
    MISSING = "missing"
    OVERWRITTEN = "overwritten"
    DENIED = "denied"
    BROKEN = "broken"
    TOO_MANY_BAD_ROWS = "too_many_bad_rows"
    MISCONFIGURED = "misconfigured"
    GAVE_UP = "gave_up"
    SCHEMA_CONFLICT = "schema_conflict"
    STAGED_FILE_MISSING = "staged_file_missing"
    DUPLICATE = "duplicate"
    OUTDATED = "outdated"
    OVERWRITE_IGNORED = "overwrite_ignored"
    HELD = "held"
    DELETED = "deleted"
    UNDONE = "undone"
    ARRIVALS_OFF = "arrivals_off"
    RUN_INCOMPLETE = "run_incomplete"


UNRECORDED = frozenset(
    {
        Reason.OUTSIDE_PATH,
        Reason.OUTSIDE_PREFIX,
        Reason.OUTSIDE_SUFFIX,
        Reason.NOT_INCLUDED,
        Reason.EXCLUDED,
        Reason.OUTSIDE_PATTERN,
        Reason.OUTSIDE_WINDOW,
    }
)
"""Refusals that are counted but get no ledger entry: `explain` can recompute them from the pipeline alone."""

RETRYABLE = frozenset({Reason.ARCHIVED, Reason.MISSING, Reason.DENIED, Reason.OVERWRITTEN, Reason.RUN_INCOMPLETE})
"""Refusals that may pass: the same identity is wanted again when it shows up again (F35)."""


VANISHED = frozenset({Reason.MISSING, Reason.OVERWRITTEN})
"""Nothing was there when it was looked for."""

LEAVING = frozenset({Reason.DELETED, Reason.UNDONE, Reason.EMPTY})
"""Why rows that were in the table are taken out of it."""


def refusal(source: Source, ref: ObjectRef, *, archived: bool = False) -> Reason | None:
    """Why this source does not want the object, or None if it does.

    Filters on the key come first, so that an object nobody asked for is never judged by its size or class (F27).
    Where the rows are the objects themselves, neither keeps an object out: nothing of its content is read (F79).
    """
    return _verdict(source, _patterns(source), ref, archived=archived)


def refusals(source: Source, objects: Sequence[Listed]) -> list[Reason | None]:
    """The same of each object of a page."""
    patterns = _patterns(source)
    return [_verdict(source, patterns, each.ref, archived=each.archived) for each in objects]


def _verdict(source: Source, patterns: Together | None, ref: ObjectRef, *, archived: bool) -> Reason | None:
    refused = _outside(source, ref.key) or (_unmatched(source, patterns.found(ref.key)) if patterns else None)
    if refused is not None:
        return refused
    if ref.size == 0 and ref.key.endswith("/"):
        return Reason.FOLDER
    if isinstance(source.parser, Objects):
        return None
    if ref.size == 0:
        return Reason.EMPTY
    return Reason.ARCHIVED if archived else None


def _outside(source: Source, key: str) -> Reason | None:
    if source.path is not None and key != source.path:
        return Reason.OUTSIDE_PATH
    if source.path is None and not key.startswith(source.path_prefix):
        return Reason.OUTSIDE_PREFIX
    if source.suffix and not key.endswith(source.suffix):
        return Reason.OUTSIDE_SUFFIX
    return None


def _patterns(source: Source) -> Together | None:
    """All that the source's keys are searched for: what to include, what to exclude, the pattern; in this order."""
    pattern = () if source.path_match_pattern is None else (source.path_match_pattern,)
    patterns = (*map(glob, source.include), *map(glob, source.exclude), *pattern)
    return together(patterns) if patterns else None


def _unmatched(source: Source, found: Collection[int]) -> Reason | None:
    """The verdict on a key in which the patterns at these places were found."""
    included, excluded = len(source.include), len(source.include) + len(source.exclude)
    if included and not any(place < included for place in found):
        return Reason.NOT_INCLUDED
    if any(included <= place < excluded for place in found):
        return Reason.EXCLUDED
    if source.path_match_pattern is not None and excluded not in found:
        return Reason.OUTSIDE_PATTERN
    return None


@cache
def glob(pattern: str) -> str:
    """A glob over the whole key as an RE2 pattern: `*` and `?` stay between slashes, `**` crosses them."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "(?s)^" + "".join(meanings.get(part) or re2.escape(part) for part in parts) + "$"

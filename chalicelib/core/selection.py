"""Which objects a pipeline wants, and the reason for each one refused."""

from enum import StrEnum

from chalicelib.config.source import Source, compiled
from chalicelib.core.objects import ObjectRef


class Reason(StrEnum):
    """Why an object's rows are not, or not yet, in the table (P2, F91)."""

    OUTSIDE_PREFIX = "outside_prefix"
    OUTSIDE_PATTERN = "outside_pattern"
    EMPTY = "empty"
    FOLDER = "folder"
    ARCHIVED = "archived"
    MISSING = "missing"
    OVERWRITTEN = "overwritten"
    DENIED = "denied"
    BROKEN = "broken"
    GAVE_UP = "gave_up"
    SCHEMA_CONFLICT = "schema_conflict"
    STAGED_FILE_MISSING = "staged_file_missing"
    DUPLICATE = "duplicate"
    OUTDATED = "outdated"
    HELD = "held"


UNRECORDED = frozenset({Reason.OUTSIDE_PREFIX, Reason.OUTSIDE_PATTERN})
"""Refusals that are counted but get no ledger entry: `explain` can recompute them from the pipeline alone."""

RETRYABLE = frozenset({Reason.ARCHIVED, Reason.MISSING, Reason.DENIED, Reason.OVERWRITTEN})
"""Refusals that may pass: the same identity is wanted again when it shows up again (F35)."""


def refusal(source: Source, ref: ObjectRef) -> Reason | None:
    """Why this source does not want the object, or None if it does.

    Filters on the key come first, so that an object nobody asked for is never judged by its size or class (F27).
    """
    if not ref.key.startswith(source.path_prefix):
        return Reason.OUTSIDE_PREFIX
    if source.path_match_pattern is not None and compiled(source.path_match_pattern).search(ref.key) is None:
        return Reason.OUTSIDE_PATTERN
    if ref.size == 0:
        return Reason.FOLDER if ref.key.endswith("/") else Reason.EMPTY
    return None

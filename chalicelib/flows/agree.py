"""With which columns an object is read: the declared ones, else those that its pipeline agreed on (ADR 0016, F85)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chalicelib.config.columns import Column
from chalicelib.config.destination import SchemaChange
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.columns import Match, match, merge, twins
from chalicelib.errors import SchemaConflict
from chalicelib.records.differences import conflict, type_of
from chalicelib.records.origin import ORIGIN_COLUMNS
from chalicelib.records.rescue import NAME

_TWINS = "Most engines cannot tell them apart: declare parser.columns, with another name and `src`, or without one"


class Settle(Protocol):
    """See flows.ports.Pipelines.settle, for one pipeline."""

    def __call__(self, seen: tuple[Column, ...], *, grow: bool) -> tuple[Column, ...]:
        """The columns after these were seen; without `grow` only if none were known."""
        ...


@dataclass(frozen=True, slots=True)
class Agreement:
    """The columns of one pipeline's objects. Found ones are agreed on as they are before filters."""

    declared: tuple[Column, ...] | None
    change: SchemaChange
    reserved: frozenset[str]  # names of columns that we write ourselves
    known: Callable[[], tuple[Column, ...]]
    settle: Settle

    @classmethod
    def of(cls, pipeline: Pipeline, known: Callable[[], tuple[Column, ...]], settle: Settle) -> "Agreement":
        """The agreement of this pipeline, whose found columns `known` tells and `settle` decides."""
        out = pipeline.out
        ours = {NAME, *(field.name for field in ORIGIN_COLUMNS if out.origin_columns)}
        return cls(pipeline.source.parser.columns, out.schema_change, frozenset(ours), known, settle)

    def columns(self, seen: tuple[Column, ...]) -> tuple[Column, ...]:
        """The columns for an object in which these were seen: by its parser, then by its filters.

        Raises SchemaConflict where it may have no new ones and has some, and where two differ only in case.
        """
        declared = self.declared or ()
        if seen == declared:  # of most objects, and quickly told: to look for each column takes as long as 10 KB
            return declared or self.known()
        found = tuple(column for column in seen if column not in declared)
        if self.change is SchemaChange.RESCUE:
            found = tuple(column for column in found if column.name.lower() not in self.reserved)
        if not found:
            return declared or self.known()
        agreed = self._matched(found)
        by_filters = tuple(column for column in agreed.new if _by_filter(column))
        if by_filters and self.change is SchemaChange.STRICT:
            raise conflict([f"+ {column.name} {type_of(column)}" for column in by_filters])
        return (*declared, *(c for c in agreed.columns if _by_filter(c))) if declared else agreed.columns

    def _matched(self, found: tuple[Column, ...]) -> Match:
        known = self.known()
        agreed = match(known, found)
        if agreed.twins and self.change is not SchemaChange.RESCUE:
            raise _conflict(agreed.twins)
        grows = self.change is SchemaChange.EVOLVE
        if not known or (grows and merge(known, found) != known):
            agreed = match(self.settle(_one_of_each(found), grow=grows), found)
        return agreed


def check_names(columns: tuple[Column, ...]) -> None:
    """Raise SchemaConflict if two columns of the rows to be written differ only in case."""
    clashing = twins(columns)
    if clashing:
        raise _conflict(clashing)


def _conflict(names: tuple[str, ...]) -> SchemaConflict:
    differ = "differ" if len(names) > 1 else "differs"
    return SchemaConflict(f"{', '.join(names)} {differ} only in case from another column", remedy=_TWINS)


def _by_filter(column: Column) -> bool:
    """True for a column that a filter found in another one's values, and not the parser."""
    return column.src is not None and column.element_at is not None


def _one_of_each(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Without those whose names differ only in case from one before them."""
    first: dict[str, Column] = {}
    for column in columns:
        first.setdefault(column.name.lower(), column)
    return tuple(first.values())

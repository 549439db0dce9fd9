"""Chain: the filters of a pipeline in their order, each given the columns of the one before (F78)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain as one_after_another

from chalicelib.config.columns import Column
from chalicelib.config.filters import Filter
from chalicelib.config.filters.add_time import AddTime
from chalicelib.config.filters.columns import AddColumns, DropColumns, EmbulkColumn, RetainColumns
from chalicelib.config.filters.digest import Digest, EmbulkHash
from chalicelib.config.filters.expand_json import ExpandJson
from chalicelib.config.filters.explode import Explode
from chalicelib.config.filters.file_metadata import FileMetadata
from chalicelib.config.filters.rename import Rename, Sanitize
from chalicelib.config.filters.where import Where
from chalicelib.records.filters.add_time import add_time
from chalicelib.records.filters.columns import add, drop, retain
from chalicelib.records.filters.digest import digest
from chalicelib.records.filters.expand_json import expand_json, finds
from chalicelib.records.filters.expand_json import found as found_by
from chalicelib.records.filters.explode import explode
from chalicelib.records.filters.file_metadata import file_metadata
from chalicelib.records.filters.rename import rename, sanitize
from chalicelib.records.filters.setting import Given, Setting, Step
from chalicelib.records.filters.where import where
from chalicelib.records.pages import Page
from chalicelib.records.quarantine import numbered

__all__ = ["Chain", "Setting", "chain", "finding", "found", "parsed_columns"]


@dataclass(frozen=True, slots=True)
class Chain:
    """Filters made ready for rows with known columns."""

    columns: tuple[Column, ...]  # of the pages that come out
    counts: bool  # pages that go in need `records`
    steps: tuple[Step, ...] = ()

    def __call__(self, page: Page) -> Iterator[Page]:
        """The page after all filters, in several where rows became many; what a filter cannot digest is a reject.

        Rejects are in the order of their records. A page without rows and rejects is left out.
        """
        pages: Iterator[Page] = iter((page,))
        for step in self.steps:
            pages = one_after_another.from_iterable(map(step.apply, pages))
        for filtered in pages:
            rejects = filtered.rejects
            if len(rejects) > len(page.rejects):
                rejects = tuple(sorted(rejects, key=lambda reject: reject.record))
            if filtered.batch.num_rows or rejects:
                yield Page(filtered.batch, rejects, filtered.records)


def chain(filters: tuple[Filter, ...], columns: tuple[Column, ...], setting: Setting) -> Chain:
    """The filters for rows with these columns, which may have among them those that filters found.

    Raises ConfigError where a filter names a column that is not there, or cannot do what it says.
    """
    given = Given(tuple(column.bare for column in parsed_columns(filters, columns)), setting, "filters")
    steps = []
    for number, declared in enumerate(filters):
        given = given.after(given.columns, f"filters.{number} ({declared.type})")
        step = _ready(declared, given, columns)
        steps.append(step)
        given = given.after(step.columns, given.place)
    return Chain(given.columns, any(step.counts for step in steps), tuple(steps))


def finding(filters: tuple[Filter, ...]) -> bool:
    """True if a filter finds columns in the rows themselves, so that `found` has something to say."""
    return any(isinstance(each, ExpandJson) and finds(each) for each in filters)


def parsed_columns(filters: tuple[Filter, ...], columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Those of the columns that the parser gives: the others were found by filters."""
    sources = {each.json_column_name for each in filters if isinstance(each, ExpandJson) and finds(each)}
    return tuple(column for column in columns if column.element_at is None or column.src not in sources)


def found(filters: tuple[Filter, ...], columns: tuple[Column, ...], setting: Setting, page: Page) -> tuple[Column, ...]:
    """The columns that filters find in the rows themselves: the keys of a JSON column without declared ones.

    Each has `src`, the column it was found in, and `element_at`. They are settled with the parser's own columns and
    come back among the `columns` of `chain`. Raises ConfigError as `chain` does.
    """
    every: tuple[Column, ...] = ()
    for number, declared in enumerate(filters):
        if isinstance(declared, ExpandJson) and finds(declared):
            before = chain(filters[:number], (*columns, *every), setting)
            given = Given(before.columns, setting, f"filters.{number} ({declared.type})")
            (first,) = numbered(iter((page,)), rows=before.counts)
            for sample in before(first):
                every = (*every, *(column for column in found_by(declared, given, sample) if column not in every))
    return every


def _ready(declared: Filter, given: Given, columns: tuple[Column, ...]) -> Step:
    match declared:
        case EmbulkColumn():
            return _ready(declared.own, given, columns)
        case RetainColumns():
            return retain(declared, given)
        case AddColumns():
            return add(declared, given)
        case DropColumns():
            return drop(declared, given)
        case ExpandJson():
            name = declared.json_column_name
            return expand_json(declared, given, [c for c in columns if c.src == name and c.element_at is not None])
        case Digest() | EmbulkHash():
            return digest(declared, given)
        case AddTime():
            return add_time(declared, given)
    return _ready_rows(declared, given)


def _ready_rows(declared: Rename | Sanitize | Where | Explode | FileMetadata, given: Given) -> Step:
    match declared:
        case Rename():
            return rename(declared, given)
        case Sanitize():
            return sanitize(declared, given)
        case Where():
            return where(declared, given)
        case Explode():
            return explode(declared, given)
    return file_metadata(declared, given)

"""Needed: which columns a parser has to read at all (F73): none that the first filters drop unseen."""

from collections.abc import Sequence

from chalicelib.config.columns import Column
from chalicelib.config.filters import Filter
from chalicelib.config.filters.columns import DropColumns, EmbulkColumn, RetainColumns
from chalicelib.records.filters.chain import Chain, chain, finding, parsed_columns
from chalicelib.records.filters.columns import is_glob, matching
from chalicelib.records.filters.setting import Setting


def needed(
    filters: tuple[Filter, ...], columns: tuple[Column, ...], setting: Setting
) -> tuple[Chain, tuple[Column, ...]]:
    """The filters made ready, and the columns that a parser has to read for them.

    Left out are those that the first filters drop, or do not retain, before any other filter sees them. The rows that
    come out are the same, but a value that does not fit a column which nobody needs costs no row. Columns that are
    retained with another type, or of a JSON path, may refuse a row and then show all of it: nothing is left out.

    Raises ConfigError as `chain` does.
    """
    ready, wanted = chain(filters, columns, setting), parsed_columns(filters, columns)
    if finding(filters):
        return ready, wanted
    fewer, left = _without_unseen(filters, wanted)
    return (chain(fewer, left, setting), left) if left and left != wanted else (ready, wanted)


def _without_unseen(
    filters: tuple[Filter, ...], columns: tuple[Column, ...]
) -> tuple[tuple[Filter, ...], tuple[Column, ...]]:
    """The columns that the first filters keep, and the filters for rows of these."""
    ready, left = list(filters), columns
    for number, declared in enumerate(filters):
        own = declared.own if isinstance(declared, EmbulkColumn) else declared
        names = [column.name for column in left]
        if isinstance(own, DropColumns):
            kept = set(names) - _dropped(own, names)
            ready[number] = declared.model_copy(update={"ignore_missing": True})
        elif isinstance(own, RetainColumns) and all(
            taken.type is None and not _is_path(taken.src) for taken in own.columns
        ):
            kept = _retained(own, names)
        else:
            break
        left = tuple(column for column in left if column.name in kept)
        if isinstance(own, RetainColumns):
            break  # the next filter may know its columns by other names
    return tuple(ready), left


def _dropped(declared: DropColumns, names: Sequence[str]) -> set[str]:
    gone = set[str]()
    for each in declared.columns:
        gone.update([each.name] if each.name in names or not is_glob(each.name) else matching(each.name, names))
    return gone


def _retained(declared: RetainColumns, names: Sequence[str]) -> set[str]:
    kept = set[str]()
    for taken in declared.columns:
        source = taken.src or taken.name
        kept.update([source] if source in names or not is_glob(source) else matching(source, names))
    return kept


def _is_path(source: str | None) -> bool:
    return source is not None and source.startswith(("$.", "$["))

"""How the columns of a pipeline come to be known, and which of an object's columns are the same."""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.config.columns import Column, ColumnType

UPLOAD_TIME = Column(name="upload_time", type=ColumnType.TIMESTAMP)


def merge(known: tuple[Column, ...], seen: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns of a pipeline after an object with the columns `seen`: known ones keep place and type (W9).

    Names that differ only in case are one column, as they are to most engines. A decimal gets as many digits as the
    longest has, which is the one type that tables widen without a value changing; its scale stays.
    """
    by_name = {column.name.lower(): column for column in seen}
    kept = tuple(_widened(column, by_name.get(column.name.lower())) for column in known)
    names = {column.name.lower() for column in known}
    return kept + tuple(column for column in seen if column.name.lower() not in names)


def twins(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The names that differ only in case from another of the columns."""
    names = {column.name for column in columns}
    if len({name.lower() for name in names}) == len(names):
        return ()
    lower = [name.lower() for name in names]
    return tuple(sorted(name for name in names if lower.count(name.lower()) > 1))


def time_by_rule(columns: Iterable[Column]) -> Column:
    """The column that tells the time where nobody named one: the first long or timestamp, else one more (F83)."""
    telling = (ColumnType.LONG, ColumnType.TIMESTAMP)
    return next((column.bare for column in columns if column.type in telling), UPLOAD_TIME)


def time_agreement(address: str) -> str:
    """The name under which a table's choice by `time_by_rule` is settled; no pipeline is called so: it has a blank."""
    return f"time of {address}"


@dataclass(frozen=True, slots=True)
class Match:
    """An object's columns next to those that its pipeline knows."""

    columns: tuple[Column, ...]  # the known ones, each with the place where this object has its values
    new: tuple[Column, ...]  # which nobody knows
    twins: tuple[str, ...]  # which differ from a known one, or from each other, only in case, and are not the same


def match(known: tuple[Column, ...], seen: tuple[Column, ...]) -> Match:
    """Which columns are the same: those of one name; else those whose names differ only in case, if one is left."""
    names = {column.name for column in known}
    others = tuple(column for column in seen if column.name not in names)
    if not others:
        return Match(known, (), ())
    exact = names - (names - {column.name for column in seen})
    free = {column.name.lower(): column.name for column in known if column.name not in exact}
    again = {column.name.lower() for column in known if column.name in exact}
    clashing = set(twins(others)) | {column.name for column in others if column.name.lower() in again}
    same = {free[c.name.lower()]: c for c in others if c.name not in clashing and c.name.lower() in free}
    new = tuple(c for c in others if c.name not in clashing and c.name.lower() not in free)
    columns = tuple(_at(column, same[column.name]) if column.name in same else column for column in known)
    return Match(columns, new, tuple(sorted(clashing)))


def _widened(known: Column, seen: Column | None) -> Column:
    if known.type is not ColumnType.DECIMAL or seen is None or seen.type is not ColumnType.DECIMAL:
        return known
    if (known.scale or 0) != (seen.scale or 0) or (known.precision or 0) >= (seen.precision or 0):
        return known
    return known.model_copy(update={"precision": seen.precision})


def _at(known: Column, seen: Column) -> Column:
    """The known column, to be read from where the other one lies."""
    src = seen.src if seen.element_at is not None else seen.src or seen.name
    return known.model_copy(update={"src": src, "element_at": seen.element_at})

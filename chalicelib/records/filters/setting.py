"""Setting and Given: what filters know beyond the rows; Step: what a filter becomes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches

from chalicelib.config.columns import Column
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import ConfigError
from chalicelib.records.pages import Page


@dataclass(frozen=True, slots=True)
class Setting:
    """What filters may know beyond the rows: the object they come from, the time, and secrets by name."""

    ref: ObjectRef
    run_at: datetime  # when the attempt began: the same for all rows of an object
    secret: Callable[[str], bytes]
    entry: str | None = None  # of an archive


@dataclass(frozen=True, slots=True)
class Step:
    """A filter made ready for rows with known columns."""

    columns: tuple[Column, ...]  # of the pages that come out
    apply: Callable[[Page], Iterable[Page]]
    counts: bool = False  # pages that go in need `records`

    @classmethod
    def of(cls, columns: tuple[Column, ...], change: Callable[[Page], Page], *, counts: bool = False) -> "Step":
        """A filter that makes one page of one page."""
        return cls(columns, lambda page: (change(page),), counts)


@dataclass(frozen=True, slots=True)
class Given:
    """What one filter is given: its place in the document, and the columns of the filter before."""

    columns: tuple[Column, ...]
    setting: Setting
    place: str  # such as "filters.0 (drop_columns)"

    def index(self, name: str) -> int:
        """The column's place. Raises ConfigError that suggests another if there is none of this name."""
        names = [column.name for column in self.columns]
        if name in names:
            return names.index(name)
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names[:20]) or 'none'}"
        raise self.error(f"there is no column {name} ({hint})")

    def column(self, name: str) -> Column:
        """The column of this name. Raises ConfigError."""
        return self.columns[self.index(name)]

    def distinct(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """The columns that come out. Raises ConfigError if two have one name, or if there are none."""
        names = [column.name for column in columns]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise self.error(f"{', '.join(twice)} would stand there twice", "Give one of them another name")
        if not columns:
            raise self.error("no column is left", "Keep at least one")
        return columns

    def error(self, what: str, remedy: str = "Mend this filter, or the columns before it") -> ConfigError:
        """The error for what this filter cannot do."""
        return ConfigError(what, where=self.place, remedy=remedy)

    def after(self, columns: tuple[Column, ...], place: str) -> "Given":
        """What the next filter is given."""
        return replace(self, columns=columns, place=place)

"""Layout, what all parsers have in common: columns, and how many bad rows an object may have."""

from collections import Counter
from datetime import date

from pydantic import Field, field_validator

from chalicelib.config.columns import Column, ColumnType, Format, Zone
from chalicelib.config.spec import Spec


class Layout(Spec):
    """A parser's columns and its patience."""

    columns: tuple[Column, ...] | None = Field(
        None, description="The columns and their types; left out: what the object itself tells, or its first rows."
    )
    stop_on_invalid_record: bool = Field(
        False, description="true: the first bad row sets the whole object aside (F64)."
    )
    max_bad_rows: int | None = Field(
        None, ge=0, description="An object with more bad rows is set aside as a whole (F64)."
    )
    max_bad_percent: float | None = Field(None, ge=0, le=100, description="The same, in percent of its rows (F64).")

    @field_validator("columns")
    @classmethod
    def _names_differ(cls, columns: tuple[Column, ...] | None) -> tuple[Column, ...] | None:
        names = Counter(column.name for column in columns or ())
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise ValueError(f"{', '.join(twice)} is declared more than once")
        return columns


class TextLayout(Layout):
    """A parser of text, in which times are written somehow."""

    default_timezone: Zone = Field("UTC", description="Of timestamps that tell none: Region/City, UTC or +09:00 (F68).")
    default_timestamp_format: Format | None = Field(
        None, description="Of timestamp columns without a format of their own; left out: ISO-8601 (F68)."
    )
    default_date: date = Field(date(1970, 1, 1), description="Of timestamps whose format has no date (F68).")

    def told(self, column: Column) -> Column:
        """The column with this parser's defaults filled in (F68)."""
        if column.type is not ColumnType.TIMESTAMP:
            return column
        update = {
            "format": column.format or self.default_timestamp_format,
            "timezone": column.timezone or self.default_timezone,
            "date": column.date or self.default_date,
        }
        return column.model_copy(update={name: value for name, value in update.items() if value is not None})

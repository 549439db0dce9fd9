"""Columns as users declare them: a name, a type, and how timestamps are written."""

from enum import StrEnum

from pydantic import Field

from chalicelib.config.spec import Spec


class ColumnType(StrEnum):
    """The types of Treasure Data and Embulk (F67)."""

    BOOLEAN = "boolean"
    LONG = "long"
    DOUBLE = "double"
    STRING = "string"
    TIMESTAMP = "timestamp"
    JSON = "json"


class Column(Spec):
    """One column of the rows that a parser gives."""

    name: str = Field(min_length=1)
    type: ColumnType
    format: str | None = Field(None, description="strptime format of a timestamp; left out: ISO-8601.")

"""Columns as users declare them: a name, a type, and how its values are written."""

import re
from datetime import date as calendar_date
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from chalicelib.config.spec import Spec
from chalicelib.config.timeformat import DATE, ISO, TIME, Part, time_format
from chalicelib.config.zones import zone

_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")


class ColumnType(StrEnum):
    """The types of Treasure Data and Embulk, and those that tables have beyond them (F67)."""

    BOOLEAN = "boolean"
    LONG = "long"
    DOUBLE = "double"
    STRING = "string"
    TIMESTAMP = "timestamp"
    JSON = "json"
    DATE = "date"
    TIME = "time"
    DECIMAL = "decimal"
    BINARY = "binary"


TEMPORAL = frozenset({ColumnType.TIMESTAMP, ColumnType.DATE, ColumnType.TIME})
_ELSEWHERE = {  # what other systems call our types; only ever suggested
    "long": ("int", "integer", "bigint", "smallint", "tinyint", "int8", "int16", "int32", "int64", "uint64", "number"),
    "double": ("float", "real", "float32", "float64", "double precision"),
    "string": ("varchar", "char", "text", "str", "uuid", "enum", "utf8"),
    "boolean": ("bool", "bit"),
    "timestamp": ("datetime", "timestamptz", "timestamp_ntz", "timestamp with time zone"),
    "decimal(18,2)": ("decimal", "numeric", "money", "bigdecimal"),
    "binary": ("bytes", "blob", "varbinary", "bytea"),
    "json": ("object", "array", "struct", "map", "list", "record", "variant", "super", "jsonb"),
}
_SUGGESTED = {word: ours for ours, words in _ELSEWHERE.items() for word in words}


def _known_format(text: str) -> str:
    time_format(text)
    return text


Format = Annotated[str, AfterValidator(_known_format)]
Zone = Annotated[str, AfterValidator(zone)]


class Column(Spec):
    """One column of the rows that a parser or a filter gives."""

    name: str = Field(min_length=1, description="Any text; each once (F67).")
    type: ColumnType
    format: Format | None = Field(
        None,
        description="Of timestamps, dates and times: strptime, iso8601, or epoch_s, epoch_ms, epoch_us, epoch_ns. "
        "Left out: the parser's default_timestamp_format for timestamps, else ISO-8601 (F68).",
    )
    timezone: Zone | None = Field(None, description="Of timestamps that tell none: Region/City, UTC or +09:00 (F68).")
    date: calendar_date | None = Field(None, description="Of timestamps whose format has no date (F68).")
    precision: int | None = Field(None, ge=1, le=38, description="Digits of a decimal.")
    scale: int | None = Field(None, ge=0, le=38, description="Digits of a decimal after the point; left out: 0.")
    encoding: Literal["base64", "hex", "text"] | None = Field(
        None, description="How text becomes binary; left out: text, its bytes in UTF-8."
    )
    src: str | None = Field(None, min_length=1, description="The name in the object, if the column has another.")
    element_at: str | None = Field(
        None, pattern=r"^(/.*)?$", description="JSON Pointer to the value within the record, or within `src` (F69)."
    )

    @model_validator(mode="before")
    @classmethod
    def _decimal_in_one_word(cls, document: Any) -> Any:
        """`decimal(18,2)` is decimal with precision and scale."""
        if not isinstance(document, dict) or not isinstance(document.get("type"), str):
            return document
        match = _DECIMAL.fullmatch(document["type"])
        if match is None:
            return document
        return document | {"type": "decimal", "precision": int(match[1]), "scale": int(match[2] or 0)}

    @field_validator("type", mode="before")
    @classmethod
    def _type_is_known(cls, word: Any) -> Any:
        if not isinstance(word, str) or word in set(ColumnType):
            return word
        plain = word[:100].lower().partition("(")[0].strip()
        near = [_SUGGESTED[plain]] if plain in _SUGGESTED else get_close_matches(plain, list(ColumnType), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"{word[:100]!r} is no type; {hint}The types are {', '.join(ColumnType)}")

    @model_validator(mode="after")
    def _options_fit_the_type(self) -> "Column":
        kinds = {
            "format": TEMPORAL,
            "timezone": {ColumnType.TIMESTAMP},
            "date": {ColumnType.TIMESTAMP},
            "precision": {ColumnType.DECIMAL},
            "scale": {ColumnType.DECIMAL},
            "encoding": {ColumnType.BINARY},
        }
        wrong = [
            name for name, fitting in kinds.items() if getattr(self, name) is not None and self.type not in fitting
        ]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} means nothing for a {self.type}")
        if self.type is ColumnType.DECIMAL and (self.precision is None or (self.scale or 0) > self.precision):
            raise ValueError("a decimal needs precision, and a scale within it, such as decimal(18,2)")
        return self

    @model_validator(mode="after")
    def _format_says_what_the_type_needs(self) -> "Column":
        if self.format is None or self.format == ISO or self.type is ColumnType.TIMESTAMP:
            return self
        parts = time_format(self.format).parts
        wanted, needed = (DATE, {Part.YEAR, Part.SHORT_YEAR}) if self.type is ColumnType.DATE else (TIME, TIME)
        if not parts <= wanted or not parts & needed:
            example = "%Y-%m-%d" if self.type is ColumnType.DATE else "%H:%M:%S"
            raise ValueError(
                f"format {self.format!r} does not say a {self.type} and no more, as {example} does; "
                "for both date and time of day the type is timestamp"
            )
        return self

    @property
    def bare(self) -> "Column":
        """What a table knows of the column: name and type."""
        if self.type is ColumnType.DECIMAL:
            return Column(name=self.name, type=self.type, precision=self.precision, scale=self.scale or 0)
        beyond = (self.format, self.timezone, self.date, self.encoding, self.src, self.element_at)
        if type(self) is Column and all(value is None for value in beyond):
            return self  # making one costs 8 µs, and each column of each object is asked
        return Column(name=self.name, type=self.type)

"""How the bytes are laid out: the parser, and the decoders in front of it."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from chalicelib.config.columns import Column
from chalicelib.config.spec import Spec


class Gzip(Spec):
    """One or several gzip members, one after the other (F54, E32)."""

    type: Literal["gzip"]


class _Parser(Spec):
    columns: tuple[Column, ...] | None = None

    @field_validator("columns")
    @classmethod
    def _names_differ(cls, columns: tuple[Column, ...] | None) -> tuple[Column, ...] | None:
        names = [column.name for column in columns or ()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is declared more than once")
        return columns


class Csv(_Parser):
    """Delimited text (F60, F61).

    With `columns` the mapping is by position, as in Embulk, and header names are not looked at.
    Without `columns` the last skipped line is the header, and types are inferred from the first rows.
    """

    type: Literal["csv"]
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str | None = Field('"', min_length=1, max_length=1, description="null: quotes mean nothing.")
    escape: str | None = Field(None, min_length=1, max_length=1)
    null_string: str | tuple[str, ...] | None = Field(
        None, description="Text that means NULL. Left out: an unquoted empty field."
    )
    skip_header_lines: int | None = Field(None, ge=0, description="Left out: 1 without `columns`, else 0.")
    charset: str = "UTF-8"
    newline: Literal["CRLF", "LF", "CR"] = Field("LF", description="Accepted for load.yml; all three are recognised.")

    @field_validator("delimiter", "quote", "escape")
    @classmethod
    def _is_ascii(cls, character: str | None) -> str | None:
        if character is not None and (not character.isascii() or character in "\r\n\0"):
            raise ValueError(f"{character!r} cannot be it; take an ASCII character that ends no line")
        return character

    @field_validator("charset")
    @classmethod
    def _is_known(cls, charset: str) -> str:
        try:
            " ".encode(charset)  # refuses what codecs knows but what is no charset, such as base64
        except (LookupError, UnicodeError):
            raise ValueError(f"{charset!r} is no charset that is known, such as UTF-8 or cp1252") from None
        return charset

    @model_validator(mode="after")
    def _signs_differ(self) -> "Csv":
        if self.delimiter in (self.quote, self.escape):
            raise ValueError(f"delimiter {self.delimiter!r} cannot be quote or escape as well")
        return self

    @property
    def header_lines(self) -> int:
        """Physical lines to skip at the start of each object."""
        if self.skip_header_lines is not None:
            return self.skip_header_lines
        return 1 if self.columns is None else 0

    @property
    def null_strings(self) -> tuple[str, ...]:
        """The texts that mean NULL."""
        if self.null_string is None:
            return ("",)
        return (self.null_string,) if isinstance(self.null_string, str) else self.null_string


class Json(_Parser):
    """JSON Lines: one object a line (F69, F70).

    Without `columns` names and types are inferred; a nested value becomes a column of type json.
    """

    type: Literal["json"]
    charset: Literal["UTF-8", "utf-8", "utf8"] = "UTF-8"


Decoder = Gzip
Parser = Annotated[Csv | Json, Field(discriminator="type")]

"""FixedWidth: text whose columns lie at fixed places of each line."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from chalicelib.config.columns import Column
from chalicelib.config.parsers.charset import known_charset
from chalicelib.config.parsers.layout import TextLayout


class FixedColumn(Column):
    """A column and its place, in characters of the line; places may overlap and leave gaps."""

    start: int | None = Field(None, ge=0, description="Its first character, from 0; left out: after the column before.")
    width: int = Field(gt=0, description="Its characters.")


class FixedWidth(TextLayout):
    """Text whose columns lie at fixed places of each line.

    CR, LF and CRLF end a line; empty lines are no rows. A line may be longer than its columns by blanks only, and the
    last value it reaches may be cut short, as it is where blanks were cut off.
    """

    type: Literal["fixed_width"]
    columns: tuple[FixedColumn, ...] = Field(min_length=1, description="The columns and their places.")
    trim: bool = Field(True, description="Spaces and tabs around a value are no part of it.")
    null_string: str | tuple[str, ...] | None = Field(
        None,
        description="Text that means NULL; several in a list. Left out: none, but an empty value is NULL in any case "
        "in a column that is no string.",
    )
    comment_line_marker: str | None = Field(None, min_length=1, description="A line that begins with it is no row.")
    allow_optional_columns: bool = Field(
        False, description="Values that a line ends before are NULL; false: a bad row."
    )
    skip_header_lines: int = Field(0, ge=0, description="Physical lines to skip at the start of each object.")
    charset: str = Field("UTF-8", description="Any that Python knows; a byte order mark is removed (F71).")
    charset_errors: Literal["strict", "replace"] = Field(
        "strict", description="Bytes that are no text: their row is bad, or U+FFFD stands for them (F71)."
    )

    @field_validator("charset")
    @classmethod
    def _is_known(cls, charset: str) -> str:
        return known_charset(charset)

    @field_validator("comment_line_marker")
    @classmethod
    def _ends_no_line(cls, sign: str | None) -> str | None:
        if sign is not None and set(sign) & set("\r\n"):
            raise ValueError(f"{sign!r} cannot be it; take characters that end no line")
        return sign

    @model_validator(mode="after")
    def _columns_are_plain(self) -> "FixedWidth":
        for column in self.columns:
            if column.src is not None or column.element_at is not None:
                raise ValueError(f"columns.{column.name}: it is found by start and width; src and element_at are not")
        return self

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Of each column by name its first character, and the one after its last."""
        places: dict[str, tuple[int, int]] = {}
        stop = 0
        for column in self.columns:
            start = stop if column.start is None else column.start
            stop = start + column.width
            places[column.name] = start, stop
        return places

    @property
    def null_strings(self) -> tuple[str, ...]:
        """The texts that mean NULL."""
        return (self.null_string,) if isinstance(self.null_string, str) else self.null_string or ()

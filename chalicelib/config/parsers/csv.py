"""Csv and Tsv: delimited text."""

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from chalicelib.config.columns import Column
from chalicelib.config.parsers.charset import known_charset
from chalicelib.config.parsers.layout import TextLayout

REST = "_rest"  # the column that `allow_extra_columns: capture` fills
_SPELLED = re.compile(r"\\(?:[tux]|\d)")  # what somebody writes who means a control character


class Csv(TextLayout):
    """Delimited text (F60, F61).

    With `columns` the mapping is by position, as in Embulk, and header names are not looked at, unless
    `columns_by: name` asks for that. Without `columns` the last skipped line is the header, and types are inferred
    from the first rows.

    Empty lines are no rows. A record that the options below do not allow is a bad row, costs nothing beside itself
    even if it has many lines (E37), and NUL bytes are characters like any other (E41).
    """

    type: Literal["csv"]
    columns_by: Literal["position", "name"] = Field(
        "position",
        description="How `columns` meet the object's fields: by their order, or by the header line, where a column's "
        "`src` is its name if the header has another. A column that the header lacks sets the object aside, or is "
        "NULL with allow_optional_columns (F60).",
    )
    delimiter: str = Field(
        ",", min_length=1, max_length=10, description=r'One or more characters; "\x01" and "¦" are fine as well (F60).'
    )
    quote: str | None = Field('"', min_length=1, max_length=1, description="null: quotes mean nothing (F60).")
    escape: str | None = Field(
        None, min_length=1, max_length=1, description="Within quotes, makes the next quote or escape mean itself (F60)."
    )
    null_string: str | tuple[str, ...] | None = Field(
        None,
        description="Text that means NULL, quoted or not; several in a list. Left out: an unquoted empty field. An "
        "empty field is NULL in any case in a column that is no string (F61, E36).",
    )
    trim_if_not_quoted: bool = Field(
        False, description="Spaces and tabs around an unquoted value, or around its quotes, are no part of it (F62)."
    )
    quotes_in_quoted_fields: Literal[
        "ACCEPT_ONLY_RFC4180_ESCAPED", "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"
    ] = Field(
        "ACCEPT_ONLY_RFC4180_ESCAPED",
        description='The second: a quote before a delimiter or line end closes its field; before that `""` is one '
        "quote, and any other stands for itself (F62).",
    )
    max_quoted_size_limit: int = Field(
        131_072,
        gt=0,
        description="Bytes of a quoted value; in a column that is no number, a longer one makes its row bad (F62).",
    )
    comment_line_marker: str | None = Field(
        None, min_length=1, description="A line that begins with it, outside of quotes, is no row (F62)."
    )
    allow_optional_columns: bool = Field(
        False, description="Trailing values that lack are NULL; false: a bad row (F63)."
    )
    allow_extra_columns: bool | Literal["capture"] = Field(
        False,
        description="Values beyond the last column: dropped; false: a bad row; capture: a JSON array in the column "
        "`_rest`, which is added as the last, NULL where there are none (F63).",
    )
    skip_header_lines: int | None = Field(None, ge=0, description="Left out: 1 without `columns` or by name, else 0.")
    header_line: bool | None = Field(None, description="Embulk's old word for skip_header_lines: 1 or 0.")
    charset: str = Field("UTF-8", description="Any that Python knows; a byte order mark is removed (F71, E42).")
    charset_errors: Literal["strict", "replace"] = Field(
        "strict", description="Bytes that are no text: their row is bad, or U+FFFD stands for them (F71)."
    )
    newline: Literal["CRLF", "LF", "CR"] = Field(
        "LF", description="Accepted for load.yml; values keep their line ends."
    )
    line_delimiter_recognized: Literal["CRLF", "LF", "CR"] | None = Field(
        None, description="The only line end, the others are characters like any other; left out: all three (F66)."
    )

    @field_validator("delimiter", "quote", "escape", "comment_line_marker")
    @classmethod
    def _ends_no_line(cls, sign: str | None) -> str | None:
        if sign is not None and set(sign) & set("\r\n\0"):
            raise ValueError(f"{sign!r} cannot be it; take characters that end no line")
        return sign

    @field_validator("delimiter", "comment_line_marker")
    @classmethod
    def _is_utf8(cls, sign: str | None) -> str | None:
        if sign is not None and any("\ud800" <= character <= "\udfff" for character in sign):
            raise ValueError(f"{sign!r} is no text")
        return sign

    @field_validator("delimiter")
    @classmethod
    def _is_not_spelled(cls, sign: str) -> str:
        if _SPELLED.match(sign):
            raise ValueError(f'{sign} would be {len(sign)} characters; write it in double quotes, such as "\\t"')
        return sign

    @field_validator("quote", "escape")
    @classmethod
    def _is_ascii(cls, sign: str | None) -> str | None:
        if sign is not None and not sign.isascii():
            raise ValueError(f"{sign!r} cannot be it; take an ASCII character")
        return sign

    @field_validator("charset")
    @classmethod
    def _is_known(cls, charset: str) -> str:
        return known_charset(charset)

    @model_validator(mode="before")
    @classmethod
    def _null_byte_is_no_quote(cls, document: Any) -> Any:
        """Treasure Data writes `quote: "\\0"` and `escape: "\\0"` for none, Embulk `quote: ""` for `"`."""
        if not isinstance(document, dict):
            return document
        signs = {name: None for name in ("quote", "escape") if document.get(name) == "\0"}
        return document | signs | ({"quote": '"'} if document.get("quote") == "" else {})

    @model_validator(mode="before")
    @classmethod
    def _rest_is_a_column(cls, document: Any) -> Any:
        """`capture` with declared columns adds `_rest` to them, so that everybody after the parser knows of it."""
        if not isinstance(document, dict) or document.get("allow_extra_columns") != "capture":
            return document
        columns = document.get("columns")
        if not isinstance(columns, list | tuple) or REST in map(_name, columns):
            return document
        return document | {"columns": [*columns, {"name": REST, "type": "json"}]}

    @model_validator(mode="after")
    def _signs_differ(self) -> "Csv":
        for name in ("quote", "escape"):
            if (getattr(self, name) or "\n") in self.delimiter:
                raise ValueError(f"delimiter {self.delimiter!r} cannot be or hold the {name}")
        if self.header_line is not None and self.skip_header_lines is not None:
            raise ValueError("header_line and skip_header_lines say the same; keep skip_header_lines")
        if self.trim_if_not_quoted and self.quotes_in_quoted_fields != "ACCEPT_ONLY_RFC4180_ESCAPED":
            raise ValueError(f"trim_if_not_quoted and {self.quotes_in_quoted_fields} cannot be combined; choose one")
        return self

    @model_validator(mode="after")
    def _columns_can_be_found(self) -> "Csv":
        if self.columns_by == "name" and (self.columns is None or not self.header_lines):
            raise ValueError("columns_by: name needs columns and a header line")
        for column in self.columns or ():
            if column.element_at is not None:
                raise ValueError(f"columns.{column.name}: element_at is for JSON")
            if column.src is not None and self.columns_by != "name":
                raise ValueError(f"columns.{column.name}: src needs columns_by: name")
            if column.name == REST and self.allow_extra_columns == "capture" and column.type != "json":
                raise ValueError(f"columns.{REST} is what allow_extra_columns: capture fills; its type is json")
        if self.columns is not None and not self.fields:
            raise ValueError("columns: at least one is needed")
        sources = [column.src or column.name for column in self.fields]
        if len(set(sources)) < len(sources):
            raise ValueError("columns: two of them are the same field; declare it once, and copy it with a filter")
        return self

    @property
    def fields(self) -> tuple[Column, ...]:
        """The declared columns that are fields of the object: all but `_rest`."""
        captures = self.allow_extra_columns == "capture"
        return tuple(column for column in self.columns or () if not (captures and column.name == REST))

    @property
    def header_lines(self) -> int:
        """Physical lines to skip at the start of each object."""
        if self.skip_header_lines is not None:
            return self.skip_header_lines
        if self.header_line is not None:
            return int(self.header_line)
        return int(self.columns is None or self.columns_by == "name")

    @property
    def null_strings(self) -> tuple[str, ...]:
        """The texts that mean NULL."""
        if self.null_string is None:
            return ("",)
        return (self.null_string,) if isinstance(self.null_string, str) else self.null_string


class Tsv(Csv):
    """Csv with a tab between the values."""

    type: Literal["tsv"]  # type: ignore[assignment]
    delimiter: str = Field("\t", min_length=1, max_length=10, description="One or more characters (F60).")


def _name(column: Any) -> Any:
    return column.get("name") if isinstance(column, dict) else getattr(column, "name", None)

"""Kind: the type of a column, and how its values are written, before it has a name."""

import json
from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from chalicelib.config.columns import Column
from chalicelib.config.spec import Spec


class Kind(Spec):
    """What a column has beyond its name."""

    type: str | None = Field(None, description="As of a parser's columns, decimal(18,2) in one word.")
    format: str | None = Field(None, description="Of timestamps, dates and times, as of a parser's columns (F68).")
    timezone: str | None = Field(None, description="Of timestamps that tell none (F68).")
    precision: int | None = Field(None, description="Digits of a decimal.")
    scale: int | None = Field(None, description="Digits of a decimal after the point.")
    encoding: Literal["base64", "hex", "text"] | None = Field(None, description="How text becomes binary.")

    @model_validator(mode="after")
    def _is_a_column(self) -> "Kind":
        if self.type is not None:
            self.column("name")
        elif self.model_fields_set & {"timezone", "precision", "scale", "encoding", "format"}:
            raise ValueError("format, timezone, precision, scale and encoding need a type")
        return self

    def column(self, name: str, *, timezone: str | None = None, layout: str | None = None) -> Column:
        """A column of this kind, with this time zone and format if it is a timestamp that names none.

        Raises ValueError for a kind that does not exist.
        """
        fields = {field: getattr(self, field) for field in Kind.model_fields if getattr(self, field) is not None}
        if self.type == "timestamp":
            times = {"timezone": timezone, "format": layout}
            fields = {field: value for field, value in times.items() if value is not None} | fields
        try:
            return Column.model_validate({"name": name} | fields)
        except ValidationError as error:
            problems = [detail["msg"].removeprefix("Value error, ") for detail in error.errors(include_url=False)]
            raise ValueError("; ".join(problems)) from None


def plain(value: Any) -> Any:
    """What YAML made of a scalar as plain JSON: times as text, lists and maps as JSON text."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value

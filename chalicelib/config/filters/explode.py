"""Explode: a row for each element of an array."""

from typing import Literal

from pydantic import Field, model_validator

from chalicelib.config.filters.kind import Kind
from chalicelib.config.spec import Spec


class Explode(Spec):
    """One row for each element of the JSON array in a column; the other columns repeat.

    NULL, an empty text and an empty array give no row unless `keep_empty`.
    """

    type: Literal["explode"]
    column: str = Field(min_length=1, description="A json or string column that holds JSON arrays.")
    as_: str | None = Field(
        None, alias="as", min_length=1, description="The elements' name; left out: the column's. It takes its place."
    )
    element: Kind = Field(Kind(type="json"), description="The elements' type; left out: json.")
    keep_empty: bool = Field(False, description="true: a row without elements stays, with NULL.")
    position_column: str | None = Field(
        None, min_length=1, description="One more column: the element's place in its array, from 1."
    )

    @model_validator(mode="after")
    def _has_a_type(self) -> "Explode":
        if self.element.type is None:
            raise ValueError("element.type is required")
        return self

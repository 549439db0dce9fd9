"""ExpandJson: values within a json column become columns (F74)."""

from typing import Any, Literal

from pydantic import Field, model_validator

from chalicelib.config.columns import Column
from chalicelib.config.filters.path import compiled, joined, steps
from chalicelib.config.spec import Spec


class Expanded(Column):
    """A column whose values stand within JSON."""

    path: str | None = Field(
        None,
        min_length=1,
        description="JSONPath (RFC 9535 without regular expressions; `..` and one filter at most once) to the value, "
        "from `root` on; left out: the name is the path (F74).",
    )

    @model_validator(mode="after")
    def _has_no_other_source(self) -> "Expanded":
        if self.src is not None or self.element_at is not None:
            raise ValueError("src and element_at are for parsers; say path here")
        return self


class ExpandJson(Spec):
    """Values within a json or string column, each a column of its own after the others (F74).

    A path that leads nowhere gives NULL, and so do NULL and an empty text. Several values (`$.a[*].b`) give a JSON
    array.
    """

    type: Literal["expand_json"]
    json_column_name: str = Field(min_length=1, description="The json or string column.")
    root: str = Field("$.", min_length=1, description="Where paths begin.")
    expanded_columns: tuple[Expanded, ...] | None = Field(
        None, min_length=1, description="Left out: the keys found in the values of the object's first rows."
    )
    prefix: str | None = Field(
        None, description="Before the names of found columns; left out: the JSON column's name and a point."
    )
    max_depth: int = Field(1, ge=1, le=10, description="Levels of found keys; what lies deeper stays JSON.")
    keep_expanding_json_column: bool = Field(False, description="true: the JSON column stays as well.")
    default_timezone: str = Field("UTC", description="Of timestamps that tell none (F68).")
    on_invalid: Literal["reject", "null"] = Field(
        "reject", description="What a value that is not of its type costs: its row, or only itself (F74)."
    )
    stop_on_invalid_record: bool = Field(False, description="true: such a value sets the whole object aside.")
    cache_provider: str | None = Field(None, description="Accepted and without effect.")

    @model_validator(mode="after")
    def _means_something(self) -> "ExpandJson":
        if not self.root.startswith("$"):
            raise ValueError(f"root: {self.root!r} does not begin with $")
        for column in self.expanded_columns or ():
            path = joined(self.root, column.path or column.name)
            if steps(path) is None:
                compiled(path)
        if self.expanded_columns is not None and self.model_fields_set & {"prefix", "max_depth"}:
            raise ValueError("prefix and max_depth are for columns that are found; leave out expanded_columns")
        if steps(self.root.removesuffix(".")) is None:
            raise ValueError(f"root: {self.root!r} is not a path like $. or $.key")
        if self.stop_on_invalid_record and self.on_invalid == "null":
            raise ValueError("stop_on_invalid_record and on_invalid: null exclude each other")
        return self

    def paths(self, column: Expanded) -> tuple[tuple[str | int, ...] | None, Any]:
        """The way to a column's value: keys and indices, or else a compiled JSONPath."""
        path = joined(self.root, column.path or column.name)
        simple = steps(path)
        return simple, compiled(path) if simple is None else None

"""Which columns rows have: retain, add and drop (F73)."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from chalicelib.config.filters.kind import Kind, plain
from chalicelib.config.filters.path import steps
from chalicelib.config.patterns import Glob
from chalicelib.config.spec import Spec

Scalar = Annotated[bool | int | float | str | None, BeforeValidator(plain)]


class Name(Spec):
    """A column by name, or several by a glob."""

    name: Glob = Field(min_length=1, description="A column, or a glob for several: `tmp_*`, `?`.")


class Taken(Kind):
    """A column that is copied, converted, filled up or made of a constant (F73)."""

    name: Glob = Field(min_length=1, description="Of the new column; in retain_columns perhaps a glob: `tmp_*`.")
    src: str | None = Field(
        None,
        min_length=1,
        description="The column to copy; left out: the one named `name`. `$.payload.user.id` is a value within the "
        "json column payload.",
    )
    default: Scalar = Field(None, description="Instead of NULL; with a type and no such column: the value of all rows.")

    @model_validator(mode="after")
    def _means_something(self) -> "Taken":
        if self.name.startswith(("$.", "$[")):
            raise ValueError(f"{self.name!r} is a JSON path: give it as src, and the new column a name of its own")
        if self.src is not None and self.src.startswith(("$.", "$[")):
            found = steps(self.src)
            if not found or not isinstance(found[0], str):
                raise ValueError(f"{self.src!r} is not a path like $.column.key or $.column.list[0]")
        return self


class RetainColumns(Spec):
    """Only these columns, in this order (F73)."""

    type: Literal["retain_columns"]
    columns: tuple[Taken, ...] = Field(min_length=1, description="The columns, in their order.")
    default_timezone: str = Field("UTC", description="Of timestamps that tell none (F68).")
    default_timestamp_format: str | None = Field(None, description="Of timestamps without a format; else ISO-8601.")


class AddColumns(Spec):
    """These columns as well, after the others (F73)."""

    type: Literal["add_columns"]
    columns: tuple[Taken, ...] = Field(min_length=1, description="The columns, in their order.")
    default_timezone: str = Field("UTC", description="Of timestamps that tell none (F68).")
    default_timestamp_format: str | None = Field(None, description="Of timestamps without a format; else ISO-8601.")


class DropColumns(Spec):
    """Without these columns (F73)."""

    type: Literal["drop_columns"]
    columns: tuple[Name, ...] = Field(min_length=1, description="The columns that go.")
    ignore_missing: bool = Field(False, description="true: a column that is not there is as good as dropped (E45).")


class EmbulkColumn(Spec):
    """One of the three under the name and keys that Embulk has for them (F73)."""

    type: Literal["column"]
    columns: tuple[Taken, ...] = Field((), description="As of retain_columns.")
    add_columns: tuple[Taken, ...] = Field((), description="As of add_columns.")
    drop_columns: tuple[Name, ...] = Field((), description="As of drop_columns.")
    ignore_missing: bool = Field(False, description="As of drop_columns (E45).")
    default_timezone: str = Field("UTC", description="Of timestamps that tell none (F68).")
    default_timestamp_format: str | None = Field(None, description="Of timestamps without a format; else ISO-8601.")

    @model_validator(mode="after")
    def _one_of_three(self) -> "EmbulkColumn":
        given = [name for name in ("columns", "add_columns", "drop_columns") if getattr(self, name)]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"exactly one of columns, add_columns and drop_columns is needed, not {found} (E45)")
        return self

    @property
    def own(self) -> RetainColumns | AddColumns | DropColumns:
        """The filter that this one is."""
        if self.drop_columns:
            return DropColumns(type="drop_columns", columns=self.drop_columns, ignore_missing=self.ignore_missing)
        times = {"default_timezone": self.default_timezone, "default_timestamp_format": self.default_timestamp_format}
        if self.columns:
            return RetainColumns.model_validate({"type": "retain_columns", "columns": self.columns, **times})
        return AddColumns.model_validate({"type": "add_columns", "columns": self.add_columns, **times})

"""AddTime: a column of times, for tables that want one (F76)."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from chalicelib.config.filters.kind import plain
from chalicelib.config.spec import Spec

Unit = Literal["sec", "milli", "micro", "nano"]
Moment = Annotated[int | str | None, BeforeValidator(plain)]


class ToColumn(Spec):
    """The new column, after the others; one that has its name already gets a `_` behind it (F76)."""

    name: str = Field(min_length=1, description="Of the new column.")
    type: Literal["timestamp", "long"] = Field("timestamp", description="Of the new column.")
    unix_timestamp_unit: Unit = Field("sec", description="Of a long: since 1970.")


class FromColumn(Spec):
    """The time stands in the row."""

    name: str = Field(min_length=1, description="The column that has the time.")
    unix_timestamp_unit: Unit = Field("sec", description="Of numbers: since 1970.")
    timestamp_format: str | None = Field(None, description="Of texts; left out: ISO-8601.")
    timezone: str = Field("UTC", description="Of texts that tell none.")
    json_key: str | None = Field(None, min_length=1, description="Of a json column: the way to the time.")


class FromValue(Spec):
    """The time is told here."""

    mode: Literal["fixed_time", "incremental_time", "upload_time", "last_modified"] = Field(
        "fixed_time",
        description="`value`; `from` for an object's first record and a second more for each, until `to` and from "
        "`from` again; when the load began; when the object was written (F76).",
    )
    value: Moment = Field(None, description="Of fixed_time: a text, or a number since 1970.")
    from_: Moment = Field(None, alias="from", description="Of incremental_time: the first.")
    to: Moment = Field(None, description="Of incremental_time: the last.")
    unix_timestamp_unit: Unit = Field("sec", description="Of numbers here.")
    timestamp_format: str | None = Field(None, description="Of texts here; left out: ISO-8601.")
    timezone: str = Field("UTC", description="Of texts here that tell none.")

    @model_validator(mode="after")
    def _fits_the_mode(self) -> "FromValue":
        wanted = {"fixed_time": {"value"}, "incremental_time": {"from", "to"}}.get(self.mode, set())
        given = {
            name for name, value in (("value", self.value), ("from", self.from_), ("to", self.to)) if value is not None
        }
        if given != wanted:
            raise ValueError(
                f"{self.mode} needs {' and '.join(sorted(wanted)) or 'neither value nor from and to'}, "
                f"not {' and '.join(sorted(given)) or 'none'}"
            )
        return self


class AddTime(Spec):
    """One more column with a time (F76)."""

    type: Literal["add_time"]
    to_column: ToColumn = Field(description="The new column, after the others.")
    from_column: FromColumn | None = Field(None, description="The time stands in the row; or else")
    from_value: FromValue | None = Field(None, description="it is told here.")

    @model_validator(mode="after")
    def _one_origin(self) -> "AddTime":
        if (self.from_column is None) == (self.from_value is None):
            raise ValueError("exactly one of from_column and from_value is needed")
        return self

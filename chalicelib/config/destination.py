"""Where rows go: an Iceberg table, or a plain Parquet dataset."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from chalicelib.config.spec import Spec

NAME = r"^[a-z0-9_]+$"  # what Glue and Athena both take without quoting


class Transform(StrEnum):
    """How a time column becomes a partition."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    NONE = "none"


class _Destination(Spec):
    type: str
    database: str = Field(
        "tidegate", pattern=NAME, max_length=255, description="Lower-case letters, digits and `_` (F80)."
    )
    table: str = Field(pattern=NAME, max_length=255, description="The same. It is made with the first rows (F80).")
    mode: Literal["append"] = Field("append", description="Rows are added (F80).")
    on_overwrite: Literal["ignore", "append", "replace"] = Field(
        "append",
        description="A new content of a loaded key: not loaded, loaded as well, or (Iceberg only) instead (W1).",
    )
    on_delete: Literal["keep", "delete_rows"] = Field(
        "keep", description="The rows of a deleted object: they stay, or go (F43; not yet)."
    )
    time_column: str | None = Field(None, description="The timestamp column to partition by (F83).")
    transform: Transform = Field(Transform.NONE, description="How the time column becomes a partition (F83).")
    rejects_table: str | None = Field(
        None,
        pattern=NAME,
        max_length=255,
        description="The table of bad rows; left out: the table's name and _rejects (F65).",
    )
    origin_columns: bool = Field(True, description="Add _bucket, _key, _identity and _loaded_at to every row (F79).")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is recorded in the ledger, but does nothing to the table's rows."""
        stuck = self.type != "iceberg" or not self.origin_columns  # rows cannot be found again, or not be taken out
        later = {
            "on_overwrite": self.on_overwrite == "replace" and stuck,
            "on_delete": self.on_delete == "delete_rows",
        }
        return tuple(
            f"out.{name}: {getattr(self, name)} is only recorded for now; the earlier rows stay in the table"
            for name, unmet in later.items()
            if unmet
        )

    @property
    def rejects(self) -> Self:
        """Where bad rows end: a table beside this one, of the same kind."""
        table = self.rejects_table or f"{self.table}_rejects"
        return type(self).model_validate({"type": self.type, "database": self.database, "table": table})

    @model_validator(mode="after")
    def _rejects_have_their_own_table(self) -> "_Destination":
        if self.rejects_table == self.table:
            raise ValueError("rejects_table cannot be the table itself")
        return self

    @model_validator(mode="after")
    def _transform_has_a_column(self) -> "_Destination":
        if self.transform is not Transform.NONE and self.time_column is None:
            raise ValueError(f"transform {self.transform} needs time_column")
        return self


class Iceberg(_Destination):
    """An Iceberg table in the operator's catalogue; each commit is one snapshot."""

    type: Literal["iceberg"]

    @property
    def address(self) -> str:
        """The table's name among all destinations; one writer commits to each."""
        return f"iceberg:{self.database}.{self.table}"


class Parquet(_Destination):
    """Parquet files under Hive partitions in Tidegate's own bucket; each file appears whole."""

    type: Literal["parquet"]

    @property
    def address(self) -> str:
        """The dataset's name among all destinations; one writer commits to each."""
        return f"parquet:{self.database}.{self.table}"


Destination = Annotated[Iceberg | Parquet, Field(discriminator="type")]

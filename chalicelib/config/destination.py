"""Where rows go: an Iceberg table, or a plain Parquet dataset."""

from enum import StrEnum
from typing import Annotated, Literal

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
    database: str = Field("tidegate", pattern=NAME, max_length=255)
    table: str = Field(pattern=NAME, max_length=255)
    mode: Literal["append"] = "append"
    on_overwrite: Literal["ignore", "append"] = Field(
        "append", description="What a new content of a loaded key does: nothing, or its rows come as well (W1)."
    )
    on_delete: Literal["keep"] = Field("keep", description="What the rows of a deleted object do (F43).")
    time_column: str | None = Field(None, description="The timestamp column to partition by (F83).")
    transform: Transform = Transform.NONE
    origin_columns: bool = Field(True, description="Add _bucket, _key, _identity and _loaded_at to every row (F79).")

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

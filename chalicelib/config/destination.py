"""Where rows go: an Iceberg table, or a plain Parquet dataset."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from chalicelib.config import names
from chalicelib.config.columns import Column, ColumnType, Zone
from chalicelib.config.maintenance import Maintenance
from chalicelib.config.spec import Spec


class Transform(StrEnum):
    """How a time column becomes a partition."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    NONE = "none"


class Mode(StrEnum):
    """What a commit does to the rows that are there (F80)."""

    APPEND = "append"
    REPLACE = "replace"
    REPLACE_ON_NEW_DATA = "replace_on_new_data"
    MERGE = "merge"


class SchemaChange(StrEnum):
    """What happens to rows with other columns than the table's (F85)."""

    EVOLVE = "evolve"
    STRICT = "strict"
    RESCUE = "rescue"


class TimeUnit(StrEnum):
    """What a number that is a time counts."""

    SEC = "sec"
    MILLI = "milli"
    MICRO = "micro"
    NANO = "nano"


UNFIT: Mapping[ColumnType, str] = {
    ColumnType.DOUBLE: "its values are seldom equal, NaN and -0.0 least of all; declare it as a decimal, or as a long",
    ColumnType.TIMESTAMP: "each instant would be a partition; name it as time_column with a transform",
    ColumnType.JSON: "one value is written in many ways; partition by a column made of it",
    ColumnType.BINARY: "its bytes make no folder's name; declare it as a string",
    ColumnType.TIME: "each moment would be a partition; make a column of its hour",
}
"""Types whose values make no partitions, and why (F83)."""


class _Destination(Spec):
    type: str
    database: str = Field("tidegate", description="Lower-case letters, digits and `_`, 255 at most (F80).")
    table: str = Field(description="The same. It is made with the first rows (F80).")
    mode: Mode = Field(
        Mode.APPEND,
        description="`append`: rows are added. `replace`: each run's rows become the whole content, at one instant; "
        "`replace_on_new_data`: unless the run found nothing. `merge`: a row takes the place of the one with the same "
        "`merge_keys` (F80, F81, F82).",
    )
    merge_keys: tuple[str, ...] = Field((), description="The columns that say which rows are the same (mode `merge`).")
    merge_order: str | None = Field(
        None, description="Of rows with the same keys the greatest in this column stays; left out: the last one loaded."
    )
    keep_schema: bool = Field(
        True, description="Replaced content: columns that the new rows lack stay, as NULL; `false`: they go (F81)."
    )
    on_overwrite: Literal["ignore", "append", "replace"] | None = Field(
        None,
        description="A new content of a loaded key: not loaded, loaded as well, or instead of the former rows. Left "
        "out: `replace` where rows can be found again (Iceberg with origin columns), else `append` (W1).",
    )
    on_delete: Literal["keep", "delete_rows"] = Field(
        "keep", description="The rows of a deleted object: they stay, or go (F43)."
    )
    schema_change: SchemaChange = Field(
        SchemaChange.EVOLVE,
        description="Rows with other columns: the table grows, the object is set aside, or what does not fit goes to "
        "a column `_rescued` (F85).",
    )
    auto_create_table: bool = Field(True, description="Make the table with its first rows, or refuse them (F80).")
    auto_create_database: bool = Field(True, description="The same for its database (F80).")
    time_column: str | None = Field(
        None,
        description="The timestamp, date or long column to partition by. With a `transform` and without this: the "
        "first timestamp or long column, else `upload_time`, which is added (F83).",
    )
    unix_timestamp_unit: TimeUnit = Field(TimeUnit.SEC, description="What a long time column counts since 1970 (F83).")
    storage_timezone: Zone = Field(
        "UTC", description="The time zone of hours, days and months: Region/City, UTC or +09:00 (F83)."
    )
    transform: Transform = Field(Transform.NONE, description="How the time column becomes a partition (F83).")
    partition_by: tuple[str, ...] = Field((), description="Further columns to partition by, by their values (F83).")
    rejects_table: str | None = Field(
        None,
        description="The table of bad rows; left out: the table's name and _rejects (F65).",
    )
    origin_columns: bool = Field(True, description="Add _bucket, _key, _identity and _loaded_at to every row (F79).")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know although nothing is wrong."""
        return ()

    @property
    def finds_rows_again(self) -> bool:
        """True if an object's rows can be taken out of the table at one instant."""
        return self.type == "iceberg" and self.origin_columns

    @property
    def overwrite(self) -> Literal["ignore", "append", "replace"]:
        """What a new content of a loaded key means for its former rows (W1)."""
        return self.on_overwrite or ("replace" if self.finds_rows_again else "append")

    def misfit(self, columns: Sequence[Column]) -> str | None:
        """Why rows with these columns cannot be partitioned, as far as the types of those tell; None if they can."""
        for column in columns:
            if column.name in self.partition_by and column.type in UNFIT:
                return f"partition_by names {column.name}, a {column.type}: {UNFIT[column.type]}"
            if column.name != self.time_column or self.transform is Transform.NONE:
                continue
            if column.type is ColumnType.DATE and self.transform is Transform.HOUR:
                return f"time_column {column.name} is a date, which has no hour; take transform day or month"
            if column.type not in (ColumnType.TIMESTAMP, ColumnType.LONG, ColumnType.DATE):
                return f"time_column {column.name} is a {column.type}; declare it as a timestamp, a date or a long"
        return None

    @property
    def replaces(self) -> bool:
        """True if a run's rows become the whole content."""
        return self.mode in (Mode.REPLACE, Mode.REPLACE_ON_NEW_DATA)

    @property
    def rejects(self) -> Self:
        """Where bad rows end: a table beside this one, of the same kind."""
        table = self.rejects_table or f"{self.table[: names.LONGEST - 8]}_rejects"
        own = self.model_dump(include={"type", "database", "register_in_glue"})
        return type(self).model_validate({**own, "table": table})

    @field_validator("database", "table", "rejects_table")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        return None if name is None else names.checked(name)

    @model_validator(mode="after")
    def _rejects_have_their_own_table(self) -> "_Destination":
        if self.rejects_table == self.table:
            raise ValueError("rejects_table cannot be the table itself")
        return self

    @model_validator(mode="after")
    def _partitions_are_several(self) -> "_Destination":
        lower = [name.lower() for name in self.partition_by]
        twice = [name for place, name in enumerate(self.partition_by) if lower.index(name.lower()) < place]
        if twice:
            raise ValueError(f"partition_by names {', '.join(twice)} twice; engines see no difference of case")
        if "" in lower:
            raise ValueError("partition_by has an empty name")
        timed = self.transform is not Transform.NONE and self.time_column is not None
        if timed and self.time_column in self.partition_by:
            raise ValueError(
                f"partition_by names {self.time_column}, by which transform {self.transform} partitions already"
            )
        return self

    @model_validator(mode="after")
    def _merge_has_keys(self) -> "_Destination":
        if (self.mode is Mode.MERGE) != bool(self.merge_keys):
            raise ValueError("mode merge needs merge_keys, and no other mode takes them")
        if self.merge_order is not None and self.mode is not Mode.MERGE:
            raise ValueError("merge_order is for mode merge")
        if self.mode is Mode.MERGE and self.type != "iceberg":
            raise ValueError("mode merge needs an Iceberg table: rows of plain files cannot be exchanged")
        return self

    @model_validator(mode="after")
    def _rows_can_be_found_again(self) -> "_Destination":
        wanted = {
            "on_overwrite: replace": self.on_overwrite == "replace",
            "on_delete: delete_rows": self.on_delete != "keep",
        }
        for what, asked in wanted.items():
            if asked and not self.finds_rows_again:
                raise ValueError(f"{what} needs an Iceberg table with origin_columns: else rows cannot be found again")
        return self


class Iceberg(_Destination):
    """An Iceberg table in the operator's catalogue; each commit is one snapshot."""

    type: Literal["iceberg"]
    maintenance: Maintenance = Field(Maintenance(), description="Small files, old snapshots, orphans (W16).")

    @property
    def address(self) -> str:
        """The table's name among all destinations; one writer commits to each."""
        return f"iceberg:{self.database}.{self.table}"


class Parquet(_Destination):
    """Parquet files under Hive partitions in Tidegate's own bucket; each file appears whole."""

    type: Literal["parquet"]
    register_in_glue: bool = Field(False, description="Tell the Glue catalogue of the dataset and its partitions.")

    @property
    def address(self) -> str:
        """The dataset's name among all destinations; one writer commits to each."""
        return f"parquet:{self.database}.{self.table}"


Destination = Annotated[Iceberg | Parquet, Field(discriminator="type")]

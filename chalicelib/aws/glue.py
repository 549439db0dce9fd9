"""Plain Parquet tables in the Glue catalogue, as Athena, Spark, Trino and Redshift read it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.errors import from_client_error, translated
from chalicelib.core.registered import Registered
from chalicelib.errors import SchemaConflict

if TYPE_CHECKING:
    from mypy_boto3_glue.client import GlueClient

PARTITIONS = 100  # most that one call takes

_READ_WITH = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
_PARAMETERS = {"EXTERNAL": "TRUE", "classification": "parquet"}
_KEPT = frozenset({"Name", "Description", "Owner", "Parameters", "Retention", "TableType", "PartitionKeys"})


@dataclass(frozen=True, slots=True)
class GlueRegistry:
    """Tables of the account's own catalogue."""

    client: "GlueClient"

    def get(self, database: str, name: str) -> tuple[Registered, str] | None:
        """The table and its version; None if there is none."""
        found = self._found(database, name)
        if found is None:
            return None
        storage = found.get("StorageDescriptor", {})
        columns, keys = _pairs(storage.get("Columns", ())), _pairs(found.get("PartitionKeys", ()))
        table = Registered(database, name, columns, keys, str(storage.get("Location", "")).rstrip("/"))
        return table, str(found.get("VersionId", ""))

    def create(self, table: Registered, *, database_too: bool) -> bool:
        """Make the table, and its database if it is missing and may be made; False if somebody was first.

        Raises SchemaConflict where the database is missing and may not be made.
        """
        if self._created(table):
            return True
        if self._found(table.database, table.name) is not None:
            return False
        if not database_too:
            raise SchemaConflict(
                "there is no such Glue database, and auto_create_database is off",
                where=table.database,
                remedy="Make it, or switch auto_create_database on, and replay the job",
            )
        self._create_database(table.database)
        return self._created(table)

    def update(self, table: Registered, version: str) -> bool:
        """Columns and location from now on; all else about the table stays. False if somebody was first."""
        found = self._found(table.database, table.name)
        if found is None or found.get("VersionId") != version:
            return False
        storage = {**found.get("StorageDescriptor", {}), **_storage(table.columns, table.location)}
        kept = {name: value for name, value in found.items() if name in _KEPT and value != ""}
        table_input = {"PartitionKeys": [], **kept, "StorageDescriptor": storage}  # without keys Athena fails
        with translated(f"update {_where(table)}"):
            try:
                self.client.update_table(
                    DatabaseName=table.database,
                    TableInput=table_input,  # type: ignore[arg-type]
                    SkipArchive=True,
                    VersionId=version,
                )
            except self.client.exceptions.ConcurrentModificationException:
                return False
        return True

    def add_partitions(self, table: Registered, partitions: Mapping[tuple[str, ...], str]) -> None:
        """Tell where partitions lie, by their values; those that are known already stay as they are."""
        wanted = [
            {"Values": list(values), "StorageDescriptor": {**_READ_WITH, **_storage(table.columns, location)}}
            for values, location in partitions.items()
        ]
        where = f"partitions of {_where(table)}"
        for start in range(0, len(wanted), PARTITIONS):
            with translated(where):
                answer = self.client.batch_create_partition(
                    DatabaseName=table.database,
                    TableName=table.name,
                    PartitionInputList=wanted[start : start + PARTITIONS],  # type: ignore[arg-type]
                )
            for refused in answer.get("Errors", ()):
                detail = refused.get("ErrorDetail", {})
                if detail.get("ErrorCode") != "AlreadyExistsException":
                    code, message = str(detail.get("ErrorCode", "")), str(detail.get("ErrorMessage", ""))
                    said = ClientError({"Error": {"Code": code, "Message": message}}, "BatchCreatePartition")
                    raise from_client_error(said, where)

    def _found(self, database: str, name: str) -> dict[str, Any] | None:
        with translated(f"glue {database}.{name}"):
            try:
                return dict(self.client.get_table(DatabaseName=database, Name=name)["Table"])
            except self.client.exceptions.EntityNotFoundException:
                return None

    def _created(self, table: Registered) -> bool:
        """False if the table is there already, or its database is not."""
        table_input = {
            "Name": table.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": _PARAMETERS,
            "PartitionKeys": _columns(table.keys),
            "StorageDescriptor": {**_READ_WITH, **_storage(table.columns, table.location)},
        }
        with translated(f"create {_where(table)}"):
            try:
                self.client.create_table(
                    DatabaseName=table.database,
                    TableInput=table_input,  # type: ignore[arg-type]
                )
            except (self.client.exceptions.AlreadyExistsException, self.client.exceptions.EntityNotFoundException):
                return False
        return True

    def _create_database(self, name: str) -> None:
        with translated(f"create the Glue database {name}"):
            try:
                self.client.create_database(DatabaseInput={"Name": name})
            except self.client.exceptions.AlreadyExistsException:
                return


def _where(table: Registered) -> str:
    return f"glue {table.database}.{table.name}"


def _pairs(columns: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(column["Name"]), str(column.get("Type", ""))) for column in columns)


def _columns(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Name": name, "Type": kind} for name, kind in pairs]


def _storage(columns: Iterable[tuple[str, str]], location: str) -> dict[str, Any]:
    return {"Columns": _columns(columns), "Location": f"{location}/"}

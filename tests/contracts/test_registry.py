"""A catalogue of plain tables keeps the same promises in memory and in Glue."""

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.aws.glue import GlueRegistry
from chalicelib.core.registered import Registered
from chalicelib.destinations.ports import Registry
from chalicelib.errors import AccessDenied, ConfigError, SchemaConflict
from tests.fakes.registry import FakeRegistry

PLACE = "s3://lake/warehouse/parquet/db/t"
TABLE = Registered("db", "t", (("id", "bigint"), ("price", "decimal(9,2)")), (("at_day", "date"),), PLACE)


@pytest.fixture
def glue(aws: None, boto: boto3.Session) -> Any:
    return boto.client("glue")


@pytest.fixture(params=["memory", "glue"])
def registry(request: pytest.FixtureRequest) -> Registry:
    return FakeRegistry() if request.param == "memory" else GlueRegistry(request.getfixturevalue("glue"))


def test_what_was_never_made_is_not_there(registry: Registry) -> None:
    assert registry.get("db", "t") is None


def test_a_table_is_made_with_its_database(registry: Registry) -> None:
    assert registry.create(TABLE, database_too=True)
    found = registry.get("db", "t")
    assert found is not None
    assert found[0] == TABLE
    other = replace(TABLE, name="other")
    assert registry.create(other, database_too=False)  # the database is there by now
    assert not registry.create(TABLE, database_too=True)


def test_a_database_is_made_only_where_it_may_be(registry: Registry) -> None:
    with pytest.raises(SchemaConflict, match="no such Glue database"):
        registry.create(TABLE, database_too=False)
    assert registry.get("db", "t") is None


def test_a_table_gets_other_columns_and_another_location(registry: Registry) -> None:
    registry.create(TABLE, database_too=True)
    found = registry.get("db", "t")
    assert found is not None
    grown = replace(TABLE, columns=(*TABLE.columns, ("note", "string")), location=f"{PLACE}/_runs/r1")
    assert registry.update(grown, found[1])
    again = registry.get("db", "t")
    assert again is not None
    assert again[0] == grown
    assert again[1] != found[1]


def test_a_change_of_an_older_version_is_refused(registry: Registry) -> None:
    registry.create(TABLE, database_too=True)
    found = registry.get("db", "t")
    assert found is not None
    registry.update(replace(TABLE, location=f"{PLACE}/1"), found[1])
    assert not registry.update(replace(TABLE, location=f"{PLACE}/2"), found[1])
    again = registry.get("db", "t")
    assert again is not None
    assert again[0].location == f"{PLACE}/1"


def test_a_table_that_is_gone_is_not_changed(registry: Registry) -> None:
    assert not registry.update(TABLE, "1")


def test_partitions_are_added_once(registry: Registry) -> None:
    registry.create(TABLE, database_too=True)
    days = {(f"2026-03-{day:02}",): f"{PLACE}/at_day=2026-03-{day:02}" for day in range(1, 4)}
    registry.add_partitions(TABLE, {})
    registry.add_partitions(TABLE, days)
    registry.add_partitions(TABLE, days)
    assert partitions_of(registry) == days


def test_more_partitions_than_one_call_takes_are_added(registry: Registry) -> None:
    registry.create(TABLE, database_too=True)
    many = {(f"d{number}",): f"{PLACE}/at_day=d{number}" for number in range(250)}
    registry.add_partitions(TABLE, many)
    assert partitions_of(registry) == many


def partitions_of(registry: Registry) -> dict[tuple[str, ...], str]:
    if isinstance(registry, FakeRegistry):
        return registry.partitions["db", "t"]
    assert isinstance(registry, GlueRegistry)
    pages = registry.client.get_paginator("get_partitions").paginate(DatabaseName="db", TableName="t")
    found = [partition for page in pages for partition in page["Partitions"]]
    return {tuple(each["Values"]): each["StorageDescriptor"]["Location"].rstrip("/") for each in found}


def test_glue_is_told_how_to_read_parquet(glue: Any) -> None:
    GlueRegistry(glue).create(TABLE, database_too=True)
    table = glue.get_table(DatabaseName="db", Name="t")["Table"]
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["classification"] == "parquet"
    storage = table["StorageDescriptor"]
    assert storage["Location"] == f"{PLACE}/"
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")
    assert storage["InputFormat"].endswith("MapredParquetInputFormat")


def test_what_others_said_of_the_table_stays(glue: Any) -> None:
    registry = GlueRegistry(glue)
    registry.create(TABLE, database_too=True)
    table = glue.get_table(DatabaseName="db", Name="t")["Table"]
    theirs = {name: table[name] for name in ("Name", "StorageDescriptor", "PartitionKeys", "TableType")}
    parameters = {**table["Parameters"], "owner": "analysts"}
    glue.update_table(DatabaseName="db", TableInput={**theirs, "Parameters": parameters, "Description": "flights"})
    found = registry.get("db", "t")
    assert found is not None
    assert registry.update(replace(TABLE, location=f"{PLACE}/_runs/r1"), found[1])
    after = glue.get_table(DatabaseName="db", Name="t")["Table"]
    assert after["Parameters"] == parameters
    assert after["Description"] == "flights"
    assert after["StorageDescriptor"]["InputFormat"].endswith("MapredParquetInputFormat")


def test_somebody_who_was_first_is_no_error(glue: Any) -> None:
    # moto does not look at VersionId, so Glue's answer is written down here
    GlueRegistry(glue).create(TABLE, database_too=True)
    table = {**glue.get_table(DatabaseName="db", Name="t")["Table"], "VersionId": "1"}
    with Stubber(glue) as answers:
        answers.add_response("get_table", {"Table": table})
        answers.add_client_error("update_table", "ConcurrentModificationException")
        assert not GlueRegistry(glue).update(TABLE, "1")
        answers.assert_no_pending_responses()


def test_errors_of_glue_become_ours(glue: Any) -> None:
    with Stubber(glue) as answers:
        answers.add_client_error("get_table", "AccessDeniedException", "User is not authorized: glue:GetTable")
        with pytest.raises(AccessDenied, match="glue:GetTable"):
            GlueRegistry(glue).get("db", "t")


def test_a_partition_that_glue_refuses_is_an_error(glue: Any) -> None:
    refused = {"PartitionValues": ["x"], "ErrorDetail": {"ErrorCode": "InvalidInputException", "ErrorMessage": "bad"}}
    with Stubber(glue) as answers:
        answers.add_response("batch_create_partition", {"Errors": [refused]})
        with pytest.raises(ConfigError, match="bad"):
            GlueRegistry(glue).add_partitions(TABLE, {("x",): PLACE})

"""A Parquet dataset that runs replace, on the embedded S3 and Glue, read through both."""

from datetime import timedelta

import pyarrow.dataset
import pytest
from pyarrow.fs import FileSystem, S3FileSystem

from chalicelib.aws.documents import S3Documents
from chalicelib.aws.glue import GlueRegistry
from chalicelib.aws.lake import S3Lake
from chalicelib.config.destination import Parquet
from chalicelib.core.tasks import Run, Task
from chalicelib.destinations.parquet.datasets import ParquetDatasets
from chalicelib.destinations.staging import Stage
from chalicelib.errors import RunSuperseded
from chalicelib.local.account import Account
from chalicelib.local.emulator import Emulator
from tests.destinations.staged import AT, ID, STAGED_AT, load, task
from tests.local.conftest import fresh_account

pytestmark = pytest.mark.local

WAREHOUSE = "s3://lake/warehouse"


@pytest.fixture(scope="module")
def account(emulator: Emulator) -> Account:
    account = fresh_account(emulator)
    account.client("s3").create_bucket(Bucket="lake")
    return account


@pytest.fixture(scope="module")
def datasets(account: Account) -> ParquetDatasets:
    s3, glue = account.client("s3"), account.client("glue")

    def files() -> FileSystem:
        env = account.env()
        return S3FileSystem(
            access_key=env["AWS_ACCESS_KEY_ID"],
            secret_key=env["AWS_SECRET_ACCESS_KEY"],
            region=account.region,
            endpoint_override=account.endpoint,
        )

    return ParquetDatasets(S3Lake(s3), S3Documents(s3), GlueRegistry(glue), WAREHOUSE, files, lambda: STAGED_AT)


def out(table: str, mode: str = "replace") -> Parquet:
    return Parquet(
        type="parquet",
        database="lakehouse",
        table=table,
        mode=mode,  # type: ignore[arg-type]
        register_in_glue=True,
        time_column="at",
        transform="day",  # type: ignore[arg-type]
    )


def staged(account: Account, where: Parquet, job: str, *ids: int) -> Task:
    staging = Stage(S3Lake(account.client("s3")), WAREHOUSE)(where, f"{job}/0", 1)
    load(staging, (ID, AT), *((number, STAGED_AT + timedelta(days=number)) for number in ids))
    return task(0, staging.finish(), job=job)


def test_runs_replace_a_dataset_and_glue_follows(account: Account, datasets: ParquetDatasets) -> None:
    where, glue = out("runs"), account.client("glue")
    first, second = (Run(job, STAGED_AT + timedelta(hours=hour)) for hour, job in enumerate(("r1", "r2")))
    for run, ids in ((first, (1, 2)), (second, (3,))):
        datasets.commit(where, [staged(account, where, run.job, *ids)], run=run)
        assert datasets.count("lakehouse", "runs") == len(ids)
        assert sorted(datasets.rows("lakehouse", "runs", 9)["id"].to_pylist()) == list(ids)
        location = glue.get_table(DatabaseName="lakehouse", Name="runs")["Table"]["StorageDescriptor"]["Location"]
        found = pyarrow.dataset.dataset(location.removeprefix("s3://"), filesystem=datasets.filesystem())
        assert sorted(found.to_table()["id"].to_pylist()) == list(ids)
    with pytest.raises(RunSuperseded):
        late = Run("r0", STAGED_AT - timedelta(hours=1))
        datasets.commit(where, [staged(account, where, "r0", 9)], run=late)
    assert {path.split("/")[-2] for path in datasets.stale("lakehouse", "runs", STAGED_AT + timedelta(days=1))} == {
        "r1"
    }


def test_a_dataset_that_grows_is_registered_by_partition(account: Account, datasets: ParquetDatasets) -> None:
    where, glue = out("grows", "append"), account.client("glue")
    for job, ids in (("a1", (1, 2)), ("a2", (2, 3))):
        datasets.commit(where, [staged(account, where, job, *ids)])
    found = glue.get_partitions(DatabaseName="lakehouse", TableName="grows")["Partitions"]
    folder = f"{WAREHOUSE}/parquet/lakehouse/grows"
    assert {each["Values"][0]: each["StorageDescriptor"]["Location"] for each in found} == {
        f"2026-03-0{day}": f"{folder}/at_day=2026-03-0{day}/" for day in (2, 3, 4)
    }
    table = glue.get_table(DatabaseName="lakehouse", Name="grows")["Table"]
    assert table["PartitionKeys"] == [{"Name": "at_day", "Type": "date"}]
    assert datasets.count("lakehouse", "grows") == 4
    assert datasets.rows_by_key("lakehouse", "grows", bucket="bucket") == {("key", "e:1"): 4}

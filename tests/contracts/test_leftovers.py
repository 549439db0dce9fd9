"""What lies in the lake is listed and deleted the same way in a folder and on S3."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.aws.leftovers import S3Leftovers
from chalicelib.core.orphans import OpenUpload
from chalicelib.errors import ConfigError
from tests.fakes.lake import FakeLake
from tests.fakes.leftovers import FakeLeftovers


def clock() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


HOME = "s3://lake/warehouse"
TABLE = f"{HOME}/iceberg/db/t"
Put = Callable[[str, bytes], None]


@pytest.fixture
def s3(aws: None, boto: boto3.Session) -> Any:
    client = boto.client("s3")
    client.create_bucket(Bucket="lake")
    return client


@pytest.fixture(params=["folder", "s3"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Put]:
    if request.param == "folder":
        lake = FakeLake(tmp_path)
        return FakeLeftovers(lake, HOME), lake.put
    client = request.getfixturevalue("s3")

    def put(path: str, data: bytes) -> None:
        client.put_object(Bucket="lake", Key=path.removeprefix("s3://lake/"), Body=data)

    return S3Leftovers(client, HOME), put


def test_all_files_of_a_folder_are_listed_and_what_is_deleted_is_gone_and_nothing_else(both: tuple[Any, Put]) -> None:
    """More than one page of a listing has, and more than one deletion takes."""
    leftovers, put = both
    names = [f"{TABLE}/data/{number:04}.parquet" for number in range(1005)] + [f"{TABLE}/metadata/v.json"]
    for name in names:
        put(name, b"abc")
    other = f"{HOME}/iceberg/db/t_rejects/data/x.parquet"
    put(other, b"")
    found = list(leftovers.files(TABLE))
    assert [file.path for file in found] == names
    assert {file.size for file in found} == {3}
    assert all(abs(clock() - file.modified_at) < timedelta(minutes=5) for file in found)
    assert list(leftovers.files(f"{HOME}/nothing")) == []
    assert leftovers.delete([*names[1:1003], f"{TABLE}/gone"]) == {}
    assert [file.path for file in leftovers.files(TABLE)] == [names[0], *names[1003:]]
    assert [file.path for file in leftovers.files(f"{HOME}/iceberg/db/t_rejects")] == [other]
    assert leftovers.delete([]) == {}


@pytest.mark.parametrize(
    "path",
    [
        "s3://customer/warehouse/iceberg/db/t/x",
        "s3://lake/other/x",
        "s3://lake/warehouse",
        "s3://lake/warehouse2/x",
        "s3://lake/warehouse/../other/x",
        "s3://lake/warehouse/",
        "s3://lake/warehouse//x",
        "/warehouse/x",
        "",
    ],
)
def test_nothing_outside_the_warehouse_is_listed_or_deleted(both: tuple[Any, Put], path: str) -> None:
    leftovers, put = both
    put(f"{TABLE}/stays", b"x")
    with pytest.raises(ConfigError, match="none of ours"):
        leftovers.delete([f"{TABLE}/stays", path])
    with pytest.raises(ConfigError, match="none of ours"):
        list(leftovers.files(path))
    with pytest.raises(ConfigError, match="none of ours"):
        list(leftovers.uploads(path))
    with pytest.raises(ConfigError, match="none of ours"):
        leftovers.abort(OpenUpload(path, "u", clock()))
    assert [file.path for file in leftovers.files(TABLE)] == [f"{TABLE}/stays"]


def test_uploads_that_nobody_finished_are_found_and_aborted(s3: Any) -> None:
    leftovers = S3Leftovers(s3, HOME)
    for name in ("iceberg/db/t/data/a", "iceberg/db/t/data/b", "iceberg/db/t_rejects/data/c"):
        s3.create_multipart_upload(Bucket="lake", Key=f"warehouse/{name}")
    first, second = leftovers.uploads(TABLE)
    assert (first.path, second.path) == (f"{TABLE}/data/a", f"{TABLE}/data/b")
    assert abs(clock() - first.started_at.astimezone(UTC)) < timedelta(days=3650 * 3)
    leftovers.abort(first)
    leftovers.abort(first)
    assert [each.path for each in leftovers.uploads(TABLE)] == [second.path]


def test_what_s3_will_not_delete_is_told(s3: Any) -> None:
    refusal = {"Key": "warehouse/iceberg/db/t/a", "Code": "AccessDenied", "Message": "no"}
    with Stubber(s3) as answers:
        answers.add_response("delete_objects", {"Errors": [refusal]})
        assert S3Leftovers(s3, HOME).delete([f"{TABLE}/a", f"{TABLE}/b"]) == {f"{TABLE}/a": "AccessDenied"}


def test_a_folder_refuses_to_delete_what_a_test_holds(tmp_path: Path) -> None:
    lake = FakeLake(tmp_path)
    lake.put(f"{TABLE}/a", b"x")
    leftovers = FakeLeftovers(lake, HOME, held={f"{TABLE}/a"})
    assert leftovers.delete([f"{TABLE}/a"]) == {f"{TABLE}/a": "AccessDenied"}
    assert leftovers.deleted == []

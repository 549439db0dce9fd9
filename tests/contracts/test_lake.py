"""A lake keeps the same promises in a folder and on S3."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.aws.lake import PART, S3Lake
from chalicelib.core.tasks import Upload
from chalicelib.destinations.ports import Lake
from chalicelib.errors import BucketNotFound, ConfigError, StagedFileMissing
from tests.fakes.lake import FakeLake

PATH = "s3://lake/warehouse/db/table/data/a.parquet"
BIG = bytes(range(256)) * (PART // 256) + b"and a little more"
Read = Callable[[str], bytes]


@pytest.fixture
def s3(aws: None, boto: boto3.Session) -> Any:
    client = boto.client("s3")
    client.create_bucket(Bucket="lake")
    return client


@pytest.fixture(params=["folder", "s3"])
def lake_and_read(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Lake, Read]:
    if request.param == "folder":
        fake = FakeLake(tmp_path)
        return fake, fake.read
    client = request.getfixturevalue("s3")

    def read(path: str) -> bytes:
        data: bytes = client.get_object(Bucket="lake", Key=path.removeprefix("s3://lake/"))["Body"].read()
        return data

    return S3Lake(client), read


@pytest.fixture
def lake(lake_and_read: tuple[Lake, Read]) -> Lake:
    return lake_and_read[0]


@pytest.fixture
def read(lake_and_read: tuple[Lake, Read]) -> Read:
    return lake_and_read[1]


def hide(lake: Lake, data: bytes) -> Upload:
    sink = lake.create(PATH, hidden=True)
    sink.write(data)
    upload = sink.finish()
    assert upload is not None
    return upload


@pytest.mark.parametrize("data", [b"", b"small", BIG], ids=["empty", "small", "large"])
def test_a_file_exists_once_it_is_finished(lake: Lake, read: Read, data: bytes) -> None:
    sink = lake.create(PATH, hidden=False)
    for start in range(0, len(data), 3_000_000):
        sink.write(data[start : start + 3_000_000])
    assert lake.exists([PATH]) == frozenset()
    assert sink.finish() is None
    assert read(PATH) == data


@pytest.mark.parametrize("data", [b"small", BIG], ids=["small", "large"])
def test_a_hidden_file_exists_once_it_is_published(lake: Lake, read: Read, data: bytes) -> None:
    upload = hide(lake, data)
    assert lake.exists([PATH]) == frozenset()
    lake.publish(PATH, upload)
    assert read(PATH) == data


def test_publishing_twice_is_publishing_once(lake: Lake, read: Read) -> None:
    upload = hide(lake, b"once")
    lake.publish(PATH, upload)
    lake.publish(PATH, upload)
    assert read(PATH) == b"once"


def test_publishing_what_was_aborted_says_so(tmp_path: Path) -> None:
    lake = FakeLake(tmp_path)
    sink = lake.create(PATH, hidden=True)
    sink.write(b"gone")
    upload = sink.finish()
    assert upload is not None
    sink.abort()
    with pytest.raises(StagedFileMissing, match="gone") as caught:
        lake.publish(PATH, upload)
    assert caught.value.remedy


@pytest.mark.parametrize("there", [True, False])
def test_an_upload_that_s3_forgot_is_judged_by_the_file(s3: Any, there: bool) -> None:
    # moto forgets nothing it completed and fails on what was aborted, so S3's answer is written down here
    with Stubber(s3) as answers:
        answers.add_client_error("complete_multipart_upload", "NoSuchUpload", http_status_code=404)
        if there:
            answers.add_response("head_object", {}, {"Bucket": "lake", "Key": PATH.removeprefix("s3://lake/")})
            S3Lake(s3).publish(PATH, Upload("forgotten", ("etag",)))
        else:
            answers.add_client_error("head_object", "404", http_status_code=404)
            with pytest.raises(StagedFileMissing, match="gone") as caught:
                S3Lake(s3).publish(PATH, Upload("forgotten", ("etag",)))
            assert caught.value.remedy
        answers.assert_no_pending_responses()


def test_an_aborted_file_never_exists_and_abort_may_be_repeated(lake: Lake) -> None:
    for hidden, data in ((True, b"small"), (False, b"small"), (False, BIG), (True, BIG)):
        sink = lake.create(PATH, hidden=hidden)
        sink.write(data)
        sink.abort()
        sink.abort()
    assert lake.exists([PATH]) == frozenset()


def test_a_file_that_exists_survives_abort(lake: Lake, read: Read) -> None:
    for data in (b"small", BIG):
        sink = lake.create(PATH, hidden=False)
        sink.write(data)
        sink.finish()
        sink.abort()
        assert read(PATH) == data


def test_exists_gives_those_that_exist(lake: Lake) -> None:
    paths = [f"{PATH}.{number}" for number in range(12)]
    for path in paths[::2]:
        lake.create(path, hidden=False).finish()
    assert lake.exists(paths) == frozenset(paths[::2])
    assert lake.exists([]) == frozenset()


def test_aborting_leaves_no_parts_that_somebody_pays_for(s3: Any) -> None:
    lake = S3Lake(s3)
    for hidden in (True, False):
        sink = lake.create(PATH, hidden=hidden)
        sink.write(BIG)
        sink.abort()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="lake")


def test_errors_of_s3_become_ours(s3: Any) -> None:
    sink = S3Lake(s3).create("s3://nowhere/file", hidden=False)
    sink.write(b"x")
    with pytest.raises(BucketNotFound, match="nowhere"):
        sink.finish()


def test_a_path_that_is_no_s3_uri_is_refused() -> None:
    with pytest.raises(ConfigError, match="not an S3 URI"):
        S3Lake(None).create("/tmp/file", hidden=False)  # type: ignore[arg-type]

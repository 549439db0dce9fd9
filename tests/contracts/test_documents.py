"""Documents keep the same promises in memory and on S3: nobody writes over what he has not read."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.aws.documents import S3Documents
from chalicelib.destinations.ports import Documents
from chalicelib.errors import AccessDenied, Throttled
from tests.fakes.documents import FakeDocuments

PATH = "s3://lake/warehouse/parquet/db/t/_tidegate/current.json"


@pytest.fixture
def s3(aws: None, boto: boto3.Session) -> Any:
    client = boto.client("s3")
    client.create_bucket(Bucket="lake")
    return client


@pytest.fixture(params=["memory", "s3"])
def documents(request: pytest.FixtureRequest) -> Documents:
    return FakeDocuments() if request.param == "memory" else S3Documents(request.getfixturevalue("s3"))


def test_what_was_never_written_is_not_there(documents: Documents) -> None:
    assert documents.get(PATH) is None


def test_a_document_is_read_as_it_was_written(documents: Documents) -> None:
    assert documents.put(PATH, b"first", None)
    found = documents.get(PATH)
    assert found is not None
    assert found[0] == b"first"
    assert documents.put(PATH, b"second", found[1])
    again = documents.get(PATH)
    assert again is not None
    assert again[0] == b"second"
    assert again[1] != found[1]


def test_the_first_document_is_written_once(documents: Documents) -> None:
    assert documents.put(PATH, b"first", None)
    assert not documents.put(PATH, b"other", None)
    found = documents.get(PATH)
    assert found is not None
    assert found[0] == b"first"


def test_an_older_version_is_not_written_over(documents: Documents) -> None:
    documents.put(PATH, b"first", None)
    old = documents.get(PATH)
    assert old is not None
    documents.put(PATH, b"second", old[1])
    assert not documents.put(PATH, b"late", old[1])
    found = documents.get(PATH)
    assert found is not None
    assert found[0] == b"second"


def test_a_version_of_nothing_is_not_written_over(documents: Documents) -> None:
    assert not documents.put(PATH, b"data", '"abc"')
    assert documents.get(PATH) is None


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict"])
def test_two_writers_at_once_are_told_apart(s3: Any, code: str) -> None:
    with Stubber(s3) as answers:
        answers.add_client_error("put_object", code, http_status_code=409)
        assert not S3Documents(s3).put(PATH, b"data", None)


def test_errors_of_s3_become_ours(s3: Any) -> None:
    with Stubber(s3) as answers:
        answers.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(AccessDenied):
            S3Documents(s3).get(PATH)
        answers.add_client_error("put_object", "SlowDown", http_status_code=503)
        with pytest.raises(Throttled):
            S3Documents(s3).put(PATH, b"data", None)

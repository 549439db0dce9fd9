"""Which files of a wheel travel to Lambda."""

from typing import get_args

import pytest

from chalicelib.aws.customers.sessions import Service
from scripts.package.trim import AWS_SERVICES, is_shipped
from scripts.package.vendor import roots


@pytest.mark.parametrize(
    "path",
    [
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/endpoints.json",
        "botocore/data/partitions.json",
        "pyarrow/lib.cpython-313-x86_64-linux-gnu.so",
        "pyarrow/libarrow.so.2600",
        "pyarrow/libarrow_python.so.2600",
        "pyarrow/libarrow_substrait.so.2600",
        "pyarrow/libarrow_s3.so.2600",
        "pyarrow/_s3fs.cpython-313-x86_64-linux-gnu.so",
        "pyarrow/_parquet.cpython-313-x86_64-linux-gnu.so",
        "pyarrow/_orc.cpython-313-x86_64-linux-gnu.so",
        "pyarrow/_dataset_orc.cpython-313-x86_64-linux-gnu.so",
        "pyarrow/flight.py",
        "pyiceberg/io/pyarrow.py",
        "zstandard/backend_c.cpython-313-x86_64-linux-gnu.so",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "pydantic-2.13.5.dist-info/METADATA",
        "six.py",
    ],
)
def test_what_functions_open_is_shipped(path: str) -> None:
    assert is_shipped(path)


@pytest.mark.parametrize(
    "path",
    [
        "bin/pyiceberg",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "pyarrow/libarrow_flight.so.2600",
        "pyarrow/libarrow_python_flight.so.2600",
        "pyarrow/_flight.cpython-313-x86_64-linux-gnu.so",
        "pyarrow/_substrait.cpython-313-x86_64-linux-gnu.so",
        "pyarrow/libarrow_python.so",
        "pyarrow/libarrow_python.so.2600.1.0",
        "pyarrow/include/arrow/api.h",
        "pyarrow/tests/test_csv.py",
        "pyarrow/lib.pyx",
        "fsspec/tests/conftest.py",
        "six/__pycache__/six.cpython-311.pyc",
        "hive_metastore/ttypes.py",
        "zstandard/_cffi.cpython-313-x86_64-linux-gnu.so",
        "boto3/session.pyi",
    ],
)
def test_what_nobody_opens_stays_behind(path: str) -> None:
    assert not is_shipped(path)


def test_the_descriptions_of_all_services_that_are_called_are_shipped() -> None:
    assert set(get_args(Service)) == AWS_SERVICES


def test_requirements_are_shipped_without_comments_and_without_chalice() -> None:
    assert roots("# why\nboto3\n\nchalice\npydantic<2.14  # because\n") == ["boto3", "pydantic<2.14"]

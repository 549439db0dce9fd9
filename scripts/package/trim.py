"""Which installed files are shipped. Wheels carry headers, tests and libraries that no function opens."""

import re
from pathlib import PurePosixPath

UNUSED_FOLDERS = frozenset({"__pycache__", "tests"})
UNUSED_SUFFIXES = frozenset({".h", ".pxd", ".pxi", ".pyi", ".pyx"})

# Scripts; clients of Hive's metastore, which pyiceberg imports for a Hive catalogue only; and zstandard's other
# backend, which wants cffi and is never chosen where the first one loads.
UNUSED_STARTS = ("bin/", "fb303/", "hive_metastore/", "zstandard/_cffi.", "pyarrow/include", "pyarrow/src/")

# Nothing here speaks Flight, HDFS, Google, Azure or Substrait. The library libarrow_substrait stays, since every
# extension links it, and so does _s3fs, since pyiceberg imports it.
UNUSED_ARROW = re.compile(
    r"pyarrow/(libarrow_(python_)?flight|_flight|_hdfs|_gcsfs|_azurefs|_substrait|_pyarrow_cpp_tests)\."
)

# The wheel holds libarrow_python three times, as .so, .so.2600 and .so.2600.1.0; only the middle name is linked.
ARROW_TWIN = re.compile(r"pyarrow/lib\w+\.so(\.\d+\.\d+\.\d+)?$")

# botocore describes four hundred services in 28 MB, and looks through all their folders before it makes a client.
AWS_SERVICES = frozenset({"dynamodb", "glue", "iam", "s3", "secretsmanager", "sqs", "ssm", "sts"})
AWS_SERVICE = re.compile(r"botocore/data/([^/]+)/")


def is_shipped(path: str) -> bool:
    """Whether a file goes into the zip; `path` is relative to site-packages, with forward slashes."""
    file = PurePosixPath(path)
    if UNUSED_FOLDERS & set(file.parts[:-1]) or file.suffix in UNUSED_SUFFIXES:
        return False
    service = AWS_SERVICE.match(path)
    if service and service[1] not in AWS_SERVICES:
        return False
    return not (path.startswith(UNUSED_STARTS) or UNUSED_ARROW.match(path) or ARROW_TWIN.match(path))

"""Imports everything from the unzipped package alone, in a bare Python of the functions' version."""

import subprocess
import tempfile
import zipfile
from pathlib import Path

from scripts.package import PackageError
from scripts.package.runtime import runtime_python

# The laptop's rooms, local and cli, may want what is not shipped; everything else must load.
SCRIPT = """
import importlib, pkgutil, sys
import app, chalicelib
assert not {"pyarrow", "pyiceberg"} & set(sys.modules), "import app loads pyarrow or pyiceberg"
for name in sys.argv[1:]:
    assert callable(getattr(app, name)), name
laptop = ("chalicelib.local", "chalicelib.cli")
for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib.", onerror=lambda name: None):
    if not module.name.startswith(laptop):
        importlib.import_module(module.name)
import cramjam, fastavro, isal.igzip, jsonpath, obstore, orjson, re2, zstandard
import pyarrow.csv, pyarrow.dataset, pyarrow._dataset_orc, pyarrow.json, pyarrow.orc, pyarrow.parquet
import pyiceberg.catalog.glue, pyiceberg.catalog.rest, pyiceberg.io.pyarrow
import boto3, typing
from chalicelib.aws.customers.sessions import Service
for service in typing.get_args(Service):
    boto3.client(service)
"""

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def try_out(archive: Path, handlers: list[str]) -> bool:
    """False if there is no Python to try it with. Raises PackageError if something does not import."""
    python = runtime_python()
    if python is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
        command = [python, "-S", "-s", "-c", SCRIPT, *handlers]
        done = subprocess.run(command, cwd=folder, env=ENVIRON, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"the unzipped package does not import:\n{done.stderr}")
    return True

"""The command line in this process, against moto."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.cli import main
from tests.wired import forget, quicken


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _fresh_wiring() -> Iterator[None]:
    """Nothing is remembered from one test to the next: neither clients nor settings."""
    before = dict(os.environ)
    forget()
    yield
    forget()
    os.environ.clear()
    os.environ |= before


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: str) -> Ran:
        quicken()
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        printed = capsys.readouterr()
        return Ran(int(caught.value.code or 0), printed.out, printed.err)

    return ran


@pytest.fixture
def tidegate(dynamo: Any, run: Run) -> Run:
    """The command, with empty tables behind it."""
    return run


@pytest.fixture
def acme(tidegate: Run) -> Run:
    """The command, with the connection `acme`."""
    made = tidegate("connection", "create", "acme", "--role-arn", "arn:aws:iam::222222222222:role/reader")
    assert made.code == 0, made
    return tidegate


DOCUMENT: dict[str, Any] = {
    "name": "flights",
    "connection": "acme",
    "in": {"type": "s3", "bucket": "acme-exports", "path_prefix": "in/", "parser": {"type": "csv"}},
    "out": {"type": "iceberg", "database": "travel", "table": "flights"},
}


@pytest.fixture
def document(tmp_path: Path) -> Callable[..., str]:
    """A file with the document above, changed at will."""

    def written(**changes: Any) -> str:
        path = tmp_path / "load.yml"
        content = {name: value for name, value in (DOCUMENT | changes).items() if value is not None}
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return str(path)

    return written


@pytest.fixture
def flights(acme: Run, document: Callable[..., str]) -> Run:
    """The command, with the connection `acme` and the pipeline `flights`."""
    assert acme("apply", document()).code == 0
    return acme

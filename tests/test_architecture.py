"""What no review should have to look for."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]
LONGEST_FUNCTION = 50
LONGEST_FILE = 400
FORBIDDEN = tuple(f"/{word}/" for word in ("work", "root"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def lines_of(node: ast.AST) -> int:
    """Lines of a function, module or class without those of the docstrings in it."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = [inner.body[0] for inner in ast.walk(node) if isinstance(inner, documented) and ast.get_docstring(inner)]
    first = getattr(node, "lineno", 1)
    last = node.end_lineno if isinstance(node, Function) else max((end(part) for part in ast.walk(node)), default=0)
    return (last or 0) - first + 1 - sum(end(doc) - doc.lineno + 1 for doc in docs)


def end(node: ast.AST) -> int:
    return getattr(node, "end_lineno", None) or 0


def functions(path: Path) -> Iterator[Function]:
    yield from (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, Function))


def test_lines_are_counted_without_docstrings() -> None:
    module = ast.parse('"""Doc.\n\nMore.\n"""\n\ndef f():\n    """Doc."""\n    return 1\n')
    assert lines_of(module) == 3
    assert [lines_of(node) for node in ast.walk(module) if isinstance(node, Function)] == [2]


@pytest.mark.parametrize("path", PRODUCT, ids=named)
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    assert {node.name: lines_of(node) for node in functions(path) if lines_of(node) > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("path", PRODUCT, ids=named)
def test_no_file_is_longer_than_one_noun_needs(path: Path) -> None:
    assert lines_of(ast.parse(path.read_text(encoding="utf-8"))) <= LONGEST_FILE


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_nobody_patches() -> None:
    sources = [path for path in tracked() if path.suffix == ".py"]
    assert len(sources) > 50
    assert [named(path) for path in sources if "unittest.mock" in imported(path)] == []


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "base", "misc"}
    assert [named(path) for path in PRODUCT if path.stem in drawers] == []


def test_no_tracked_file_names_the_machine_it_was_written_on() -> None:
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{named(path)}: {word}" for word in FORBIDDEN if word in text]
    assert found == []


IMPORTS_APP = """
import socket, sys

def refused(*_):
    raise AssertionError("a connection was opened while importing")

socket.socket.connect = refused
import app
from chalicelib import wiring

made = [name for name, part in vars(wiring).items() if hasattr(part, "cache_info") and part.cache_info().currsize]
assert not made, made
heavy = {"pyarrow", "pyiceberg", "botocore.client", "obstore", "re2"} & set(sys.modules)
print(*sorted(heavy))
"""


def test_importing_the_app_makes_no_client_and_loads_nothing_heavy() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_"))}
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTS_APP], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "", "")


OPENS_DOORS = """
import sys
import app
from chalicelib import wiring

for made in sys.argv[1].split():
    getattr(wiring, made)()
print(*sorted(set(sys.argv[2].split()) & set(sys.modules)))
"""
NEVER = "asyncio boto3 duckdb multiprocessing.managers numpy pip rich s3transfer"
NO_ROWS = f"{NEVER} fastavro isal obstore pyarrow pyiceberg zstandard"


@pytest.mark.parametrize(
    ("made", "absent"),
    [
        ("discover sweeping commit recover schedules revalidate maintaining reminding admin", NO_ROWS),
        ("load", NEVER.replace("asyncio ", "") + " pyarrow.dataset pyiceberg sqlalchemy"),
    ],
    ids=["arrive, sweep, commit, tick, maintain", "load"],
)
def test_a_door_loads_only_what_it_uses(made: str, absent: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_"))}
    environ = {**clean, "AWS_DEFAULT_REGION": "us-east-1", "TIDEGATE_WAREHOUSE": "s3://lake/warehouse"}
    command = [sys.executable, "-c", OPENS_DOORS, made, absent]
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "", "")

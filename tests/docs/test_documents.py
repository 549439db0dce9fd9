"""The documents say what the code does: names, links, settings, diagrams, pipelines."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from chalicelib.cli.main import tidegate
from chalicelib.config.connection import parse_connection
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.schedule import Turn
from chalicelib.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("events/*.md"), *ROOT.glob("samples/*.md")]
)
ALL = "\n".join(path.read_text() for path in DOCUMENTS)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(group: click.Group, path: str) -> Iterator[str]:
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {word}")
        else:
            yield f"{path} {word}"


def mentioned(command: str) -> bool:
    """As `tidegate connection create`, or as one of `tidegate connection list|show|delete`."""
    group, word = command.rsplit(" ", 1)
    return re.search(rf"{group} ([a-z]+\|)*{word}\b", ALL) is not None


def block(path: Path, kind: str) -> str:
    """What stands between `<!-- kind… -->` and `<!-- end of kind -->`."""
    word = kind.split(":")[0]
    found = re.search(rf"<!-- {re.escape(kind)}[^>]*-->\n(.*?)<!-- end of {word} -->", path.read_text(), re.DOTALL)
    assert found is not None, f"{name(path)} has no block {kind}"
    return found[1].strip()


def fences(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("command", list(commands(tidegate, "tidegate")))
def test_every_command_is_documented_and_has_help(command: str) -> None:
    assert mentioned(command)
    found: Any = tidegate
    for word in command.split()[1:]:
        found = found.commands[word]
    assert found.help


def test_no_document_speaks_of_a_command_that_is_not_there() -> None:
    known = set(tidegate.commands)
    spoken = {word for words in re.findall(r"`tidegate ([a-z|]+)", ALL) for word in words.split("|")}
    spoken |= set(re.findall(r"^\$? ?tidegate ([a-z]+)", ALL, re.MULTILINE))
    assert spoken - known == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()) if "://" not in link]
    files = [link.partition("#") for link in links]
    assert [file for file, _, _ in files if file and not (path.parent / file).exists()] == []
    for file, mark, anchor in files:
        if mark:
            target = (path.parent / file) if file else path
            assert anchor in anchors(target), f"{file}#{anchor}"


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop().resolve()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        waiting += [path.parent / link.partition("#")[0] for link in re.findall(r"\]\(([^)\s:]+)\)", path.read_text())]
    assert [name(path) for path in DOCUMENTS if path.resolve() not in reached] == []


def test_the_table_of_settings_is_that_of_the_code() -> None:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for field, info in Settings.model_fields.items():
        default = "—" if info.default is None else f"`{info.default}`"
        rows.append(f"| `{PREFIX}{field.upper()}` | {default} | {info.description} |")
    assert block(ROOT / "docs/operations.md", "settings") == "\n".join(rows)


@pytest.mark.parametrize(
    ("document", "module"),
    [
        ("docs/walk.md", "chalicelib/core/ledger.py"),
        ("docs/walk.md", "chalicelib/core/tasks.py"),
        ("docs/walk.md", "chalicelib/core/sweeps.py"),
        ("docs/walk.md", "chalicelib/core/health.py"),
        ("docs/operations.md", "chalicelib/errors.py"),
    ],
)
def test_a_diagram_is_that_of_the_docstring(document: str, module: str) -> None:
    text = inspect.cleandoc(ast.get_docstring(ast.parse((ROOT / module).read_text())) or "")
    drawn = [line for line in text.splitlines() if line.startswith("    ") or not line]
    diagram = inspect.cleandoc("\n".join(drawn)).strip("\n")
    assert diagram
    assert block(ROOT / document, f"docstring: {module}") == f"```\n{diagram}\n```"


@pytest.mark.parametrize(
    ("path", "text"), [(path, text) for path in DOCUMENTS for text in fences(path, "yaml")], ids=lambda value: ""
)
def test_every_pipeline_in_a_document_is_one(path: Path, text: str) -> None:
    Pipeline.parse(yaml.safe_load(text), where=name(path))


@pytest.mark.parametrize(
    ("path", "text"), [(path, text) for path in DOCUMENTS for text in fences(path, "yaml out")], ids=lambda value: ""
)
def test_every_destination_in_a_document_is_one(path: Path, text: str) -> None:
    document = {"name": "p", "connection": "c", "in": {"bucket": "abc", "parser": {"type": "csv"}}}
    Pipeline.parse(document | yaml.safe_load(text), where=name(path))


@pytest.mark.parametrize(
    ("path", "text"),
    [(path, text) for path in DOCUMENTS for text in fences(path, "yaml connection")],
    ids=lambda value: "",
)
def test_every_connection_in_a_document_is_one(path: Path, text: str) -> None:
    parse_connection({"name": "c"} | yaml.safe_load(text), where=name(path))


@pytest.mark.parametrize("text", fences(ROOT / "docs/filters.md", "yaml filter"))
def test_every_filter_in_a_document_is_one(text: str) -> None:
    document = {"name": "p", "connection": "c", "in": {"bucket": "abc", "parser": {"type": "csv"}}}
    document |= {"filters": [yaml.safe_load(text)], "out": {"type": "iceberg", "table": "t"}}
    assert Pipeline.parse(document, where="docs/filters.md").filters


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_json_and_python_in_a_document_can_be_read(path: Path) -> None:
    for text in fences(path, "json"):
        yaml.safe_load(text)  # JSON is YAML, and errors name the line
    for text in fences(path, "python"):
        ast.parse(text)


def test_every_test_that_the_readme_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "README.md").read_text())
    assert named
    assert [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()] == []


def test_every_metric_is_documented() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "chalicelib/flows").glob("*.py"))
    emitted = set(re.findall(r'metrics\.(?:count|seconds)\("(\w+)"', source))
    assert 'metrics.count(f"Sessions{turn.capitalize()}"' in source
    emitted |= {f"Sessions{turn.capitalize()}" for turn in Turn}
    assert not re.findall(r'metrics\.\w+\((?!"|f"Sessions)', source), "a metric whose name this test cannot read"
    section = (ROOT / "docs/operations.md").read_text().partition("## Metrics")[2].partition("\n## ")[0]
    assert emitted == set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_every_decision_is_listed() -> None:
    index = (ROOT / "docs/adr/README.md").read_text()
    decisions = sorted((ROOT / "docs/adr").glob("0*.md"))
    assert [path.name for path in decisions if f"({path.name})" not in index] == []
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))


def test_every_reason_in_the_ledger_is_explained() -> None:
    from chalicelib.core.selection import Reason

    operations = (ROOT / "docs/operations.md").read_text()
    assert [reason for reason in Reason if f"`{reason}`" not in operations] == []

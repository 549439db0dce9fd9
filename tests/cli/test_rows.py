"""`rows`: the result, from a catalogue in SQLite and files in a folder."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from tests.cli.conftest import Run


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    uri = f"sqlite:///{tmp_path}/catalog.db"
    os.environ |= {"TIDEGATE_CATALOG": "sql", "TIDEGATE_CATALOG_URI": uri}
    made = SqlCatalog("tidegate", uri=uri, warehouse=f"file://{tmp_path}/warehouse")
    made.create_namespace("travel")
    yield made
    made.close()


@pytest.fixture
def filled(catalog: SqlCatalog, tidegate: Run) -> Run:
    rows = pa.table({"id": [1, 2, 3], "[b]name[/b]": ["a", "[/b]", None]})
    catalog.create_table("travel.flights", rows.schema).append(rows)
    return tidegate


def test_rows_are_counted(filled: Run) -> None:
    assert filled("rows", "travel.flights", "--count").out == "3\n"
    assert json.loads(filled("rows", "travel.flights", "--count", "--json").out) == {"count": 3}


def test_rows_are_shown(filled: Run) -> None:
    shown = [json.loads(line) for line in filled("rows", "travel.flights", "--json").out.splitlines()]
    assert shown[0] == {"id": 1, "[b]name[/b]": "a"}
    assert len(filled("rows", "travel.flights", "--limit", "2", "--json").out.splitlines()) == 2
    table = filled("rows", "travel.flights").out
    assert "[b]name[/b]" in table
    assert any(line.split() == ["2", "[/b]"] for line in table.splitlines())


@pytest.mark.parametrize("name", ["travel.none", "none.flights"])
def test_a_table_that_is_not_there_is_an_error(catalog: SqlCatalog, tidegate: Run, name: str) -> None:
    for options in ([], ["--count"]):
        refused = tidegate("rows", name, *options)
        assert (refused.code, refused.out) == (2, "")
        assert "there is no such table" in refused.err
        assert refused.err.count("\n") == 1


@pytest.mark.parametrize("name", ["flights", ".flights", "travel.", ".", ""])
def test_a_table_has_a_database(run: Run, name: str) -> None:
    refused = run("rows", name)
    assert refused.code == 2
    assert "travel.flights" in refused.err

"""docs/parameters.md and docs/filters.md name every key of a document, as the declarations have it."""

import re

import pytest

from chalicelib.config.connection import METHODS
from chalicelib.config.pipeline import Pipeline
from scripts.parameters import DOCS, SECTIONS, fresh, nested, table

PAGES = ("parameters.md", "filters.md")
TABLES = re.compile(r"<!-- table: (.+?) -->")


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_are_those_of_the_code(page: str) -> None:
    text = (DOCS / page).read_text()
    assert fresh(text) == text, "run: python -m scripts.parameters"


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_has_a_meaning(title: str) -> None:
    cells = [line.strip("|").split(" | ") for line in table(title).splitlines()[2:]]
    assert all(len(row) == 5 and all(cell.strip() for cell in row) for row in cells), cells


def test_every_part_of_a_document_has_its_table_once() -> None:
    found = [title for page in PAGES for title in TABLES.findall((DOCS / page).read_text())]
    assert sorted(found) == sorted(SECTIONS)


def test_no_part_of_a_document_is_without_a_table() -> None:
    known = {model for models in SECTIONS.values() for model in models}
    assert {*nested(Pipeline), *(inner for method in METHODS.values() for inner in nested(method))} <= known


@pytest.mark.parametrize("method", METHODS)
def test_every_key_of_every_method_is_in_one_table(method: str) -> None:
    tables = ("connection", f"connection {method}")
    told = [row.split("`")[1] for title in tables if title in SECTIONS for row in table(title).splitlines()[2:]]
    assert sorted(told) == sorted(METHODS[method].model_fields)

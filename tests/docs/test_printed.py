"""docs/customer-setup.md shows what `tidegate policy` prints, for every recipe."""

import json

import pytest

from chalicelib.core.policies.recipes import Recipe
from scripts.printed import BLOCK, CUSTOMERS, PAGE, THEIRS, block, customer, fresh


def test_the_policies_on_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text()
    assert fresh(text) == text, "run: python -m scripts.printed"


@pytest.mark.parametrize("recipe", CUSTOMERS)
def test_every_document_that_a_customer_must_paste_is_on_the_page(recipe: str) -> None:
    """Those that another recipe shows already need not stand there twice."""
    shown = {block(found[2], found[3]) for found in BLOCK.finditer(PAGE.read_text())}
    text = "\n".join(shown)
    missing = [s for s in customer(recipe) if s.needed and json.dumps(s.document, indent=2) not in text]
    assert [f"{sheet.kind} {sheet.place}" for sheet in missing] == []


def test_the_recipes_of_the_code_have_a_section_each() -> None:
    titles = [line.removeprefix("## ").lower() for line in PAGE.read_text().splitlines() if line.startswith("## ")]
    unsaid = [
        recipe for recipe in Recipe if recipe not in titles and recipe not in (Recipe.PUBLIC, Recipe.ROLE_THEN_ROLE)
    ]
    assert unsaid == []


def test_the_page_names_one_customer_only() -> None:
    assert THEIRS in PAGE.read_text()

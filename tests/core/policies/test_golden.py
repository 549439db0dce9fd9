import json

import pytest

from tests.core.policies.examples import EXAMPLES
from tests.core.policies.review import GOLDEN, printed


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_documents_of_a_recipe_are_those_that_were_reviewed(name: str) -> None:
    assert printed(EXAMPLES[name]) == json.loads((GOLDEN / f"{name}.json").read_text())


def test_there_is_no_reviewed_file_without_its_example() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(EXAMPLES)

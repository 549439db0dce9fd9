"""The documents of every example as files. `python -m tests.core.policies.review` writes them anew: read the difference
before it is committed, for each statement is something that a customer grants."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Facts, Sheet
from tests.core.policies.examples import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"


def printed(facts: Facts) -> list[dict[str, Any]]:
    """All of each sheet but its note, which is prose."""
    return [plain(sheet) for sheet in sheets(facts)]


def plain(sheet: Sheet) -> dict[str, Any]:
    return {field.name: getattr(sheet, field.name) for field in fields(sheet) if field.name != "note"}


if __name__ == "__main__":
    for name, example in EXAMPLES.items():
        (GOLDEN / f"{name}.json").write_text(json.dumps(printed(example), indent=2) + "\n")

"""Documents: sheets as JSON, ready for the console's editor."""

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.core.policies.sheets import Kind, Sheet
from chalicelib.core.printing.comments import WHY, commented, title


def document(sheet: Sheet) -> str:
    """The document alone: JSON in ASCII, and a newline."""
    return json.dumps(sheet.document, indent=2) + "\n"


def documents(sheets: Sequence[Sheet]) -> str:
    """One sheet alone is its document; several stand one after the other, each under what it is and where it goes."""
    if len(sheets) == 1:
        return document(sheets[0])
    heads = (commented([title(sheet), WHY[sheet.place], *([sheet.note] if sheet.note else [])]) for sheet in sheets)
    return "\n".join(f"{head}{document(sheet)}" for head, sheet in zip(heads, sheets, strict=True))


def by_kind(sheets: Sequence[Sheet]) -> dict[str, Any]:
    """For programs: a kind's document; where a kind has several, a list that says where each belongs."""
    found: dict[str, Any] = {}
    for kind in Kind:
        of_kind = [sheet for sheet in sheets if sheet.kind == kind]
        if of_kind:
            found[kind] = of_kind[0].document if len(of_kind) == 1 else [_told(sheet) for sheet in of_kind]
    return found


def _told(sheet: Sheet) -> dict[str, Any]:
    names = ("kind", "place", "seat", "account", "target", "document")
    return {name: getattr(sheet, name) for name in names}

"""The matrix: each statement of each recipe is taken away once, and the doctor is asked what is missing."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from chalicelib.core.policies.sheets import Kind, Place, Sheet, statements
from tests.local.recipes.examining import Surgery, failed, named
from tests.local.recipes.scenes import Scene

CHAIN = (Kind.NOTIFICATION, Kind.QUEUE)  # what an event passes on its way to us
BEGIN, END = "<!-- recipes, by scripts/recipes.py -->", "<!-- end of recipes -->"


@dataclass(frozen=True)
class Row:
    """What happened when one statement was taken away."""

    recipe: str
    kind: str
    place: str
    where: str  # the role's, queue's, bucket's name
    seat: str
    sid: str
    step: str  # of the doctor that named it; empty if none did
    place_among: int  # of the statements that it named, 1 being the first
    named: int  # how many it named
    felt: bool  # the recipe does not work without it


def taken_away(scene: Scene, surgery: Surgery) -> Iterator[Row]:
    """One row for each statement that was pasted; afterwards everything is as before."""
    assert failed(surgery.examine(scene)) == {}
    for sheet in scene.pasted:
        for statement in statements(sheet):
            yield _row(scene, surgery, sheet, statement.get("Sid", ""))
    assert failed(surgery.examine(scene)) == {}


def _row(scene: Scene, surgery: Surgery, sheet: Sheet, sid: str) -> Row:
    if sid:
        scene.admins.paste(sheet, without=sid)
    else:
        scene.admins.remove(sheet)
    label = sid or sheet.place.value
    findings = surgery.examine(scene, about=sheet, later=sheet.kind in CHAIN)
    found = named(findings, sheet, label)
    missing = [(m.sid, m.place, m.target) for m in found.missing] if found else []
    lost = scene.telling() if sheet.kind in CHAIN else None
    refused = sid == "SubscribeQueue" and not _subscribes(scene)
    scene.admins.paste(sheet)
    felt = bool(failed(findings)) if lost is None else refused or not scene.told(lost)
    return Row(
        scene.recipe.title,
        sheet.kind.value,
        sheet.place.value,
        _name(scene, sheet),
        sheet.seat.value,
        label.replace(scene.name.capitalize(), "Acme"),
        found.step if found else "",
        missing.index((label, sheet.place.value, sheet.target)) + 1 if found else 0,
        len(missing),
        felt,
    )


def _name(scene: Scene, sheet: Sheet) -> str:
    """What the sheet is part of, by a name that is the same every time."""
    name = "KEY" if sheet.place is Place.KEY_POLICY else re.split("[/:]", sheet.target)[-1]
    return name.replace(scene.name, "acme")


def _subscribes(scene: Scene) -> bool:
    sheet = next(sheet for sheet in scene.pasted if sheet.place is Place.SUBSCRIPTION)
    try:
        scene.admins.paste(sheet)
    except ClientError as error:
        assert "sns:Subscribe" in str(error)
        return False
    return True


def table(rows: Iterable[Row]) -> str:
    """The rows as the documentation shows them."""
    lines = [
        "| recipe | taken away | from | of | whose | step that names it | its place among those named |",
        "|---|---|---|---|---|---|---|",
    ]
    shown = ""
    for row in rows:
        recipe, shown = ("" if row.recipe == shown else row.recipe), row.recipe
        what = f"`{row.sid}`" if row.sid != row.place else "the whole"
        order = "alone" if row.named == 1 else f"{row.place_among} of {row.named}"
        lines.append(f"| {recipe} | {what} | {row.place} | `{row.where}` | {row.seat}'s | {row.step} | {order} |")
    return "\n".join(lines)


def within(page: str, block: str) -> str:
    """The page with its block between the two marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, f"the page has no {BEGIN} … {END}"
    return f"{before}{BEGIN}\n{block}\n{END}{after}"

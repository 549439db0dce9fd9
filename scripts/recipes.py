"""The table of docs/recipes.md: each statement of each recipe taken away, and what the doctor says.

python -m scripts.recipes          run it on the embedded AWS (about a minute), write the table
python -m scripts.recipes --check  say whether the table is fresh
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.local import emulator
from chalicelib.local.stack import provision
from tests.local.recipes.examining import opened
from tests.local.recipes.matrix import table, taken_away, within
from tests.local.recipes.scenes import settled

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"


def main(check: bool) -> int:
    """Zero, unless the page is to be checked and is stale."""
    with TemporaryDirectory() as folder, emulator.running(Path(folder)) as cloud:
        stack = provision(cloud.account(), "tidegate")
        os.environ.update(stack.account.env())
        surgery = opened(stack)
        rows = [row for scene in settled(stack) for row in taken_away(scene, surgery)]
    before = PAGE.read_text()
    after = within(before, table(rows))
    if check:
        print("fresh" if after == before else f"{PAGE.name} is stale: python -m scripts.recipes")
        return int(after != before)
    PAGE.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))

"""The policies of one example customer for each recipe, as `tidegate policy` prints them.

python -m scripts.printed          write them into docs/customer-setup.md
python -m scripts.printed --check  say whether they are fresh

A block `<!-- policy: RECIPE, WORD -->` holds the documents of one kind, of one side, or both (`notification operator`);
with the word `cli` it holds the customer's commands.
"""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Facts, Kind, Read, Seat, Sheet
from chalicelib.core.printing import bundles, document, shell
from chalicelib.flows.facts import Home

PAGE = Path(__file__).parents[1] / "docs" / "customer-setup.md"
OURS, THEIRS = "111111111111", "222222222222"
HOME = Home(OURS, "us-east-1", "tidegate")
EXTERNAL_ID = "a347a2b9f2ec2ff71143abd83ab35e25a69d9834d3621a00f6f14259fe1be06e"
ROLE = {"role_arn": f"arn:aws:iam::{THEIRS}:role/tidegate-reader"}
INGEST = f"arn:aws:iam::{OURS}:role/tidegate-ingest"

CUSTOMERS: dict[str, dict[str, Any]] = {
    "cross-account role": ROLE,
    "same account": {"auth_method": "default"},
    "bucket policy only": {"role_arn": INGEST, "bucket_owner": THEIRS, "can_list": False},
    "user, then role": ROLE | {"through": {"type": "user", "user_arn": f"arn:aws:iam::{THEIRS}:user/tidegate"}},
    "session as principal": ROLE
    | {"session_name": "acme-import", "through": {"type": "role", "role_arn": INGEST, "principal": "session"}},
    "pasted keys": {"auth_method": "basic", "bucket_owner": THEIRS},
    "KMS": ROLE | {"kms_keys": [f"arn:aws:kms:us-east-1:{THEIRS}:key/1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"]},
    "SNS": ROLE | {"notify_by": "sns"},
    "EventBridge": ROLE | {"notify_by": "eventbridge"},
}
BLOCK = re.compile(r"(<!-- policy: ([^\n]+), ([a-z ]+) -->\n).*?(<!-- end of policy -->)", re.DOTALL)


def customer(recipe: str) -> tuple[Sheet, ...]:
    """The sheets of the example customer of a recipe."""
    connection = parse_connection({"name": "acme", **CUSTOMERS[recipe]}, where=recipe)
    grant = Grant(connection, EXTERNAL_ID, datetime(2026, 11, 22, tzinfo=UTC))
    reads = (Read("acme-exports", "flights/"),)
    return sheets(Facts(grant, OURS, HOME.region, HOME.queue, HOME.functions, reads))


def block(recipe: str, words: str) -> str:
    """What stands in a block."""
    found = customer(recipe)
    if words == "cli":
        needed = [sheet for sheet in found if sheet.needed and sheet.seat is Seat.CUSTOMER]
        (bundle,) = bundles("acme", needed)
        return f"```sh\n{shell(bundle)}```\n"
    assert set(words.split()) <= {*Kind, *Seat}, words
    chosen = [sheet for sheet in found if all(word in (sheet.kind, sheet.seat) for word in words.split())]
    assert chosen, f"{recipe} has no {words}"
    return "\n".join(f"{_title(sheet)}:\n\n```json\n{document(sheet)}```\n" for sheet in chosen)


def _title(sheet: Sheet) -> str:
    place = f"{sheet.place[0].upper()}{sheet.place[1:]}, `{sheet.target}`"
    return f"{place}. {sheet.note.removesuffix('.')}" if sheet.note else place


def fresh(text: str) -> str:
    """A page with its blocks made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{block(found[2], found[3])}\n{found[4]}", text)


def main() -> int:
    """Write or check the page."""
    text = PAGE.read_text()
    stale = fresh(text) != text
    if stale and "--check" not in sys.argv:
        PAGE.write_text(fresh(text))
    print(f"stale: {PAGE.name}" if stale else "fresh")
    return int(stale and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())

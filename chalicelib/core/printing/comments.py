"""Comments: whose account, what, and why, on lines that begin with `#`, as YAML, Terraform and the shell have them."""

from collections.abc import Iterable

from chalicelib.core.policies.sheets import Place, Sheet
from chalicelib.core.printing.bundles import Bundle

WHY = {
    Place.ROLE_TRUST: "who may assume the role, and under which external id",
    Place.ROLE_POLICY: "what the role may do, and nothing else",
    Place.USER_POLICY: "what the user may do, and nothing else",
    Place.BUCKET_POLICY: "lets the reader in from the bucket's side; add it to what is there",
    Place.KEY_POLICY: "lets the reader decrypt, through S3 alone; add it to what is there",
    Place.QUEUE_POLICY: "lets this customer's events into our queue; add it to what is there",
    Place.TOPIC_POLICY: "who may publish to the topic, and who may subscribe",
    Place.BUCKET_NOTIFICATION: "tells of new objects; add it to what is there",
    Place.SUBSCRIPTION: "carries the topic's messages to our queue",
    Place.RULE: "picks the bucket's events and sends them on",
}


def visible(text: str) -> str:
    """The text on one line: whatever ends a line, or does not show, is written out."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def commented(lines: Iterable[str]) -> str:
    """The lines as comments."""
    return "".join(f"# {visible(line)}".rstrip() + "\n" for line in lines)


def title(sheet: Sheet) -> str:
    """Which document this is, where it goes, and who puts it there."""
    account = f"account {sheet.account}" if sheet.account else "an account that nobody told us"
    name = f", named {sheet.name}" if sheet.place in (Place.ROLE_POLICY, Place.USER_POLICY) else ""
    return f"{sheet.place[0].upper()}{sheet.place[1:]}{name}: {sheet.target} (for the {sheet.seat}, in {account})"


def head(bundle: Bundle) -> list[str]:
    """Whose account, what, and why: the first lines of everything that is printed."""
    whose = "the customer's admin" if bundle.seat == "customer" else "Tidegate's operator"
    where = f"account {bundle.account}" if bundle.account else "the account that is meant below"
    kinds = " ".join(dict.fromkeys(sheet.kind for sheet in bundle.sheets))
    lines = [f"For {whose}, in {where}: what Tidegate's connection {bundle.connection} takes ({kinds})."]
    for sheet in bundle.sheets:
        lines += [f"- {sheet.place}, {sheet.target}: {WHY[sheet.place]}", *([f"  {sheet.note}"] if sheet.note else [])]
    return [*lines, *(f"Topics and rules belong to region {region}." for region in bundle.regions)]

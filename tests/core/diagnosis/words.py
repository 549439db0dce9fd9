"""What AWS says in its own words, in the shapes that its pages show; the arguments are filled in."""

from typing import Any

from chalicelib.core.diagnosis.answers import Answer

ROLE = "arn:aws:iam::222222222222:role/reader"
US = "arn:aws:sts::111111111111:assumed-role/tidegate-load/tidegate-load"
THEM = "arn:aws:sts::222222222222:assumed-role/reader/tidegate"
KEY = "arn:aws:kms:us-east-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def unauthorized(action: str, resource: str, why: str = "", who: str = THEM) -> str:
    return f"User: {who} is not authorized to perform: {action} on resource: {resource}{' ' if why else ''}{why}"


def implicit(action: str, resource: str, kind: str, who: str = THEM) -> str:
    return unauthorized(action, resource, f"because no {kind} allows the {action} action", who)


def explicit(action: str, resource: str, kind: str, who: str = THEM) -> str:
    return unauthorized(action, resource, f"with an explicit deny in a {kind}", who)


def denied(message: str = "Access Denied", **headers: str) -> Answer:
    return Answer(403, "AccessDenied", message, headers)


def fine(**fields: Any) -> Answer:
    return Answer(200, **fields)

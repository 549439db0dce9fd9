"""What a policy allows in S3, worked out as IAM does it, for statements of our sort. It knows no code of ours."""

import re
from collections.abc import Mapping
from typing import Any

ACCOUNT = "222222222222"


def allowed(policy: Mapping[str, Any], action: str, bucket: str, *, key: str = "", prefix: str = "") -> bool:
    """Whether `action` may be done: on the object `key`, or for a listing of the keys under `prefix`."""
    resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if action.startswith("s3:GetObject") else "")
    context = {"s3:prefix": prefix, "aws:ResourceAccount": ACCOUNT}
    return any(_applies(statement, action, resource, context) for statement in policy["Statement"])


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    return (
        statement["Effect"] == "Allow"
        and action in listed(statement["Action"])
        and any(matches(pattern, resource) for pattern in listed(statement["Resource"]))
        and all(_holds(*test, context) for test in statement.get("Condition", {}).items())
    )


def _holds(operator: str, keys: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    test = {"StringLike": matches, "StringEquals": str.__eq__}[operator]
    return all(any(test(value, context[key]) for value in listed(wanted)) for key, wanted in keys.items())


def matches(pattern: str, text: str) -> bool:
    """`*` is anything, `?` one character, and `${*}` is the star itself."""
    parts = re.split(r"(\$\{[*?$]\}|\*|\?)", pattern)
    wild = {"*": ".*", "?": "."}
    regex = "".join(
        wild.get(part, re.escape(part[2] if part.startswith("${") and len(part) == 4 else part)) for part in parts
    )
    return re.fullmatch(regex, text, re.DOTALL) is not None


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)

"""IAM policies as plain dicts, and the statements that they are made of.

Arguments in, document out; `compact` makes the text that AWS takes.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Policy = dict[str, Any]

VERSION = "2012-10-17"  # the older one knows no policy variables, which `literal` needs
READ = ("s3:GetObject", "s3:GetObjectVersion")  # the second for reads that are pinned to a version (P5)
READ_TAGS = ("s3:GetObjectTagging", "s3:GetObjectVersionTagging")  # for a parser of type objects with `tags`


def policy(*statements: Mapping[str, Any]) -> Policy:
    """The statements as a document."""
    return {"Version": VERSION, "Statement": [dict(statement) for statement in statements]}


def allow(
    sid: str | None,
    action: str | list[str],
    resource: str | list[str] | None,
    condition: Mapping[str, Any] | None = None,
    *,
    principal: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A statement that allows something. Trust policies have no resource, policies of roles and users no principal."""
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": resource,
        "Condition": condition or None,
    }
    return {key: value for key, value in statement.items() if value is not None}


def aws(arns: Sequence[str]) -> dict[str, Any]:
    """Identities of IAM as a principal."""
    return {"AWS": one_or_more(arns)}


def one_or_more(values: Iterable[str]) -> str | list[str]:
    """The list, or its only member: shorter, and the same to AWS."""
    listed = list(values)
    return listed[0] if len(listed) == 1 else listed


def literal(text: str) -> str:
    """The text as an IAM pattern that matches nothing else.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)


def compact(policy: Policy) -> str:
    """The policy as JSON without a superfluous space, in ASCII, as STS demands of a session policy."""
    return json.dumps(policy, separators=(",", ":"))

"""IAM policies as plain dicts: what customers paste, and what Tidegate narrows a session down to.

Arguments in, document out; `compact` makes the text that AWS takes.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

Policy = dict[str, Any]

VERSION = "2012-10-17"  # the older one knows no policy variables, which `literal` needs
SESSION_POLICY_LIMIT = 2048  # characters, https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
READ = ("s3:GetObject", "s3:GetObjectVersion")  # the second for reads that are pinned to a version (P5)
READ_TAGS = ("s3:GetObjectTagging", "s3:GetObjectVersionTagging")  # for a parser of type objects with `tags`


def trust(principal: str, external_id: str) -> Policy:
    """The role's trust policy: who may assume it, and with which external id (F5).

    `principal` is an ARN, or an account id, which stands for whoever that account lets assume the role.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
    """
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
        }
    )


def role(buckets: Sequence[str], prefixes: Sequence[str] = (), *, tags: bool = False, partition: str = "aws") -> Policy:
    """The least that the customer's role must be allowed: list the buckets, read under the prefixes (F6, F17).

    No bucket means any bucket, no prefix any key; each prefix holds for each bucket.
    """
    return _policy(*_reading(buckets or ("*",), prefixes, partition, tags=tags))


def session(bucket: str, prefix: str, *, tags: bool = False, partition: str = "aws") -> Policy:
    """What is left of the role while one pipeline reads: its bucket, its prefix, and KMS through S3 alone (F16).

    A session only ever loses permissions by this, so kms:Decrypt still needs the role's and the key's consent.
    A prefix too long for AWS's limit is cut: the session is then wider than the pipeline, never narrower.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
    """
    decrypt = {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}},  # ends in .cn in China
    }
    policy = _policy(*_reading((bucket,), (prefix,) if prefix else (), partition, tags=tags), decrypt)
    if len(compact(policy)) > SESSION_POLICY_LIMIT:
        return session(bucket, prefix[: len(prefix) * 9 // 10], tags=tags, partition=partition)
    return policy


def literal(text: str) -> str:
    """The text as an IAM pattern that matches nothing else.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)


def compact(policy: Policy) -> str:
    """The policy as JSON without a superfluous space, in ASCII, as STS demands of a session policy."""
    return json.dumps(policy, separators=(",", ":"))


def _reading(
    buckets: Sequence[str], prefixes: Sequence[str], partition: str, *, tags: bool
) -> tuple[dict[str, Any], ...]:
    arns = [f"arn:{partition}:s3:::{bucket}" for bucket in buckets]
    starts = [f"{literal(prefix)}*" for prefix in prefixes]
    listing: dict[str, Any] = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arns}
    if starts:
        listing["Condition"] = {"StringLike": {"s3:prefix": starts}}
    objects = [f"{arn}/{start}" for arn in arns for start in starts or ["*"]]
    return listing, {"Effect": "Allow", "Action": [*READ, *(READ_TAGS if tags else ())], "Resource": objects}


def _policy(*statements: dict[str, Any]) -> Policy:
    return {"Version": VERSION, "Statement": list(statements)}

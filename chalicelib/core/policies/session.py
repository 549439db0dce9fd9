"""Session policies: what is left of a role once Tidegate has assumed it."""

from chalicelib.core.policies.reading import Opening, listing, objects
from chalicelib.core.policies.statements import READ, READ_TAGS, Policy, allow, compact, policy

SESSION_POLICY_LIMIT = 2048  # characters, https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html


def session(
    bucket: str, prefix: str, *, tags: bool = False, partition: str = "aws", owner: str | None = None
) -> Policy:
    """What is left of the role while one pipeline reads: its bucket, its prefix, and KMS through S3 alone (F16).

    `owner`: the account that must own the bucket, so that nobody else can take its name and give us other data.
    A session only ever loses permissions by this, so kms:Decrypt still needs the role's and the key's consent.
    A prefix too long for AWS's limit is cut: the session is then wider than the pipeline, never narrower.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
    """
    opening = Opening((bucket,), (prefix,) if prefix else ())
    actions = [*READ, *(READ_TAGS if tags else ())]
    made = policy(
        listing(opening, partition, None, owner=owner),
        objects(opening, partition, None, owner=owner, actions=actions),
        # the host ends in .cn in China
        allow(None, "kms:Decrypt", "*", {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}}),
    )
    if len(compact(made)) > SESSION_POLICY_LIMIT:
        return session(bucket, prefix[: len(prefix) * 9 // 10], tags=tags, partition=partition, owner=owner)
    return made


def passage(role: str) -> Policy:
    """What is left of a role in between: to assume this one."""
    return policy(allow(None, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], role))

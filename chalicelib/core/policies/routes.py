"""Routes: where a bucket's events pass on their way to our queue, and what these places are called."""

from chalicelib.core.policies.parties import made, owner
from chalicelib.core.policies.reading import Opening, bucket_arn, openings, told
from chalicelib.core.policies.sheets import Facts

MOST_RULES = 10  # the trust policy of the role that they share has 2,048 characters for their names


def buckets(facts: Facts) -> tuple[str, ...]:
    """The buckets that are known by name."""
    return tuple(bucket for opening in openings(facts) for bucket in opening.buckets)


def bucket_arns(facts: Facts) -> list[str]:
    """These buckets, as IAM patterns."""
    return [bucket_arn(bucket, facts.grant.connection.partition) for bucket in buckets(facts)]


def watched(facts: Facts) -> tuple[Opening, ...]:
    """What EventBridge's rules name, one rule for each. Where that would be many rules, all buckets share one."""
    groups = told(facts)
    return groups if len(groups) <= MOST_RULES else (Opening(buckets(facts), ()),)


def topic(facts: Facts) -> str:
    """The customer's topic, in the bucket's region; only if we know whose the bucket is."""
    return _arn(facts, "sns", made(facts))


def rules(facts: Facts) -> list[str]:
    """The customer's EventBridge rules: one for all buckets whose keys are filtered alike."""
    return [_arn(facts, "events", f"rule/{rule_name(facts, n)}") for n, _ in enumerate(watched(facts), 1)]


def rule_name(facts: Facts, number: int) -> str:
    """The name of the rule for the `number`th group of buckets, from 1."""
    name = made(facts)
    return name if number == 1 else f"{name[:60]}-{number}"


def forwarder(facts: Facts) -> str:
    """The role as which EventBridge sends to a queue of another account."""
    return f"arn:{facts.grant.connection.partition}:iam::{owner(facts)}:role/{made(facts)}-events"


def _arn(facts: Facts, service: str, resource: str) -> str:
    connection = facts.grant.connection
    return f"arn:{connection.partition}:{service}:{connection.region}:{owner(facts)}:{resource}"

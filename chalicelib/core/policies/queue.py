"""Our arrivals queue: who may send to it for this connection."""

from typing import Any

from chalicelib.core.policies.parties import named, owner, root
from chalicelib.core.policies.routes import bucket_arns, forwarder, rules, topic
from chalicelib.core.policies.sheets import Facts, Kind, Place, Seat, Sheet
from chalicelib.core.policies.statements import allow, aws, one_or_more, policy

PARAMETERS = {"sqs": "SenderAccounts", "sns": "SenderTopics", "eventbridge": "SenderRoles"}  # of Tidegate's own stack


def queue_sheets(facts: Facts) -> tuple[Sheet, ...]:
    """Who may send: the service that the customer chose, for the customer's bucket, topic or rule alone.

    Nothing if too little is known to shut out anybody else.
    """
    sender = _sender(facts)
    if sender is None:
        return ()
    principal, condition = sender
    statement = allow(named(facts, "SendMessage"), "sqs:SendMessage", facts.queue, condition, principal=principal)
    document = policy(statement)
    return (Sheet(Kind.QUEUE, Place.QUEUE_POLICY, Seat.OPERATOR, facts.ours, facts.queue, document, note=_note(facts)),)


def _sender(facts: Facts) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Principal and condition; None if we know no more than anybody could say of himself."""
    by, owned_by, known = facts.grant.connection.notify_by, owner(facts), bool(bucket_arns(facts))
    if by == "sqs" and (owned_by is not None or known):
        return {"Service": "s3.amazonaws.com"}, buckets_only(facts)
    if by == "sns" and owned_by is not None and known:
        return {"Service": "sns.amazonaws.com"}, {"ArnEquals": {"aws:SourceArn": topic(facts)}}
    if by == "eventbridge" and owned_by == facts.ours and known:
        # A rule's ARN tells its account; of queues AWS documents no other key.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
        return {"Service": "events.amazonaws.com"}, {"ArnEquals": {"aws:SourceArn": one_or_more(rules(facts))}}
    if by == "eventbridge" and owned_by is not None and known:
        # Across accounts EventBridge comes as a role of the rule's account, and not as a service. A role as principal
        # would have to exist first, and once it is deleted the whole policy could not be changed any more.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html
        everybody = aws([root(owned_by, facts.grant.connection.partition)])
        return everybody, {"ArnEquals": {"aws:PrincipalArn": forwarder(facts)}}
    return None


def buckets_only(facts: Facts) -> dict[str, Any]:
    """S3 speaks for these buckets, of this account.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
    """
    owned_by, arns = owner(facts), bucket_arns(facts)
    account = {"StringEquals": {"aws:SourceAccount": owned_by}} if owned_by is not None else {}
    return {**account, **({"ArnLike": {"aws:SourceArn": one_or_more(arns)}} if arns else {})}


def parameter(facts: Facts) -> tuple[str, str] | None:
    """Name and value of what Tidegate's own stack must be told of a sender; None if it lets him in as it is."""
    by, owned_by = facts.grant.connection.notify_by, owner(facts)
    if owned_by is None or owned_by == facts.ours or by == "none":
        return None
    return PARAMETERS[by], {"sqs": owned_by, "sns": topic(facts), "eventbridge": forwarder(facts)}[by]


def _note(facts: Facts) -> str:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html"""
    if facts.grant.connection.notify_by == "sqs" and owner(facts) is None:
        return (
            "Nobody told whose the bucket is. Give `bucket_owner`: this then asks for that account, which belongs into "
            "the parameter SenderAccounts of Tidegate's stack."
        )
    told = parameter(facts)
    if told is None:
        return ""
    name, value = told
    return (
        f"Where Tidegate's stack keeps the queue's policy, have {value} in its parameter {name} instead: "
        "a statement that was added by hand is gone with the next deployment, and a queue takes no more than 20."
    )

"""Notifications: how the customer's bucket comes to tell our queue of its objects (F40, F43)."""

from typing import Any
from urllib.parse import quote_plus

from chalicelib.core.policies.forwarding import bus_sheets
from chalicelib.core.policies.parties import made, owner, root, seat
from chalicelib.core.policies.queue import buckets_only
from chalicelib.core.policies.reading import least, told
from chalicelib.core.policies.routes import buckets, topic
from chalicelib.core.policies.sheets import Facts, Kind, Place, Seat, Sheet
from chalicelib.core.policies.statements import allow, aws, policy

CREATED = ("s3:ObjectCreated:*", "s3:ObjectRestore:Completed")
REMOVED = "s3:ObjectRemoved:*"
MOST = 100  # configurations of one bucket, https://docs.aws.amazon.com/general/latest/gr/s3.html
PLAIN = "/!-_.'()"  # beside letters and digits; everything else stands percent-encoded in a filter
ADDED = "The bucket has one configuration for everybody: add this to what get-bucket-notification-configuration shows."
ELSEWHERE = (
    "S3 sends to queues and topics of the bucket's own region only, and this queue is in {region}: let the bucket "
    "notify by sns (`notify_by`), whose topics reach queues of other regions."
)


def before_queue(facts: Facts) -> tuple[Sheet, ...]:
    """What must be there before the queue's policy can name it, or the bucket be told of it."""
    by = facts.grant.connection.notify_by
    if owner(facts) is None or not buckets(facts):
        return ()
    if by == "eventbridge":
        return tuple(sheet for sheet in bus_sheets(facts) if sheet.place is not Place.RULE)
    return (_topic_sheet(facts),) if by == "sns" else ()


def notification_sheets(facts: Facts) -> tuple[Sheet, ...]:
    """What makes the bucket speak, once the queue listens; one configuration for each bucket that is known."""
    by = facts.grant.connection.notify_by
    if by == "none" or (by != "sqs" and owner(facts) is None):
        return ()
    found = [_bucket_sheet(facts, bucket) for bucket in buckets(facts)]
    if by == "sns" and found:
        return (_subscription(facts), *found)
    if by == "eventbridge" and found:
        return (*(sheet for sheet in bus_sheets(facts) if sheet.place is Place.RULE), *found)
    return tuple(found)


def filter_value(prefix: str) -> str:
    """The prefix as S3 wants it in a filter. It stops before a `*`, which S3 takes in no form.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    return quote_plus(prefix.partition("*")[0], safe=PLAIN)


def events(facts: Facts, bucket: str, prefix: str) -> list[str]:
    """What we want to hear of keys under a prefix: deletions only where a pipeline acts on them."""
    removed = any(read.removals and read.bucket == bucket and read.prefix.startswith(prefix) for read in facts.reads)
    return [*CREATED, *([REMOVED] if removed else [])]


def prefixes(facts: Facts, bucket: str) -> tuple[str, ...]:
    """What the bucket's filters name. They never overlap, which S3 refuses; "": one entry without a filter.

    Of more than S3 takes none is named: then we pass over what no pipeline wants.
    """
    wanted = next(opening.prefixes for opening in told(facts) if bucket in opening.buckets)
    named = least(prefix.partition("*")[0] for prefix in wanted)
    return named if 0 < len(named) <= MOST else ("",)


def _bucket_sheet(facts: Facts, bucket: str) -> Sheet:
    connection, account = facts.grant.connection, owner(facts)
    near = connection.region == facts.region or connection.notify_by == "sns"
    return Sheet(
        Kind.NOTIFICATION,
        Place.BUCKET_NOTIFICATION,
        seat(account, facts),
        account,
        bucket,
        _configuration(facts, bucket),
        name=made(facts),
        note=ADDED if near else f"{ADDED} {ELSEWHERE.format(region=facts.region)}",
    )


def _configuration(facts: Facts, bucket: str) -> dict[str, Any]:
    by = facts.grant.connection.notify_by
    if by == "eventbridge":
        return {"EventBridgeConfiguration": {}}
    key, target = ("TopicArn", topic(facts)) if by == "sns" else ("QueueArn", facts.queue)
    entries = [
        {"Id": _id(facts, n), key: target, "Events": events(facts, bucket, prefix), **_filter(prefix)}
        for n, prefix in enumerate(prefixes(facts, bucket), 1)
    ]
    return {"TopicConfigurations" if by == "sns" else "QueueConfigurations": entries}


def _id(facts: Facts, number: int) -> str:
    return made(facts) if number == 1 else f"{made(facts)}-{number}"


def _filter(prefix: str) -> dict[str, Any]:
    if not prefix:
        return {}
    return {"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": filter_value(prefix)}]}}}


def _topic_sheet(facts: Facts) -> Sheet:
    """The topic's policy: the buckets may publish, and our queue may be subscribed, by us and to nothing else."""
    arn, account = topic(facts), owner(facts)
    statements = [
        allow("PublishEvents", "sns:Publish", arn, buckets_only(facts), principal={"Service": "s3.amazonaws.com"})
    ]
    if account != facts.ours:
        ours = aws([root(facts.ours, facts.grant.connection.partition)])
        endpoint = {"StringEquals": {"sns:Protocol": "sqs", "sns:Endpoint": facts.queue}}
        statements.append(allow("SubscribeQueue", "sns:Subscribe", arn, endpoint, principal=ours))
    return Sheet(
        Kind.NOTIFICATION,
        Place.TOPIC_POLICY,
        seat(account, facts),
        account,
        arn,
        policy(*statements),
        name=made(facts),
        note="Make the topic in the bucket's region.",
    )


def _subscription(facts: Facts) -> Sheet:
    """We subscribe, so that nobody has to confirm anything; without SNS's envelope, which we would take too."""
    document = {
        "TopicArn": topic(facts),
        "Protocol": "sqs",
        "Endpoint": facts.queue,
        "Attributes": {"RawMessageDelivery": "true"},
    }
    return Sheet(Kind.NOTIFICATION, Place.SUBSCRIPTION, Seat.OPERATOR, facts.ours, topic(facts), document)

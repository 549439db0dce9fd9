"""Forwarding: the customer's EventBridge rules send to our queue, as a role of the customer's."""

from typing import Any

from chalicelib.core.policies.parties import made, owner, seat
from chalicelib.core.policies.reading import Opening
from chalicelib.core.policies.routes import forwarder, rule_name, rules, watched
from chalicelib.core.policies.sheets import Facts, Kind, Place, Sheet, within
from chalicelib.core.policies.statements import allow, compact, one_or_more, policy

PATTERN_LIMIT = 2048  # characters, https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
FEWER = "Give this connection fewer `buckets`, and make another one for the rest"
CREATED = ("Object Created", "Object Restore Completed")
REMOVED = "Object Deleted"


def bus_sheets(facts: Facts) -> tuple[Sheet, ...]:
    """The role and the rules. In our own account EventBridge sends by itself, and the queue's policy says so."""
    found = [_rule(facts, opening, n) for n, opening in enumerate(watched(facts), 1)]
    return (*(() if owner(facts) == facts.ours else _role(facts)), *found)


def _role(facts: Facts) -> tuple[Sheet, Sheet]:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html"""
    account, target = owner(facts), forwarder(facts)
    ours_alone = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnEquals": {"aws:SourceArn": one_or_more(rules(facts))},
    }
    service = {"Service": "events.amazonaws.com"}
    trust = policy(allow("AssumeRole", "sts:AssumeRole", None, ours_alone, principal=service))
    send = policy(allow("SendMessage", "sqs:SendMessage", facts.queue))
    place = seat(account, facts)
    return (
        Sheet(Kind.NOTIFICATION, Place.ROLE_TRUST, place, account, target, trust),
        Sheet(Kind.NOTIFICATION, Place.ROLE_POLICY, place, account, target, send, name=made(facts)),
    )


def _rule(facts: Facts, opening: Opening, number: int) -> Sheet:
    account = owner(facts)
    role = {} if account == facts.ours else {"RoleArn": forwarder(facts)}
    document = {
        "Name": rule_name(facts, number),
        "EventPattern": _pattern(facts, opening),
        "Targets": [{"Id": "tidegate", "Arn": facts.queue, **role}],
    }
    target = rules(facts)[number - 1]
    name = rule_name(facts, number)
    return Sheet(Kind.NOTIFICATION, Place.RULE, seat(account, facts), account, target, document, name=name)


def _pattern(facts: Facts, opening: Opening) -> dict[str, Any]:
    """Which events are sent. Prefixes are literal here; too many of them are left out, and we pass over the rest.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    removed = any(read.removals and read.bucket in opening.buckets for read in facts.reads)
    detail: dict[str, Any] = {"bucket": {"name": list(opening.buckets)}}
    pattern = {"source": ["aws.s3"], "detail-type": [*CREATED, *([REMOVED] if removed else [])], "detail": detail}
    if opening.prefixes:
        detail["object"] = {"key": [{"prefix": prefix} for prefix in opening.prefixes]}
        if len(compact(pattern)) > PATTERN_LIMIT:
            del detail["object"]
    return within(pattern, PATTERN_LIMIT, "the pattern of the EventBridge rule", facts, FEWER)

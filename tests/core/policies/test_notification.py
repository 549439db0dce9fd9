"""How a bucket's events reach us, and who may send them (F40, F43, F44)."""

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core.policies.queue import PARAMETERS, parameter
from chalicelib.core.policies.recipes import absence, sheets
from chalicelib.core.policies.sheets import Facts, Kind, Place, Read, Seat, Sheet, statements
from chalicelib.errors import ConfigError
from tests.core.policies.examples import EXAMPLES, OURS, QUEUE, THEIRS, facts

BUCKET = "arn:aws:s3:::acme-exports"


def at(given: Facts, place: Place) -> list[Sheet]:
    return [sheet for sheet in sheets(given) if sheet.place is place and sheet.kind in (Kind.QUEUE, Kind.NOTIFICATION)]


def only(given: Facts, place: Place) -> Sheet:
    [sheet] = at(given, place)
    return sheet


def sending(given: Facts) -> dict[str, Any]:
    [statement] = statements(only(given, Place.QUEUE_POLICY))
    return statement


def filters(given: Facts) -> list[str]:
    entries = only(given, Place.BUCKET_NOTIFICATION).document["QueueConfigurations"]
    return [entry["Filter"]["Key"]["FilterRules"][0]["Value"] if "Filter" in entry else "" for entry in entries]


def test_s3_sends_for_the_customers_bucket_and_account_only() -> None:
    assert sending(facts())["Principal"] == {"Service": "s3.amazonaws.com"}
    assert sending(facts())["Condition"] == {
        "StringEquals": {"aws:SourceAccount": THEIRS},
        "ArnLike": {"aws:SourceArn": BUCKET},
    }


def test_the_queues_statements_of_two_connections_can_stand_side_by_side() -> None:
    names = ["acme", "Acme", "ACME", "ac-me", "ac.me", "ac_me", "a-cme", "acme-1", "acme1"]
    assert len({sending(facts({"name": name}))["Sid"] for name in names}) == len(names)


def test_where_nothing_is_known_that_would_shut_others_out_no_statement_is_printed_and_it_is_said_why() -> None:
    any_bucket = {"bucket_owner": "any"}
    assert at(facts(any_bucket, reads=()), Place.QUEUE_POLICY) == []
    assert "buckets" in absence(facts(any_bucket, reads=()), Kind.QUEUE)
    for by in ("sns", "eventbridge"):
        given = facts({**any_bucket, "notify_by": by})
        assert at(given, Place.QUEUE_POLICY) == at(given, Place.BUCKET_NOTIFICATION) == []
        assert "bucket_owner" in absence(given, Kind.NOTIFICATION)


def test_removals_are_told_only_under_prefixes_where_a_pipeline_acts_on_them() -> None:
    reads = (Read("acme-exports", "in/"), Read("acme-exports", "out/x/", removals=True))
    [first, second] = only(facts(reads=reads), Place.BUCKET_NOTIFICATION).document["QueueConfigurations"]
    assert first["Events"] == ["s3:ObjectCreated:*", "s3:ObjectRestore:Completed"]
    assert second["Events"] == [*first["Events"], "s3:ObjectRemoved:*"]
    assert first["Id"] != second["Id"]


def test_prefixes_that_overlap_become_one_entry_since_s3_refuses_them() -> None:
    reads = tuple(Read("acme-exports", prefix) for prefix in ("in/2026/", "in/", "out/", "in/2026/01/"))
    assert filters(facts(reads=reads)) == ["in/", "out/"]


@pytest.mark.parametrize(
    ("prefix", "value"),
    [
        ("flights/2026-11_x.y!'()", "flights/2026-11_x.y!'()"),
        ("two words/", "two+words/"),
        ("day=1/", "day%3D1/"),
        ("a+b&c@d:e,f;g$h/", "a%2Bb%26c%40d%3Ae%2Cf%3Bg%24h/"),
        ("100%/", "100%25/"),
        ("é/", "%C3%A9/"),
        ("all*stars/", "all"),
    ],
)
def test_a_filters_prefix_is_encoded_as_s3_wants_it(prefix: str, value: str) -> None:
    assert filters(facts(reads=(Read("acme-exports", prefix),))) == [value]


def test_a_prefix_that_begins_with_a_star_and_more_prefixes_than_s3_takes_mean_the_whole_bucket() -> None:
    assert filters(facts(reads=(Read("acme-exports", "*x"), Read("acme-exports", "in/")))) == [""]
    assert filters(facts(reads=(Read("acme-exports", "in*x"), Read("acme-exports", "in/y")))) == ["in"]
    many = tuple(Read("acme-exports", f"{n:03}/") for n in range(101))
    assert filters(facts(reads=many)) == [""]
    assert len(filters(facts(reads=many[:100]))) == 100


def test_a_bucket_in_another_region_than_the_queue_is_told_to_go_by_sns() -> None:
    far = {"region": "eu-west-1"}
    assert "us-east-1" in only(facts(far), Place.BUCKET_NOTIFICATION).note
    assert "us-east-1" not in only(facts(far | {"notify_by": "sns"}), Place.BUCKET_NOTIFICATION).note
    topic = only(facts(far | {"notify_by": "sns"}), Place.TOPIC_POLICY)
    assert topic.target == f"arn:aws:sns:eu-west-1:{THEIRS}:tidegate-acme"


def test_a_topic_takes_the_buckets_events_and_our_queue_as_its_subscriber() -> None:
    publish, subscribe = statements(only(facts({"notify_by": "sns"}), Place.TOPIC_POLICY))
    assert publish["Principal"] == {"Service": "s3.amazonaws.com"}
    assert publish["Condition"]["StringEquals"] == {"aws:SourceAccount": THEIRS}
    assert subscribe["Principal"] == {"AWS": f"arn:aws:iam::{OURS}:root"}
    assert subscribe["Condition"] == {"StringEquals": {"sns:Protocol": "sqs", "sns:Endpoint": QUEUE}}


def test_a_topic_of_our_own_account_needs_no_consent_to_our_subscription() -> None:
    given = facts({"auth_method": "default", "notify_by": "sns"})
    assert [s["Sid"] for s in statements(only(given, Place.TOPIC_POLICY))] == ["PublishEvents"]


def test_we_subscribe_so_that_nobody_has_to_confirm() -> None:
    given = facts({"notify_by": "sns"})
    subscription = only(given, Place.SUBSCRIPTION)
    assert (subscription.seat, subscription.account) == (Seat.OPERATOR, OURS)
    assert subscription.document["TopicArn"] == only(given, Place.TOPIC_POLICY).target
    assert sending(given)["Condition"] == {"ArnEquals": {"aws:SourceArn": subscription.document["TopicArn"]}}


def test_a_rule_of_the_customer_sends_as_a_role_that_the_queue_names() -> None:
    given = facts({"notify_by": "eventbridge"})
    rule, trust, send = (only(given, place) for place in (Place.RULE, Place.ROLE_TRUST, Place.ROLE_POLICY))
    [target] = rule.document["Targets"]
    assert target["RoleArn"] == trust.target == send.target
    assert sending(given)["Principal"] == {"AWS": f"arn:aws:iam::{THEIRS}:root"}
    assert sending(given)["Condition"] == {"ArnEquals": {"aws:PrincipalArn": trust.target}}
    assert target["Arn"] == QUEUE == statements(send)[0]["Resource"]
    assert statements(trust)[0]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": THEIRS},
        "ArnEquals": {"aws:SourceArn": rule.target},
    }


def test_a_rule_of_our_own_account_sends_by_itself() -> None:
    given = facts({"auth_method": "default", "notify_by": "eventbridge"})
    rule = only(given, Place.RULE)
    assert rule.document["Targets"] == [{"Id": "tidegate", "Arn": QUEUE}], "with a role, AWS says, delivery may fail"
    assert at(given, Place.ROLE_TRUST) == []
    assert sending(given)["Condition"] == {"ArnEquals": {"aws:SourceArn": rule.target}}, "its ARN names the account"


def test_buckets_whose_keys_are_filtered_differently_have_rules_of_their_own_under_one_role() -> None:
    given = facts({"notify_by": "eventbridge"}, reads=(Read("acme-a", "in/"), Read("acme-b", "out/", removals=True)))
    first, second = at(given, Place.RULE)
    assert first.name != second.name
    assert first.document["EventPattern"]["detail"]["bucket"]["name"] == ["acme-a"]
    assert "Object Deleted" not in first.document["EventPattern"]["detail-type"]
    assert "Object Deleted" in second.document["EventPattern"]["detail-type"]
    trusted = statements(only(given, Place.ROLE_TRUST))[0]["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert trusted == [first.target, second.target]


def test_a_pattern_too_long_for_eventbridge_passes_the_whole_bucket() -> None:
    reads = tuple(Read("acme-exports", f"{n:03}{'x' * 40}/") for n in range(50))
    pattern = only(facts({"notify_by": "eventbridge"}, reads=reads), Place.RULE).document["EventPattern"]
    assert pattern["detail"] == {"bucket": {"name": ["acme-exports"]}}


def test_more_rules_than_a_trust_policy_can_name_become_one_for_all_buckets() -> None:
    def rules(count: int) -> list[Sheet]:
        reads = tuple(Read(f"acme-{n}", f"{n}/") for n in range(count))
        return at(facts({"notify_by": "eventbridge"}, reads=reads), Place.RULE)

    assert len(rules(10)) == 10
    [rule] = rules(11)
    assert rule.document["EventPattern"]["detail"] == {"bucket": {"name": [f"acme-{n}" for n in range(11)]}}


def test_more_buckets_than_a_rule_can_name_are_refused_with_advice() -> None:
    names = [f"{n:02}{'x' * 58}" for n in range(40)]
    with pytest.raises(ConfigError, match=r"2,048.*buckets"):
        sheets(facts({"notify_by": "eventbridge", "buckets": names}, reads=()))


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ({}, ("SenderAccounts", THEIRS)),
        ({"notify_by": "sns"}, ("SenderTopics", f"arn:aws:sns:us-east-1:{THEIRS}:tidegate-acme")),
        ({"notify_by": "eventbridge"}, ("SenderRoles", f"arn:aws:iam::{THEIRS}:role/tidegate-acme-events")),
        ({"notify_by": "none"}, None),
        ({"auth_method": "default"}, None),
        ({"bucket_owner": "any"}, None),
    ],
)
def test_the_operator_is_told_which_parameter_of_the_stack_lets_the_sender_in(
    way: dict[str, str], told: tuple[str, str] | None
) -> None:
    assert parameter(facts(way)) == told
    for sheet in at(facts(way), Place.QUEUE_POLICY):
        assert all(word in sheet.note for word in told or ())


def test_the_stack_has_these_parameters() -> None:
    resources = json.loads((Path(__file__).parents[3] / ".chalice" / "resources.json").read_text())
    assert set(PARAMETERS.values()) <= set(resources["Parameters"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_whoever_is_named_is_there_before_the_document_that_names_him(name: str) -> None:
    made = sheets(EXAMPLES[name])
    roles = [sheet.target for sheet in made if sheet.place in (Place.ROLE_TRUST, Place.TOPIC_POLICY)]
    for n, sheet in enumerate(made):
        for role in roles:
            if role in str(sheet.document.get("Statement", "")) and sheet.place is not Place.ROLE_POLICY:
                assert role in {before.target for before in made[: n + 1]}
    order = [sheet.kind for sheet in made if sheet.place in (Place.QUEUE_POLICY, Place.BUCKET_NOTIFICATION)]
    assert order == sorted(order, key=[Kind.QUEUE, Kind.NOTIFICATION].index)

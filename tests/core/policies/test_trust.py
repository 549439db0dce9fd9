"""Who may become the role that reads, and how they must ask (F2, F5, E27)."""

import pytest

from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Facts, Kind, Place, Seat, Sheet, statements
from chalicelib.errors import ConfigError
from tests.core.policies.examples import BETWEEN, EXTERNAL_ID, FUNCTIONS, INGEST, OTHERS, OURS, ROLE, THEIRS, facts


def trusting(given: Facts, target: str = ROLE) -> Sheet:
    [sheet] = [s for s in sheets(given) if s.kind is Kind.TRUST and s.target == target]
    return sheet


def principal(given: Facts, target: str = ROLE) -> object:
    return statements(trusting(given, target))[0]["Principal"]["AWS"]


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"role_arn": INGEST},
        {"through": {"type": "user", "user_arn": f"arn:aws:iam::{THEIRS}:user/u"}},
        {"through": BETWEEN},
        {"through": BETWEEN | {"principal": "session"}},
    ],
)
def test_whoever_assumes_the_role_that_reads_must_show_the_external_id(way: dict[str, object]) -> None:
    given = facts(way)
    first = statements(trusting(given, given.grant.connection.role))[0]  # type: ignore[union-attr]
    assert first["Action"] == "sts:AssumeRole"
    assert first["Condition"]["StringEquals"]["sts:ExternalId"] == EXTERNAL_ID


def test_a_customer_trusts_our_account_which_decides_by_itself_who_of_it_may() -> None:
    assert principal(facts()) == f"arn:aws:iam::{OURS}:root"


def test_a_role_of_our_own_trusts_our_functions_alone_for_each_connection_in_a_statement_of_its_own() -> None:
    sheet = trusting(facts({"role_arn": INGEST}), INGEST)
    assert sheet.seat is Seat.OPERATOR
    assert principal(facts({"role_arn": INGEST}), INGEST) == list(FUNCTIONS)
    other = trusting(facts({"role_arn": INGEST, "name": "bolt"}), INGEST)
    assert {s["Sid"] for s in statements(sheet)}.isdisjoint(s["Sid"] for s in statements(other))


def test_connections_that_share_a_customers_role_have_statements_of_their_own() -> None:
    asked = {"session_tags": {"team": "a"}, "source_identity": "tg"}
    one, other = (statements(trusting(facts({"name": name} | asked))) for name in ("acme", "bolt"))
    assert len(one) == 3
    assert {s["Sid"] for s in one}.isdisjoint(s["Sid"] for s in other)


def test_sessions_of_more_than_an_hour_need_a_role_that_gives_them() -> None:
    user = {"through": {"type": "user", "user_arn": f"arn:aws:iam::{THEIRS}:user/u"}}
    long = trusting(facts(user | {"duration_in_seconds": 7200}))
    assert long.session_seconds == 7200
    assert "maximum session duration must be 7200 seconds" in long.note
    assert trusting(facts(user)).session_seconds is None
    assert "maximum" not in trusting(facts(user)).note


def test_where_our_functions_are_not_known_our_account_stands_for_them() -> None:
    assert principal(facts({"role_arn": INGEST}, functions=()), INGEST) == f"arn:aws:iam::{OURS}:root"


def test_a_session_name_of_ones_own_is_demanded_and_the_usual_one_is_not() -> None:
    condition = statements(trusting(facts({"session_name": "acme"})))[0]["Condition"]["StringEquals"]
    assert condition["sts:RoleSessionName"] == "acme"
    assert "sts:RoleSessionName" not in statements(trusting(facts()))[0]["Condition"]["StringEquals"]


def test_session_tags_may_be_set_to_these_values_and_no_others() -> None:
    [_, tagging] = statements(trusting(facts({"session_tags": {"team": "a", "stage": "b"}})))
    assert tagging["Action"] == "sts:TagSession"
    assert tagging["Condition"] == {
        "StringEquals": {"aws:RequestTag/team": "a", "aws:RequestTag/stage": "b"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]},
    }


def test_a_source_identity_may_be_set_to_this_one_only() -> None:
    [_, setting] = statements(trusting(facts({"source_identity": "tg"})))
    assert (setting["Action"], setting["Condition"]) == (
        "sts:SetSourceIdentity",
        {"StringEquals": {"sts:SourceIdentity": "tg"}},
    )


def test_a_user_of_the_roles_account_needs_no_policy_and_one_of_another_account_does() -> None:
    def asked(account: str) -> list[Sheet]:
        user = f"arn:aws:iam::{account}:user/partners/u"
        given = facts({"through": {"type": "user", "user_arn": user}, "source_identity": "tg"})
        assert principal(given) == user
        return [sheet for sheet in sheets(given) if sheet.place is Place.USER_POLICY]

    assert asked(THEIRS) == []
    [sheet] = asked(OTHERS)
    assert sheet.account == OTHERS
    [statement] = statements(sheet)
    assert statement["Action"] == ["sts:AssumeRole", "sts:SetSourceIdentity"]
    assert statement["Resource"] == ROLE


def test_a_session_as_principal_is_named_without_the_path_of_its_role() -> None:
    through = BETWEEN | {"principal": "session"}
    connector = f"arn:aws:sts::{OURS}:assumed-role/ImportConnector"
    assert principal(facts({"through": through | {"session_name": "acme-import"}})) == f"{connector}/acme-import"
    assert (
        principal(facts({"through": through, "session_name": "of-the-connection"})) == f"{connector}/of-the-connection"
    )
    assert principal(facts({"through": BETWEEN})) == BETWEEN["role_arn"]


def test_a_role_in_between_is_ours_to_make_and_stands_before_the_customers() -> None:
    given = facts({"through": BETWEEN, "session_tags": {"a": "b"}})
    trust, role, customers = sheets(given)[:3]
    assert (trust.target, trust.seat, trust.place) == (BETWEEN["role_arn"], Seat.OPERATOR, Place.ROLE_TRUST)
    assert statements(trust)[0]["Principal"]["AWS"] == list(FUNCTIONS)
    assert "Condition" not in statements(trust)[0], "the customer's external id is not shown to it"
    assert statements(role)[0]["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert statements(role)[0]["Resource"] == ROLE
    assert customers.target == ROLE


def test_more_session_tags_than_a_trust_policy_has_room_for_are_refused_with_advice() -> None:
    tags = {f"key-{n:03}": "v" * 60 for n in range(30)}
    with pytest.raises(ConfigError, match=r"2,048.*session_tags"):
        sheets(facts({"session_tags": tags}))

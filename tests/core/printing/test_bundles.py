from dataclasses import replace

import pytest

from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Place, Seat
from chalicelib.core.printing import bundles
from chalicelib.core.printing.bundles import Holder, roles, users
from tests.core.printing.customers import KEEPER, OURS, THEIRS, facts, printed


def test_each_admin_gets_what_goes_into_one_account() -> None:
    found = [(bundle.seat, bundle.account) for bundle in printed(facts("KMS"))]
    assert found == [(Seat.CUSTOMER, THEIRS), (Seat.CUSTOMER, KEEPER), (Seat.OPERATOR, OURS)]


def test_what_belongs_to_nobody_that_we_know_goes_with_the_one_account_of_its_seat() -> None:
    first, *others = sheets(facts())
    (bundle, *_) = bundles("acme", (replace(first, account=None), *others))
    assert (bundle.account, first.document in [sheet.document for sheet in bundle.sheets]) == (THEIRS, True)


def test_with_two_accounts_it_stays_unknown() -> None:
    first, *others = sheets(facts("KMS"))
    assert None in [bundle.account for bundle in bundles("acme", (replace(first, account=None), *others))]


def test_a_role_has_its_trust_and_its_permissions() -> None:
    (role,) = roles(printed(facts())[0])
    assert role.trust is not None
    assert role.trust["Statement"][0]["Action"] == "sts:AssumeRole"
    assert [name for name, _ in role.policies] == ["tidegate-acme"]


def test_a_user_is_there_already() -> None:
    (bundle, *_) = printed(facts("pasted keys"))
    (user,) = users(bundle)
    assert (user.trust, user.name) == (None, None)
    assert bundle.at(Place.USER_POLICY)[0].document == user.policies[0][1]


@pytest.mark.parametrize(
    ("arn", "name", "path"),
    [
        ("arn:aws:iam::222222222222:role/reader", "reader", "/"),
        ("arn:aws:iam::222222222222:role/partners/eu/reader", "reader", "/partners/eu/"),
        ("arn:aws-cn:iam::222222222222:user/u", "u", "/"),
        ("the user whose keys are used", None, "/"),
    ],
)
def test_an_arn_tells_name_and_path(arn: str, name: str | None, path: str) -> None:
    holder = Holder(arn, None, ())
    assert (holder.name, holder.path) == (name, path)

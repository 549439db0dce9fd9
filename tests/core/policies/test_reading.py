"""What the reader, the bucket and the key must allow (F6, F7, F8, F16, F17)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.policies.recipes import Recipe, absence, recipe, sheets
from chalicelib.core.policies.sheets import Facts, Kind, Place, Read, Seat, Sheet
from chalicelib.core.policies.statements import literal
from chalicelib.errors import ConfigError
from tests.core.policies.evaluation import allowed
from tests.core.policies.examples import EXAMPLES, FUNCTIONS, INGEST, KEY, OTHERS, OURS, ROLE, THEIRS, facts


def of(given: Facts, kind: Kind) -> list[Sheet]:
    return [sheet for sheet in sheets(given) if sheet.kind is kind]


def statement(sheet: Sheet, sid: str) -> dict[str, Any]:
    [found] = [s for s in sheet.document["Statement"] if s["Sid"] == sid]
    return found


def test_characters_that_mean_something_to_iam_are_escaped() -> None:
    assert literal("a*b?c$d${e}") == "a${*}b${?}c${$}d${$}{e}"
    [role] = of(facts(reads=(Read("acme", "a*b/"),)), Kind.ROLE)
    assert statement(role, "ListBucket")["Condition"] == {"StringLike": {"s3:prefix": ["a${*}b/*"]}}
    assert statement(role, "ReadObjects")["Resource"] == ["arn:aws:s3:::acme/a${*}b/*"]


def test_a_bucket_that_is_called_a_star_is_not_any_bucket() -> None:
    [role] = of(facts({"buckets": ["*"]}), Kind.ROLE)
    assert statement(role, "ListBucket")["Resource"] == ["arn:aws:s3:::${*}"]


def test_prefixes_of_one_bucket_do_not_open_another() -> None:
    reads = (Read("acme-a", "in/"), Read("acme-b", "out/"))
    [role] = of(facts(reads=reads), Kind.ROLE)
    assert allowed(role.document, "s3:GetObject", "acme-a", key="in/x")
    assert not allowed(role.document, "s3:GetObject", "acme-a", key="out/x")
    assert not allowed(role.document, "s3:ListBucket", "acme-b", prefix="in/")


def test_what_the_connection_declares_goes_before_what_pipelines_read() -> None:
    declared = {"buckets": ["acme-a", "acme-b"], "prefixes": ["in/"]}
    [role] = of(facts(declared, reads=(Read("acme-a", "in/x/"),)), Kind.ROLE)
    assert statement(role, "ReadObjects")["Resource"] == ["arn:aws:s3:::acme-a/in/*", "arn:aws:s3:::acme-b/in/*"]


def test_without_a_bucket_any_bucket_is_meant_and_no_bucket_can_name_us() -> None:
    [role] = of(facts(reads=()), Kind.ROLE)
    assert statement(role, "ReadObjects")["Resource"] == ["arn:aws:s3:::*/*"]
    assert of(facts(reads=()), Kind.BUCKET) == []
    assert "buckets" in absence(facts(reads=()), Kind.BUCKET)


def test_without_leave_to_list_nobody_is_asked_to_give_it() -> None:
    for sheet in sheets(facts({"can_list": False})):
        assert "s3:ListBucket" not in str(sheet.document)


def test_a_role_that_reads_another_accounts_bucket_reads_it_only_as_long_as_that_account_owns_it() -> None:
    [role] = of(facts({"bucket_owner": OTHERS}), Kind.ROLE)
    for each in role.document["Statement"]:
        assert each["Condition"]["StringEquals"] == {"aws:ResourceAccount": OTHERS}
    assert "aws:ResourceAccount" not in str(of(facts(), Kind.ROLE)[0].document)


@pytest.mark.parametrize(
    ("way", "needed"),
    [
        ({}, False),
        ({"bucket_owner": OTHERS}, True),
        ({"bucket_owner": "any"}, False),
        ({"role_arn": INGEST}, True),
        ({"role_arn": INGEST, "bucket_owner": OURS}, False),
        ({"auth_method": "default"}, False),
        ({"auth_method": "default", "bucket_owner": THEIRS}, True),
    ],
)
def test_a_buckets_policy_is_needed_where_reader_and_bucket_are_of_two_accounts(
    way: dict[str, str], needed: bool
) -> None:
    [sheet] = of(facts(way), Kind.BUCKET)
    assert sheet.needed is needed
    assert ("aws/s3" in sheet.note) is needed
    assert ("Deny" in sheet.note) is not needed


def test_a_bucket_for_our_functions_names_their_roles_and_each_has_a_policy_too() -> None:
    given = facts({"auth_method": "default", "bucket_owner": THEIRS})
    assert [sheet.target for sheet in of(given, Kind.ROLE)] == list(FUNCTIONS)
    [bucket] = of(given, Kind.BUCKET)
    assert (bucket.seat, bucket.account) == (Seat.CUSTOMER, THEIRS)
    assert {str(s["Principal"]) for s in bucket.document["Statement"]} == {str({"AWS": list(FUNCTIONS)})}


def test_pasted_keys_get_a_users_policy_and_nobody_can_name_them() -> None:
    given = facts({"auth_method": "session", "kms_keys": [KEY]})
    [user] = of(given, Kind.ROLE)
    assert (user.place, user.seat, user.account) == (Place.USER_POLICY, Seat.CUSTOMER, None)
    assert statement(user, "DecryptObjects")["Resource"] == KEY
    assert of(given, Kind.BUCKET) == of(given, Kind.KMS) == of(given, Kind.TRUST) == []
    assert "role" in absence(given, Kind.KMS)
    [own] = of(facts({"auth_method": "profile"}), Kind.ROLE)
    assert own.seat is Seat.OPERATOR


def test_for_a_public_bucket_nothing_is_granted_and_it_is_said_why() -> None:
    given = facts({"auth_method": "anonymous", "kms_keys": [KEY]})
    for kind in (Kind.TRUST, Kind.ROLE, Kind.BUCKET, Kind.KMS):
        assert of(given, kind) == []
    assert "public" in absence(given, Kind.BUCKET)


def test_a_key_lets_the_reader_decrypt_through_s3_of_its_region_and_nothing_more() -> None:
    [key] = of(facts({"kms_keys": [KEY]}), Kind.KMS)
    assert key.document["Statement"] == [
        {
            "Sid": "TidegateDecryptObjectsAcme",
            "Effect": "Allow",
            "Principal": {"AWS": ROLE},
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
        }
    ]
    assert (key.target, key.account, key.needed) == (KEY, THEIRS, False)


def test_a_key_of_another_account_than_the_readers_must_name_it() -> None:
    [key] = of(facts({"kms_keys": [KEY.replace(THEIRS, OTHERS)]}), Kind.KMS)
    assert (key.account, key.needed) == (OTHERS, True)


def test_keys_of_several_regions_are_used_through_s3_of_each() -> None:
    keys = [KEY, KEY.replace("us-east-1", "eu-west-1"), KEY + "0"]
    [role] = of(facts({"kms_keys": keys}), Kind.ROLE)
    assert statement(role, "DecryptObjects")["Condition"]["StringEquals"]["kms:ViaService"] == [
        "s3.us-east-1.amazonaws.com",
        "s3.eu-west-1.amazonaws.com",
    ]


def test_policies_that_aws_would_not_take_for_their_length_are_refused_with_advice() -> None:
    def prefixes(count: int) -> dict[str, Any]:
        return {"prefixes": [f"{n:04}{'x' * 60}/" for n in range(count)]}

    with pytest.raises(ConfigError, match=r"10,240.*prefixes"):
        sheets(facts(prefixes(100)))
    with pytest.raises(ConfigError, match=r"6,144.*prefixes"):
        sheets(facts({"auth_method": "basic", **prefixes(50)}))
    [long] = of(facts({"auth_method": "basic", **prefixes(20)}), Kind.ROLE)
    assert "managed policy" in long.note
    [short] = of(facts({"auth_method": "basic", **prefixes(2)}), Kind.ROLE)
    assert short.note == ""


@given(st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}\Z"))
def test_what_is_made_for_a_connection_has_a_name_that_aws_takes(name: str) -> None:
    for by in ("sns", "eventbridge"):
        for sheet in sheets(facts({"name": name, "notify_by": by})):
            assert len(sheet.name) <= 64
            assert all(char.isascii() and (char.isalnum() or char in "-_") for char in sheet.name)
            if sheet.place is Place.ROLE_TRUST:
                assert len(sheet.target.rpartition("/")[2]) <= 64


def test_two_connections_never_make_things_of_one_name() -> None:
    names = ["a.b", "a-b", "a_b", "acme", "Acme", "x" * 90, "x" * 91, "x" * 49 + ".", "x" * 49 + "-"]
    made = [next(s.name for s in sheets(facts({"name": name})) if s.place is Place.ROLE_POLICY) for name in names]
    assert len({name.lower() for name in made}) == len(names), "to IAM, capital and small letters are the same"


def test_every_recipe_has_an_example() -> None:
    assert {recipe(example) for example in EXAMPLES.values()} == set(Recipe)


@pytest.mark.parametrize("name", EXAMPLES)
def test_where_there_is_no_sheet_of_a_kind_it_is_said_why(name: str) -> None:
    given = EXAMPLES[name]
    for kind in set(Kind) - {sheet.kind for sheet in sheets(given)}:
        assert absence(given, kind).startswith("connection acme ")

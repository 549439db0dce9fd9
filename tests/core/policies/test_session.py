"""What is left of a role while one pipeline reads."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.policies.session import SESSION_POLICY_LIMIT, passage, session
from chalicelib.core.policies.statements import compact
from tests.core.policies.evaluation import allowed


def test_a_session_is_cut_down_to_one_bucket_and_prefix() -> None:
    assert compact(session("acme", "in/")) == (
        '{"Version":"2012-10-17","Statement":['
        '{"Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:aws:s3:::acme"],'
        '"Condition":{"StringLike":{"s3:prefix":["in/*"]}}},'
        '{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":["arn:aws:s3:::acme/in/*"]},'
        '{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*",'
        '"Condition":{"StringLike":{"kms:ViaService":"s3.*.amazonaws.com*"}}}]}'
    )


def test_a_session_holds_for_buckets_of_the_expected_owner_only() -> None:
    listing, reading, decrypting = session("acme", "in/", owner="222222222222")["Statement"]
    owned = {"StringEquals": {"aws:ResourceAccount": "222222222222"}}
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["in/*"]}} | owned
    assert reading["Condition"] == owned
    assert "StringEquals" not in decrypting["Condition"], "the key may be another account's"


def test_a_session_policy_is_ascii_whatever_the_prefix() -> None:
    assert compact(session("acme", "日本/é")).isascii()


def test_the_longest_prefix_still_makes_a_session_policy_that_aws_takes() -> None:
    prefix = "日" * 341  # 1,023 bytes
    policy = session("a" * 63, prefix, tags=True, partition="aws-us-gov", owner="222222222222")
    assert len(compact(policy)) <= SESSION_POLICY_LIMIT
    [start] = policy["Statement"][0]["Condition"]["StringLike"]["s3:prefix"]
    assert len(start) > 50
    assert prefix.startswith(start.removesuffix("*"))


@given(st.text(max_size=1024), st.booleans(), st.sampled_from([None, "222222222222"]))
def test_no_prefix_makes_a_session_policy_too_long_or_too_narrow(prefix: str, tags: bool, owner: str | None) -> None:
    policy = session("a" * 63, prefix, tags=tags, owner=owner)
    assert len(compact(policy)) <= SESSION_POLICY_LIMIT
    assert allowed(policy, "s3:GetObject", "a" * 63, key=f"{prefix}x")
    assert allowed(policy, "s3:ListBucket", "a" * 63, prefix=prefix)
    assert not allowed(policy, "s3:GetObject", "b" * 63, key=f"{prefix}x")


def test_tags_are_read_only_where_they_are_asked_for() -> None:
    assert not allowed(session("acme", "in/"), "s3:GetObjectTagging", "acme", key="in/x")
    assert allowed(session("acme", "in/", tags=True), "s3:GetObjectTagging", "acme", key="in/x")
    assert allowed(session("acme", "in/", tags=True), "s3:GetObjectVersionTagging", "acme", key="in/x")
    assert len(compact(session("acme", "*" * 1000, tags=True))) <= SESSION_POLICY_LIMIT


def test_a_session_of_a_role_in_between_may_only_assume_the_role_behind_it() -> None:
    [statement] = passage("arn:aws:iam::222222222222:role/reader")["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Resource": "arn:aws:iam::222222222222:role/reader",
    }

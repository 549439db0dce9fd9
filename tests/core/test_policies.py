from chalicelib.core import policies

ROLE = "arn:aws:iam::111122223333:role/tidegate-load"


def test_the_trust_policy_names_us_and_the_external_id() -> None:
    assert policies.trust(ROLE, "e" * 64) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": ROLE},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "e" * 64}},
            }
        ],
    }


def test_the_role_may_list_and_read_what_is_declared_and_nothing_else() -> None:
    assert policies.role(["acme-logs", "acme-exports"], ["in/", "out/"], partition="aws-cn") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": ["arn:aws-cn:s3:::acme-logs", "arn:aws-cn:s3:::acme-exports"],
                "Condition": {"StringLike": {"s3:prefix": ["in/*", "out/*"]}},
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": [
                    "arn:aws-cn:s3:::acme-logs/in/*",
                    "arn:aws-cn:s3:::acme-logs/out/*",
                    "arn:aws-cn:s3:::acme-exports/in/*",
                    "arn:aws-cn:s3:::acme-exports/out/*",
                ],
            },
        ],
    }


def test_without_a_prefix_the_whole_bucket_is_meant() -> None:
    listing, reading = policies.role(["acme"])["Statement"]
    assert "Condition" not in listing
    assert reading["Resource"] == ["arn:aws:s3:::acme/*"]


def test_without_a_bucket_any_bucket_is_meant() -> None:
    listing, reading = policies.role([])["Statement"]
    assert listing["Resource"] == ["arn:aws:s3:::*"]
    assert reading["Resource"] == ["arn:aws:s3:::*/*"]


def test_a_session_is_cut_down_to_one_bucket_and_prefix() -> None:
    assert policies.compact(policies.session("acme", "in/")) == (
        '{"Version":"2012-10-17","Statement":['
        '{"Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:aws:s3:::acme"],'
        '"Condition":{"StringLike":{"s3:prefix":["in/*"]}}},'
        '{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":["arn:aws:s3:::acme/in/*"]},'
        '{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*",'
        '"Condition":{"StringLike":{"kms:ViaService":"s3.*.amazonaws.com*"}}}]}'
    )


def test_characters_that_mean_something_to_iam_are_escaped() -> None:
    assert policies.literal("a*b?c$d${e}") == "a${*}b${?}c${$}d${$}{e}"
    listing, reading = policies.role(["acme"], ["a*b/"])["Statement"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["a${*}b/*"]}}
    assert reading["Resource"] == ["arn:aws:s3:::acme/a${*}b/*"]


def test_a_session_policy_is_ascii_whatever_the_prefix() -> None:
    assert policies.compact(policies.session("acme", "日本/é")).isascii()


def test_the_longest_prefix_still_makes_a_session_policy_that_aws_takes() -> None:
    prefix = "日" * 341  # 1,023 bytes
    policy = policies.session("a" * 63, prefix)
    assert len(policies.compact(policy)) <= policies.SESSION_POLICY_LIMIT
    [start] = policy["Statement"][0]["Condition"]["StringLike"]["s3:prefix"]
    assert len(start) > 50
    assert prefix.startswith(start.removesuffix("*"))


def test_tags_are_read_only_where_they_are_asked_for() -> None:
    read = ["s3:GetObject", "s3:GetObjectVersion"]
    tags = ["s3:GetObjectTagging", "s3:GetObjectVersionTagging"]
    assert policies.role(["acme"])["Statement"][1]["Action"] == read
    assert policies.role(["acme"], tags=True)["Statement"][1]["Action"] == read + tags
    assert policies.session("acme", "in/", tags=True)["Statement"][1] == {
        "Effect": "Allow",
        "Action": read + tags,
        "Resource": ["arn:aws:s3:::acme/in/*"],
    }
    assert len(policies.compact(policies.session("acme", "*" * 1000, tags=True))) <= policies.SESSION_POLICY_LIMIT

"""Connections: both spellings of a role, and what STS would refuse, refused before it is asked (F1-F4, F17)."""

from typing import Any

import pytest

from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.access.way import Way
from chalicelib.config.connection import METHODS, parse_connection
from chalicelib.config.pipeline import Pipeline
from chalicelib.errors import ConfigError

ARN = "arn:aws:iam::111122223333:role/tidegate"


def connection(**changes: Any) -> AssumeRole:
    fields = {"name": "acme", "role_arn": ARN} | changes
    given = {name: value for name, value in fields.items() if value is not None}
    spec = parse_connection(given, where="c.yml")
    assert isinstance(spec, AssumeRole)
    return spec


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        connection(**changes)
    assert caught.value.where == "c.yml"
    return caught.value.what


@pytest.mark.parametrize(
    ("changes", "arn"),
    [
        ({}, ARN),
        ({"role_arn": "arn:aws-cn:iam::111122223333:role/a/b/c"}, "arn:aws-cn:iam::111122223333:role/a/b/c"),
        ({"role_arn": None, "account_id": "111122223333", "role_name": "tidegate"}, ARN),
        ({"role_arn": None, "account_id": "111122223333", "role_name": "/a/b"}, "arn:aws:iam::111122223333:role/a/b"),
        (
            {"role_arn": None, "account_id": "111122223333", "role_name": "r", "arn_partition": "aws-us-gov"},
            "arn:aws-us-gov:iam::111122223333:role/r",
        ),
    ],
)
def test_either_spelling_names_the_role(changes: dict[str, Any], arn: str) -> None:
    spec = connection(**changes)
    assert (spec.role, spec.account) == (arn, "111122223333")
    assert parse_connection(spec.document(), where="again") == spec


@pytest.mark.parametrize(
    "changes",
    [
        {"role_arn": None},
        {"role_arn": None, "account_id": "111122223333"},
        {"role_arn": None, "role_name": "r"},
        {"account_id": "111122223333", "role_name": "r"},
        {"role_name": "r"},
    ],
    ids=["none", "no name", "no account", "both", "both by half"],
)
def test_exactly_one_spelling_is_given(changes: dict[str, Any]) -> None:
    said = refusal(**changes)
    assert "role_arn" in said
    assert "account_id and role_name" in said


@pytest.mark.parametrize(
    "arn",
    [
        "tidegate",
        "arn:aws:iam::111122223333:user/x",
        "arn:aws:iam::11112222333:role/x",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role/a b",
        "arn:aws:sts::111122223333:assumed-role/x/y",
        "arn:gcp:iam::111122223333:role/x",
        f"{ARN}\n",
        f" {ARN}",
        "arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/x",
        "arn:aws:iam::111122223333:role/é",
    ],
)
def test_what_is_no_arn_of_a_role_is_refused(arn: str) -> None:
    assert refusal(role_arn=arn).startswith("role_arn")


@pytest.mark.parametrize("account", ["1", "1111222233334", "11112222333a", "١١١١٢٢٢٢٣٣٣٣"])
def test_what_is_no_account_id_is_refused(account: str) -> None:
    assert "account_id" in refusal(role_arn=None, account_id=account, role_name="r")


@pytest.mark.parametrize("seconds", [900, 3600])
def test_a_session_lasts_a_quarter_of_an_hour_to_an_hour(seconds: int) -> None:
    assert connection(duration_in_seconds=seconds).duration_in_seconds == seconds


@pytest.mark.parametrize("seconds", [0, 899, 3601, 43_200, "long"])
def test_any_other_duration_is_refused(seconds: Any) -> None:
    assert "duration_in_seconds" in refusal(duration_in_seconds=seconds)


@pytest.mark.parametrize("name", ["ab", "a" * 64, "a=b,c.d@e-f+g_h"])
def test_a_session_may_have_any_name_that_sts_takes(name: str) -> None:
    assert connection(session_name=name).session_name == name


@pytest.mark.parametrize("name", ["a", "a" * 65, "a b", "a/b", "", "ab\n", "a:b", "セッション", "é" * 3])
def test_any_other_session_name_is_refused(name: str) -> None:
    assert refusal(session_name=name).startswith("session_name")


@pytest.mark.parametrize("name", ["-acme", "a b", "", "a/b", "x" * 101])
def test_a_connection_has_a_plain_name(name: str) -> None:
    assert refusal(name=name).startswith("name")


@pytest.mark.parametrize("region", ["us-east-1", "ap-northeast-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1"])
def test_a_region_is_a_regions_name(region: str) -> None:
    assert connection(region=region).region == region


@pytest.mark.parametrize("region", ["Tokyo", "us-east", "us east 1", "us-east-1a", ""])
def test_any_other_region_is_refused(region: str) -> None:
    assert refusal(region=region).startswith("region")


@pytest.mark.parametrize(
    ("key", "hint"), [("role_anr", "did you mean role_arn?"), ("external_id", "known here: account_id")]
)
def test_an_unknown_key_is_refused(key: str, hint: str) -> None:
    said = refusal(**{key: "x"})
    assert f"{key} is not a known key" in said
    assert hint in said


@pytest.mark.parametrize(
    ("limits", "bucket", "prefix", "refused"),
    [
        ({}, "any", "", False),
        ({"buckets": ["acme"]}, "acme", "", False),
        ({"buckets": ["acme"]}, "acme2", "", True),
        ({"prefixes": ["in/"]}, "acme", "in/", False),
        ({"prefixes": ["in/"]}, "acme", "in/deep/", False),
        ({"prefixes": ["in/"]}, "acme", "in", True),
        ({"prefixes": ["in/"]}, "acme", "", True),
        ({"prefixes": ["in/", "out/"]}, "acme", "out/x", False),
        ({"buckets": ["acme"], "prefixes": ["in/"]}, "acme", "out/", True),
    ],
)
def test_a_pipeline_stays_within_what_the_connection_declares(
    limits: dict[str, Any], bucket: str, prefix: str, refused: bool
) -> None:
    said = connection(**limits).refusal(bucket, prefix, owner=None)
    assert (said is not None) is refused
    if said:
        assert "acme" in said


@pytest.mark.parametrize(
    ("ours", "theirs", "refused"),
    [
        (None, None, False),
        (None, "bob", False),
        ("alice", "alice", False),
        ("alice", "bob", True),
        ("alice", None, True),
    ],
)
def test_an_owners_connection_takes_the_owners_pipelines(ours: str | None, theirs: str | None, refused: bool) -> None:
    said = connection(owner=ours).refusal("acme", "in/", owner=theirs)
    assert (said is not None) is refused
    if said:
        assert "connection acme is for pipelines of alice" in said


# methods

MINIMAL: dict[str, dict[str, Any]] = {method: {} for method in METHODS} | {"assume_role": {"role_arn": ARN}}
SHARED = {*Way.model_fields, "auth_method"}
OWN = {"assume_role": sorted(AssumeRole.model_fields.keys() - SHARED), "profile": ["profile_name"]}
SECRETS = ("access_key_id", "secret_access_key", "session_token", "aws_access_key_id", "aws_secret_access_key")


def parsed(document: dict[str, Any]) -> Any:
    return parse_connection({"name": "acme", **document}, where="c.yml")


def said_of(document: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(document)
    assert PLANTED not in str(caught.value)
    return caught.value.what


PLANTED = "planted/secret+value"


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_told_by_its_name_and_needs_little(method: str) -> None:
    made = parsed({"auth_method": method, **MINIMAL[method]})
    assert type(made) is METHODS[method]
    assert made.auth_method == method
    assert parse_connection({"auth_method": method, **made.document()}, where="again") == made


def test_without_a_method_it_is_a_role() -> None:
    assert parsed({"role_arn": ARN}).auth_method == "assume_role"


@pytest.mark.parametrize("word", ["instance", "", PLANTED, None, 7, ["basic"]])
def test_any_other_method_is_refused_with_those_there_are(word: Any) -> None:
    assert said_of({"auth_method": word}) == f"auth_method is not one of {', '.join(METHODS)}"


@pytest.mark.parametrize(
    ("method", "key", "owner"),
    [(method, key, owner) for owner, keys in OWN.items() for key in keys for method in METHODS if method != owner],
)
def test_a_key_of_another_method_is_refused_by_name(method: str, key: str, owner: str) -> None:
    said = said_of({"auth_method": method, **MINIMAL[method], key: PLANTED})
    assert f"{key} is a key of {owner}, not of {method}" in said


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_in_a_document_is_refused_and_not_repeated(method: str, key: str) -> None:
    said = said_of({"auth_method": method, **MINIMAL[method], key: PLANTED})
    assert f"{key} does not belong into a document" in said


@pytest.mark.parametrize(
    "nested",
    [
        {"http_proxy": {"host": "proxy.example", "password": PLANTED}},
        {"http_proxy": {"host": "proxy.example", "proxy_password": PLANTED}},
        {"http_proxy": f"https://user:{PLANTED}@proxy.example"},
        {"http_proxy": {"host": f"user:{PLANTED}@proxy.example"}},
        {"through": {"type": "user", "user_arn": "arn:aws:iam::111122223333:user/u", "secret_access_key": PLANTED}},
        {"through": {"type": PLANTED}},
        {"endpoint": f"https://user:{PLANTED}@host"},
        {"keys": {"secret_access_key": PLANTED}},
        {"password": PLANTED},
        {"proxy_password": PLANTED},
        {"session_tags": [PLANTED]},
        {"duration_in_seconds": PLANTED},
        {"region": PLANTED},
        {"secret_store": PLANTED},
    ],
)
def test_a_secret_anywhere_else_is_refused_and_not_repeated(nested: dict[str, Any]) -> None:
    assert said_of({"role_arn": ARN, **nested})


@pytest.mark.parametrize("method", METHODS)
def test_an_external_id_is_never_chosen(method: str) -> None:
    assert "external_id is not a known key" in said_of(
        {"auth_method": method, **MINIMAL[method], "external_id": PLANTED}
    )


# what is in between


USER = {"type": "user", "user_arn": "arn:aws:iam::111122223333:user/dataloop"}
ROLE = {"type": "role", "role_arn": "arn:aws:iam::999999999999:role/ingest"}


def test_through_a_user_a_session_may_last_twelve_hours() -> None:
    assert connection(through=USER, duration_in_seconds=43_200).needs_keys
    assert "43200" in refusal(through=USER, duration_in_seconds=43_201)
    assert "one hour" in refusal(through=ROLE, duration_in_seconds=3601)


@pytest.mark.parametrize(
    ("through", "words"),
    [
        ({"type": "user"}, "through.user_arn is required"),
        ({"type": "user", "user_arn": ARN}, "through.user_arn"),
        ({"type": "role", "role_arn": "arn:aws:iam::111122223333:user/u"}, "through.role_arn"),
        ({**ROLE, "principal": "user"}, "through.principal"),
        ({**ROLE, "session_name": "a b"}, "through.session_name"),
        ({**USER, "session_name": "ab"}, "through.session_name is not a known key"),
        ({"user_arn": USER["user_arn"]}, "through.type is required: one of role, user"),
        ({"type": "group"}, "through.type is not one of role, user"),
    ],
)
def test_what_is_in_between_is_a_user_or_a_role(through: dict[str, Any], words: str) -> None:
    assert words in refusal(through=through)


# the way there


@pytest.mark.parametrize(
    "endpoint", ["https://minio.internal:9000", "http://10.0.0.5", "https://[fd00::1]:9000/", "https://s3.example"]
)
def test_an_endpoint_is_an_address(endpoint: str) -> None:
    assert connection(endpoint=endpoint).endpoint == endpoint.rstrip("/")


@pytest.mark.parametrize(
    "endpoint", ["minio", "ftp://minio", "https://u:p@minio", "https://minio/path", "https://minio?x", "https:// ", ""]
)
def test_any_other_endpoint_is_refused(endpoint: str) -> None:
    assert refusal(endpoint=endpoint).startswith("endpoint")


@pytest.mark.parametrize("host", ["https://proxy", "u@proxy", "proxy/x", "proxy:3128", ""])
def test_a_proxy_is_a_host(host: str) -> None:
    assert refusal(http_proxy={"host": host}).startswith("http_proxy.host")


def test_only_a_proxys_user_needs_a_password() -> None:
    assert not connection(http_proxy={"host": "proxy.example", "port": 3128}).needs_keys
    assert connection(http_proxy={"host": "proxy.example", "user": "u"}).needs_keys


@pytest.mark.parametrize(
    "key",
    [
        "alias/x",
        "1234abcd",
        "arn:aws:kms:eu-west-1:222222222222:alias/x",
        "arn:aws:kms::222222222222:key/1234",
        "arn:aws:kms:eu-west-1:222222222222:key/1234 ",
    ],
)
def test_a_kms_key_is_an_arn_and_no_alias(key: str) -> None:
    assert refusal(kms_keys=[key]).startswith("kms_keys")
    good = "arn:aws-cn:kms:cn-north-1:222222222222:key/12345678-1234"
    assert connection(kms_keys=[good]).kms_keys == (good,)


@pytest.mark.parametrize(
    ("changes", "ours", "owner"),
    [
        ({}, None, "111122223333"),
        ({}, "111122223333", None),
        ({"bucket_owner": "444455556666"}, None, "444455556666"),
        ({"bucket_owner": "444455556666"}, "444455556666", "444455556666"),
        ({"bucket_owner": "any"}, None, None),
    ],
)
def test_the_owner_of_the_buckets_is_the_roles_account_or_as_declared(
    changes: dict[str, Any], ours: str | None, owner: str | None
) -> None:
    assert connection(**changes).expected_owner(ours) == owner


@pytest.mark.parametrize("owner", ["1234", "nobody", "1111222233334"])
def test_any_other_bucket_owner_is_refused(owner: str) -> None:
    assert refusal(bucket_owner=owner).startswith("bucket_owner")


# a pipeline names its connection, and says nothing else of it


@pytest.mark.parametrize(
    "key",
    sorted({key for method in METHODS.values() for key in method.model_fields} - {"name", "owner"} | set(SECRETS)),
)
def test_keys_of_a_connection_in_a_pipeline_are_refused_and_not_repeated(key: str) -> None:
    reading = {"bucket": "acme-exports", "parser": {"type": "csv"}}
    out = {"type": "iceberg", "database": "travel", "table": "flights"}
    for document in (
        {"name": "p", "connection": "acme", "in": reading, "out": out, key: PLANTED},
        {"name": "p", "connection": "acme", "in": {**reading, key: PLANTED}, "out": out},
    ):
        with pytest.raises(ConfigError) as caught:
            Pipeline.parse(document, where="load.yml")
        assert f"{key} is not a known key" in caught.value.what
        assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"role_arn": "reader"}, "role_arn does not look like arn:aws:iam::222222222222:role/reader"),
        ({"through": {"type": "user", "user_arn": "x"}}, "user_arn does not look like arn:aws:iam::222222222222:user/"),
        ({"through": {"type": "role", "role_arn": "x"}}, "role_arn does not look like arn:aws:iam::222222222222:role/"),
    ],
)
def test_who_mistypes_an_arn_is_shown_one(changes: dict[str, Any], said: str) -> None:
    document = {"name": "acme", "role_arn": "arn:aws:iam::222222222222:role/reader"} | changes
    with pytest.raises(ConfigError) as caught:
        parse_connection(document, where="test")
    assert said in str(caught.value)

import pytest

from chalicelib.config.connection import parse_connection
from chalicelib.core.addresses import address, aws_host
from chalicelib.errors import ConfigError

VPCE = "https://bucket.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com"


def connection(**fields: object):  # type: ignore[no-untyped-def]
    return parse_connection({"name": "acme", "auth_method": "anonymous"} | fields, where="test")


@pytest.mark.parametrize(
    ("fields", "operator", "bucket", "url"),
    [
        ({}, None, "acme", "https://acme.s3.us-east-1.amazonaws.com"),
        ({"region": "cn-north-1"}, None, "acme", "https://acme.s3.cn-north-1.amazonaws.com.cn"),
        ({"region": "us-gov-west-1"}, None, "acme", "https://acme.s3.us-gov-west-1.amazonaws.com"),
        ({}, None, "acme.exports", "https://s3.us-east-1.amazonaws.com/acme.exports"),
        ({"addressing_style": "path"}, None, "acme", "https://s3.us-east-1.amazonaws.com/acme"),
        ({"use_fips_endpoint": True}, None, "acme", "https://acme.s3-fips.us-east-1.amazonaws.com"),
        ({"use_dualstack_endpoint": True}, None, "acme", "https://acme.s3.dualstack.us-east-1.amazonaws.com"),
        (
            {"use_fips_endpoint": True, "use_dualstack_endpoint": True},
            None,
            "acme",
            "https://acme.s3-fips.dualstack.us-east-1.amazonaws.com",
        ),
        ({"endpoint": VPCE}, None, "acme", f"{VPCE}/acme"),
        ({"endpoint": VPCE, "addressing_style": "virtual"}, None, "acme", VPCE.replace("//", "//acme.")),
        ({"endpoint": VPCE, "addressing_style": "virtual"}, None, "acme.x", f"{VPCE}/acme.x"),
        ({}, "http://127.0.0.1:4566/", "acme", "http://127.0.0.1:4566/acme"),
        ({"addressing_style": "virtual"}, "http://127.0.0.1:4566", "acme", "http://127.0.0.1:4566/acme"),
        ({"addressing_style": "virtual"}, "http://store.example", "acme", "http://acme.store.example"),
        ({"addressing_style": "virtual"}, "http://store.example", "acme.x", "http://acme.x.store.example"),
        ({"addressing_style": "virtual"}, "https://store.example", "10.0.0.1", "https://store.example/10.0.0.1"),
        ({"endpoint": "https://mine.example"}, "http://127.0.0.1:4566", "acme", "https://mine.example/acme"),
        ({}, "https://store.example/s3", "acme", "https://store.example/s3/acme"),
    ],
)
def test_a_bucket_is_where_connection_and_operator_say(
    fields: dict[str, object], operator: str | None, bucket: str, url: str
) -> None:
    assert address(connection(**fields), bucket, operator).url == url


def test_the_region_that_an_endpoint_of_aws_names_goes_before_the_connections() -> None:
    assert address(connection(endpoint=VPCE), "acme").region == "eu-west-1"
    old = connection(endpoint="https://s3-us-west-2.amazonaws.com")
    assert address(old, "acme").region == "us-west-2"
    assert address(connection(endpoint="https://store.example", region="eu-north-1"), "acme").region == "eu-north-1"


def test_china_has_no_fips_endpoints() -> None:
    with pytest.raises(ConfigError, match=r"FIPS.*China.*use_fips_endpoint"):
        address(connection(region="cn-north-1", use_fips_endpoint=True), "acme")


@pytest.mark.parametrize("flag", ["use_fips_endpoint", "use_dualstack_endpoint"])
def test_an_endpoint_and_a_kind_of_endpoint_are_two_answers_to_one_question(flag: str) -> None:
    with pytest.raises(ConfigError, match="one or the other"):
        connection(endpoint="https://store.example", **{flag: True})


@pytest.mark.parametrize("place", ["store.example:0", "store.example:65536", "store.example:99999", "[::::]", "[::1"])
def test_what_is_no_address_is_refused_with_the_document(place: str) -> None:
    with pytest.raises(ConfigError, match="endpoint"):
        connection(endpoint=f"https://{place}")


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("s3.amazonaws.com", True),
        ("s3.eu-west-1.amazonaws.com", True),
        ("s3-eu-west-1.amazonaws.com", True),
        ("s3.dualstack.us-gov-west-1.amazonaws.com", True),
        ("s3-fips.dualstack.us-east-1.amazonaws.com", True),
        ("s3.cn-north-1.amazonaws.com.cn", True),
        ("s3.us-east-1.api.aws", True),
        ("bucket.vpce-1a2b-3c4d.s3.us-east-1.vpce.amazonaws.com", True),
        ("vpce-1a2b-3c4d-us-east-1a.s3.us-east-1.vpce.amazonaws.com", True),
        ("evil.s3.us-east-1.amazonaws.com", False),  # a bucket's name: somebody's own content
        ("s3-website-us-east-1.amazonaws.com", False),
        ("s3-mine-12345.us-east-1.elb.amazonaws.com", False),  # somebody's load balancer
        ("a1b2c3.execute-api.us-east-1.amazonaws.com", False),  # somebody's API
        ("ec2-1-2-3-4.compute-1.amazonaws.com", False),  # somebody's machine
        ("s3.eu-west-1.amazonaws.com.evil.example", False),
        ("xs3.eu-west-1.amazonaws.com", False),
        ("s3.eu-west-1.amazonaws.com.", False),
    ],
)
def test_aws_is_s3_itself_and_not_all_that_runs_there(host: str, ours: bool) -> None:
    assert (aws_host(host) is not None) is ours

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.config.connection import parse_connection
from chalicelib.core.endpoints import Host, check, is_aws, is_own_affair
from chalicelib.errors import ConfigError
from chalicelib.settings import Settings

LIST = (
    "minio.internal:9000",
    "*.example.org",
    "http://plain.internal",
    "10.0.0.5",
    "[fd12::1]:9000",
    "http://127.0.0.1",
)
ALLOWED = tuple(map(Host.parse, LIST))


def connection(**fields: Any):  # type: ignore[no-untyped-def]
    return parse_connection({"name": "acme", "auth_method": "anonymous"} | fields, where="test")


def leads_astray(**fields: Any) -> bool:
    try:
        check(connection(**fields), ALLOWED)
    except ConfigError as error:
        assert "TIDEGATE_ENDPOINT_HOSTS" in error.remedy
        assert error.where == "connection acme"
        return True
    return False


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "https://s3.eu-west-1.amazonaws.com",
        "https://S3.EU-WEST-1.amazonaws.com/",
        "https://bucket.vpce-1a.s3.us-east-1.vpce.amazonaws.com",
        "https://minio.internal:9000",
        "https://a.example.org",
        "https://a.b.example.org:8443",
        "https://MINIO.internal:9000",
        "http://plain.internal:80",
        "https://plain.internal",
        "https://10.0.0.5",
        "https://10.0.0.5:9000",
        "https://[fd12::1]:9000",
        "https://[FD12:0::0001]:9000",
        "http://127.0.0.1:4566",
    ],
)
def test_aws_and_what_the_operator_lists_may_be_named(endpoint: str | None) -> None:
    assert not leads_astray(endpoint=endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://store.example.com",
        "https://example.org",  # not under itself
        "https://evilexample.org",
        "https://minio.internal",
        "https://minio.internal:9001",
        "http://minio.internal:9000",
        "http://s3.eu-west-1.amazonaws.com",
        "https://s3.eu-west-1.amazonaws.com:8443",
        "https://evil.s3.eu-west-1.amazonaws.com",
        "https://10.0.0.6",
        "https://localhost",
        "https://169.254.169.254",
        "http://169.254.169.254",
        "http://2130706433",
        "http://0x7f000001",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://127.1",
        "http://127.0.0.2",
        "http://0",
        "http://0.0.0.0",
        "http://[::1]",
        "http://[::]",
        "http://[::ffff:127.0.0.1]",
        "http://[::ffff:7f00:1]",
        "http://[fe80::1]",
        "http://[fd00:ec2::254]",
        "http://[fd12::2]:9000",
        "http://127.0.0.1.example.org.evil",
    ],
)
def test_nothing_else_is_named(endpoint: str) -> None:
    assert leads_astray(endpoint=endpoint)


@pytest.mark.parametrize(
    ("proxy", "astray"),
    [
        ({"host": "proxy.evil"}, True),
        ({"host": "s3.eu-west-1.amazonaws.com"}, True),  # no proxy of AWS's is known
        ({"host": "minio.internal", "port": 9000}, False),
        ({"host": "minio.internal", "port": 3128}, True),
        ({"host": "minio.internal", "port": 9000, "https": False}, True),
        ({"host": "plain.internal", "port": 3128, "https": False}, False),
        ({"host": "127.0.0.1", "port": 3128}, False),
        ({"host": "169.254.169.254"}, True),
        ({"host": "0x7f.1"}, True),
    ],
)
def test_a_proxy_is_always_the_operators(proxy: dict[str, Any], astray: bool) -> None:
    assert leads_astray(http_proxy=proxy) is astray


INNER = [
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("address", INNER)
def test_a_machines_own_affairs_are_never_spoken_to(address: str) -> None:
    assert is_own_affair(address, ())
    assert is_own_affair(address, [Host.parse("*.example.org")])


@pytest.mark.parametrize("address", ["10.0.0.1", "172.16.9.9", "192.168.1.1", "52.216.1.1", "fd12::1", "2600:1f18::1"])
def test_private_networks_are_where_vpc_endpoints_lie(address: str) -> None:
    assert not is_own_affair(address, ())


def test_an_inner_address_is_spoken_to_if_the_list_holds_that_very_address() -> None:
    assert not is_own_affair("127.0.0.1", ALLOWED)
    assert not is_own_affair("::ffff:127.0.0.1", ALLOWED)
    assert is_own_affair("127.0.0.2", ALLOWED)
    assert is_own_affair("127.0.0.1", [Host.parse("localhost")])  # a name is no address


@given(st.ip_addresses(v=4, network="169.254.0.0/16") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_no_wrapping_hides_an_inner_address(address: Any) -> None:
    number = int(address)
    wrapped = [f"::ffff:{address}", f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}"]
    wrapped.append(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::9")
    assert all(is_own_affair(each, ()) for each in (str(address), *wrapped))


@given(st.integers(0, 2**32 - 1))
def test_no_number_is_a_host_however_it_is_written(number: int) -> None:
    for host in (str(number), hex(number), f"0{number:o}", f"{number >> 24}.{number & 0xFFFFFF}"):
        assert leads_astray(endpoint=f"http://{host}")


@pytest.mark.parametrize(
    "text", ["*", "*.", "*.1", "*.10.0.0.1", "a b", "a/b", "ftp://a", "user@a", "0x7f.1", "127.1", "[zz]", "a:b", ""]
)
def test_an_entry_that_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        Host.parse(text)


def test_the_list_is_one_variable_with_commas() -> None:
    read = Settings.read({"TIDEGATE_ENDPOINT_HOSTS": "minio.internal:9000, http://10.0.0.5 ,"})
    assert read.allowed_hosts == (Host("minio.internal", 9000, False), Host("10.0.0.5", None, True))
    assert Settings.read({}).allowed_hosts == ()
    with pytest.raises(ConfigError, match="TIDEGATE_ENDPOINT_HOSTS"):
        Settings.read({"TIDEGATE_ENDPOINT_HOSTS": "*"})


def test_only_https_to_awss_own_port_is_aws() -> None:
    assert is_aws(connection())
    assert is_aws(connection(endpoint="https://s3.eu-west-1.amazonaws.com:443"))
    assert not is_aws(connection(endpoint="http://s3.eu-west-1.amazonaws.com"))
    assert not is_aws(connection(endpoint="https://minio.internal:9000"))

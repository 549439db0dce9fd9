"""Connections as DynamoDB has them: all methods come back as they were, old ones are still read, no secret is there."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.aws.items import Codec, plain, wire
from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.connection import METHODS, parse_connection
from chalicelib.core.connections import Grant, Kept
from tests.examples import START, grant

codec = Codec(Grant)

NAMES = st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}\Z")
ACCOUNTS = st.from_regex(r"\A[0-9]{12}\Z")
ROLES = st.builds(lambda account, name: f"arn:aws:iam::{account}:role/{name}", ACCOUNTS, NAMES)
TEXTS = st.text(max_size=20)
REGIONS = st.sampled_from(["us-east-1", "cn-north-1", "us-gov-west-1", "ap-northeast-1"])
SHARED: dict[str, st.SearchStrategy[Any]] = {
    "owner": NAMES,
    "region": REGIONS,
    "endpoint": st.just("https://minio.internal:9000"),
    "addressing_style": st.sampled_from(["path", "virtual"]),
    "http_proxy": st.fixed_dictionaries(
        {"host": st.just("proxy.example")}, optional={"port": st.integers(1, 65535), "user": TEXTS.filter(bool)}
    ),
    "requester_pays": st.booleans(),
    "bucket_owner": st.one_of(ACCOUNTS, st.just("any")),
    "buckets": st.lists(TEXTS, max_size=3),
    "prefixes": st.lists(TEXTS, max_size=3),
    "can_list": st.booleans(),
    "notify_by": st.sampled_from(["sns", "none"]),
    "secret_store": st.sampled_from(["parameter_store", "secrets_manager"]),
}
THROUGH = st.one_of(
    st.fixed_dictionaries({"type": st.just("user"), "user_arn": st.just("arn:aws:iam::111122223333:user/u")}),
    st.fixed_dictionaries({"type": st.just("role"), "role_arn": ROLES}, optional={"principal": st.just("session")}),
)
OWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "assume_role": {
        "session_name": st.just("tidegate-acme"),
        "duration_in_seconds": st.integers(900, 3600),
        "session_tags": st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3),
        "source_identity": st.just("tide"),
        "sts_region": REGIONS,
        "through": THROUGH,
    },
    "profile": {"profile_name": TEXTS.filter(bool)},
}


def documents(method: str) -> st.SearchStrategy[dict[str, Any]]:
    required = {"name": NAMES, "auth_method": st.just(method)} | (
        {"role_arn": ROLES} if method == "assume_role" else {}
    )
    return st.fixed_dictionaries(required, optional=SHARED | OWN.get(method, {}))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_comes_back_as_it_was(method: str) -> None:
    @settings(max_examples=25)
    @given(documents(method), st.booleans())
    def same(document: dict[str, Any], with_keys: bool) -> None:
        connection = parse_connection(document, where="test")
        kept = Kept("****LE12", START, START) if with_keys else None
        made = Grant(connection, "ab" * 32, START, kept)
        assert codec.value(codec.item(made, name=connection.name)) == made
        assert parse_connection(connection.document() | {"auth_method": method}, where="again") == connection

    same()


def test_a_connection_from_before_there_were_methods_is_still_read() -> None:
    """All that an older release has written, attribute by attribute."""
    item = wire(
        {
            "name": "acme",
            "connection": {
                "name": "acme",
                "auth_method": "assume_role",
                "role_arn": "arn:aws:iam::222222222222:role/reader",
                "arn_partition": "aws",
                "session_name": "tidegate",
                "duration_in_seconds": 3600,
                "region": "us-east-1",
                "buckets": [],
                "prefixes": ["in/"],
            },
            "external_id": "ab" * 32,
            "created_at": "2026-11-22T12:00:00Z",
        }
    )
    read = codec.value(item)
    assert read == replace(read, connection=grant(prefixes=["in/"]).connection, kept=None)
    assert isinstance(read.connection, AssumeRole)
    assert (read.external_id, read.created_at) == ("ab" * 32, START)


def test_attributes_of_a_later_release_beside_the_document_are_ignored() -> None:
    item = codec.item(grant(), name="acme", later="x")
    assert codec.value(item) == grant()


def test_an_item_has_these_attributes_and_no_others() -> None:
    kept = Kept("****LE12", START, START)
    item = plain(codec.item(replace(grant(), kept=kept), name="acme"))
    assert set(item) == {"name", "connection", "external_id", "created_at", "kept"}
    assert set(item["kept"]) == {"access_key", "at", "expires_at"}
    words = json.dumps(item, default=str)
    assert not any(word in words for word in ("secret_access_key", "session_token", "password"))

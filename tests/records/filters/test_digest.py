"""digest, and Embulk's hash (F75, E44)."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records.filters.running import refusal, run
from tests.records.reading import SETTING


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("kind", ["digest", "hash"])
def test_a_digest_stands_in_the_place_of_its_value(kind: str) -> None:
    ran = run([{"type": kind, "columns": [{"name": "b"}]}], {"a": "long", "b": "string", "c": "long"}, [(1, "x", 2)])
    assert ran.rows == [{"a": 1, "b": sha256("x"), "c": 2}]
    assert ran.types == {"a": "long", "b": "string", "c": "long"}


def test_new_name_takes_the_place_of_the_original_which_is_gone() -> None:
    ran = run("[{type: hash, columns: [{name: b, new_name: h}]}]", {"a": "long", "b": "string"}, [(1, "x")])
    assert ran.rows == [{"a": 1, "h": sha256("x")}]


def test_keep_leaves_the_original_and_puts_the_digest_last() -> None:
    ran = run(
        "[{type: digest, columns: [{name: a, new_name: h, keep: true}]}]", {"a": "long", "b": "string"}, [(1, "x")]
    )
    assert ran.rows == [{"a": 1, "b": "x", "h": sha256("1")}]


def test_null_stays_null() -> None:
    ran = run("[{type: digest, columns: [{name: a}]}]", {"a": "string"}, [(None,), ("",), (None,)])
    assert ran.column("a") == [None, sha256(""), None]


@pytest.mark.parametrize(
    "kind, value, text",
    [
        ("long", 1, "1"),
        ("double", 1.0, "1.0"),
        ("double", 0.1, "0.1"),
        ("double", 1e16, "1e+16"),
        ("double", float("inf"), "Infinity"),
        ("boolean", False, "false"),
        ("timestamp", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02 03:04:05 UTC"),
        ("timestamp", datetime(2026, 1, 2, 3, 4, 5, 120000, tzinfo=UTC), "2026-01-02 03:04:05.120 UTC"),
        ("timestamp", datetime(1, 1, 2, 3, 4, 5, 120001, tzinfo=UTC), "0001-01-02 03:04:05.120001 UTC"),
        ("date", date(2026, 1, 2), "2026-01-02"),
        ("time", time(3, 4, 5, 500000), "03:04:05.500"),
        ("decimal(20,10)", Decimal("0.0000000001"), "0.0000000001"),
        ("json", '{"a":1}', '{"a":1}'),
        ("binary", b"x", "x"),
    ],
)
def test_what_is_hashed_is_the_text_of_the_value(kind: str, value: Any, text: str) -> None:
    ran = run("[{type: digest, columns: [{name: a}]}]", {"a": kind}, [(value,)])
    assert ran.column("a") == [sha256(text)]


@pytest.mark.parametrize(
    "algorithm, name",
    [
        ("MD5", "md5"),
        ("SHA-1", "sha1"),
        ("SHA", "sha1"),
        ("SHA1", "sha1"),
        ("SHA-224", "sha224"),
        ("sha256", "sha256"),
        ("SHA-384", "sha384"),
        ("SHA-512", "sha512"),
        ("SHA-512/256", "sha512_256"),
        ("SHA3-256", "sha3_256"),
        ("sha3_512", "sha3_512"),
        ("BLAKE2b", "blake2b"),
    ],
)
def test_algorithms_go_by_the_names_of_java_and_openssl(algorithm: str, name: str) -> None:
    ran = run([{"type": "digest", "columns": [{"name": "a", "algorithm": algorithm}]}], {"a": "string"}, [("ä",)])
    assert ran.column("a") == [hashlib.new(name, "ä".encode()).hexdigest()]


@pytest.mark.parametrize(
    "algorithm, name", [("HmacSHA256", "sha256"), ("HMAC-SHA-512", "sha512"), ("HmacMD5", "md5"), ("hmac_sha1", "sha1")]
)
@pytest.mark.parametrize("key", ["${secret:pepper}", {"secret": "pepper"}])
def test_an_hmac_has_the_secret_of_its_name(algorithm: str, name: str, key: Any) -> None:
    setting = replace(SETTING, secret={"pepper": b"\x00hot"}.__getitem__)
    column = {"name": "a", "algorithm": algorithm, "secret_key": key}
    ran = run([{"type": "digest", "columns": [column]}], {"a": "string"}, [("x",)], setting)
    assert ran.column("a") == [hmac.new(b"\x00hot", b"x", name).hexdigest()]


def test_an_unknown_column_is_refused() -> None:
    assert "did you mean mail?" in refusal("[{type: digest, columns: [{name: mial}]}]", {"mail": "string"}).what


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.text(max_size=4), max_size=8))
def test_digests_are_hashlibs(values: list[str | None]) -> None:
    ran = run("[{type: digest, columns: [{name: a, algorithm: MD5}]}]", {"a": "string"}, [(v,) for v in values])
    assert ran.column("a") == [None if v is None else hashlib.md5(v.encode()).hexdigest() for v in values]

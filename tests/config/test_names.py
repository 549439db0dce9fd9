"""Names of databases and tables (F80)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.config.destination import Iceberg
from chalicelib.config.names import LONGEST, checked, plain
from chalicelib.errors import ConfigError

NAMES = {
    "flights": "flights",
    "Flights": "flights",
    "web-logs 2026": "web_logs_2026",
    "a...b": "a_b",
    "_private_": "_private_",
    "a__b": "a__b",
    "--edge--": "edge",
    "2026_sales": "2026_sales",
    "Übersicht": "ubersicht",
    "İstanbul": "istanbul",
    "ﬁve": "five",
    "日本": "",
    "東京 2026": "2026",
    "": "",
    "x" * 300: "x" * LONGEST,
}


@pytest.mark.parametrize(("text", "name"), NAMES.items())
def test_a_text_becomes_a_name_by_rule(text: str, name: str) -> None:
    assert plain(text) == name


@given(st.text(max_size=300))
def test_what_was_made_a_name_is_one_and_stays_so(text: str) -> None:
    name = plain(text)
    assert plain(name) == name
    assert name == "" or checked(name) == name


@given(st.from_regex(r"\A[a-z0-9_]{1,255}\Z"))
def test_a_name_is_never_changed(name: str) -> None:
    assert plain(name) == name == checked(name)


@pytest.mark.parametrize("key", ["database", "table", "rejects_table"])
@pytest.mark.parametrize(
    ("name", "told"),
    [("Web-Logs", "web_logs would do"), ("日本", "choose another"), ("", "choose another"), ("a\n", "a would do")],
)
def test_a_document_is_strict_and_says_which_name_would_do(key: str, name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: .*{told}"):
        Iceberg.parse({"type": "iceberg", "table": "t", key: name}, where="test")


def test_a_name_that_is_too_long_is_told_so() -> None:
    with pytest.raises(ConfigError, match="more than 255 characters"):
        Iceberg.parse({"type": "iceberg", "table": "t" * 256}, where="test")


def test_the_longest_table_has_a_rejects_table_too() -> None:
    out = Iceberg.parse({"type": "iceberg", "table": "t" * LONGEST}, where="test")
    assert out.rejects.table == "t" * (LONGEST - 8) + "_rejects"

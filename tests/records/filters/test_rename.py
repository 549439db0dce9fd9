"""rename and sanitize (F77)."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.filters.rename import UniqueNumberSuffix
from chalicelib.records.filters.rename import unique
from tests.records.filters.running import refusal, run


def renamed(names: list[str], *rules: dict[str, Any]) -> list[str]:
    ran = run([{"type": "rename", "rules": list(rules)}], dict.fromkeys(names, "long"), [tuple(range(len(names)))])
    assert ran.tuples == [tuple(range(len(names)))]
    return ran.names


@pytest.mark.parametrize(
    "rule, before, after",
    [
        ({"rule": "upper_to_lower"}, ["Ab", "É"], ["ab", "É"]),
        ({"rule": "lower_to_upper"}, ["Ab", "é"], ["AB", "é"]),
        ({"rule": "character_types", "pass_types": ["a-z"], "pass_characters": "_"}, ["a b", "a_B1"], ["a_b", "a___"]),
        ({"rule": "character_types", "pass_types": ["0-9"], "replace": "-"}, ["a1é"], ["-1-"]),
        ({"rule": "first_character_types", "pass_types": ["a-z"], "prefix": "_"}, ["1a", "a1"], ["_1a", "a1"]),
        ({"rule": "first_character_types", "pass_types": ["a-z"], "replace": "x"}, ["1a", "a1"], ["xa", "a1"]),
        ({"rule": "regex_replace", "match": "([0-9]+)_euros", "replace": "EUR$1"}, ["5_euros"], ["EUR5"]),
        ({"rule": "regex_replace", "match": "a(.)", "replace": r"\$$1$0\\"}, ["xab"], ["x$bab\\"]),
        ({"rule": "truncate", "max_length": 3}, ["abcd", "éèêë"], ["abc", "éèê"]),
        ({"rule": "truncate"}, ["x" * 200], ["x" * 128]),
    ],
)
def test_rules_make_these_names(rule: dict[str, Any], before: list[str], after: list[str]) -> None:
    assert renamed(before, rule) == after


@pytest.mark.parametrize(
    "names, options, expected",
    [
        ("x y x z x", {}, "x y x_2 z x_3"),
        ("x x_2 x", {}, "x x_2 x_3"),
        ("x x x_2", {}, "x x_3 x_2"),
        ("x x x x_3 x_3", {}, "x x_2 x_4 x_3 x_3_2"),
        ("x x", {"delimiter": "-", "digits": 3}, "x x-002"),
        ("x x x", {"offset": 5}, "x x_6 x_7"),
        ("longname longname longname", {"max_length": 8}, "longname longna_2 longna_3"),
        ("longname_1 longname_2", {"max_length": 8}, "longname longna_2"),
    ],
)
def test_numbers_make_names_unique_from_left_to_right(names: str, options: dict[str, Any], expected: str) -> None:
    rule = UniqueNumberSuffix.model_validate({"rule": "unique_number_suffix", **options})
    assert unique(names.split(), rule) == expected.split()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ab_12", min_size=1, max_size=10), max_size=20), st.none() | st.integers(8, 10))
def test_numbered_names_never_repeat(names: list[str], most: int | None) -> None:
    made = unique(names, UniqueNumberSuffix(rule="unique_number_suffix", max_length=most))
    assert len(set(made)) == len(names)
    assert most is None or all(len(name) <= most for name in made)
    seen: set[str] = set()
    for name, new in zip(names, made, strict=True):
        if name[:most] not in seen:
            assert new == name[:most]
        seen.add(new)


def test_rules_run_in_their_order_after_the_names_by_hand() -> None:
    document = """
      - type: rename
        columns: {Full Name: Name!}
        rules:
          - {rule: upper_to_lower}
          - {rule: character_types, pass_types: [a-z, 0-9], pass_characters: _, replace: _}
          - {rule: first_character_types, pass_types: [a-z], pass_characters: _, prefix: _}
          - {rule: unique_number_suffix, max_length: 128}
    """
    ran = run(document, dict.fromkeys(["Full Name", "1st", "A", "a"], "long"), [(1, 2, 3, 4)])
    assert ran.rows == [{"name_": 1, "_1st": 2, "a": 3, "a_2": 4}]


@pytest.mark.parametrize(
    "name, sane",
    [
        ("userId", "user_id"),
        ("HTTPServer", "http_server"),
        ("Größe (cm)", "grosse_cm"),
        ("2nd", "_2nd"),
        ("_id", "_id"),
        ("__x__", "__x__"),
        ("a - b", "a_b"),
        ("名前", "_"),
        ("a.b", "a_b"),
        ("Crème Brûlée", "creme_brulee"),
        ("x" * 300, "x" * 128),
    ],
)
def test_a_sane_name_is_lower_snake_case(name: str, sane: str) -> None:
    assert run("[{type: sanitize}]", {name: "long"}, [(1,)]).names == [sane]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True))
def test_sane_names_are_valid_and_sanitizing_twice_changes_nothing(names: list[str]) -> None:
    once = run("[{type: sanitize}]", dict.fromkeys(names, "long"), []).names
    assert all(re.fullmatch("[a-z_][a-z0-9_]{0,127}", name) for name in once)
    assert len(set(once)) == len(names)
    assert run("[{type: sanitize}]", dict.fromkeys(once, "long"), []).names == once


@pytest.mark.parametrize(
    "document, words",
    [
        ("[{type: rename, columns: {aa: b}}]", "no column aa (did you mean a?)"),
        ("[{type: rename, columns: {a: b}}]", "b would stand there twice"),
        ("[{type: rename, rules: [{rule: regex_replace, match: a, replace: ''}]}]", "a would have an empty name"),
        ("[{type: rename, rules: [{rule: regex_replace, match: a, replace: $1}]}]", "names a group"),
    ],
)
def test_names_that_cannot_be_are_refused(document: str, words: str) -> None:
    assert words in refusal(document, {"a": "long", "b": "long"}).what

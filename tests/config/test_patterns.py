"""What users write as patterns, globs, paths and formats costs a bounded time and space, whatever it is (point 7)."""

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.config.filters import path as paths
from chalicelib.config.filters.path import compiled as json_path
from chalicelib.config.filters.path import found_by
from chalicelib.config.filters.predicate import parse
from chalicelib.config.parsers.charset import known_charset
from chalicelib.config.patterns import MAX_GLOBS, MAX_LENGTH, MAX_PROGRAM, Together, compiled, valid
from chalicelib.config.source import Source
from chalicelib.config.timeformat import time_format
from chalicelib.core.selection import glob
from chalicelib.errors import ConfigError


@pytest.mark.parametrize(
    "pattern",
    [
        r"\.csv(\.gz)?$",
        r"^[a-z]+/\d{4}/\d{2}/\d{2}/.*\.json$",
        "(x+x+)+y",
        "[^/]{1,255}",
        ".{1000}",
        r"\pL+_\pL+",
        "x" * MAX_LENGTH,
        "日本/.*",
    ],
)
def test_a_pattern_that_somebody_means_is_taken(pattern: str) -> None:
    assert valid(pattern) == pattern


@pytest.mark.parametrize(
    "pattern, said",
    [
        ("x" * (MAX_LENGTH + 1), "1001 characters; at most 1000"),
        ("(a{1000}){1000}", "too large"),
        (r"(\pL{1,100}){1,10}", "too large"),
        (r"\pL" * 300, "too large"),
        ("(.*){1000}", "too large"),
        ("(((a{30}){30}){30}){30}", "too large"),
        ("(a", "look-around"),
        ("(?=a)", "look-around"),
        (r"(a)\1", "look-around"),
        ("\ud800", "half a character"),
    ],
)
def test_a_pattern_beyond_the_limits_is_refused_when_the_document_is_read(pattern: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        Source.parse({"bucket": "acme", "path_match_pattern": pattern, "parser": {"type": "csv"}}, where="in")
    assert len(str(refused.value)) < 3 * MAX_LENGTH


@given(st.text(st.sampled_from("a.*+?{}[]()|^$\\19,-pLdé"), max_size=60))
@settings(max_examples=200)
def test_every_text_is_a_small_pattern_or_refused(text: str) -> None:
    try:
        valid(text)
    except ValueError:
        return
    assert compiled(text).programsize <= MAX_PROGRAM


@pytest.mark.parametrize("sign", ["**/", "**", "*", "?", "é", "["])
def test_the_longest_glob_is_within_the_limit_of_patterns(sign: str) -> None:
    assert compiled(glob((sign * MAX_LENGTH)[:MAX_LENGTH])).programsize <= MAX_PROGRAM


@pytest.mark.parametrize("globs", [["*" * (MAX_LENGTH + 1)], ["*"] * (MAX_GLOBS + 1)])
def test_globs_are_bounded_in_length_and_number(globs: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"at most 100"):
        Source.parse({"bucket": "acme", "include": globs, "parser": {"type": "csv"}}, where="in")


def test_a_pattern_within_a_condition_has_the_same_limits() -> None:
    for condition in ("a matches '(b{1000}){1000}'", f"a like '{'%_' * 600}'"):
        with pytest.raises(ValueError, match=r"too large|at most 1000"):
            parse(condition)


@pytest.mark.parametrize(
    "path",
    [
        "$.a[*].b",
        "$..b",
        "$..b[*]",
        "$.a[?@.t > 1]",
        "$..a[?@.t > 1 && @.u == 'x..?,$']",
        "$.a['b','c','d','e','f','g']",
        "$[?length(@.a) > 2]",
        "$.a[1:20:2]",
        "$['a..b']['?'][*]",
    ],
)
def test_a_json_path_that_somebody_means_is_taken(path: str) -> None:
    json_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "$" + ".a" * 300,
        "$..a..b",
        "$[?@.a][?@.b]",
        "$[?@..a]",
        "$[?count($..*) > 3]",
        "$" + "[*,*]" * 30,
        "$[?@[0,0][0,0][0,0][0,0]]",
        "$[99999999999999999999]",
        "$[?@.a == " + "(" * 200 + "1" + ")" * 200 + "]",
        "$[?" + "!" * 400 + "@.a]",
        "$[?@.a =~ /x/]",
        "$.a | $.b",
        "$[?",
        "$['\ud800",
    ],
)
def test_a_json_path_that_multiplies_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"JSONPath"):
        json_path(path)


@given(st.text(st.sampled_from("$.@*?[](),:'\"ab01=!<>&|-"), max_size=30))
@settings(max_examples=200)
def test_every_text_is_a_json_path_or_refused(text: str) -> None:
    try:
        path = json_path("$" + text)
    except ValueError:
        return
    with suppress(ValueError):
        found_by(path, {"a": [1, {"b": [0, {"a": "b"}]}], "b": {"a": {}}})


def test_what_a_json_path_finds_is_bounded() -> None:
    assert len(found_by(json_path("$[*]"), [0] * paths.MAX_FOUND)) == paths.MAX_FOUND
    with pytest.raises(ValueError, match="more than 10000 values"):
        found_by(json_path("$[*]"), [0] * (paths.MAX_FOUND + 1))


def test_a_value_that_is_too_deep_for_a_json_path_is_no_crash() -> None:
    deep = json.loads("[" * 500 + "]" * 500)
    assert found_by(json_path("$..a"), json.loads("[" * 90 + "]" * 90)) == []
    with pytest.raises(ValueError, match="nested too deeply"):
        found_by(json_path("$..a"), deep)


@pytest.mark.parametrize("text", ["%Y" + "-" * 200, "java:yyyy-MM-dd HH:mm:ss." + "S" * 19])
def test_a_format_of_times_is_bounded(text: str) -> None:
    with pytest.raises(ValueError, match="at most"):
        time_format(text)


@given(st.text(st.sampled_from("%YmdHMSLNpIzs3-: '.yS[]éj"), max_size=40), st.booleans())
@settings(max_examples=200)
def test_every_text_is_a_small_format_or_refused(text: str, java: bool) -> None:
    try:
        found = time_format(f"java:{text}" if java else text)
    except ValueError:
        return
    assert compiled(found.pattern).programsize <= MAX_PROGRAM


@pytest.mark.parametrize(
    "name", ["punycode", "idna", "unicode-escape", "undefined", "base64", "zip", "a\0b", "x" * 10**5]
)
def test_what_is_no_charset_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no charset"):
        known_charset(name)


def test_an_error_about_many_or_long_things_stays_short() -> None:
    many = {"type": "csv", "columns": [{"name": "a", "type": "x" * 50_000, "k" * 50_000: 1}] * 500}
    with pytest.raises(ConfigError) as refused:
        Source.parse({"bucket": "acme", "path_match_pattern": "(" * 900, "parser": many}, where="in")
    assert len(str(refused.value)) < 50_000
    assert re.search("and [0-9]+ more", str(refused.value))


def test_a_long_name_of_a_time_zone_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="is no time zone: it has 100001 characters") as refused:
        Column.parse({"name": "a", "type": "timestamp", "timezone": "x/" + "y" * 99_999}, where="columns")
    assert len(str(refused.value)) < 300


def test_a_long_word_for_a_type_is_refused_at_once_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        Column.parse({"name": "a", "type": "x" + " " * 500_000 + "y"}, where="columns")
    assert len(str(refused.value)) < 500
    assert re.search("is no type", str(refused.value))


@pytest.mark.parametrize("memory", [1 << 20, 1000], ids=["as a set", "too large for a set"])
def test_patterns_find_together_what_they_find_alone(memory: int) -> None:
    patterns = (r"\.csv$", "^in/", "(?i)[xyz]{3}", "é", "", "(a|b).{100}b")
    together = Together(patterns, memory=memory)
    for text in ("in/a.csv", "out/b.CSV", "in/é", "", "XyZ", "ab" * 60, "\n.csv"):
        alone = [place for place, pattern in enumerate(patterns) if compiled(pattern).search(text)]
        assert sorted(place for place in together.found(text) if place < len(patterns)) == alone

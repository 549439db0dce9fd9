"""A document's text: YAML or JSON within limits, and never anything but a mapping or a ConfigError (point 7)."""

import json
import tracemalloc
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.reading import MAX_BYTES, document
from chalicelib.errors import ConfigError

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12))


def read(text: str) -> dict[str, Any]:
    return document(text.encode(), where="load.yml")


@pytest.mark.parametrize(
    "text, value",
    [
        ("a: 1\nb: [x, 'y']", {"a": 1, "b": ["x", "y"]}),
        ("\ufeffa: 1", {"a": 1}),
        ('{"a": "\\ud83d\\ude00", "b": null}', {"a": "😀", "b": None}),
        ('{"a":\t1}', {"a": 1}),
        ("in: {delimiter: =}", {"in": {"delimiter": "="}}),
        ("b: &b {x: 1, y: 1}\na: {<<: *b, x: 2}", {"b": {"x": 1, "y": 1}, "a": {"x": 2, "y": 1}}),
        ("a: &a [1]\nb: *a", {"a": [1], "b": [1]}),
        ("a: 0x10\nb: 1e3", {"a": 16, "b": "1e3"}),
    ],
)
def test_a_document_is_read_as_it_was_written(text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    "text, said",
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "'c' stands here again, after line 3, column 3, line 4, column 3"),
        ('{"a": 1,\n "a": 2}', "'a' stands here again, after line 1, column 2, line 2, column 2"),
        ("1: a\n0x1: b", "stands here again"),
        ("a: [\nb", "line 3"),
        ("a:\n\t- b", "line 2, column 1"),
        ("a: 1\n---\nb: 1", "line 2, column 1"),
        ("a: 2026-13-45", "month must be in 1..12"),
        ("a: !!python/object/apply:os.system [ls]", "the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!binary aGk=", "binary is not taken, line 1, column 4"),
        ("a: &a [*a]", "stands for what it stands in, line 1, column 4"),
        ("{[1]: 2}", "a key must be a text, line 1, column 2"),
        ("a: .inf", "inf is no number"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": "\\ud83d"}', "half a character"),
        ("a: \x07", "control characters"),
        ("- 1", "no mapping"),
        ("", "no mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text)
    assert said in str(refused.value)
    assert str(refused.value).startswith("load.yml: ")


def test_bytes_that_are_no_text_are_refused() -> None:
    for data in (b"a: \xff", "a: 1".encode("utf-16")):
        with pytest.raises(ConfigError, match="cannot be read"):
            document(data, where="load.yml")


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        MERGES,
        "a: " + "[" * (MAX_BYTES - 10),
        "{a: " * 200_000,
        '{"a":' * 150_000,
        "- " * 400_000,
        "".join(" " * level + "a:\n" for level in range(1400)),
        "a: " + "9" * (MAX_BYTES - 10),
        "a: " + "1:" * (MAX_BYTES // 2 - 10) + "1",
        "a: 0x" + "f" * (MAX_BYTES - 10),
        "a: [" + "{}," * (MAX_BYTES // 3 - 10) + "]",
        "a: !" + "x" * (MAX_BYTES - 10),
        "a" * (MAX_BYTES - 10) + ": 1",
        "a: b\n" + "#" * MAX_BYTES,
    ],
    ids=lambda text: text[:8].strip(),
)
def test_a_hostile_megabyte_is_refused_in_bounded_memory_with_a_short_sentence(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError) as refused:
            read(text)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert len(str(refused.value)) < 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.booleans())
@settings(max_examples=100)
def test_json_comes_back_as_it_was(value: dict[str, Any], ascii_only: bool) -> None:
    assert read(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
@settings(max_examples=50)
def test_yaml_comes_back_as_it_was(value: dict[str, Any]) -> None:
    assert read(yaml.safe_dump(value)) == value


@given(
    st.text(st.sampled_from("a1:-?{}[],&*!<|>%@'\"#\n \t.~=0x"), max_size=60).map(str.encode)
    | st.binary(max_size=60)
    | st.text(max_size=40).map(lambda text: ("{" + text + "}").encode(errors="replace"))
)
@settings(max_examples=400)
def test_nothing_but_a_mapping_or_a_config_error_comes_out(data: bytes) -> None:
    try:
        found = document(data, where="load.yml")
    except ConfigError as error:
        assert str(error).startswith("load.yml: ")
    else:
        assert isinstance(found, dict)
        json.dumps(found, default=str).encode()

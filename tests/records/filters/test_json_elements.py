"""Elements of JSON arrays, small and large."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.records.filters.json_elements import LARGE, elements

PADDING = " " * (LARGE + 1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=5,
)


def outcome(text: str) -> Any:
    """The elements, or the kind of error."""
    try:
        found = elements(text)
    except TypeError:
        return "no array"
    except (ValueError, RecursionError):
        return "no JSON"
    return None if found is None else list(found)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]))
def test_large_arrays_have_the_elements_of_small_ones(values: list[Any], indent: int | None) -> None:
    text = json.dumps(values, indent=indent)
    assert outcome(text) == (values or None)
    assert outcome(PADDING + text) == (values or None)
    assert outcome(text + PADDING) == (values or None)


@settings(max_examples=60, deadline=None)
@given(st.text('[]{},:"1aeNn\\ud8 \n', max_size=10))
def test_large_texts_that_are_no_json_are_refused_like_small_ones(inner: str) -> None:
    small = outcome(f"[{inner}")
    assert outcome(f"[{inner}{PADDING}") == small or '"' in inner  # spaces within quotes are another text


@pytest.mark.parametrize("text", ["[1,]", "[1 2]", "[,]", "[1]x", "[NaN]", '["\\ud800"]', "[1", "[", "[1e400]", "[01]"])
def test_what_is_no_json_is_refused_before_anything_is_given(text: str) -> None:
    assert outcome(text) == "no JSON"
    assert outcome(PADDING + text) == "no JSON"


@pytest.mark.parametrize("text", ['{"a":1}', "5", '"x"'])
def test_what_is_no_array_is_refused(text: str) -> None:
    assert outcome(text) == "no array"
    assert outcome(PADDING + text) == "no array"

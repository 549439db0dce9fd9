"""Arrow reads JSON texts exactly as value by value, or not at all."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.records.filters.json_at_once import AtOnce
from chalicelib.records.filters.json_keys import Keys
from chalicelib.records.filters.json_values import column_of, parsed, reached

KINDS = ["long", "double", "boolean", "string", "timestamp", "date"]
WAYS = [("a",), ("b",), ("o", "a"), ("o", "p", "a")]


def columns(kinds: list[str]) -> list[Column]:
    return [Column.model_validate({"name": ".".join(way), "type": kind}) for way, kind in zip(WAYS, kinds, strict=True)]


def assert_same(texts: list[str | None], kinds: list[str], *, strict: bool) -> bool:
    """True if Arrow read them."""
    wanted = columns(kinds)
    reader = AtOnce.of(wanted, WAYS, strict=strict)
    assert reader is not None
    array = pa.array(texts, pa.string())
    made = reader(array)
    if made is None:
        return False
    values, bad = parsed(array)
    assert not bad
    for column, way, found in zip(wanted, WAYS, made, strict=True):
        slow = column_of(reached(values, way), column)
        assert not slow.bad
        assert slow.array.equals(found) or repr(slow.array.to_pylist()) == repr(found.to_pylist())
    if strict:
        assert Keys.known(WAYS).strangers(values, "js") == {}
    return True


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from(
        [1 << 62, 1 << 63, 1 << 64, 10**25, 0.1, 1e22, 5e-324, "2026-01-02", "2026-01-02T03:04:05Z", "1", "x"]
    ),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
)
LEAVES = dict.fromkeys(KINDS, SCALARS) | {
    "long": st.none() | st.integers(-(1 << 63), (1 << 63) - 1),
    "double": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
    "boolean": st.none() | st.booleans(),
    "string": st.none() | st.text(max_size=3),
    "timestamp": st.none() | st.sampled_from(["2026-01-02T03:04:05Z", "1969-12-31 23:59:59.5", "2026-01-02"]),
    "date": st.none() | st.dates().map(str),
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str | None], list[str]]:
    """Texts whose values mostly have the types of their columns."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=4, max_size=4))
    odd = draw(st.booleans())
    leaves = [SCALARS if odd else LEAVES[kind] for kind in kinds]
    texts: list[str | None] = []
    for _ in range(draw(st.integers(1, 4))):
        inner = draw(
            st.fixed_dictionaries(
                {}, optional={"a": leaves[2], "p": st.none() | st.fixed_dictionaries({}, optional={"a": leaves[3]})}
            )
        )
        record: Any = draw(
            st.fixed_dictionaries({}, optional={"a": leaves[0], "b": leaves[1], "o": st.just(inner), "z": SCALARS})
        )
        texts.append(draw(st.sampled_from([json.dumps(record), json.dumps(record, ensure_ascii=False), "", None])))
    return texts, kinds


@settings(max_examples=150, deadline=None)
@given(cases(), st.booleans())
def test_both_ways_give_the_same(case: tuple[list[str | None], list[str]], strict: bool) -> None:
    assert_same(*case, strict=strict)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.text('{}[]":,a o1e+-.\\u0dN\n ', max_size=12).map(lambda inner: f'{{"a":{inner}}}'), min_size=1, max_size=3
    )
)
def test_both_ways_give_the_same_for_texts_that_are_hardly_json(texts: list[str]) -> None:
    assert_same(texts, ["string", "long", "double", "boolean"], strict=False)
    assert_same(texts, ["double", "string", "double", "boolean"], strict=False)


@pytest.mark.parametrize(
    "texts",
    [
        ['{"a":"x"}{"a":"y"}', " "],
        ['{"a":"x"}', "null"],
        ['{"a":"x"} '],
        ['{"a":"x"', ',"b":1}'],
        ['{"a":"x","a":"y"}'],
        ['{"q":NaN}'],
        ['{"q":1e400}'],
        ['{"q":"\\ud800"}'],
        ['{"a":"\\u0000"}'],
        ['{"a":"x\ty"}'],
        ['{"a":1}'],
        ["[1]"],
        ['{"o":5}'],
        ['{"q":' + "[" * 2000 + "]" * 2000 + "}"],
        ["{'a':1}"],
        ['{"b":12345678901234567890123}'],
        ['{"b":1.0}'],
    ],
)
def test_what_arrow_would_read_otherwise_it_does_not_read(texts: list[str]) -> None:
    assert not assert_same(texts, ["string", "long", "double", "boolean"], strict=False)


def test_plain_objects_are_read_at_once() -> None:
    texts = ['{"a":"x","b":1,"o":{"a":1.5,"p":{"a":true}}}', None, "", "{}", '{"o":{"p":null},"a":"\\u00e4"}']
    assert assert_same(texts, ["string", "long", "double", "boolean"], strict=True)
    assert assert_same(['{"a":"2026-01-02","z":[{}]}'], ["date", "long", "timestamp", "boolean"], strict=False)


@pytest.mark.parametrize(
    "kind, ways",
    [("json", [("a",)]), ("decimal(4,2)", [("a",)]), ("long", [()]), ("long", [("a",), ("a", "b")]), ("long", [])],
)
def test_some_columns_are_never_read_at_once(kind: str, ways: list[tuple[str, ...]]) -> None:
    wanted = [Column.model_validate({"name": "x", "type": kind}) for _ in ways]
    assert AtOnce.of(wanted, ways, strict=False) is None

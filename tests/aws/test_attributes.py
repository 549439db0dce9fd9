"""Attributes are what boto3 makes of values, and mean what it makes of them."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.attributes import attribute, value_of

NUMBERS = st.integers(-(10**37), 10**37) | st.decimals("-1e20", "1e20", places=6)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_is_kept_as_boto3_keeps_it_and_comes_back(value: Any) -> None:
    kept = attribute(value)
    assert kept == TypeSerializer().serialize(value)
    assert value_of(kept) == TypeDeserializer().deserialize(kept) == value


def test_bytes_come_back_too() -> None:
    assert attribute(b"\0\xff") == TypeSerializer().serialize(b"\0\xff")
    assert value_of({"B": b"\0\xff"}) == b"\0\xff"


def test_a_number_comes_back_exactly() -> None:
    assert value_of({"N": "0.1"}) == Decimal("0.1")


@pytest.mark.parametrize("value", [1.5, object(), {"deep": [{1, 2}]}])
def test_what_dynamodb_does_not_keep_exactly_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        attribute(value)


def test_a_kind_that_nobody_writes_is_refused() -> None:
    with pytest.raises(TypeError, match="SS"):
        value_of({"SS": ["a"]})

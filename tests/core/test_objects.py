"""Identity, and which of two identities is the newer one (E21, E22)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.objects import ObjectRef

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REF = ObjectRef("acme", "a.csv", "e1", 12, NOW)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"etag": "e2"}, False),
        ({}, {"key": "b.csv"}, False),
        ({}, {"bucket": "other"}, False),
        ({"version_id": "v1"}, {"version_id": "v1"}, True),
        ({"version_id": "v1"}, {"version_id": "v2"}, False),
        ({"version_id": "v1"}, {"version_id": "v1", "etag": "e2"}, True),
        ({"version_id": "v1"}, {}, True),
        ({"version_id": "v1"}, {"etag": "e2"}, False),
        ({}, {"created_at": NOW + timedelta(days=1), "sequencer": "0F", "size": 13}, True),
    ],
)
def test_two_references_are_the_same_if_their_bytes_are(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    first, second = replace(REF, **one), replace(REF, **other)
    assert first.same(second) is same
    assert second.same(first) is same


def test_the_identity_is_the_version_or_else_the_etag() -> None:
    assert REF.identity == "e:e1"
    assert replace(REF, version_id="v1").identity == "v:v1"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0A", "0B"),
        ("00A", "0A"),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6"),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E500001"),
        ("0055AED6DCD90281E4FFFFFF", "0055AED6DCD90281E5"),
        ("0a", "0B"),
        ("0A", "0b"),
        ("9", "A"),
    ],
)
def test_sequencers_are_padded_on_the_right_and_compared_as_text(older: str, newer: str) -> None:
    one, other = replace(REF, sequencer=older, created_at=NOW + timedelta(days=1)), replace(REF, sequencer=newer)
    assert one.older(other)
    assert not other.older(one)


def test_sequencers_that_differ_in_trailing_zeros_or_case_are_one_moment() -> None:
    one, other = replace(REF, sequencer="0a"), replace(REF, sequencer="0A00")
    assert not one.older(other)
    assert not other.older(one)


def test_the_time_decides_where_one_has_no_sequencer() -> None:
    listed, told = replace(REF, created_at=NOW - timedelta(seconds=1)), replace(REF, sequencer="00")
    assert listed.older(told)
    assert not told.older(listed)


sequencers = st.text("0123456789ABCDEF", min_size=1, max_size=24)


@given(sequencers, sequencers, sequencers)
def test_sequencers_are_in_one_order(a: str, b: str, c: str) -> None:
    x, y, z = (replace(REF, sequencer=text) for text in (a, b, c))
    assert not (x.older(y) and y.older(x))
    if x.older(y) and y.older(z):
        assert x.older(z)
    assert x.older(y) == (int(a.ljust(24, "0"), 16) < int(b.ljust(24, "0"), 16))

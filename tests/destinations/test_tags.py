import json

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.destinations.tags import encode, found

ids = st.tuples(st.sampled_from(["a01", "b02", "with/slash"]), st.integers(0, 30) | st.integers(10**6, 10**12)).map(
    lambda pair: f"{pair[0]}/{pair[1]}"
)


@given(written=st.sets(ids), asked=st.sets(ids))
def test_exactly_the_ids_that_were_written_are_found(written: set[str], asked: set[str]) -> None:
    assert found(written | asked, encode(written)) == written


def test_a_long_job_takes_little_room() -> None:
    value = encode([f"a01/{number}" for number in range(10_000)] + ["b02/7"])
    assert json.loads(value) == {"a01": "0-9999", "b02": "7"}

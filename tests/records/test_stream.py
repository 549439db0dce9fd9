"""What is true of every format on its way through the stream."""

import json as plain_json

import pytest

from chalicelib.errors import PipelineMismatch
from chalicelib.records.stream import MAX_INFERRED
from tests.records.reading import columns, csv, json, read


def test_an_object_keyed_by_ids_does_not_become_a_table_of_as_many_columns() -> None:
    keyed = plain_json.dumps({f"id{n}": {"a": n} for n in range(MAX_INFERRED + 1)}).encode()
    with pytest.raises(PipelineMismatch, match="5,001 columns"):
        read(keyed, json())
    with pytest.raises(PipelineMismatch, match="columns"):
        read(",".join(f"c{n}" for n in range(MAX_INFERRED + 1)).encode() + b"\n" + b"1," * MAX_INFERRED + b"1\n", csv())


def test_declared_columns_may_be_as_many_as_somebody_wants() -> None:
    many = columns(**{f"c{n}": "long" for n in range(MAX_INFERRED + 1)})
    found = read(b"1," * MAX_INFERRED + b"1\n", csv(columns=many))
    assert (len(found.columns), len(found.rows)) == (MAX_INFERRED + 1, 1)

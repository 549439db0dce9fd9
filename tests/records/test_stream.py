"""What is true of every format on its way through the stream."""

import io
import json as plain_json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chalicelib.config.parsers.columnar import ParquetObjects
from chalicelib.errors import PipelineMismatch
from chalicelib.records.stream import MAX_INFERRED
from tests.records.reading import columns, csv, entries, json, read


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


def test_rows_of_a_parquet_file_without_any_known_type_are_rows() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"nothing": pa.nulls(3)}), file)
    parser = ParquetObjects(type="parquet")
    (entry,) = entries(io.BytesIO(file.getvalue()), parser)
    assert entry.infer() == ()
    assert [page.batch.num_rows for page in entry.pages(())] == [3]

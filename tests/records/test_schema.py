from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chalicelib.core.columns import merge
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import SchemaConflict
from chalicelib.records.origin import ORIGIN_COLUMNS, with_origin
from chalicelib.records.schema import arrow_schema
from tests.records.reading import columns

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
REF = ObjectRef("lake", "a b+c/é.csv", "d41d8", 10, NOW, version_id="v7")


def test_every_type_has_its_arrow_type():
    schema = arrow_schema(columns(a="boolean", b="long", c="double", d="string", e="json", f="timestamp"))
    assert schema.names == ["a", "b", "c", "d", "e", "f"]
    utc = pa.timestamp("us", tz="UTC")
    assert schema.types == [pa.bool_(), pa.int64(), pa.float64(), pa.string(), pa.string(), utc]


@pytest.mark.parametrize(
    "known, seen, merged",
    [
        ({}, {"a": "long"}, {"a": "long"}),
        ({"a": "long"}, {}, {"a": "long"}),
        ({"b": "long", "a": "string"}, {"a": "double", "z": "json", "c": "long"}, None),
    ],
)
def test_known_columns_stay_as_they_are_and_new_ones_follow(known, seen, merged):
    merged = merged or {"b": "long", "a": "string", "z": "json", "c": "long"}
    assert merge(columns(**known), columns(**seen)) == columns(**merged)


@pytest.mark.parametrize("rows", [0, 3])
def test_every_row_can_say_where_it_came_from(rows):
    batch = pa.RecordBatch.from_pydict({"n": list(range(rows))}, schema=pa.schema([("n", pa.int64())]))
    found = with_origin(batch, REF, NOW)
    assert found.schema == pa.schema([("n", pa.int64()), *ORIGIN_COLUMNS])
    origin = {"_bucket": "lake", "_key": "a b+c/é.csv", "_identity": "v:v7", "_loaded_at": NOW}
    assert found.to_pylist() == [{"n": n, **origin} for n in range(rows)]


def test_the_origin_ends_as_plain_strings_in_parquet():
    batch = with_origin(pa.RecordBatch.from_pydict({"n": [1, 2]}), REF, NOW)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, batch.schema) as writer:
        writer.write_batch(batch)
    assert pq.read_schema(pa.BufferReader(sink.getvalue())).field("_key").type == pa.string()


def test_rows_that_use_an_origin_name_themselves_are_refused():
    with pytest.raises(SchemaConflict, match="_bucket, _key"):
        with_origin(pa.RecordBatch.from_pydict({"_key": [1], "_bucket": [2]}), REF, NOW)

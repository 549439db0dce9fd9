"""Origin columns: the same values in every row, at no cost a row."""

import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chalicelib.core.objects import ObjectRef
from chalicelib.destinations.encoding import WRITER
from chalicelib.errors import SchemaConflict
from chalicelib.records.origin import ORIGIN_COLUMNS, with_origin, with_origins

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIRST, SECOND = (ObjectRef("lake", f"in/{name}.csv", name * 4, 1, AT) for name in "ab")


def rows(count: int) -> pa.RecordBatch:
    return pa.record_batch({"id": pa.array(range(count), pa.int64())})


def origins(ref: ObjectRef) -> dict[str, object]:
    return {"_bucket": ref.bucket, "_key": ref.key, "_identity": ref.identity, "_loaded_at": AT}


def test_rows_know_the_object_that_each_of_them_comes_from() -> None:
    made = with_origins(rows(4), [FIRST, SECOND], pa.array([1, 0, 0, 1]), AT)
    assert made.to_pylist() == [
        {"id": number, **origins(ref)} for number, ref in enumerate([SECOND, FIRST, FIRST, SECOND])
    ]
    assert made.schema == with_origin(rows(2), FIRST, AT).schema


def test_a_row_of_no_object_at_all_is_no_trouble() -> None:
    assert with_origin(rows(0), FIRST, AT).num_rows == 0


def test_files_tell_origins_as_texts_and_keep_each_once() -> None:
    batches = [with_origin(rows(100), FIRST, AT), with_origins(rows(2), [FIRST, SECOND], pa.array([1, 0]), AT)]
    file = io.BytesIO()
    with pq.ParquetWriter(file, batches[0].schema, **WRITER) as writer:
        writer.write_table(pa.Table.from_batches(batches).unify_dictionaries())
    read = pq.ParquetFile(file)
    assert list(read.schema_arrow)[1:] == list(ORIGIN_COLUMNS)
    expected = [origins(FIRST)] * 100 + [origins(SECOND), origins(FIRST)]
    assert read.read(["_bucket", "_key", "_identity", "_loaded_at"]).to_pylist() == expected
    key = read.metadata.row_group(0).column(2)
    assert key.has_dictionary_page
    assert key.total_uncompressed_size < 200  # bytes, of 102 rows


def test_a_name_that_is_ours_is_refused() -> None:
    with pytest.raises(SchemaConflict, match="_key"):
        with_origin(pa.record_batch({"_key": ["a"]}), FIRST, AT)

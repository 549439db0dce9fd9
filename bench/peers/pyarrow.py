"""pyarrow as its documentation has it: its own S3 file system, streaming readers with types given, its writer."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.json as arrow_json
import pyarrow.parquet as pq
from pyarrow.fs import S3FileSystem

from bench.peers.job import Job, run

TYPES = {
    "long": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(), "string": pa.string(),
    "timestamp": pa.timestamp("us"),
}  # fmt: skip


def work(job: Job) -> None:
    host = job.endpoint.removeprefix("http://")
    store = S3FileSystem(
        endpoint_override=host, scheme="http", region="us-east-1", access_key="bench", secret_key="bench"
    )
    writer = None
    for path in job.paths:
        with store.open_input_stream(path, compression="gzip") as body:
            for batch in batches(job, body):
                writer = writer or pq.ParquetWriter(job.path(), batch.schema, compression="zstd", compression_level=1)
                writer.write_batch(batch)
    assert writer is not None
    writer.close()


def batches(job: Job, body: Any) -> Iterator[pa.RecordBatch]:
    known = {name: TYPES[kind] for name, kind in job.columns.items() if kind in TYPES}
    if job.is_csv:
        convert = arrow_csv.ConvertOptions(column_types=known, null_values=[""], strings_can_be_null=True)
        return iter(arrow_csv.open_csv(body, convert_options=convert))
    unknown = "infer" if "json" in job.columns.values() else "ignore"
    options = arrow_json.ParseOptions(explicit_schema=pa.schema(known), unexpected_field_behavior=unknown)
    return iter(arrow_json.open_json(body, arrow_json.ReadOptions(block_size=4 << 20), options))


if __name__ == "__main__":
    run(work)

"""dlt: its filesystem source, read by DuckDB into Arrow (its fastest reader of CSV), Parquet into a folder."""

from tempfile import TemporaryDirectory

import dlt
from dlt.destinations import filesystem as folder
from dlt.sources.credentials import AwsCredentials
from dlt.sources.filesystem import filesystem, read_csv_duckdb, read_jsonl

from bench.peers.job import Job, run

TYPES = {"long": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP"}


def work(job: Job) -> None:
    keys = AwsCredentials("bench", "bench", endpoint_url=job.endpoint, region_name="us-east-1")
    single = len(job.keys) == 1
    where = f"s3://{job.bucket}" if single else f"s3://{job.bucket}/{job.keys[0].split('/')[0]}"
    files = filesystem(where, credentials=keys, file_glob=job.keys[0] if single else "**/*.csv.gz")
    if job.is_csv:
        types = {name: TYPES[kind] for name, kind in job.columns.items()}
        reader = read_csv_duckdb(chunk_size=100_000, use_pyarrow=True, header=True, columns=types)
        rows = files | reader
    else:
        rows = files | read_jsonl(chunksize=10_000)
    rows.max_table_nesting = 0  # what is nested stays JSON, as ours does, instead of tables of its own
    with TemporaryDirectory() as working:
        pipeline = dlt.pipeline(
            "bench", destination=folder(f"file://{job.out}"), dataset_name="rows", pipelines_dir=working
        )
        pipeline.run(rows, table_name="rows", loader_file_format="parquet", write_disposition="append")


if __name__ == "__main__":
    run(work)

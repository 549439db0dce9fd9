"""polars: lazy scan with all types given, streamed into Parquet (`sink_parquet`)."""

import polars as pl

from bench.peers.job import Job, run

ADDRESS = pl.Struct({"city": pl.String, "street": pl.String, "zip": pl.String})
TYPES = {
    "long": pl.Int64, "double": pl.Float64, "boolean": pl.Boolean, "string": pl.String,
    "timestamp": pl.Datetime("us"), "user": pl.Struct({"id": pl.Int64, "name": pl.String, "address": ADDRESS}),
    "device": pl.Struct({"agent": pl.String, "screen": pl.List(pl.Int64), "battery": pl.Float64}),
    "items": pl.List(pl.Struct({"sku": pl.String, "price": pl.Float64, "count": pl.Int64})),
    "tags": pl.List(pl.String),
}  # fmt: skip


def work(job: Job) -> None:
    schema = {name: TYPES[name if kind == "json" else kind] for name, kind in job.columns.items()}
    access = {
        "aws_endpoint_url": job.endpoint,
        "aws_allow_http": "true",
        "aws_region": "us-east-1",
        "aws_access_key_id": "bench",
        "aws_secret_access_key": "bench",
        "aws_virtual_hosted_style_request": "false",
    }
    if job.is_csv:
        scan = pl.scan_csv(job.urls, schema=schema, storage_options=access, glob=False)
    else:
        scan = pl.scan_ndjson(job.urls, schema=schema, storage_options=access)
    scan.sink_parquet(job.path(), compression="zstd", compression_level=1)


if __name__ == "__main__":
    run(work)

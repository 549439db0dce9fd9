"""pandas with boto3, as most Lambdas have it: whole bodies, Arrow's parser and types (its fastest engine)."""

import gzip
from io import BytesIO
from typing import Any

import boto3
import pandas as pd

from bench.peers.job import Job, run

TYPES = {"long": "int64[pyarrow]", "double": "double[pyarrow]", "string": "string[pyarrow]", "boolean": "bool[pyarrow]"}


def work(job: Job) -> None:
    client = boto3.client("s3", endpoint_url=job.endpoint)  # noqa: TID251 - as most write it
    frames = [frame(job, client.get_object(Bucket=job.bucket, Key=key)["Body"].read()) for key in job.keys]
    whole = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    whole.to_parquet(job.path(), compression="zstd", compression_level=1, index=False)


def frame(job: Job, body: bytes) -> Any:
    if not job.is_csv:
        return pd.read_json(BytesIO(gzip.decompress(body)), lines=True, engine="pyarrow", dtype_backend="pyarrow")
    return pd.read_csv(
        BytesIO(body),
        compression="gzip",
        engine="pyarrow",
        dtype_backend="pyarrow",
        dtype={name: TYPES[kind] for name, kind in job.columns.items() if kind in TYPES},
        parse_dates=job.of_type("timestamp"),
        keep_default_na=False,
        na_values=[""],
    )


if __name__ == "__main__":
    run(work)

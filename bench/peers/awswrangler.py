"""awswrangler: chunks of a large object, or all small ones with threads, each appended to a Parquet data set."""

import awswrangler as wr

from bench.peers.job import Job, run

TYPES = {"long": "Int64", "double": "float64", "string": "string", "boolean": "boolean"}
CHUNK = 250_000  # rows


def work(job: Job) -> None:
    wr.config.s3_endpoint_url = job.endpoint
    rows = {} if len(job.keys) > 1 else {"chunksize": CHUNK}
    if job.is_csv:
        frames = wr.s3.read_csv(
            path=job.urls,
            use_threads=True,
            dtype={name: TYPES[kind] for name, kind in job.columns.items() if kind in TYPES},
            parse_dates=job.of_type("timestamp"),
            keep_default_na=False,
            na_values=[""],
            **rows,
        )
    else:
        dates = job.of_type("timestamp")
        frames = wr.s3.read_json(path=job.urls, lines=True, use_threads=True, chunksize=CHUNK // 5, convert_dates=dates)
    for frame in [frames] if len(job.keys) > 1 else frames:
        wr.s3.to_parquet(frame, path="s3://lake/" + job.out.rsplit("/", 1)[1], dataset=True, compression="zstd")


if __name__ == "__main__":
    run(work)

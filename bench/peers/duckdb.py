"""DuckDB: one COPY from S3 to Parquet, types given; httpfs comes as a wheel, for it is not fetched at run time."""

from pathlib import Path

import duckdb
import duckdb_extension_httpfs

from bench.peers.job import Job, run

TYPES = {
    "long": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP",
    "user": "STRUCT(id BIGINT, name VARCHAR, address STRUCT(city VARCHAR, street VARCHAR, zip VARCHAR))",
    "device": "STRUCT(agent VARCHAR, screen BIGINT[], battery DOUBLE)",
    "items": 'STRUCT(sku VARCHAR, price DOUBLE, "count" BIGINT)[]', "tags": "VARCHAR[]",
}  # fmt: skip


def work(job: Job) -> None:
    folder = Path(str(duckdb_extension_httpfs.__file__)).parent
    extension = next(folder.rglob("httpfs.duckdb_extension"))
    columns = {name: TYPES[name if kind == "json" else kind] for name, kind in job.columns.items()}
    reader = "read_csv($urls, header = true, nullstr = '', " if job.is_csv else "read_ndjson($urls, "
    with duckdb.connect() as database:
        database.execute(f"LOAD '{extension}'")
        database.execute(f"SET threads = {job.cores}")
        database.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID 'bench', SECRET 'bench', REGION 'us-east-1', URL_STYLE 'path', "
            f"USE_SSL false, ENDPOINT '{job.endpoint.removeprefix('http://')}')"
        )
        database.execute(
            f"COPY (FROM {reader} columns = {columns})) TO '{job.path()}' "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)",
            {"urls": job.urls},
        )


if __name__ == "__main__":
    run(work)

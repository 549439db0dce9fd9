"""Reads Iceberg tables with a tool that others made, and prints what it saw. Knows nothing of Tidegate.

`python readers.py TOOL < wanted.json`, with `[{"name", "metadata", "columns", "since"}]`: the path of a metadata file,
the columns to read, and, as `[column, ISO time]`, of which rows to tell the number too.
"""

import json
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

Rows = Iterable[Iterable[Any]]
Read = tuple[Rows, int]


def duckdb_iceberg(wanted: list[Mapping[str, Any]]) -> Iterator[Read]:
    """DuckDB with its own Iceberg reader."""
    import duckdb
    from duckdb_extensions import import_extension

    connection = duckdb.connect(config={"extension_directory": os.environ["READBACK_FOLDER"]})
    for name in ("avro", "iceberg"):
        import_extension(name, con=connection)
    connection.execute("set timezone = 'UTC'")
    for table in wanted:
        source = f"from iceberg_scan('{table['metadata']}')"
        rows = connection.sql(f"select {quoted(table)} {source}").to_arrow_table()
        yield rows_of(rows), _count(table, lambda text, s=source: connection.execute(f"select count(*) {s} {text}"))


def _count(table: Mapping[str, Any], ask: Any) -> int:
    if not table["since"]:
        return -1
    column, moment = table["since"]
    return int(ask(f"where \"{column}\" >= '{moment}'").fetchone()[0])


def chdb(wanted: list[Mapping[str, Any]]) -> Iterator[Read]:
    """ClickHouse, in this process. It takes the newest metadata file of a folder below the working directory."""
    import chdb as clickhouse
    import pyarrow as pa

    for table in wanted:
        folder = Path(table["metadata"]).parents[1]
        os.chdir(folder.parent)
        source = f"from icebergLocal('{folder.name}', 'Parquet')"
        columns = re.sub(r'("c binary")', r"lower(hex(\1))", quoted(table))  # its texts and bytes are one type
        asked = clickhouse.query(f"select {columns} {source} settings session_timezone = 'UTC'", "ArrowStream")
        count = -1
        if table["since"]:
            column, moment = table["since"]
            text = f"select count() {source} where \"{column}\" >= parseDateTime64BestEffort('{moment}', 6, 'UTC')"
            count = int(str(clickhouse.query(text, "CSV")))
        with pa.ipc.open_stream(asked.bytes()) as stream:
            yield rows_of(stream.read_all()), count


def polars(wanted: list[Mapping[str, Any]]) -> Iterator[Read]:
    """polars, as an Iceberg table."""
    import polars as pl

    for table in wanted:
        scan = pl.scan_iceberg(f"file://{table['metadata']}")
        count = -1
        if table["since"]:
            column, moment = table["since"]
            count = scan.filter(pl.col(column) >= datetime.fromisoformat(moment)).select(pl.len()).collect().item()
        yield scan.select(table["columns"]).collect().rows(), count


def spark(wanted: list[Mapping[str, Any]]) -> Iterator[Read]:
    """Spark with Iceberg's own runtime."""
    session = spark_session()
    for table in wanted:
        frame = session.read.format("iceberg").load(table["metadata"])
        frame.createOrReplaceTempView("t")
        count = -1
        if table["since"]:
            column, moment = table["since"]
            count = session.sql(f"select count(*) from t where `{column}` >= timestamp '{moment}'").collect()[0][0]
        yield frame.select([f"`{column}`" for column in table["columns"]]).collect(), count


def spark_session(**settings: str) -> Any:
    """A Spark on this machine alone."""
    import snowpark_connect_deps_iceberg as deps
    from pyspark.sql import SparkSession

    (jar,) = (path for path in deps.list_jars() if path.name.startswith("iceberg-spark-runtime-3.5_2.12"))
    plain = {
        "spark.jars": str(jar),
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.warehouse.dir": os.environ["READBACK_FOLDER"],
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in {**plain, **settings}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def quoted(table: Mapping[str, Any]) -> str:
    return ", ".join(f'"{column}"' for column in table["columns"])


def rows_of(table: Any) -> Rows:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def plain(value: Any) -> Any:
    """The value as a text that all tools agree on."""
    match value:
        case None | bool() | str():
            return value
        case datetime():
            return value.replace(tzinfo=value.tzinfo or timezone.utc).astimezone(timezone.utc).isoformat()  # noqa: UP017
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray():
            return bytes(value).hex()
        case int() | float() | Decimal():
            return str(value)
    raise TypeError(f"no text for {type(value)}")


def main() -> None:
    warnings.simplefilter("ignore")
    wanted = json.load(sys.stdin)
    reads = {"duckdb": duckdb_iceberg, "chdb": chdb, "polars": polars, "spark": spark}[sys.argv[1]](wanted)
    answer = {}
    for table, (rows, count) in zip(wanted, reads, strict=True):
        seen = sorted(([plain(value) for value in row] for row in rows), key=str)
        answer[table["name"]] = {"rows": seen, "count": count}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

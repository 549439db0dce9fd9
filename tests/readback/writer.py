"""Spark, told line by line: takes statements as JSON texts on standard input, answers each with its rows or its error.

`python writer.py URI`, the address of a REST catalogue, which is called `c` in the statements.
"""

import json
import sys
from typing import Any

from readers import plain, spark_session


def main() -> None:
    catalogue = {
        "spark.sql.catalog.c": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.c.type": "rest",
        "spark.sql.catalog.c.uri": sys.argv[1],
        "spark.sql.catalog.c.io-impl": "org.apache.iceberg.hadoop.HadoopFileIO",
        "spark.sql.catalog.c.cache.expiration-interval-ms": "1000",
    }
    session = spark_session(**catalogue)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(session, json.loads(line))), flush=True)


def answer(session: Any, statement: str) -> Any:
    try:
        return [[plain(value) for value in row] for row in session.sql(statement).collect()]
    except Exception as error:
        return {"error": str(error)[:500]}


if __name__ == "__main__":
    main()

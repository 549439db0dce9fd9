"""A customer, a connection and a pipeline to start from."""

from datetime import UTC, datetime
from typing import Any

from chalicelib.config.connection import parse_connection
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUCKET = "acme-exports"


def grant(external_id: str = "ab" * 32, **changes: Any) -> Grant:
    fields = {"name": "acme", "role_arn": "arn:aws:iam::222222222222:role/reader"} | changes
    return Grant(parse_connection(fields, where="test"), external_id, START)


def pipeline(name: str = "flights", **source: Any) -> Pipeline:
    return Pipeline.parse(
        {
            "name": name,
            "connection": "acme",
            "in": {"bucket": BUCKET, "path_prefix": "in/", "parser": {"type": "csv"}} | source,
            "out": {"type": "iceberg", "database": "travel", "table": "flights", "on_overwrite": "append"},
        },
        where="test",
    )
